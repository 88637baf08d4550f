# SPDX-License-Identifier: BSD-2-Clause
"""milter-moved and movedctl as a test runs them: in a folder of their own, with a configuration written as a dict."""

import contextlib
import csv
import fcntl
import io
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import sys

from lib import place
from lib.milter import Milter

USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def write(value, indent=""):
    """A dict as libconfig text; a list is an array, one of dicts a list of groups."""
    if isinstance(value, dict):
        return "".join(
            f"{indent}{key}: {{\n{write(item, indent + '  ')}{indent}}};\n" if isinstance(item, dict) else
            f"{indent}{key} = {write(item)};\n" for key, item in value.items())
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "( " + ", ".join("{ " + write(item) + "}" for item in value) + " )"
    if isinstance(value, list):
        return "[ " + ", ".join(write(item) for item in value) + " ]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


class Socket:
    """Where a daemon listens, as each program wants it written."""

    def __init__(self, way, folder):
        self.way = way
        if way == "unix":
            self.address = folder / "milter.sock"
            self.ours = self.sendmail = f"unix:{self.address}"
            self.postfix = f"unix:{self.address}"
            return
        host = {"inet": "127.0.0.1", "inet6": "::1"}[way]
        (port,) = place.free_ports(1, host)
        written = f"[{host}]" if way == "inet6" else host
        self.address = (host, port)
        self.ours = f"{way}:{port}@{written}"
        self.sendmail = f"{way}:{port}@{host}"  # Sendmail does not take [::1]
        self.postfix = f"inet:{written}:{port}"


class Daemon:
    """One milter-moved with its table and its configuration. Started by start() or as a context, ended with the context."""

    def __init__(self, folder, way="unix", group=None, **settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            os.chown(self.folder, *pwd.getpwnam(USER)[2:4])
        self.socket = Socket(way, self.folder)
        self.address = self.socket.address
        self.lookups = self.folder / "lookup.sock"
        self.table = pathlib.Path(settings.get("table", self.folder / "table"))
        self.conf = self.folder / "milter-moved.conf"
        self.process = None
        self.env = {}  # beside the test's own
        self.settings = {
            "socket": self.socket.ours,
            "lookup_socket": f"unix:{self.lookups}",
            "table": str(self.table),
            "user": USER,
            "log": {"target": "stderr", "level": "info"},
            # Every test's client has the same address, and some tests are told many new ones.
            "disclosure": {"limit": 0},
        }
        if way == "unix" and group:
            self.settings["socket_group"] = group
        self.configure(**settings)

    def configure(self, **settings):
        """Sets keys in the file; None takes one out. In force from the next start, or SIGHUP, on."""
        self.settings.update(settings)
        self.settings = {key: value for key, value in self.settings.items() if value is not None}
        self.conf.write_text(write(self.settings))

    def spot(self, key):
        """Where the configuration sets the key, as messages have it."""
        lines = self.conf.read_text().splitlines()
        name = key.rpartition(".")[2]
        return f"{self.conf}:{1 + [line.split()[:1] for line in lines].index([name])}"

    # ---- movedctl

    def ctl(self, *args, stdin="", env=None):
        """Runs movedctl; returns what subprocess.run does. env: beside the test's own."""
        command = place.program("movedctl") + ["-c", str(self.conf), *map(str, args)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=place.PATIENCE,
                              env={**os.environ, **(env or {})})

    def on_terminal(self, *args, env=None):
        """Runs movedctl; returns its exit status, and what stands on a terminal in the end."""
        ours, theirs = os.openpty()
        process = subprocess.Popen(place.program("movedctl") + ["-c", str(self.conf), *map(str, args)], stdout=theirs, stderr=theirs,
                                   env={**os.environ, **(env or {})})
        os.close(theirs)
        shown = b""
        with process, open(ours, "rb", buffering=0) as terminal, contextlib.suppress(OSError):  # EIO: it has ended
            while chunk := terminal.read(10000):
                shown += chunk
        return process.returncode, shown.decode().replace("\r\n", "\n")

    def movedctl(self, *args, stdin=""):
        """Runs movedctl, which has to succeed; returns what it printed."""
        done = self.ctl(*args, stdin=stdin)
        if done.returncode != 0:
            raise AssertionError(f"movedctl {' '.join(map(str, args))}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def hold(self, *entries):
        """Makes these, and no others, the table's entries: (old, new, action) each, the action left out for reject."""
        text = io.StringIO()
        csv.writer(text).writerows([("old", "new", "action"), *((*entry, "reject")[:3] for entry in entries)])
        self.movedctl("import", "--replace-all", "--max-remove", "100", "-", stdin=text.getvalue())

    # ---- the process

    def command(self):
        return place.program("milter-moved") + ["-f", "-c", str(self.conf)]

    def launch(self, **how):
        """Starts it without waiting."""
        return place.Process(self.command(), self.folder / "log", env={**os.environ, **self.env}, **how)

    def runs_for_an_hour(self):
        """From its next start on it takes itself to have run for so long."""
        self.env = place.preloading("later", self.folder)
        return self

    def start(self):
        self.process = self.launch()
        place.until(self.answers, "milter-moved answers", self.log)
        return self

    def answers(self):
        if not self.process.lives():
            raise AssertionError(f"milter-moved ended with {self.process.wait()}:\n{self.log()[-3000:]}")
        has_lookups = self.settings.get("lookup_socket") == f"unix:{self.lookups}"
        return place.listens(self.address) and (not has_lookups or place.listens(self.lookups))

    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def session(self):
        """A context: a milter session that is open, as a mail server has it. Without one the map listed says no."""
        session = Milter(self.address)
        session.negotiate()
        return session

    def count(self, words):
        """How often these words stand in the log."""
        return self.log().count(words)

    def logged(self, words, times=1):
        """Waits until these words stand in the log as often as that, since a thread of its own writes it; returns how often they do."""
        return place.until(lambda: self.count(words) >= times and self.count(words), f"'{words}' in the log {times} times", self.log)

    def reload(self, words="configuration read again"):
        """SIGHUP, and waits for its log line."""
        before = self.count(words)
        self.process.kill(signal.SIGHUP)
        place.until(lambda: self.count(words) > before, f"'{words}' in the log", self.log)

    def stop(self, number=signal.SIGTERM):
        """Ends it and returns its exit status."""
        return self.process.end(number)

    def __enter__(self):
        if not self.table.exists():
            self.movedctl("init")
        return self.start()

    def __exit__(self, *_):
        if self.process:
            self.process.end()


# In a process of its own: what Python keeps open while it starts one may be in the way of descriptor 3.
HAND_OVER = """
import os, sys
count = int(sys.argv[1])
for number, copy in enumerate(map(int, sys.argv[2:2 + count]), 3):
    os.dup2(copy, number)
    os.close(copy)
os.environ.update(LISTEN_FDS=str(count), LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[2 + count], sys.argv[2 + count:])
"""


def handed_over(listeners, command, log):
    """Starts the command as systemd would, with the listening sockets as descriptors from 3 on."""
    copies = [fcntl.fcntl(listener.fileno(), fcntl.F_DUPFD, 100) for listener in listeners]
    try:
        words = [sys.executable, "-c", HAND_OVER, str(len(copies)), *map(str, copies), *command]
        return place.Process(words, log, pass_fds=copies)
    finally:
        for copy in copies:
            os.close(copy)


def listening(path):
    """A unix socket that listens, for handed_over."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    path.chmod(0o666)
    return listener
