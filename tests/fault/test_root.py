# SPDX-License-Identifier: BSD-2-Clause
"""Root works on a table whose folder belongs to another user, who plants links, FIFOs and devices there, and exchanges them under
its hands: nothing outside of that folder is made, changed or destroyed, and nothing waits for ever."""

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import unittest

from lib import place
from lib.daemon import USER, Daemon

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, RENAME_EXCHANGE = -100, 2


RUNS = int(os.environ.get("FAULT_RACES", "30"))  # of each command against each race


def swap(*pairs):
    """Exchanges the two names of each pair, until it is killed."""
    pairs = [tuple(map(os.fsencode, pair)) for pair in pairs]
    while True:
        for one, other in pairs:
            libc.renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE)


def come_and_go(to, *names):
    """Links to there, for a moment each, until it is killed."""
    while True:
        for name in names:
            with contextlib.suppress(OSError):
                os.symlink(to, name)
                os.unlink(name)


def snapshot(folder):
    """Of all that is in it: kind and mode, owner, size, content."""
    def look(path):
        status = path.lstat()
        content = path.read_bytes()[:64] if path.is_file() and not path.is_symlink() else None
        size = 0 if path.is_dir() else status.st_size
        return status.st_mode, status.st_uid, status.st_gid, size, content
    return {str(path): look(path) for path in [folder, *folder.rglob("*")]}


class HostileCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        if os.geteuid() != 0:
            place.lacking("only root can be led astray")
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.folder = stack.enter_context(place.folder())
        self.home = self.folder / "var"  # root's, as /var/lib is
        self.home.mkdir()
        self.table = self.home / "table"
        self.daemon = Daemon(self.folder / "d", table=str(self.table), **{"import": {"sort_buffer": 1}})
        self.movedctl, self.ctl = self.daemon.movedctl, self.daemon.ctl
        self.outside = self.folder / "outside"
        (self.outside / "folder").mkdir(parents=True)
        (self.outside / "secret").write_text("root's\n")
        (self.outside / "secret").chmod(0o600)
        (self.outside / "folder" / "kept").write_text("root's too\n")
        self.account = pwd.getpwnam(USER)
        self.make_files()

    def make_files(self):
        """What the commands read: a small file, one that does not fit into memory, and a copy of root's."""
        self.small = self.folder / "small.csv"
        self.small.write_text("old,new\na@old.example,a@new.example\n")
        self.large = self.folder / "large.csv"
        self.large.write_text("old,new\n" + "".join(f"u{i * 7919 % 20000:05}@old.example,x@new.example\n" for i in range(20000)))
        self.movedctl("init")
        self.movedctl("import", self.small)
        self.copy = self.folder / "copy"
        self.movedctl("backup", self.copy)
        self.make_hits()
        self.fresh = self.folder / "fresh"
        subprocess.run(["cp", "-a", self.table, self.fresh], check=True)

    def make_hits(self):
        """What the daemon makes beside the table."""
        self.daemon.start()
        place.until((self.table / "hits/data.mdb").exists, "hits/ is there")
        self.daemon.stop()

    def child(self, function, *args):
        """Calls it in a child that has given up all but this user's rights; returns its process."""
        child = os.fork()
        if child == 0:
            status = 1
            with contextlib.suppress(BaseException):
                os.setgroups([])
                os.setgid(self.account.pw_gid)
                os.setuid(self.account.pw_uid)
                function(*args)
                status = 0
            os._exit(status)
        return child

    def as_user(self, function, *args):
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(self.child(function, *args), 0)[1]), 0, "the user could not do it")

    def again(self):
        """A table as movedctl makes it."""
        subprocess.run(["rm", "-rf", self.table], check=True)
        subprocess.run(["cp", "-a", self.fresh, self.table], check=True)

    def commands(self):
        made = self.folder / "made"
        return [["init"], ["list"], ["get", "a@old.example"], ["add", "--replace", "b@old.example", "--gone"], ["del", "a@old.example"],
                ["import", self.small], ["import", self.large], ["import", "--replace-all", self.large], ["import", "--dry-run", self.small],
                ["export"], ["export", self.folder / "made.csv"], ["export", self.table / "made.csv"],
                ["backup", made], ["backup", self.table / "made"], ["restore", self.copy], ["restore", "--dry-run", self.copy],
                ["-d", self.folder / "restored", "restore", self.table], ["undo"], ["log"], ["log", "--clear"], ["lint"],
                ["test", "a@old.example"], ["stats"], ["attach", "--dry-run", "postfix"], ["doctor"], ["config"],
                ["__complete", "get", "a"], *self.state_commands()]

    def state_commands(self):
        """Those that read and write what else stands in the table's folder."""
        return [["hits"], ["hits", "--unused-for", "1d"], ["hits", "--clear", "a@old.example"], ["hits", "--clear", "--until", "-1d"],
                ["hits", "--clear", "--all"], ["stats", "--prometheus", "--output", self.folder / "made.prom"],
                ["stats", "--prometheus", "--output", self.table / "made.prom"], ["follow", "--status"], ["follow", "--detach"]]

    def run_one(self, *args):
        """It ends, by itself, and says what is wrong in lines of its own."""
        done = self.ctl(*args)
        self.assertGreaterEqual(done.returncode, 0, f"{args}: {done.stderr}")
        for line in done.stderr.splitlines():
            self.assertRegex(line, r"^movedctl: ", args)
        for path in (self.folder / "made", self.folder / "restored"):
            shutil.rmtree(path, ignore_errors=True)
        return done

    def planted(self, name):
        """Ways to lead root astray: each puts something under this name."""
        def link(to):
            return lambda: os.symlink(to, name)
        return {"a dangling link": link(self.outside / "made"), "a link to a file of root's": link(self.outside / "secret"),
                "a link to a folder": link(self.outside / "folder"), "a link into a folder": link(self.outside / "folder/made"),
                "a FIFO": lambda: os.mkfifo(name), "a device": link("/dev/zero"), "a folder": lambda: os.mkdir(name)}


class PlantedCase(HostileCase):
    def try_all(self, names, keeps, commands=None):
        before = snapshot(self.outside)
        for what in self.planted(""):
            for args in commands or self.commands():
                self.again()
                subprocess.run(["rm", "-f", self.table / "made.csv"], check=True)

                def plant(what=what):
                    for name in names():
                        with contextlib.suppress(FileNotFoundError):
                            shutil.rmtree(name) if name.is_dir() else os.unlink(name)
                        self.planted(name)[what]()
                if not keeps:
                    os.unlink(self.table / "data.mdb")
                self.as_user(plant)
                with self.subTest(what=what, args=args):
                    self.run_one(*args)
                    self.assertEqual(snapshot(self.outside), before)


class PlantedForTheTable(PlantedCase):
    def test_as_data_file(self):
        self.try_all(lambda: [self.table / "data.mdb"], True)

    def test_as_lock_file(self):
        self.try_all(lambda: [self.table / "lock.mdb"], True)

    def test_as_lock_file_of_no_table(self):
        self.try_all(lambda: [self.table / "lock.mdb"], False)


class PlantedBesideIt(PlantedCase):
    def test_as_files_beside_the_table(self):
        for names in (["hits"], ["hits/data.mdb"], ["hits/lock.mdb"], ["follow.json"], ["made.prom"]):
            self.try_all(lambda names=names: [self.table / name for name in names], True, self.state_commands())


class GrowingCase(PlantedCase):
    def names(self):
        made = ["made", "made.csv"]
        for pid in range(os.getpid(), os.getpid() + 40):
            made += [f"data.mdb.{pid}", f"sort-{pid}", f"made.{pid}", f"made.csv.{pid}", f"made.prom.{pid}", f"hits.{pid}", f"follow.json.{pid}"]
        return [self.table / name for name in made]


class PlantedWhereFilesGrow(GrowingCase):
    def test_beside_a_table(self):
        self.try_all(self.names, True)


class PlantedWhereATableGrows(GrowingCase):
    def test_without_a_data_file(self):
        self.try_all(self.names, False)


class Racing(HostileCase):
    """renameat2(RENAME_EXCHANGE), as fast as it goes, of what is there and what leads elsewhere."""

    @contextlib.contextmanager
    def meanwhile(self, function, *args):
        child = self.child(function, *args)
        try:
            yield
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    def race(self, commands, *pairs):
        before = snapshot(self.outside)
        for target in ("made", "secret", "folder"):
            self.again()
            for _, planted in pairs:
                self.as_user(os.symlink, self.outside / target, planted)
            with self.meanwhile(swap, *pairs):
                for args in commands:
                    for _ in range(RUNS):
                        self.run_one(*args)
            for args in commands:
                self.assertEqual(snapshot(self.outside), before, args)

    def test_the_files_of_the_table(self):
        self.race([["list"], ["add", "--replace", "b@old.example", "--gone"], ["import", self.small], ["restore", self.copy]],
                  *((self.table / name, self.table / f"{name}-planted") for name in ("data.mdb", "lock.mdb")))

    def test_what_stands_beside_the_table(self):
        self.race(self.state_commands()[:5] + [["follow", "--status"]],
                  *((self.table / name, self.table / f"{name}-planted") for name in ("hits/data.mdb", "hits/lock.mdb")))
        self.race(self.state_commands()[:5], (self.table / "hits", self.table / "hits-planted"))

    def test_a_fifo_holds_nobody_up(self):
        self.again()
        self.as_user(os.mkfifo, self.table / "fifo")
        with self.meanwhile(swap, (self.table / "data.mdb", self.table / "fifo")):
            for args in (["list"], ["add", "--replace", "b@old.example", "--gone"]):
                for _ in range(RUNS // 3):
                    self.run_one(*args)

    def test_the_files_of_the_table_that_are_made(self):
        before = snapshot(self.outside)
        for target in ("made", "secret", "folder"):
            self.again()
            names = [self.table / "data.mdb", self.table / "lock.mdb"]
            with self.meanwhile(come_and_go, self.outside / target, *names):
                for _ in range(RUNS):
                    for args in (["init"], ["restore", self.copy]):
                        for name in names:
                            name.unlink(missing_ok=True)
                        self.run_one(*args)
        self.assertEqual(snapshot(self.outside), before)

    def test_a_file_that_is_exported(self):
        self.again()
        self.as_user((self.table / "out.csv").touch)
        self.race([["export", self.table / "out.csv"]], (self.table / "out.csv", self.table / "planted"))

    def test_a_folder_above(self):
        """Of the user's: the table in it, a copy, an export."""
        theirs = self.folder / "theirs"
        theirs.mkdir()
        os.chown(theirs, self.account.pw_uid, self.account.pw_gid)
        self.as_user((theirs / "x").mkdir)
        before = snapshot(self.outside)
        self.as_user(os.symlink, self.outside / "folder", theirs / "y")
        with self.meanwhile(swap, (theirs / "x", theirs / "y")):
            for _ in range(RUNS):
                for args in (["-d", theirs / "x", "init"], ["-d", theirs / "x/new", "init"], ["backup", theirs / "x/copy"],
                             ["export", theirs / "x/out.csv"], ["-d", theirs / "x/restored", "restore", self.copy]):
                    self.run_one(*args)
        self.assertEqual(snapshot(self.outside), before)


class Allowed(HostileCase):
    """What goes on working, and as whom."""

    def owners(self, folder):
        """Those of the folder and what is in it; hits/, which may be there already, is the user's."""
        found = {path.name: (path.stat().st_uid, path.stat().st_gid, oct(path.stat().st_mode & 0o7777)) for path in [folder, *folder.iterdir()]}
        self.assertIn(found.pop("hits", None), (None, (self.account.pw_uid, self.account.pw_gid, "0o2770")))
        return found

    def of(self, user, name):
        return {name: (*user, "0o2770"), "data.mdb": (*user, "0o660"), "lock.mdb": (*user, "0o660")}

    def test_a_table_is_the_users(self):
        user = self.account.pw_uid, self.account.pw_gid
        self.assertEqual(self.owners(self.table), self.of(user, "table"))
        os.umask(0o077)
        self.addCleanup(os.umask, 0o022)
        subprocess.run(["rm", "-r", self.table], check=True)
        self.movedctl("init")
        self.assertEqual(self.owners(self.table), self.of(user, "table"))
        (self.table / "lock.mdb").unlink()
        self.movedctl("list")
        self.assertEqual(self.owners(self.table), self.of(user, "table"))
        subprocess.run(["rm", "-r", self.table], check=True)
        self.movedctl("restore", self.copy)
        self.assertEqual(self.owners(self.table), self.of(user, "table"))
        (self.table / "data.mdb").unlink()
        self.movedctl("restore", self.copy)
        self.assertEqual(self.owners(self.table), self.of(user, "table"))

    def test_an_empty_folder_of_roots_is_given_away_and_no_other(self):
        empty = self.home / "empty"
        empty.mkdir()
        self.movedctl("-d", empty, "init")
        user = self.account.pw_uid, self.account.pw_gid
        self.assertEqual(self.owners(empty), self.of(user, "empty"))
        mounted = self.home / "mounted"  # as mke2fs(8) leaves it
        (mounted / "lost+found").mkdir(parents=True, mode=0o700)
        self.movedctl("-d", mounted, "init")
        self.assertEqual(self.owners(mounted), {**self.of(user, "mounted"), "lost+found": (0, 0, "0o700")})
        full = self.home / "full"
        full.mkdir(mode=0o755)
        (full / "passwd").write_text("root's\n")
        before = snapshot(full)
        self.movedctl("-d", full, "init")
        self.assertEqual({path: what for path, what in snapshot(full).items() if not path.endswith(".mdb")}, before)
        self.movedctl("-d", full, "add", "a@old.example", "--gone")
        self.assertEqual((full / "data.mdb").stat().st_uid, 0)

    def test_roots_own_folders_that_the_user_may_not_enter(self):
        hidden = self.folder / "root"
        hidden.mkdir(mode=0o700)
        self.movedctl("backup", hidden / "copy")
        self.assertEqual(self.movedctl("-d", hidden / "copy", "export"), self.movedctl("export"))
        self.movedctl("del", "a@old.example")
        self.movedctl("restore", hidden / "copy")
        self.movedctl("get", "a@old.example")
        self.movedctl("export", hidden / "out.csv")
        self.assertEqual((hidden / "out.csv").stat().st_uid, 0)

    def test_links_of_roots_are_followed(self):
        (self.home / "link").symlink_to("../var/table")
        self.assertEqual(self.movedctl("-d", self.home / "link", "export"), self.movedctl("export"))
        (self.home / "out.csv").write_text("")
        (self.folder / "out").symlink_to(self.home / "out.csv")
        self.movedctl("export", self.folder / "out")
        self.assertTrue((self.folder / "out").is_symlink())
        self.assertEqual((self.home / "out.csv").read_text(), self.movedctl("export"))

    def test_a_folder_of_roots_that_others_may_write_is_refused(self):
        self.home.chmod(0o777)
        for args in (["list"], ["init"], ["restore", self.copy]):
            done = self.ctl(*args)
            self.assertIn(done.returncode, (73, 77), args)
            self.assertRegex(done.stderr, r"^movedctl: [^\n]*others may write[^\n]*\n$")
        self.home.chmod(0o1777)  # as /tmp is: the table is its owner's, and nobody else can put another in its place
        self.movedctl("list")


if __name__ == "__main__":
    unittest.main()
