# SPDX-License-Identifier: BSD-2-Clause
"""Many processes on one table: nobody is held up for long, whoever is killed, and the file does not grow for ever."""

import contextlib
import os
import pathlib
import pty
import random
import resource
import signal
import subprocess

from cli.test_movedctl import MovedctlCase
from lib import holder, place

LONG = 10 * place.PATIENCE  # for some hundred changes, each of which waits for the disk


class TogetherCase(MovedctlCase):
    def launch(self, *args, **how):
        """movedctl beside the test, ended with it."""
        process = subprocess.Popen([*place.program("movedctl"), "-c", str(self.daemon.conf), *map(str, args)], text=True,
                                   **{"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **how})

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def numbers(self):
        return [int(line.split()[1]) for line in self.movedctl("log").splitlines() if line.startswith("change ")]

    def full_pipe(self):
        """Whoever writes to it waits until the test ends."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 65536)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x")
        os.set_blocking(writer, True)
        return writer

    def is_writing(self, pid, descriptor):
        """Whether it is in write(2) to this descriptor."""
        words = pathlib.Path(f"/proc/{pid}/syscall").read_text().split()
        return words[:2] == [str({"x86_64": 1, "aarch64": 64}.get(os.uname().machine, -1)), hex(descriptor)]

    def size(self):
        return (self.daemon.table / "data.mdb").stat().st_size

    def change(self, count):
        """So many changes of one entry, one after the other."""
        command = " ".join([*place.program("movedctl"), "-c", str(self.daemon.conf)])
        script = f"i=0; while [ $i -lt {count} ]; do i=$((i + 1)); {command} add --replace a@old.example n$$-$i@new.example || exit; done"
        return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=LONG).stderr


class Writers(TogetherCase):
    def test_eight_at_once(self):
        with self.daemon:
            script = 'i=0; while [ $i -lt 50 ]; do i=$((i + 1)); "$@" add u$i@d$N.example --gone || exit; done'
            command = [*place.program("movedctl"), "-c", str(self.daemon.conf)]
            loops = [subprocess.Popen(["sh", "-c", script, "sh", *command], env={**os.environ, "N": str(i)}) for i in range(8)]
            for loop in loops:
                self.assertEqual(loop.wait(LONG), 0)
        self.assertEqual(len(self.movedctl("list").splitlines()), 400)
        self.assertEqual(self.numbers(), list(range(400, 0, -1)))
        self.assertLess(self.size(), 2 * 1024 * 1024)

    def test_whoever_is_killed_leaves_the_table_and_its_log_whole(self):
        files = []
        for new in "ab":
            files.append(self.folder / f"{new}.csv")
            files[-1].write_text("old,new\n" + "".join(f"u{i:05}@old.example,{new}@new.example\n" for i in range(20000)))
        self.movedctl("import", files[0])
        chance, committed = random.Random(1), 1
        for i in range(30):
            process = self.launch("import", files[(i + 1) % 2])
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0, 0.15))
            process.kill()
            process.wait()
            self.movedctl("add", "--replace", "z@old.example", f"z{i}@new.example")
            numbers = self.numbers()
            self.assertIn(len(numbers) - committed, (1, 2))
            committed = len(numbers)
            self.assertEqual(numbers, list(range(committed, 0, -1)))
            olds = self.movedctl("export").splitlines()
            self.assertEqual(len(olds), 20002)
            self.assertEqual(len({line.split(",")[1] for line in olds[1:-1]}), 1)
        self.movedctl("undo")
        self.assertEqual(len(self.movedctl("export").splitlines()), 20002)


class Waiting(TogetherCase):
    def waiting(self, *args):
        """One that waits for another's change to end, and has said so on its terminal."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        process = self.launch(*args, stderr=theirs)
        os.close(theirs)
        self.assertEqual(self.line(ours), b"movedctl: waiting for another process to finish changing the table\r\n")
        return process, ours

    def line(self, terminal):
        """The next one. It may come in parts."""
        return b"".join(iter(lambda: os.read(terminal, 1), b"\n")) + b"\n"

    def test_it_goes_on_when_the_other_is_killed(self):
        with holder.holding(self.daemon.table, "write") as other:
            process, _ = self.waiting("add", "a@old.example", "--gone")
            self.assertEqual(self.movedctl("list"), "", "readers do not wait")
            other.kill()
            self.assertEqual(process.wait(place.PATIENCE), 0)
        self.assertEqual(len(self.movedctl("list").splitlines()), 1)

    def test_a_file_that_is_cut_short_meanwhile_is_one_clear_line(self):
        with holder.holding(self.daemon.table, "write") as other:
            process, terminal = self.waiting("add", "a@old.example", "--gone")
            os.truncate(self.daemon.table / "data.mdb", 8192)
            other.kill()
            self.assertEqual(process.wait(place.PATIENCE), 74)
            self.assertRegex(self.line(terminal), rb"^movedctl: a file of the table is truncated\b.*\r\n$")
            with self.assertRaises(OSError):  # EIO: that was all
                os.read(terminal, 1)


class Room(TogetherCase):
    def test_an_import_that_has_no_room_changes_nothing(self):
        """Though part of a page is left where the room ended."""
        def little_room():
            resource.setrlimit(resource.RLIMIT_FSIZE, (6_000_001, 6_000_001))
        file = self.folder / "new.csv"
        file.write_text("old,new\n" + "".join(f"u{i:06}@old.example,x{i}@new.example\n" for i in range(100000)))
        self.movedctl("add", "a@old.example", "--gone")
        process = self.launch("import", file, preexec_fn=little_room)
        self.assertEqual(process.wait(place.PATIENCE), 74, process.stderr.read())
        self.assertEqual(self.size(), 6_000_001)
        self.movedctl("add", "b@old.example", "--gone")
        self.assertEqual(len(self.movedctl("list").splitlines()), 2)

    def test_room_that_a_killed_import_has_taken_is_used_again(self):
        self.movedctl("add", "a@old.example", "--gone")
        with (self.daemon.table / "data.mdb").open("r+b") as file:
            file.truncate(50_000_000)  # as one that is killed leaves it
        self.movedctl("import", "-", stdin="old,new\n" + "".join(f"u{i:06}@old.example,x{i}@new.example\n" for i in range(20000)))
        self.assertEqual(self.size(), 50_000_000)
        self.assertEqual(len(self.movedctl("list").splitlines()), 20001)


class Readers(TogetherCase):
    def test_one_that_is_stopped_holds_nobody_up(self):
        with holder.holding(self.daemon.table, "read") as process:
            process.send_signal(signal.SIGSTOP)
            self.assertEqual(self.change(2), "")

    def test_a_pager_of_the_log_holds_nothing_back(self):
        self.movedctl("import", "-", stdin="old,new\n" + "".join(f"u{i:05}@old.example,x@new.example\n" for i in range(3000)))
        with self.daemon:
            pagers = [self.launch(*args, stdout=self.full_pipe()) for args in (["log", "1"], ["log", "--json"])]
            for process in pagers:
                place.until(lambda: self.is_writing(process.pid, 1), "it waits for somebody to read on")
            self.assertEqual(self.change(101), "")

    def test_a_pager_of_a_list_holds_nothing_back(self):
        self.movedctl("import", "-", stdin="old,new\n" + "".join(f"u{i:05}@old.example,x@new.example\n" for i in range(3000)))
        with self.daemon:
            process = self.launch("list", stdout=self.full_pipe())
            place.until(lambda: self.is_writing(process.pid, 1), "it waits for somebody to read on")
            self.assertEqual(self.change(101), "")

    def test_one_that_was_killed_holds_no_pages(self):
        with self.daemon:  # the last to close a table would clear the slots of all readers
            with holder.holding(self.daemon.table, "read"):
                self.change(20)
            self.change(20)
            size = self.size()
            self.change(100)
            self.assertEqual(self.size(), size)
