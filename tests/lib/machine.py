# SPDX-License-Identifier: BSD-2-Clause
"""A Debian with a real systemd, booted in namespaces: no virtual machine, a second to start, nothing of the host changed."""

import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import threading
import unittest

from lib import place
from lib.smtp import Talk

STRANGER = "192.0.2.7"  # an address of the machine's own that is in nobody's mynetworks
UNSHARE = ("unshare", "--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--fork", "--kill-child=KILL")
CLONE_NEWNET = 0x40000000
# Not ours to run: they would speak to the host's kernel.
MASKED = ("systemd-modules-load.service", "systemd-sysctl.service", "systemd-remount-fs.service", "console-getty.service",
          "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-fs-fuse-connections.mount", "dev-hugepages.mount",
          "dev-mqueue.mount", "systemd-logind.service", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer",
          "systemd-udev-trigger.service", "systemd-udevd.service", "getty.target")
LIBRARIES = ("libmilter1.0.1", "libconfig9", "liblmdb0", "libidn2-0", "libunistring2", "libjansson4", "libcsv3", "libc-ares2",
             "libsystemd0", "libpq5")


def root(*packages, suite="bookworm"):
    """The root file system with these packages; skips the test where there can be none, even where all else has to run (CI):
    a host gives namespaces and a mirror of Debian, or does not."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("a machine in namespaces needs root")
    done = subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/tmp"], capture_output=True, text=True, timeout=place.PATIENCE)
    if done.returncode != 0:
        raise unittest.SkipTest(f"no namespaces can be had here: {done.stderr.strip()}")
    try:
        done = subprocess.run([place.SOURCE / "tests/lib/machine-root", suite, *packages], capture_output=True, text=True,
                              timeout=900)
    except subprocess.TimeoutExpired as expired:
        raise unittest.SkipTest(f"the mirror of Debian is too slow: {expired}") from expired
    if done.returncode != 0:
        raise unittest.SkipTest(done.stderr.strip())
    return pathlib.Path(done.stdout.strip())


class _Cgroup:
    """A cgroup of its own in each hierarchy, so that two machines do not meet, and nothing is left behind."""

    def __init__(self, name):
        top = pathlib.Path("/sys/fs/cgroup")
        tops = [path for path in top.iterdir() if (path / "cgroup.procs").exists()] if not (top / "cgroup.procs").exists() else [top]
        own = {}
        for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            own[names.removeprefix("name=") or "unified"] = path.lstrip("/")
        self.folders = [path / own.get(path.name, own.get("unified", "") if path == top else "") / name for path in tops]

    def make(self):
        for folder in self.folders:
            folder.mkdir(exist_ok=True)

    def join(self):
        """Between fork and exec."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                (folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self):
        for folder in self.folders:
            for path, _, _ in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(path)


class Machine:
    """A context. lower is what root() returned."""

    def __init__(self, lower, folder):
        self.lower, self.folder = lower, pathlib.Path(folder)
        self.cgroup = _Cgroup(f"mm-{os.getpid()}-{self.folder.name}")
        self.unshare = None

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        units = self.folder / "upper/etc/systemd/system"
        units.mkdir(parents=True, exist_ok=True)
        for name in MASKED:
            (units / name).symlink_to("/dev/null")
        self.boot()
        return self

    def __exit__(self, *_):
        self.power_off()

    def boot(self):
        try:
            self.cgroup.make()
        except OSError as error:
            raise unittest.SkipTest(f"no cgroup can be made here: {error}") from error
        self.unshare = place.Process(
            [*UNSHARE, place.SOURCE / "tests/lib/machine-boot", self.lower, self.folder],
            self.folder.parent / f"{self.folder.name}.log", preexec_fn=self.cgroup.join)
        self.pid = place.until(self._find_first, "the machine's first process is there", self.unshare.printed)
        place.until(lambda: self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded"),
                    "the machine has booted", self.unshare.printed)

    def _find_first(self):
        if not self.unshare.lives():
            raise unittest.SkipTest(f"no machine can be booted in namespaces here: {self.unshare.printed().strip()[-300:]}")
        for line in pathlib.Path(f"/proc/{self.unshare.pid}/task/{self.unshare.pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{line}/exe").endswith("/systemd"):
                    return int(line)
        return None

    def power_off(self):
        """As a cable that is pulled: the first process of a pid namespace takes all others with it."""
        if self.unshare:
            with contextlib.suppress(ProcessLookupError, AttributeError):
                os.kill(self.pid, signal.SIGKILL)
            self.unshare.wait()
            self.unshare = None
        self.cgroup.remove()

    def reboot(self):
        """With all units stopped first, as a real one."""
        self.run("systemctl", "stop", "--no-block", "multi-user.target", check=False)
        self.run("systemctl", "isolate", "rescue.target", check=False)
        self.power_off()
        self.boot()

    # ---- inside

    def run(self, *command, check=True, stdin=None, timeout=10 * place.PATIENCE, **how):
        """A command in the machine, as root with a plain environment. It may be a whole installation: only one that hangs takes so long."""
        done = subprocess.run(["nsenter", f"--target={self.pid}", "--all", "env", "-i", "HOME=/root", "TERM=dumb", "LC_ALL=C.UTF-8",
                               "DEBIAN_FRONTEND=noninteractive", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                               *map(str, command)],
                              input=stdin, stdin=subprocess.DEVNULL if stdin is None else None, capture_output=True, text=True,
                              timeout=timeout, **how)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def shell(self, script, **how):
        return self.run("sh", "-ec", script, **how)

    def path(self, inside):
        """A file of the machine, for this process."""
        return pathlib.Path(f"/proc/{self.pid}/root") / str(inside).lstrip("/")

    def journal(self, unit=None):
        """All that has been logged up to now: the journal's own process may not have read the last of it yet."""
        self.run("journalctl", "--sync", check=False)
        return self.run("journalctl", "--no-pager", "-o", "cat", *(["-u", unit] if unit else []), check=False).stdout

    def is_active(self, unit):
        return self.run("systemctl", "is-active", unit, check=False).stdout.strip() == "active"

    def connect(self, port, source=None):
        """A socket connected to 127.0.0.1:port of the machine; source: from this address."""
        outcome = []

        def work():  # in a thread of its own, which alone changes its network
            try:
                with open(f"/proc/{self.pid}/ns/net") as net:
                    if ctypes.CDLL(None, use_errno=True).setns(net.fileno(), CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                outcome.append(socket.create_connection(("127.0.0.1", port), place.PATIENCE, (source, 0) if source else None))
            except OSError as error:
                outcome.append(error)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if isinstance(outcome[0], OSError):
            raise outcome[0]
        return outcome[0]

    def talk(self, port=25, source=None):
        """An SMTP session with the machine's mail server."""
        return _Inside(self, port, source)

    def ask(self, recipient, source=STRANGER, port=25):
        """What a stranger hears to RCPT."""
        with self.talk(port, source) as talk:
            talk.mail()
            return talk.rcpt(recipient)

    def serves(self, port=25):
        try:
            self.connect(port).close()
        except OSError:
            return False
        return True


class _Inside(Talk):
    def __init__(self, machine, port, source):
        self.machine, self.from_address = machine, source
        super().__init__(port)

    def _get_socket(self, host, port, timeout):
        return self.machine.connect(port, self.from_address)
