# SPDX-License-Identifier: BSD-2-Clause
"""A PostgreSQL of its own: Debian's programs, an unprivileged user, a temporary folder, a unix socket in it and a port on loopback."""

import glob
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

from lib import place

POOL = "/usr/sbin/pgbouncer"
USER = "postgres"  # Debian's package makes it; initdb does not run as root


def binaries():
    """The folder of the newest server's programs, 13 or later; skips the test where there is none."""
    found = [path for path in glob.glob("/usr/lib/postgresql/*/bin") if os.path.exists(f"{path}/initdb") and float(path.split("/")[4]) >= 13]
    if not found:
        place.lacking("no PostgreSQL 13 or later: apt-get install postgresql")
    return max(found, key=lambda path: float(path.split("/")[4]))


# In mounts of its own: a command as the user $1 in the root file system $2, where the folder $3 is this machine's.
CHROOT = """user=$1 root=$2 folder=$3; shift 3; mkdir -p "$root$folder"; mount --bind "$folder" "$root$folder"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"; exec chroot --userspec="$user" --groups= "$root" "$@" """


class Programs:
    """A server's programs, and the account that they run under: in the root file system of another Debian, or this machine's."""

    def __init__(self, root=None):
        self.root = root
        self.bin = f"/usr/lib/postgresql/{os.listdir(root / 'usr/lib/postgresql')[0]}/bin" if root else binaries()

    def account(self):
        """Its user and group, where this process may choose."""
        if self.root:
            lines = [line.split(":") for line in (self.root / "etc/passwd").read_text().splitlines()]
            return next((int(line[2]), int(line[3])) for line in lines if line[0] == USER)
        return pwd.getpwnam(USER)[2:4]

    def demoted(self, *command):
        """The command as a user that initdb and postgres accept. It is the process that is started, not a child of it."""
        if os.getuid() != 0:
            return list(command)
        user, group = self.account()
        if self.root:
            return ["unshare", "--mount", "sh", "-ec", CHROOT, "sh", f"{user}:{group}", str(self.root), tempfile.gettempdir(), *command]
        return ["setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups", *command]

    def command(self, name, *args):
        return self.demoted(f"{self.bin}/{name}", *args)


other = None  # Programs that all servers are made with, in place of this machine's


class PostgreSQL:
    """A server that runs while the context is open. Its superuser is postgres, and anybody here may log in as anybody."""

    def __init__(self, folder, standby_of=None, **settings):
        self.folder, self.standby_of = pathlib.Path(folder), standby_of
        self.data, (self.port,) = self.folder / "data", place.free_ports(1)
        self.settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder,
                         "fsync": "off", "wal_level": "logical", "max_connections": 200, "shared_buffers": "64MB",
                         "autovacuum": "off", "logging_collector": "off", "password_encryption": "scram-sha-256", **settings}
        self.programs = other or Programs()
        self.process = None

    # ---- the server

    def run(self, program, *args):
        done = subprocess.run(self.programs.command(program, *args), cwd="/", capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"{program}: {done.stdout}{done.stderr}")
        return done.stdout

    def __enter__(self):
        self.folder.mkdir(parents=True)
        if os.getuid() == 0:
            os.chown(self.folder, *self.programs.account())
        if self.standby_of is None:
            self.run("initdb", "-D", str(self.data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
        else:
            self.run("pg_basebackup", "-D", str(self.data), "-R", "-X", "stream", "--no-sync", "-c", "fast",
                     "-h", str(self.standby_of.folder), "-p", str(self.standby_of.port), "-U", "postgres")
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        command = self.programs.command("postgres", "-D", str(self.data),
                                        *(word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")))
        with open(self.folder / "log", "a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
        place.until(self.answers, f"PostgreSQL answers: see {self.folder}/log")

    def answers(self):
        return subprocess.run([f"{binaries()}/pg_isready", "-q", "-h", str(self.folder), "-p", str(self.port)]).returncode == 0

    def stop(self, how=signal.SIGINT):
        """SIGINT: a fast shutdown. SIGQUIT: as a crash."""
        if self.process is not None:
            self.resume()
            self.process.send_signal(how)
            self.process.wait()
            self.process = None

    def family(self):
        """The server's processes, the children first."""
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()
        return [int(child) for child in children] + [self.process.pid]

    def suspend(self):
        """Every process of it stops and keeps its connections: as a machine that hangs. The postmaster first, which would start
        others: those that it has once it stands still are all."""
        self.process.send_signal(signal.SIGSTOP)
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat")
        place.until(lambda: stat.read_text().rpartition(") ")[2].startswith("T"), "the postmaster stands still")
        for process in self.family():
            try:
                os.kill(process, signal.SIGSTOP)
            except ProcessLookupError:
                pass

    def resume(self):
        for process in self.family():
            try:
                os.kill(process, signal.SIGCONT)
            except ProcessLookupError:
                pass

    def pause_replay(self):
        """Of a standby: it is asked for at once, and done when the record at hand is replayed."""
        self.sql("SELECT pg_wal_replay_pause()")
        if int(self.sql("SHOW server_version_num")) >= 140000:
            place.until(lambda: self.sql("SELECT pg_get_wal_replay_pause_state()") == "paused", "the replay is paused")

    def promote(self):
        self.run("pg_ctl", "promote", "-w", "-D", str(self.data))

    # ---- its clients

    def connect(self, user="postgres", database="postgres", **more):
        """A connection string."""
        words = {"host": self.folder, "port": self.port, "user": user, "dbname": database, **more}
        return " ".join(f"{name}={value}" for name, value in words.items())

    def attempt(self, *statements, user="postgres", database="postgres", stdin=None):
        """psql with these statements, each a transaction of its own unless it says BEGIN."""
        command = [f"{binaries()}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.connect(user, database)]
        for statement in statements:
            command += ["-c", statement]
        return subprocess.run(command, input=stdin, capture_output=True, text=True)

    def sql(self, *statements, **how):
        """What they print, without the last line break."""
        done = self.attempt(*statements, **how)
        if done.returncode != 0:
            raise AssertionError(f"{statements}: {done.stderr}")
        return done.stdout.rstrip("\n")

    def script(self, text, **how):
        """A script on psql's standard input; the connection stays open over all of it."""
        done = self.attempt(stdin=text, **how)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout.rstrip("\n")

    def open(self, user="postgres", database="postgres"):
        return Session(self, user, database)


class Session:
    """psql with one connection, to which statements are given one by one: what several clients do at once, in a chosen order."""

    def __init__(self, server, user, database):
        self.process = subprocess.Popen(
            [f"{binaries()}/psql", "-X", "-q", "-A", "-t", "-d", server.connect(user, database)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.turn = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def send(self, statement):
        """Without waiting for its end: it may have to wait for another one."""
        self.turn += 1
        self.process.stdin.write(f"{statement};\n\\echo done {self.turn}\n")
        self.process.stdin.flush()

    def result(self):
        lines = []
        for line in self.process.stdout:
            if line == f"done {self.turn}\n":
                break
            lines.append(line.rstrip("\n"))
        return "\n".join(lines)

    def sql(self, statement):
        self.send(statement)
        return self.result()


class Pool:
    """pgbouncer before a server, while the context is open: each transaction may get another connection."""

    def __init__(self, folder, server):
        self.folder, self.server = pathlib.Path(folder), server
        (self.port,) = place.free_ports(1)

    def __enter__(self):
        if not os.path.exists(POOL):
            place.lacking("no pgbouncer: apt-get install pgbouncer")
        self.folder.mkdir()
        self.folder.chmod(0o777)
        (self.folder / "ini").write_text(
            f"[databases]\npostgres = user=postgres host={self.server.folder} port={self.server.port}\n[pgbouncer]\npool_mode = transaction\n"
            f"listen_port = {self.port}\nlisten_addr = 127.0.0.1\nunix_socket_dir =\nauth_type = any\nlogfile = {self.folder}/log\n")
        self.process = place.Process(Programs().demoted(POOL, "-q", str(self.folder / "ini")), self.folder / "out")
        place.until(lambda: place.listens(("127.0.0.1", self.port)), "pgbouncer listens", self.process.printed)
        return self

    def __exit__(self, *_):
        self.process.end()

    def connect(self, user):
        """A connection string."""
        return f"host=127.0.0.1 port={self.port} user={user} dbname=postgres"


def wait_for_lag(primary, standby):
    """Until the standby has all that the primary has."""
    here = primary.sql("SELECT pg_current_wal_lsn()")
    place.until(lambda: standby.sql(f"SELECT pg_last_wal_replay_lsn() >= '{here}'") == "t", "the standby has caught up")
