# SPDX-License-Identifier: BSD-2-Clause
"""What must not harm a table: a writer that is killed at any moment, a disk that is full, two writers at once. A daemon is
asked all the while, and never says anything else than what is so before and after.

FAULT_KILLS: how many moments of each kind of change (20)."""

import contextlib
import itertools
import os
import random
import re
import signal
import subprocess
import time
import unittest

from lib import place
from lib.daemon import Daemon
from lib.load import Load
from lib.socketmap import Socketmap

KILLS = int(os.environ.get("FAULT_KILLS", "20"))
ENTRIES = 20000
ALWAYS = "always@old.example"  # in each of the tables


def table_text(first, count, new):
    return f"old,new\n{ALWAYS},always@new.example\n" + "".join(
        f"u{i:06d}@d{i % 97}.example,{new}\n" for i in range(first, first + count))


class FaultCase(unittest.TestCase):
    maxDiff = 500

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.folder = stack.enter_context(place.folder())
        self.place(stack)
        self.movedctl, self.ctl = self.daemon.movedctl, self.daemon.ctl
        self.movedctl("init")
        self.movedctl("add", ALWAYS, "always@new.example")
        self.load = None
        self.stack = stack

    def place(self, stack):
        self.daemon = Daemon(self.folder / "d", **{"import": {"sort_buffer": 1}})

    def answers_all_the_while(self):
        """From here to the end of the test a daemon is asked about an entry that is always there."""
        self.stack.enter_context(self.daemon)
        place.until(lambda: place.listens(self.daemon.lookups), "the lookup socket is there")
        self.stack.enter_context(self.daemon.session())
        client = self.stack.enter_context(Socketmap(self.daemon.lookups))
        self.load = self.stack.enter_context(Load(lambda: client.ask(f"listed {ALWAYS}"), threads=1))
        self.addCleanup(lambda: self.assertEqual(set(self.load.said), {f"OK {ALWAYS}"}))
        self.load.goes_on()

    def command(self, *args):
        return place.program("movedctl") + ["-c", str(self.daemon.conf), *map(str, args)]

    def file(self, name, *args):
        path = self.folder / name
        path.write_text(table_text(*args))
        return path

    def holds(self, *args):
        """What the table exports once it holds just this."""
        self.movedctl("import", "--replace-all", "--max-remove", "100", *args)
        return self.movedctl("export")

    def is_whole(self):
        """No page is missing, nothing lies about, and the next change is made."""
        self.movedctl("add", "--replace", "next@other.example", "--gone")
        self.movedctl("del", "next@other.example")
        self.assertEqual([path.name for path in self.daemon.table.iterdir() if "sort" in path.name], [])


class Killed(FaultCase):
    def setUp(self):
        super().setUp()
        self.random = random.Random(os.environ.get("FAULT_SEED", "1"))

    def lasts(self, *args):
        """Seconds that the command takes undisturbed."""
        began = time.monotonic()
        self.movedctl(*args)
        return time.monotonic() - began

    def killed(self, seconds, *args):
        """Kills the command then; returns its exit status, or None where it was killed."""
        with subprocess.Popen(self.command(*args), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
            process.wait()
            self.said = process.stderr.read()
            return None if process.returncode == -signal.SIGKILL else process.returncode

    def kill_often(self, states, change, back):
        """change makes of states[0] states[1], back the other way; either may end at any moment."""
        times = []
        for _ in range(3):
            times.append(self.lasts(*change))
            self.movedctl(*back)
        seconds = min(times)
        seen = set()
        for number in range(KILLS):
            moment = self.random.uniform(0, 1.1 * seconds)
            status = self.killed(moment, *change)
            seen_at_once = self.movedctl("export")
            # Killed between the last write of its commit and the word to the readers: the next writer finds it done.
            self.is_whole()
            now = self.movedctl("export")
            for state in (seen_at_once, now):  # assertIn would show both tables
                self.assertTrue(state in states, f"kill {number}, after {moment:.4f} of {seconds:.4f} s: neither the old nor the new table")
            if status is not None:
                self.assertEqual((status, self.said), (0, b""))
                self.assertTrue(seen_at_once == now == states[1], "it has ended, and all is done")
            seen.add((status, states.index(now)))
            if now != states[0]:
                self.movedctl(*back)
        self.assertIn((None, 0), seen, "none was killed before it was done")
        self.load.goes_on()

    def test_an_import_into_a_table(self):
        old = self.file("old.csv", 0, ENTRIES, "x@new.example")
        new = self.file("new.csv", ENTRIES // 2, ENTRIES, "y@new.example")
        states = [self.holds(old)]
        self.movedctl("import", new)
        states.append(self.movedctl("export"))
        self.holds(old)
        self.answers_all_the_while()
        self.kill_often(states, ["import", new], ["import", "--replace-all", "--max-remove", "100", old])

    def test_a_small_import_into_a_large_table(self):
        old = self.file("old.csv", 0, ENTRIES, "x@new.example")
        new = self.file("new.csv", 100, ENTRIES // 10, "y@new.example")
        states = [self.holds(old)]
        self.movedctl("import", new)
        states.append(self.movedctl("export"))
        self.holds(old)
        self.answers_all_the_while()
        self.kill_often(states, ["import", new], ["import", "--replace-all", "--max-remove", "100", old])

    def test_one_table_in_place_of_another(self):
        old = self.file("old.csv", 0, ENTRIES, "x@new.example")
        new = self.file("new.csv", ENTRIES, ENTRIES, "y@new.example")
        states = [self.holds(old), self.holds(new)]
        self.holds(old)
        self.answers_all_the_while()
        self.kill_often(states, ["import", "--replace-all", "--max-remove", "100", new], ["import", "--replace-all", "--max-remove", "100", old])

    def test_add(self):
        self.movedctl("import", self.file("old.csv", 0, ENTRIES // 10, "x@new.example"))
        states = [self.movedctl("export")]
        add, back = ["add", "one@old.example", "one@new.example"], ["del", "one@old.example"]
        self.movedctl(*add)
        states.append(self.movedctl("export"))
        self.movedctl(*back)
        self.answers_all_the_while()
        self.kill_often(states, add, back)


class FullDisk(FaultCase):
    """The table on a file system of 4 MiB, which has room for 20,000 entries and not for 60,000."""

    def place(self, stack):
        self.small = self.folder / "small"
        self.small.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=755", "tmpfs", self.small], capture_output=True, text=True)
        if mounted.returncode != 0:
            place.lacking(f"no file system can be mounted: {mounted.stderr.strip()}")
        stack.callback(subprocess.run, ["umount", "-l", self.small], check=True)
        self.daemon = Daemon(self.folder / "d", table=str(self.small / "table"), **{"import": {"sort_buffer": 1}})

    def setUp(self):
        super().setUp()
        self.holds(self.file("old.csv", 0, ENTRIES // 2, "x@new.example"))
        self.before = self.movedctl("export")
        self.answers_all_the_while()

    def full(self, *args, env=None):
        """Fails since the disk is full, says so in one line, and changes nothing."""
        done = self.ctl(*args, env=env)
        self.assertEqual((done.returncode, done.stdout), (74, ""), done.stderr)
        self.assertRegex(done.stderr, r"^movedctl: [^\n]*(No space left on device|Input/output error)[^\n]*: [^\n]*\n$")
        self.assertEqual(self.movedctl("export"), self.before)
        self.load.goes_on()

    def fill(self):
        """Not an octet is left."""
        filler = self.small / "filler"
        with open(filler, "wb", buffering=0) as out, contextlib.suppress(OSError):
            while True:
                out.write(bytes(4096))
        return filler

    def test_the_table_does_not_fit(self):
        large = self.file("large.csv", 0, 3 * ENTRIES, "y@new.example")
        for args in (["import", large], ["import", "--replace-all", "--max-remove", "100", large]):
            self.full(*args, env={"TMPDIR": str(self.folder)})
        self.is_whole()

    def test_the_temporary_file_does_not_fit(self):
        large = self.folder / "mixed.csv"
        lines = table_text(0, 4 * ENTRIES, "y@new.example").splitlines(keepends=True)
        random.Random(1).shuffle(body := lines[1:])
        large.write_text("".join(lines[:1] + body))
        self.full("import", large)
        done = self.ctl("import", large)
        self.assertIn("set TMPDIR", done.stderr)
        self.is_whole()

    def test_a_disk_that_is_full_and_then_has_room(self):
        filler = self.fill()
        self.full("import", self.file("new.csv", ENTRIES, ENTRIES // 2, "y@new.example"), env={"TMPDIR": str(self.folder)})
        done = self.ctl("export", self.small / "out.csv")
        self.assertEqual(done.returncode, 74, done.stderr)
        self.assertEqual(list(self.small.glob("out.csv*")), [])
        filler.unlink()
        self.is_whole()
        self.assertEqual(self.movedctl("export"), self.before)


class TwoAtOnce(FaultCase):
    def test_each_import_is_whole_and_the_last_one_stands(self):
        files = [self.file(f"{n}.csv", n * ENTRIES // 2, ENTRIES, f"{n}@new.example") for n in range(2)]
        states = [self.holds(path) for path in files]
        self.answers_all_the_while()
        for _ in range(5):
            both = [subprocess.Popen(self.command("import", "--replace-all", "--max-remove", "100", path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                    for path in files]
            for process in both:
                said = process.communicate(timeout=place.PATIENCE)
                self.assertEqual((process.returncode, said[1]), (0, ""))
            self.assertIn(self.movedctl("export"), states)
        self.is_whole()

    def test_a_list_while_all_entries_change(self):
        """Each that is there all the while is there once, as it was at some moment."""
        files = [self.file(f"{n}.csv", 0, ENTRIES, f"{n}@new.example") for n in range(2)]
        states = [self.holds(path) for path in files]
        with subprocess.Popen(self.command("list"), stdout=subprocess.PIPE, text=True) as process:
            self.addCleanup(process.kill)
            listed = [process.stdout.readline()]
            for number in range(3):
                self.holds(files[number % 2])
            listed += process.stdout.readlines()
            self.assertEqual(process.wait(), 0)
        rows = [line.split("\t")[:2] for line in listed]
        self.assertEqual(sorted(old for old, _ in rows), sorted(line.split(",")[0] for line in states[1].splitlines()[1:]))
        self.assertEqual({new for _, new in rows}, {"0@new.example", "1@new.example", "always@new.example"})

    def test_a_reader_that_is_killed_holds_nobody_up(self):
        """What an export has held is used again."""
        files = [self.file(f"{n}.csv", 0, ENTRIES, f"{n}@new.example") for n in range(2)]
        states = [self.holds(path) for path in files]
        with subprocess.Popen(self.command("export"), stdout=subprocess.PIPE) as stands:
            stands.stdout.read(1)
            self.assertEqual(self.holds(files[0]), states[0])
            stands.kill()
        self.assertEqual(self.holds(files[1]), states[1])
        self.is_whole()


class FailingCalls(FaultCase):
    """Calls of the C library that fail, one after the other, until none is left."""

    def setUp(self):
        super().setUp()
        self.shim = place.preloading("calls", self.folder)
        self.log = self.folder / "calls"

    def each_failure(self, call, *args):
        """Runs the command with the first of these calls failing, then the second, and so on; yields each run that fails."""
        for at in itertools.count(1):
            self.log.unlink(missing_ok=True)
            done = self.ctl(*args, env={**self.shim, "CALLS_FAIL": call, "CALLS_AT": str(at), "CALLS_LOG": str(self.log)})
            if done.returncode == 0:
                self.assertGreater(at, 1, "none has failed")
                return
            self.assertRegex(done.stderr, r"^movedctl: [^\n]*\n$")
            yield done

    def calls(self):
        """Those of the last run, without process numbers."""
        return [re.sub(r"\.\d+$", ".PID", line) for line in self.log.read_text().splitlines()]

    def test_an_import_that_fails_in_the_middle_changes_nothing(self):
        file = self.file("new.csv", 0, ENTRIES, "x@new.example")
        for call in ("realloc", "write"):
            before = self.holds("--max-remove", "100", self.file("old.csv", 0, 10, "y@new.example"))
            for done in self.each_failure(call, "import", file):
                self.assertTrue(self.movedctl("export") == before, (call, done))
            self.is_whole()

    def test_a_copy_is_on_disk_before_it_appears(self):
        copy = self.folder / "copy"
        for done in self.each_failure("fsync", "backup", copy):
            self.assertEqual(done.returncode, 73)
            self.assertEqual(sorted(path.name for path in self.folder.glob("copy*")), [])
        self.assertEqual(self.calls(), ["fsync data.mdb.PID", "rename data.mdb", "fsync copy.PID", "rename copy", f"fsync {self.folder.name}"])

    def test_an_export_is_on_disk_before_it_appears(self):
        file = self.folder / "out.csv"
        for done in self.each_failure("fsync", "export", file):
            self.assertEqual(done.returncode, 74)
            self.assertEqual(list(self.folder.glob("out*")), [])
        self.assertEqual(self.calls(), ["fsync out.csv.PID", "rename out.csv"])
