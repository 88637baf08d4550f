# SPDX-License-Identifier: BSD-2-Clause
"""backup and restore: copies that are whole, whatever is written meanwhile, and back without a moment that has no table."""

import contextlib
import os
import signal
import subprocess
import threading

from cli.test_movedctl import HEAD, MovedctlCase
from lib import place
from lib.socketmap import Socketmap


def rows(count, new):
    return "old,new\n" + "".join(f"u{i:05}@old.example,{new}@new.example\n" for i in range(count))


def export_of(daemon, table):
    """The entries of the table in this folder."""
    return subprocess.run([*place.program("movedctl"), "-c", str(daemon.conf), "-d", str(table), "export"],
                          capture_output=True, text=True, check=True, timeout=place.PATIENCE).stdout


class Backup(MovedctlCase):
    def setUp(self):
        super().setUp()
        self.copy = self.folder / "copy"

    def list_of(self, folder):
        return export_of(self.daemon, folder)

    def test_there_and_back(self):
        self.movedctl("import", "-", stdin=rows(1000, "a"))
        before = self.movedctl("export")
        self.assertEqual(self.movedctl("backup", self.copy), f"{self.copy}: a copy of 1000 entries\n")
        self.assertEqual(self.list_of(self.copy), before)
        self.movedctl("import", "--replace-all", "-", stdin=rows(900, "b"))
        after = self.movedctl("export")
        self.assertEqual(self.movedctl("restore", f"{self.copy}/"), "100 added, 900 changed, 0 removed, 0 unchanged\n")
        self.assertEqual(self.movedctl("export"), before)
        self.assertRegex(self.movedctl("log"), rf"^change 3 of \S+ by \S+: restore {self.copy}/\n")
        self.movedctl("undo")
        self.assertEqual(self.movedctl("export"), after)

    def test_owner_and_modes_are_the_tables(self):
        self.movedctl("backup", self.copy)
        for name, mode in ((".", 0o2770), ("data.mdb", 0o660), ("lock.mdb", 0o660)):
            ours, theirs = (self.copy / name).stat(), (self.daemon.table / name).stat()
            self.assertEqual((ours.st_uid, ours.st_gid, ours.st_mode & 0o7777), (theirs.st_uid, theirs.st_gid, mode), name)

    def test_what_is_there_is_refused(self):
        self.copy.mkdir()
        self.refused(73, "is there already", "backup", self.copy)
        self.refused(73, "is there already", "backup", self.daemon.table)
        self.refused(73, "is there already", "backup", "/dev/null")
        self.refused(73, "No such file or directory", "backup", self.folder / "nosuch" / "copy")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["copy", "d"])

    def test_no_copy(self):
        self.movedctl("add", "a@old.example", "--gone")
        self.refused(66, "no copy of a table", "restore", self.folder / "nosuch")
        self.refused(64, "this is the table itself", "restore", self.daemon.table)
        self.movedctl("backup", self.copy)
        whole = (self.copy / "data.mdb").read_bytes()
        for octets, words in ((b"", "empty file"), (b"old,new\n" * 1000, "not an LMDB file"), (whole[:-4096], "cut short")):
            (self.copy / "data.mdb").write_bytes(octets)
            self.refused(65, words, "restore", self.copy)
        self.daemon.configure(addresses={"fold_case": False})
        (self.copy / "data.mdb").write_bytes(whole)
        self.assertEqual(self.ctl("restore", self.copy).returncode, 78)

    def test_a_copy_with_an_entry_that_cannot_be_read_changes_nothing(self):
        for name in "abc":
            self.movedctl("add", f"{name}@old.example", f"{name}@new.example")
        self.movedctl("backup", self.copy)
        before, data = self.movedctl("export"), (self.copy / "data.mdb").read_bytes()
        record = b"\0\0\0\x0d\0b@new.example"
        self.assertIn(record, data)
        (self.copy / "data.mdb").write_bytes(data.replace(record, b"\x09" + record[1:]))
        self.refused(65, "a damaged one", "restore", self.copy)
        self.assertEqual(self.movedctl("export"), before)

    def test_a_dry_run(self):
        self.movedctl("add", "a@old.example", "--gone")
        self.movedctl("backup", self.copy)
        self.movedctl("add", "b@old.example", "--gone")
        before = self.movedctl("export")
        self.assertEqual(self.movedctl("restore", "--dry-run", self.copy),
                         "- b@old.example (gone)\ndry run: 0 added, 0 changed, 1 removed, 1 unchanged\n")
        self.assertEqual(self.movedctl("export"), before)
        self.assertEqual(self.movedctl("restore", self.copy), "0 added, 0 changed, 1 removed, 1 unchanged\n")

    def test_a_table_that_is_lost_comes_back_whole(self):
        self.movedctl("import", "-", stdin=rows(10, "a"))
        self.movedctl("backup", self.copy)
        before, log = self.movedctl("export"), self.movedctl("log")
        with self.daemon, Socketmap(self.daemon.lookups) as lookups:
            for lose in (lambda: os.rename(self.daemon.table, self.folder / "aside"), (self.daemon.table / "data.mdb").unlink):
                lose()
                self.assertEqual(self.movedctl("restore", "--dry-run", self.copy), "dry run: a new table of 10 entries\n")
                self.assertEqual(self.movedctl("restore", self.copy), f"{self.daemon.table}: a new table of 10 entries\n")
                self.assertEqual((self.movedctl("export"), self.movedctl("log")), (before, log))
                self.movedctl("add", "new@old.example", "--gone")
                with self.daemon.session():
                    place.until(lambda: lookups.ask("listed new@old.example").startswith("OK "), "the daemon has taken it up")
                    self.assertEqual(lookups.ask("listed u00001@old.example"), "OK u00001@old.example")
                self.movedctl("undo")
                self.assertEqual((self.daemon.table / "lock.mdb").stat().st_mode & 0o7777, 0o660)
        (self.daemon.table / "data.mdb").write_bytes(b"")
        done = self.ctl("restore", self.copy)
        self.assertEqual(done.returncode, 65)
        self.assertIn("empty file", done.stderr)
        self.assertIn("move its data.mdb and lock.mdb elsewhere, and restore again", done.stderr)

    def test_it_is_interrupted(self):
        self.movedctl("import", "-", stdin=rows(20000, "a"))
        for _ in range(10):
            process = subprocess.Popen([*place.program("movedctl"), "-c", str(self.daemon.conf), "backup", str(self.copy)],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            with process:
                process.send_signal(signal.SIGINT)
            if process.returncode == 0:
                self.assertEqual(len(self.list_of(self.copy).splitlines()), 20001)
                for path in self.copy.iterdir():
                    path.unlink()
                self.copy.rmdir()
            left = [path.name for path in self.folder.iterdir() if path.name != "d"]
            self.assertEqual([name for name in left if name != "copy"], [])


class Snapshot(MovedctlCase):
    """Every copy is the table as it was between two changes."""

    @contextlib.contextmanager
    def writing(self):
        """All entries change from a to b and back, each time in one transaction."""
        files = []
        for new in "ab":
            files.append(self.folder / f"{new}.csv")
            files[-1].write_text(rows(2000, new))
        self.movedctl("import", files[0])
        stop, done = threading.Event(), []

        def write():
            while not stop.is_set():
                self.movedctl("import", files[len(done) % 2 - 1])
                done.append(1)
        thread = threading.Thread(target=write)
        thread.start()
        try:
            yield done
        finally:
            stop.set()
            thread.join()
        self.assertGreater(len(done), 1)

    def is_whole(self, text):
        lines = text.splitlines()
        self.assertEqual(len(lines), 2001)
        self.assertEqual(lines[0] + "\n", HEAD)
        self.assertEqual(len({line.split(",")[1] for line in lines[1:]}), 1)

    def test_export(self):
        with self.writing() as done:
            place.until(lambda: self.is_whole(self.movedctl("export")) or len(done) > 10, "ten imports are done", seconds=10 * place.PATIENCE)

    def test_backup(self):
        with self.writing() as done:
            for i in range(10):
                copy = self.folder / f"copy{i}"
                self.assertEqual(self.movedctl("backup", copy), f"{copy}: a copy of 2000 entries\n")
                self.is_whole(export_of(self.daemon, copy))
            place.until(lambda: len(done) > 10, "ten imports are done", seconds=10 * place.PATIENCE)

    def test_readers_see_one_or_the_other_while_a_copy_comes_back(self):
        copy = self.folder / "copy"
        self.movedctl("import", "-", stdin=rows(2000, "a"))
        self.movedctl("backup", copy)
        self.movedctl("import", "-", stdin=rows(2000, "b"))
        answers, stop = set(), threading.Event()

        def ask():
            while not stop.is_set():
                answers.add(self.ctl("test", "u01000@old.example").stdout.splitlines()[0])
        thread = threading.Thread(target=ask)
        thread.start()
        for _ in range(10):
            self.movedctl("restore", copy)
            self.movedctl("undo")
        stop.set()
        thread.join()
        self.assertLessEqual(answers, {f"551 5.1.6 User not local; please try <{new}@new.example>" for new in "ab"})
