"""The Debian package, made of what 'make dist' makes; and others like it, made of it."""

import atexit
import contextlib
import functools
import os
import pathlib
import shutil
import subprocess

from lib import place


def _run(log, *command, **how):
    with open(log, "ab") as out:
        if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **how).returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))}: {pathlib.Path(log).read_text(errors='replace')[-3000:]}")


@functools.cache
def _folder():
    """For all that is built in this process."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(place.folder())


@functools.cache
def dist():
    """The tarball of a release."""
    made, log = _folder() / "dist", _folder() / "dist.log"
    made.mkdir()
    _run(log, place.SOURCE / "configure", "-q", cwd=made)
    _run(log, "make", "-s", "dist", cwd=made)
    return next(made.glob("milter-moved-*.tar.xz"))


def build(folder, zone="UTC"):
    """Builds the binary packages in the folder."""
    if shutil.which("dh") is None or shutil.which("dpkg-buildpackage") is None:
        place.lacking("debhelper and dpkg-dev are needed")
    name, version = dist().name.removesuffix(".tar.xz").rsplit("-", 1)
    shutil.copy(dist(), folder / f"{name}_{version}.orig.tar.xz")
    _run(folder / "log", "tar", "xf", dist(), cwd=folder)
    source = folder / f"{name}-{version}"
    shutil.copytree(source / "contrib/debian", source / "debian")
    _run(folder / "log", "dpkg-buildpackage", "-us", "-uc", "-F", cwd=source,
         env={**os.environ, "TZ": zone, "DEB_BUILD_OPTIONS": f"nocheck parallel={os.cpu_count()}"})
    return next(folder.glob("milter-moved_*.deb"))


def build_rpm(folder):
    """Builds the rpm in the folder; its package list is that of Red Hat's, so nothing is asked about it here."""
    if shutil.which("rpmbuild") is None:
        place.lacking("rpmbuild is needed: install the package rpm")
    _run(folder / "log", "tar", "xf", dist(), "--strip-components=2", "--wildcards", "*/contrib/milter-moved.spec", cwd=folder)
    _run(folder / "log", "rpmbuild", "-bb", "--nodeps", "--nocheck", "--define", f"_topdir {folder}",
         "--define", f"_sourcedir {dist().parent}", "--define", "debug_package %{nil}", folder / "milter-moved.spec")
    return next(folder.glob("RPMS/*/milter-moved-*.rpm"))


@functools.cache
def package():
    """The path of the binary package."""
    folder = _folder() / "package"
    folder.mkdir()
    return build(folder)


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
