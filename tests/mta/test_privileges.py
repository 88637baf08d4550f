# SPDX-License-Identifier: BSD-2-Clause
"""What the daemon does with root's rights, and that it has none left: groups, capabilities, sockets, folders, the pid file."""

import contextlib
import ctypes
import grp
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import time
import unittest

from lib import place
from lib.daemon import USER, Daemon
from lib.milter import ask
from lib.socketmap import Socketmap

NEW = "551 5.1.6 User not local; please try <alice@new.example>"
GROUP = "mail"
RENAME_EXCHANGE = 2


class AsRoot(unittest.TestCase):
    """Each test has a daemon that is not started yet, in a folder of its user's; the folder around it is root's."""

    def setUp(self):
        if os.geteuid() != 0:
            place.lacking("only root has rights to give up")
        folder = place.folder()
        self.folder = folder.__enter__()
        self.addCleanup(folder.__exit__, None, None, None)
        self.daemon = Daemon(self.folder / "d", group=GROUP)
        self.daemon.movedctl("init")
        self.daemon.hold(("alice@old.example", "alice@new.example"))
        self.addCleanup(lambda: self.daemon.process and self.daemon.process.end())
        self.user = pwd.getpwnam(USER)

    def launch(self, *around, **how):
        """Starts the daemon behind other commands."""
        command = [*around, *self.daemon.command()]
        process = place.Process(command, self.daemon.folder / "log", **how)
        self.addCleanup(process.end)
        return process

    def as_user(self, *groups):
        """As systemd's User= does it, with the program where the user reaches it."""
        program = self.folder / "milter-moved"
        shutil.copy(place.program("milter-moved")[-1], program)
        return ["setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}",
                f"--groups={','.join(groups)}" if groups else "--clear-groups", str(program), "-f", "-c", str(self.daemon.conf)]

    def refusal(self, *command):
        """The exit status and the one line of a daemon that does not start."""
        done = subprocess.run(command or self.daemon.command(), capture_output=True, text=True, timeout=place.PATIENCE)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        return done.returncode, done.stderr

    def answers(self, process):
        place.until(lambda: not process.lives() or place.listens(self.daemon.lookups) and place.listens(self.daemon.address),
                    "it listens", self.daemon.log)
        self.assertTrue(process.lives(), self.daemon.log())
        self.assertEqual(ask(self.daemon.address, "<alice@old.example>"), NEW)

    def threads(self, process):
        """What each thread of the daemon is (proc(5), status); none has a capability."""
        found = []
        self.assertIn(str(process.pid), os.listdir(f"/proc/{process.pid}/task"))
        for task in os.listdir(f"/proc/{process.pid}/task"):
            try:
                with open(f"/proc/{process.pid}/task/{task}/status") as lines:
                    found.append({name: value.split() for name, value in (line.split(":", 1) for line in lines)})
            except (FileNotFoundError, ProcessLookupError):
                self.assertNotEqual(task, str(process.pid))
                continue  # one of libmilter's threads has ended
            for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertEqual(int(found[-1][kind][0], 16), 0, kind)
        return found


class Rights(AsRoot):
    def test_once_it_answers_it_is_its_user_alone(self):
        """Started with groups and an inheritable capability that are not the user's; he has a group of his own here."""
        groups = self.folder / "group"
        with open("/etc/group") as known:
            groups.write_text(known.read() + f"mm-of-{USER}:x:54321:{USER}\n")
        enter = [*place.mounting(), "sh", "-c", 'mount --bind "$0" /etc/group && exec "$@"', str(groups),
                 "setpriv", "--groups=0,3", "--inh-caps=+chown"]
        process = self.launch(*enter)
        self.answers(process)
        uid, gid = self.user.pw_uid, self.user.pw_gid
        own = {gid, 54321, *(group.gr_gid for group in grp.getgrall() if USER in group.gr_mem)}
        for status in self.threads(process):
            self.assertEqual(status["Uid"], [str(uid)] * 4)
            self.assertEqual(status["Gid"], [str(gid)] * 4)
            self.assertEqual(set(map(int, status["Groups"])), own)

    def test_the_sockets_have_their_group_and_mode_whatever_the_umask_is(self):
        for umask, mode in ((0, 0o660), (0o777, 0o660), (0o077, 0o666), (0, 0o600), (0o022, 0o777)):
            self.daemon.configure(socket_mode=f"{mode:04o}")
            process = self.launch(umask=umask)
            self.answers(process)
            for path in (self.daemon.address, self.daemon.lookups):
                made = path.stat()
                self.assertEqual((stat.S_IMODE(made.st_mode), made.st_uid, made.st_gid),
                                 (mode, self.user.pw_uid, grp.getgrnam(GROUP).gr_gid))
            process.end()

    def test_a_folder_that_is_missing_under_one_of_roots_is_made_for_the_user(self):
        folder = self.folder / "run"
        self.daemon.configure(socket=f"unix:{folder}/milter.sock", lookup_socket=f"unix:{folder}/lookup.sock")
        self.daemon.address, self.daemon.lookups = folder / "milter.sock", folder / "lookup.sock"
        self.answers(self.launch(umask=0o077))
        made = folder.stat()
        self.assertEqual((stat.S_IMODE(made.st_mode), made.st_uid, made.st_gid), (0o755, self.user.pw_uid, self.user.pw_gid))

    def test_root_makes_no_folder_where_others_lead_the_way(self):
        """The user's own link, to a folder of root's: root does not follow it, and the user may not write there."""
        (self.folder / "roots").mkdir()
        (self.daemon.folder / "link").symlink_to(self.folder / "roots")
        for path in (self.daemon.folder / "link/run", self.daemon.folder / "link/../roots/run"):
            self.daemon.configure(socket=f"unix:{path}/milter.sock")
            status, words = self.refusal()
            self.assertEqual(status, 73)
            self.assertRegex(words, "^milter-moved: socket: cannot make the folder '.*/run': .*: make it, for the daemon's user\n")
            self.assertEqual(os.listdir(self.folder / "roots"), [])

    def test_a_socket_folder_of_roots_is_said(self):
        os.chown(self.daemon.folder, 0, 0)
        self.assertEqual(self.refusal(), (73, f"milter-moved: socket: '{self.daemon.folder}': Permission denied: "
                                              "give the folder to the daemon's user\n"))


class Files(AsRoot):
    def test_a_file_that_the_user_cannot_read_again_is_said(self):
        self.daemon.conf.chmod(0o600)
        said = f"{self.daemon.conf}: a reload will be refused, since the daemon's user may not read it: let that user read it\n"
        self.assertEqual(self.refusal(*self.daemon.command(), "-t"), (0, f"milter-moved: warning: {said}"))
        self.daemon.start()
        self.daemon.logged(said)

    def test_a_user_that_is_not_there(self):
        self.daemon.configure(user="nosuch")
        for option in ((), ("-t",)):
            status, words = self.refusal(*self.daemon.command(), *option)
            self.assertEqual((status, words), (78, f"milter-moved: {self.daemon.spot('user')}: user: no such user 'nosuch': make it "
                                                   "(useradd --system nosuch) or set another\n"))


class Unprivileged(AsRoot):
    """As under systemd's User=."""

    def test_what_systemd_lets_it_keep_it_gives_up(self):
        """AmbientCapabilities=."""
        self.daemon.configure(socket_group=None)
        command = self.as_user()
        command[1:1] = ["--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"]
        process = place.Process(command, self.daemon.folder / "log")
        self.addCleanup(process.end)
        self.answers(process)
        self.threads(process)

    def test_a_setgid_folder_gives_the_group(self):
        os.chown(self.daemon.folder, -1, grp.getgrnam(GROUP).gr_gid)
        self.daemon.folder.chmod(0o2755)
        process = place.Process(self.as_user(), self.daemon.folder / "log")
        self.addCleanup(process.end)
        self.answers(process)
        for path in (self.daemon.address, self.daemon.lookups):
            self.assertEqual((path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)), (grp.getgrnam(GROUP).gr_gid, 0o660))

    def test_a_group_that_is_not_to_be_had_is_said(self):
        for groups in ((), ("nogroup",)):
            status, words = self.refusal(*self.as_user(*groups))
            self.assertEqual((status, words), (77, f"milter-moved: socket: '{self.daemon.address}' does not get the group '{GROUP}': "
                                                   "start milter-moved as root, or give the folder that group "
                                                   f"(chgrp {GROUP} {self.daemon.folder}; chmod g+s {self.daemon.folder})\n"))
            self.assertFalse(list(self.daemon.folder.glob("*.sock*")))

    def test_without_a_word_of_a_group_the_users_own_will_do(self):
        self.daemon.configure(socket_group=None)
        process = place.Process(self.as_user(), self.daemon.folder / "log")
        self.addCleanup(process.end)
        self.answers(process)
        self.assertEqual(self.daemon.address.stat().st_gid, self.user.pw_gid)


class Links(AsRoot):
    """The daemon's user puts links in the place of whatever appears in the folder of the sockets, while root starts the daemon, and ends it."""

    STARTS = 100

    def harass(self):
        """As the user, until killed."""
        libc = ctypes.CDLL(None, use_errno=True)
        os.chdir(self.daemon.folder)
        os.setgroups([])
        os.setresgid(*[self.user.pw_gid] * 3)
        os.setresuid(*[self.user.pw_uid] * 3)
        baits = {b"bait-file": self.folder / "precious", b"bait-none": self.folder / "none", b"bait-folder": self.folder / "roots"}
        for bait, target in baits.items():
            os.symlink(target, bait)
        while True:
            for name in os.listdir(b"."):
                if b".sock" in name:
                    for bait in baits:
                        libc.renameat2(-100, name, -100, bait, RENAME_EXCHANGE)
                        libc.renameat2(-100, name, -100, bait, RENAME_EXCHANGE)

    @contextlib.contextmanager
    def harassed(self):
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                self.harass()
            os._exit(1)
        try:
            place.until(lambda: (self.daemon.folder / "bait-folder").is_symlink(), "the links are there")
            yield
            self.assertEqual(os.waitpid(pid, os.WNOHANG), (0, 0), "it went on to the end")
        finally:
            os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def sweep(self):
        for name in os.listdir(self.daemon.folder):
            path = self.daemon.folder / name
            if name.startswith(("milter.sock", "lookup.sock")):
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()

    def outside(self):
        """All that lstat(2) says of what the links lead to, time of the last change included; of folders not when they were
        read, as they are here."""
        paths = (self.folder / "precious", self.folder / "roots", self.folder / "roots/file", self.folder)
        read = [path.lstat().st_atime_ns for path in paths if path.is_file()]
        return read + [(path, (found := path.lstat())[:stat.ST_ATIME], found.st_mtime_ns, found.st_ctime_ns) for path in paths] + sorted(os.listdir(self.folder / "roots"))

    def test_nothing_outside_is_made_or_changed(self):
        (self.folder / "precious").write_text("precious")
        (self.folder / "precious").chmod(0o600)
        (self.folder / "roots").mkdir(mode=0o700)
        (self.folder / "roots/file").write_text("also")
        before, listened = self.outside(), 0
        with self.harassed():
            for number in range(self.STARTS):
                process = self.launch()
                end = time.monotonic() + 1
                while process.lives() and not (heard := place.listens(self.daemon.address)) and time.monotonic() < end:
                    time.sleep(0.005)
                listened += process.lives() and heard
                process.end(signal.SIGTERM if number % 4 == 0 else signal.SIGKILL)
                self.sweep()
                self.assertEqual(self.outside(), before)
        self.assertFalse((self.folder / "none").exists())
        self.assertEqual((self.folder / "precious").read_text(), "precious")
        self.assertGreater(listened, self.STARTS / 10, "the daemon came to its sockets often enough")


class PidFile(AsRoot):
    def setUp(self):
        super().setUp()
        self.path = self.folder / "milter-moved.pid"
        self.daemon.configure(pid_file=str(self.path))

    def test_it_names_the_daemon_and_is_roots(self):
        process = self.launch(umask=0o077)
        self.answers(process)
        self.assertEqual(self.path.read_text(), f"{process.pid}\n")
        self.assertEqual((self.path.stat().st_uid, stat.S_IMODE(self.path.stat().st_mode)), (0, 0o644))

    def test_a_link_of_roots_leads_to_its_folder(self):
        (self.folder / "run").mkdir()
        for link, target in (("whole", self.folder / "run"), ("part", "x/../run")):
            (self.folder / "x").mkdir(exist_ok=True)
            (self.folder / link).symlink_to(target)
            self.daemon.configure(pid_file=f"{self.folder / link}/pid")
            process = self.launch()
            self.answers(process)
            self.assertEqual((self.folder / "run/pid").read_text(), f"{process.pid}\n")
            process.end()

    def test_in_the_background_it_names_the_child(self):
        done = subprocess.run([word for word in self.daemon.command() if word != "-f"], capture_output=True, timeout=place.PATIENCE)
        self.assertEqual(done.returncode, 0)
        pid = int(self.path.read_text())
        self.assertEqual(pid, place.listener(self.daemon.address))
        os.kill(pid, signal.SIGTERM)
        place.until(lambda: not os.path.exists(f"/proc/{pid}"), "it ends")

    def test_a_second_daemon_leaves_it_to_the_first_and_a_later_one_takes_it(self):
        first = self.launch()
        self.answers(first)
        self.assertEqual(self.refusal(), (75, f"milter-moved: pid_file: '{self.path}' is held by a milter-moved that runs: stop it first\n"))
        self.answers(first)
        self.assertEqual(self.path.read_text(), f"{first.pid}\n")
        first.end()
        second = self.launch()
        self.answers(second)
        self.assertEqual(self.path.read_text(), f"{second.pid}\n")

    def test_what_others_may_have_a_hand_in_is_refused(self):
        users, sticky = self.daemon.folder, self.folder / "sticky"
        sticky.mkdir()
        sticky.chmod(0o1777)
        (self.folder / "link").symlink_to(users)
        for folder in (users, sticky, self.folder / "link", users / "table"):
            self.daemon.configure(pid_file=f"{folder}/pid")
            for option in ((), ("-t",)):
                status, words = self.refusal(*self.daemon.command(), *option)
                self.assertEqual((status, words), (77, f"milter-moved: pid_file: '{folder}' is not root's alone: write a folder that, "
                                                       "like all above it, only root may write in\n"))
            self.assertFalse((folder / "pid").exists())

    def test_what_is_there_and_is_no_file_is_left_alone(self):
        (self.folder / "precious").write_text("precious")
        for make in (lambda: self.path.symlink_to(self.folder / "precious"), lambda: self.path.symlink_to(self.folder / "none"),
                     lambda: os.mkfifo(self.path), self.path.mkdir):
            make()
            for option in ((), ("-t",)):
                self.assertEqual(self.refusal(*self.daemon.command(), *option),
                                 (73, f"milter-moved: pid_file: '{self.path}' is there and is no file: write another path\n"))
            self.path.rmdir() if self.path.is_dir() and not self.path.is_symlink() else self.path.unlink()
        self.assertEqual((self.folder / "precious").read_text(), "precious")
        self.assertFalse((self.folder / "none").exists())

    def test_who_is_not_root_cannot_have_one(self):
        self.daemon.configure(socket_group=None)
        self.assertEqual(self.refusal(*self.as_user()), (78, f"milter-moved: {self.daemon.spot('pid_file')}: pid_file: only root writes it: take the key out "
                                                             "(systemd needs none), or start as root\n"))


if __name__ == "__main__":
    unittest.main()
