# SPDX-License-Identifier: BSD-2-Clause
"""Where things are on this machine, what it can do, and how to wait for what happens on it."""

import contextlib
import os
import pathlib
import random
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 60  # seconds; only a failing test ever waits so long


def in_ci():
    return os.environ.get("CI", "") not in ("", "0", "false")


def lacking(reason):
    """Skips the test, since this machine truly cannot run it; where CI is set every machine has to."""
    if in_ci():
        raise AssertionError(f"CI is set, and this machine cannot run the test: {reason}")
    raise unittest.SkipTest(reason)


def mounting():
    """The command before a command that gives it mounts of its own; skips the test where that is not allowed, or where this
    root is itself a folder of another (chroot(2)) and no mount point."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
        lacking("no mount namespaces here")
    return ["unshare", "--mount"]


def program(name):
    """The command that runs one of our programs: $MILTER_MOVED, $MOVEDCTL (which may have words, for valgrind), or from $top_builddir."""
    command = os.environ.get(name.upper().replace("-", "_"))
    if command:
        return shlex.split(command)
    path = pathlib.Path(os.environ.get("top_builddir", SOURCE), name).resolve()
    if not path.is_file():
        raise AssertionError(f"{path} is not there: run make, or set top_builddir to the folder of the build")
    return [str(path)]


def on_a_terminal(command, stdin="", **how):
    """What the command prints on standard output where that is a terminal; its line ends are plain."""
    ours, theirs = os.openpty()
    with tempfile.TemporaryFile("w+") as given:
        given.write(stdin)
        given.seek(0)
        with subprocess.Popen(command, stdin=given, stdout=theirs, stderr=subprocess.DEVNULL, **how):
            os.close(theirs)
            text = b""
            with contextlib.suppress(OSError):  # EIO: the command has ended
                while part := os.read(ours, 65536):
                    text += part
    os.close(ours)
    return text.decode().replace("\r\n", "\n")


def preloading(shim, into):
    """The environment in which a program runs with this shim of tests/lib, which is built into the folder."""
    library = pathlib.Path(into, f"{shim}.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, SOURCE / f"tests/lib/{shim}.c", "-ldl"], check=True)
    # AddressSanitizer wants to be the first library that is loaded.
    asan = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": str(library), "ASAN_OPTIONS": f"{asan}:verify_asan_link_order=0".lstrip(":")}


def unpacked(server):
    """The folder with the programs of 'postfix', 'sendmail', 'unbound', 'sasl', 'fail2ban', 'icinga2', 'prometheus' or 'node-exporter', from mta-fetch."""
    if os.geteuid() != 0 and server in ("postfix", "sendmail"):
        lacking("a private mail server needs root: its parts run under accounts of their own")
    done = subprocess.run([SOURCE / "tests/lib/mta-fetch", server], capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        lacking(done.stderr.strip())
    return pathlib.Path(done.stdout.strip())


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


# Below those that the system gives to clients (ip(7), ip_local_port_range): no connection takes one of these away before
# the test's server has bound it. In any order, so that two tests that run at the same time seldom try the same one.
_ports = iter(random.sample(range(10000, 32000), 22000))


def free_ports(count, host="127.0.0.1"):
    """Ports of loopback that nobody has; none is given twice, to no other process of the tests either: initdb takes seconds, and
    then the server wants its port. The name of a socket without a file (unix(7)) is for one network, as a port is."""
    found = []
    while len(found) < count:
        port = next(_ports)
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as claim, \
                socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            claim.bind(f"\0milter-moved-test-port-{port}")
            probe.bind((host, port))
            claim.detach()  # it is open until this process ends
            found.append(port)
    return found


@contextlib.contextmanager
def folder():
    """A temporary folder that every account may pass through (mkdtemp alone keeps daemons under other accounts out)."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="mm-"))  # short: a unix socket's path has 107 octets at most
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def replace(path, content):
    """Writes a file that another process may be reading: that one gets the old content or the new, and no part."""
    fresh = path.with_name(f".{path.name}.fresh")
    fresh.write_bytes(content if isinstance(content, bytes) else content.encode())
    fresh.chmod(path.stat().st_mode & 0o7777 if path.exists() else 0o644)
    fresh.replace(path)


def until(condition, what, log=None, seconds=PATIENCE):
    """Waits for the condition and returns what it came to; what says in words what did not happen, and log() what was logged."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"did not happen within {seconds} s: {what}" + (f"\n{log()[-3000:]}" if log else ""))
        time.sleep(0.01)


def listens(address):
    """Whether somebody takes connections at (host, port), or at a path."""
    family = socket.AF_UNIX if not isinstance(address, tuple) else \
        socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(5)
        try:
            probe.connect(address if isinstance(address, tuple) else str(address))
        except OSError:
            return False
    return True


def listener(path):
    """The pid of whoever listens on a unix socket (unix(7), SO_PEERCRED)."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        return struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


class Process:
    """A program in the foreground, with what it prints in a file."""

    def __init__(self, command, log, **how):
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **how)
        self.pid = self.popen.pid

    def lives(self):
        return self.popen.poll() is None

    def kill(self, number):
        self.popen.send_signal(number)

    def wait(self, seconds=PATIENCE):
        return self.popen.wait(seconds)

    def printed(self):
        return self.log.read_text(errors="replace")

    def end(self, number=signal.SIGTERM):
        """Ends it, in the hard way if need be, and returns its exit status."""
        if self.lives():
            self.kill(number)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.wait()
