# SPDX-License-Identifier: BSD-2-Clause
"""Imports and exports that take long: what a person sees meanwhile, and what an interruption leaves."""

import contextlib
import ctypes
import os
import pty
import re
import signal
import subprocess
import termios
import threading

from lib import place

from .test_movedctl import MovedctlCase


def rows(first, count, new="x@new.example"):
    return "".join(f"u{i:07d}@old.example,{new}\n" for i in range(first, first + count))


class Terminal:
    """A pseudo-terminal, and what a program has written to it."""

    def __init__(self):
        self.ours, self.theirs = pty.openpty()
        self.octets = b""
        self.thread = threading.Thread(target=self._read, daemon=True)

    def _read(self):
        with contextlib.suppress(OSError):  # EIO: nobody has it open any more
            while octets := os.read(self.ours, 10000):
                self.octets += octets

    def __enter__(self):
        self.thread.start()
        return self

    def close(self):
        """The program has ended: what is left is read."""
        os.close(self.theirs)
        self.thread.join(place.PATIENCE)

    def __exit__(self, *_):
        os.close(self.ours)

    def text(self):
        return self.octets.decode()


class WriterLock:
    """Holds the writer's lock of a table, as another that changes it does."""

    def __init__(self, table):
        self.lmdb = ctypes.CDLL("liblmdb.so.0")
        self.table = str(table).encode()
        self.env, self.txn = ctypes.c_void_p(), ctypes.c_void_p()

    def call(self, name, *args):
        status = getattr(self.lmdb, name)(*args)
        if status != 0:
            raise AssertionError(f"{name}: {status}")

    def __enter__(self):
        self.call("mdb_env_create", ctypes.byref(self.env))
        self.call("mdb_env_set_mapsize", self.env, ctypes.c_size_t(1 << 36))
        self.call("mdb_env_open", self.env, self.table, 0, 0o660)
        self.call("mdb_txn_begin", self.env, None, 0, ctypes.byref(self.txn))
        return self

    def change(self, key, value=None):
        """Makes this the record of the key, or takes it out, and lets go of the lock."""
        dbi, kept = ctypes.c_uint(), []

        def octets(of):
            kept.append(ctypes.create_string_buffer(of))
            return ctypes.byref((ctypes.c_size_t * 2)(len(of), ctypes.addressof(kept[-1])))  # MDB_val
        self.call("mdb_dbi_open", self.txn, None, 0, ctypes.byref(dbi))
        if value is None:
            self.call("mdb_del", self.txn, dbi, octets(key), None)
        else:
            self.call("mdb_put", self.txn, dbi, octets(key), octets(value), 0)
        txn, self.txn = self.txn, ctypes.c_void_p()
        self.call("mdb_txn_commit", txn)

    def __exit__(self, *_):
        self.lmdb.mdb_txn_abort(self.txn)
        self.lmdb.mdb_env_close(self.env)


class Long(MovedctlCase):
    def begin(self, *args, **how):
        """Starts movedctl with a pipe to its standard input; it is ended with the test."""
        how.setdefault("stdout", subprocess.PIPE)
        how.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen(place.program("movedctl") + ["-c", str(self.daemon.conf), *map(str, args)],
                                   stdin=subprocess.PIPE, text=True, **how)
        self.addCleanup(process.__exit__, None, None, None)
        self.addCleanup(process.kill)
        return process

    def feed(self, process, until, what):
        """Gives it row after row until that is so; returns how many."""
        process.stdin.write("old,new\n")
        given = 0

        def more():
            nonlocal given
            process.stdin.write(rows(given, 500))
            process.stdin.flush()
            given += 500
            return until()
        place.until(more, what)
        return given

    def see(self, environment):
        """An import on a terminal that takes over a second."""
        with Terminal() as terminal:
            process = self.begin("import", "-", stderr=terminal.theirs, env={**os.environ, **environment})
            given = self.feed(process, lambda: "left" in terminal.text() or "a second" in terminal.text(), "a bar is shown")
            said = process.communicate(timeout=place.PATIENCE)[0]
            terminal.close()
            self.assertEqual(said, f"{given} added, 0 changed, 0 removed, 0 unchanged\n")
            return terminal.text()


class Progress(Long):
    def test_a_person_sees_count_and_rate_and_then_nothing_of_it(self):
        text = self.see({"TERM": "xterm"})
        self.assertRegex(text, r"\rreading [\d,]+ entries, [\d,]+ a second\x1b\[K")
        self.assertTrue(text.endswith("\r\x1b[K"), text[-100:])

    def bar(self, environment, columns=80):
        """What an export shows whose reader takes his time."""
        self.movedctl("import", "-", stdin="old,new\n" + rows(0, 30000))
        with Terminal() as terminal:
            termios.tcsetwinsize(terminal.theirs, (24, columns))
            process = self.begin("export", stderr=terminal.theirs, env={**os.environ, "TERM": "xterm", **environment})
            place.until(lambda: [process.stdout.read(4096)] and "exporting" in terminal.text(), "a bar is shown")
            process.stdout.read()
            self.assertEqual(process.wait(place.PATIENCE), 0)
            terminal.close()
            return terminal.text()

    def test_how_far_it_is_and_how_long_yet(self):
        text = self.bar({"NO_COLOR": ""})
        self.assertRegex(text, r"\rexporting \[\x1b\[32m#+\x1b\[0m-+\x1b\[0m\] +\d+% [\d,]+ entries, [\d,]+ a second, \d+:\d\d left\x1b\[K")
        self.assertTrue(text.endswith("\r\x1b[K"), text[-100:])

    def test_no_colour_where_none_is_wanted(self):
        self.assertRegex(self.bar({"NO_COLOR": "1"}), r"\rexporting \[#+-+\] +\d+% ")

    def test_a_narrow_terminal_wraps_none_of_it(self):
        for columns in (45, 30, 12):
            with self.subTest(columns):
                frames = re.findall(r"\r([^\r]+)\x1b\[K", self.bar({"NO_COLOR": "1"}, columns))
                self.assertEqual({len(frame) < columns for frame in frames}, {True}, frames)

    def slowly(self, *args):
        """What the command shows on a terminal that takes its time."""
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        process = self.begin(*args, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"})
        os.close(theirs)
        text = b""

        def more():
            nonlocal text
            with contextlib.suppress(OSError):  # EIO: the command has ended
                text += os.read(ours, 4096)
                return False
            return True
        place.until(more, "it has ended")
        self.assertEqual(process.wait(place.PATIENCE), 0)
        return text.decode()

    def test_what_is_printed_has_lines_of_its_own(self):
        file = self.folder / "moved.csv"
        file.write_text("old,new\n" + rows(0, 30000))
        text = self.slowly("import", "--dry-run", file)
        self.assertIn("\rcomparing [", text)
        self.assertNotRegex(text, r"left\x1b\[K[^\r]")
        self.movedctl("import", file)
        self.assertEqual(self.slowly("export").replace("\r\n", "\n"), self.movedctl("export"))

    def test_nothing_on_a_dumb_terminal(self):
        with Terminal() as terminal:
            process = self.begin("import", "-", stderr=terminal.theirs, env={**os.environ, "TERM": "dumb"})
            process.communicate("old,new\n" + rows(0, 2000), timeout=place.PATIENCE)
            terminal.close()
            self.assertEqual(terminal.text(), "")


class Interrupted(Long):
    def setUp(self):
        super().setUp()
        self.movedctl("add", "a@old.example", "a@new.example")
        self.before = self.movedctl("export")

    def stays(self):
        self.assertEqual(self.movedctl("export"), self.before)
        self.assertEqual(sorted(path.name for path in self.daemon.table.iterdir()), ["data.mdb", "lock.mdb"])
        self.movedctl("add", "b@old.example", "--gone")

    def test_an_import_says_that_nothing_is_changed(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                process = self.begin("import", "--replace-all", "-")
                process.stdin.write("old,new\n" + rows(0, 5000) + "bad,\n")
                process.stdin.flush()
                self.assertIn("standard input:5002: ", process.stderr.readline())  # it has begun
                process.send_signal(number)
                said = process.communicate(timeout=place.PATIENCE)
                self.assertEqual((process.returncode, *said), (-number, "", "movedctl: interrupted: nothing is changed\n"))
        self.stays()

    def test_one_that_was_told_to_ignore_it_goes_on(self):
        process = self.begin("import", "-", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        process.stdin.write("old,new\n" + "bad,\n")
        process.stdin.flush()
        process.stderr.readline()
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=place.PATIENCE)
        self.assertEqual(process.returncode, 65)
        self.stays()

    def test_an_import_that_waits_for_another_change(self):
        with WriterLock(self.daemon.table), Terminal() as terminal:
            process = self.begin("import", "-", stderr=terminal.theirs)
            process.stdin.write("old,new\n" + rows(0, 10))
            process.stdin.close()
            process.stdin = None
            place.until(lambda: "waiting for another process to finish changing the table" in terminal.text(), "it says that it waits")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(place.PATIENCE), -signal.SIGINT)
            terminal.close()
            self.assertTrue(terminal.text().endswith("movedctl: interrupted: nothing is changed\r\n"), terminal.text())
        self.stays()

    def test_what_another_has_changed_meanwhile_is_compared_again(self):
        with WriterLock(self.daemon.table) as other, Terminal() as terminal:
            process = self.begin("import", "-", stderr=terminal.theirs)
            process.stdin.write("old,new\na@old.example,a@new.example\n")
            process.stdin.close()
            process.stdin = None
            place.until(lambda: "waiting for another process to finish changing the table" in terminal.text(), "it says that it waits")
            other.change(b"old.example@a")
            self.assertEqual(process.communicate(timeout=place.PATIENCE)[0], "1 added, 0 changed, 0 removed, 0 unchanged\n")
        self.stays()

    def test_one_whose_errors_nobody_reads_holds_nobody_up(self):
        process = self.begin("import", "-")
        process.stdin.write("old,new\n" + rows(0, 2000) * 2)
        process.stdin.close()
        process.stdin = None
        # The pipe is full of lines that come twice; another change is made all the same.
        self.assertIn("already on line 2", process.stderr.readline())
        self.movedctl("add", "other@old.example", "--gone")
        self.before = self.movedctl("export")
        process.communicate(timeout=place.PATIENCE)
        self.assertEqual(process.returncode, 65)
        self.stays()

    def test_an_export_leaves_nothing_behind(self):
        self.movedctl("import", "-", stdin="old,new\n" + rows(0, 200000))
        target = self.folder / "out.csv"
        target.write_text("as it was\n")
        process = self.begin("export", target)
        place.until(lambda: list(self.folder.glob("out.csv.*")) or process.poll() is not None, "it has begun")
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=place.PATIENCE)
        if process.returncode != 0:  # it may have been quicker
            self.assertEqual((process.returncode, *said), (-signal.SIGINT, "", "movedctl: interrupted: the file is not written\n"))
            self.assertEqual(target.read_text(), "as it was\n")
        self.assertEqual(list(self.folder.glob("out.csv.*")), [])
