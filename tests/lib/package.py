# SPDX-License-Identifier: BSD-2-Clause
"""The Debian package, made of what 'make dist' makes; and others like it, made of it.

Each is built once, however many tests ask for it at the same time: in $top_builddir/packages, in a folder with the name of
what the source is."""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess

from lib import place


def run(log, *command, **how):
    with open(log, "ab") as out:
        if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **how).returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))}: {pathlib.Path(log).read_text(errors='replace')[-3000:]}")


def _source():
    """A word for all files of the source as they are."""
    sums = hashlib.sha256()
    for folder, folders, names in os.walk(place.SOURCE):
        folders[:] = sorted(set(folders) - {".git", "__pycache__", "autom4te.cache", "packages"})
        for path in (pathlib.Path(folder, name) for name in sorted(names)):
            if path.is_file():
                sums.update(str(path).encode() + hashlib.sha256(path.read_bytes()).digest())
    return sums.hexdigest()[:16]


@contextlib.contextmanager
def once(name):
    """The folder called name, and whether it has been filled by now, by this process or by another."""
    folder = pathlib.Path(os.environ.get("top_builddir", place.SOURCE), "packages", _source(), name).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder.with_suffix(".done")
        if not done.exists():
            shutil.rmtree(folder)
            folder.mkdir()
        yield folder, done.exists()
        done.touch()


def dist():
    """The tarball of a release."""
    with once("dist") as (made, is_made):
        if not is_made:
            run(made / "log", place.SOURCE / "configure", "-q", cwd=made)
            run(made / "log", "make", "-s", "dist", cwd=made)
        return next(made.glob("milter-moved-*.tar.xz"))


def build(folder, zone="UTC"):
    """Builds the binary packages in the folder."""
    if shutil.which("dh") is None or shutil.which("dpkg-buildpackage") is None:
        place.lacking("debhelper and dpkg-dev are needed")
    name, version = dist().name.removesuffix(".tar.xz").rsplit("-", 1)
    shutil.copy(dist(), folder / f"{name}_{version}.orig.tar.xz")
    run(folder / "log", "tar", "xf", dist(), cwd=folder)
    source = folder / f"{name}-{version}"
    shutil.copytree(source / "contrib/debian", source / "debian")
    run(folder / "log", "dpkg-buildpackage", "-us", "-uc", "-F", cwd=source,
         env={**os.environ, "TZ": zone, "DEB_BUILD_OPTIONS": f"nocheck parallel={os.cpu_count()}"})
    return next(folder.glob("milter-moved_*.deb"))


def rpm():
    """The path of the rpm."""
    with once("rpm") as (folder, is_made):
        return next(folder.glob("RPMS/*/milter-moved-*.rpm")) if is_made else _build_rpm(folder)


def _build_rpm(folder):
    """Its package list is that of Red Hat's, so nothing is asked about it here."""
    if shutil.which("rpmbuild") is None:
        place.lacking("rpmbuild is needed: install the package rpm")
    run(folder / "log", "tar", "xf", dist(), "--strip-components=2", "--wildcards", "*/contrib/milter-moved.spec", cwd=folder)
    run(folder / "log", "rpmbuild", "-bb", "--nodeps", "--nocheck", "--define", f"_topdir {folder}",
         "--define", f"_sourcedir {dist().parent}", "--define", "debug_package %{nil}", folder / "milter-moved.spec")
    return next(folder.glob("RPMS/*/milter-moved-*.rpm"))


def package():
    """The path of the binary package."""
    with once("package") as (folder, is_made):
        return next(folder.glob("milter-moved_*.deb")) if is_made else build(folder)


def changed(folder, version, change=lambda tree: None):
    """The same package with another version, after change has been at the files in it."""
    tree = folder / f"tree-{version}"
    subprocess.run(["dpkg-deb", "--raw-extract", package(), tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text("".join(f"Version: {version}\n" if line.startswith("Version:") else line
                               for line in control.read_text().splitlines(True)))
    change(tree)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, folder / f"{version}.deb"], check=True,
                   stdout=subprocess.DEVNULL)
    return folder / f"{version}.deb"
