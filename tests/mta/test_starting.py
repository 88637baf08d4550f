# SPDX-License-Identifier: BSD-2-Clause
"""Starts and stops of the daemon that go another way than planned: a second one, sockets of systemd's, a log that blocks, signals."""

import os
import shutil
import signal
import socket
import subprocess
import unittest

from lib import place
from lib.daemon import USER, handed_over, listening
from lib.milter import Milter, ask
from lib.socketmap import Socketmap
from mta.test_daemon import NEW, STRANGER, UNAVAILABLE, Alone


class Second(Alone):
    """Another one on the same sockets, by mistake."""

    def second(self):
        ready = self.daemon.count("ready on")
        process = self.daemon.launch()
        self.addCleanup(process.end)
        place.until(lambda: self.daemon.count("ready on") > ready, "the second is ready")
        return process

    def assert_first_is_reached(self):
        self.assertEqual(place.listener(self.daemon.address), self.daemon.process.pid)
        self.assertEqual(place.listener(self.daemon.lookups), self.daemon.process.pid)
        self.assertEqual(self.ask(), NEW)

    def test_when_it_ends_the_first_is_reached_again(self):
        process = self.second()
        self.assertEqual(place.listener(self.daemon.address), process.pid)
        self.assertEqual(self.ask(), NEW)
        self.assertEqual(process.end(), 0)
        self.assert_first_is_reached()
        self.assertEqual({path.name for path in self.daemon.folder.glob("*.sock*")}, {"milter.sock", "lookup.sock"})

    def test_when_it_cannot_start_the_first_is_reached_again(self):
        """Here since the table contradicts the configuration, which it finds out after it has made its sockets."""
        self.daemon.configure(addresses={"fold_case": False})
        self.assertEqual(self.daemon.launch().wait(), 78)
        self.assert_first_is_reached()

    def test_after_it_was_killed_a_third_that_ends_gives_the_place_back(self):
        self.second().end(signal.SIGKILL)
        self.assertEqual(self.second().end(), 0)
        self.assert_first_is_reached()

    def test_after_a_restart_nothing_of_the_old_one_is_left(self):
        old, self.daemon.process = self.daemon.process, self.second()
        self.assertEqual(old.end(), 0)
        self.assert_first_is_reached()
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(list(self.daemon.folder.glob("*.sock*")), [])


class HandedOver(Alone):
    """Each socket that systemd hands over is served, or the start is refused with its name."""

    def setUp(self):
        super().setUp()
        self.daemon.stop()
        self.run = self.folder / "run"
        self.run.mkdir()

    def hear(self, name):
        listener = listening(self.run / name)
        self.addCleanup(listener.close)
        return listener

    def start(self, *listeners):
        process = handed_over(listeners, self.daemon.command(), self.folder / "handed.log")
        self.addCleanup(process.end)
        return process

    def test_the_lookup_socket_is_known_through_a_link(self):
        (self.folder / "link").symlink_to("run")
        self.daemon.configure(lookup_socket=f"unix:{self.folder}/link/lookup.sock")
        for order in (("milter.sock", "lookup.sock"), ("lookup.sock", "milter.sock")):
            listeners = [self.hear(name) for name in order]
            process = self.start(*listeners)
            self.assertEqual(ask(self.run / "milter.sock", "<alice@old.example>"), NEW)
            with Socketmap(self.run / "lookup.sock") as client:
                self.assertTrue(client.ask("stats").startswith("OK"))
            process.end()
            for name in order:
                (self.run / name).unlink()

    def assert_refused(self, listeners, words):
        process = self.start(*listeners)
        self.assertEqual(process.wait(), 78)
        self.assertEqual([line for line in process.printed().splitlines() if line != ""][-1:], [f"milter-moved: {words}"])

    def test_one_that_nobody_would_serve_is_named(self):
        first, second = self.hear("one.sock"), self.hear("two.sock")
        for lookup_socket in (f"unix:{self.run}/other.sock", ""):
            self.daemon.configure(lookup_socket=lookup_socket)
            self.assert_refused([first, second], f"'{self.run}/two.sock', handed over by systemd, would be served by nobody: "
                                f"'{self.run}/one.sock' is the milter's, and lookup_socket is '{lookup_socket[5:]}': "
                                "let the socket unit and lookup_socket agree")
        with socket.create_server(("127.0.0.1", 0)) as third:
            self.assert_refused([first, third], f"'127.0.0.1 port {third.getsockname()[1]}', handed over by systemd, would be served by "
                                f"nobody: '{self.run}/one.sock' is the milter's, and lookup_socket is '': "
                                "let the socket unit and lookup_socket agree")

    def test_one_that_is_no_stream_that_listens_is_named(self):
        path = str(self.run / "a.sock")
        for kind, listens in ((socket.SOCK_DGRAM, False), (socket.SOCK_SEQPACKET, True), (socket.SOCK_STREAM, False)):
            with socket.socket(socket.AF_UNIX, kind) as other:
                other.bind(path)
                if listens:
                    other.listen()
                self.assert_refused([other], f"'{path}', handed over by systemd, is no stream socket that listens: "
                                    "write ListenStream= in the socket unit")
            os.unlink(path)


class Signals(Alone):
    def test_what_other_daemons_are_sent_to_open_their_log_again_ends_nothing(self):
        with Milter(self.daemon.address) as milter:
            milter.begin(STRANGER)
            for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGXFSZ):
                self.daemon.process.kill(number)
                self.assertEqual(milter.rcpt("<alice@old.example>"), NEW)
            self.daemon.reload()
        self.assertTrue(self.daemon.process.lives())
        self.assertEqual(self.ask(), NEW)


class BlockedLog(Alone):
    """Standard error is a pipe that nobody reads, and full."""

    def setUp(self):
        super().setUp()
        self.daemon.stop()
        self.daemon.configure(log={"target": "stderr", "level": "debug"})

    def test_answers_and_stop_do_not_wait_for_it(self):
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        os.set_blocking(write, False)
        with self.assertRaises(BlockingIOError):
            while os.write(write, b"." * 4096):
                continue
        os.set_blocking(write, True)
        with subprocess.Popen(self.daemon.command(), stderr=write) as process:
            os.close(write)
            try:
                place.until(lambda: place.listens(self.daemon.address), "it listens")
                for _ in range(100):
                    self.assertEqual(self.ask(), NEW)
                with Milter(self.daemon.address) as milter:
                    milter.begin(STRANGER)
                    process.send_signal(signal.SIGTERM)
                    self.assertEqual(process.wait(place.PATIENCE), 0)
            finally:
                process.kill()
        self.assertFalse(self.daemon.address.exists())


class Unreadable(Alone):
    """A table that the daemon's user may not read is said where an administrator sees it."""

    def breaks(self):
        table = self.daemon.table
        if os.geteuid() == 0:
            def give_to_root():
                shutil.chown(table, "root")
                table.chmod(0o700)
            yield give_to_root
        yield lambda: [path.chmod(0) for path in table.glob("data.mdb")]
        yield lambda: [path.chmod(0o400) for path in table.glob("lock.mdb")]

    def mend(self):
        if os.geteuid() == 0:
            shutil.chown(self.daemon.table, USER)
        self.daemon.table.chmod(0o2770)
        for path in self.daemon.table.glob("*.mdb"):
            path.chmod(0o660)

    def test_at_the_start_and_by_check(self):
        if USER == "root":
            place.lacking("root reads every table")
        self.daemon.stop()
        self.daemon.configure(log={"target": "syslog", "facility": "local7"})
        for spoil in self.breaks():
            spoil()
            command = [word for word in self.daemon.command() if word != "-f"]
            check = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=place.PATIENCE)
            self.assertEqual(check.returncode, 77, check.stderr)
            self.assertRegex(check.stderr, rf"\Amilter-moved: {self.daemon.table}.*: Permission denied: .*\(chown -R {USER} {self.daemon.table}\)\n\Z")
            start = subprocess.run(command, capture_output=True, text=True, timeout=place.PATIENCE)
            try:
                self.assertEqual(start.returncode, 0, start.stderr)
                self.assertRegex(start.stderr, rf"\Amilter-moved: warning: {self.daemon.table}.*: Permission denied: .*\(chown -R ")
                self.assertEqual(self.ask(), UNAVAILABLE)
            finally:
                pid = place.listener(self.daemon.address)
                os.kill(pid, signal.SIGTERM)
                place.until(lambda: not os.path.exists(f"/proc/{pid}"), "it ends")
            self.mend()

    def test_of_a_read_only_mount_no_other_owner_is_asked(self):
        enter = [*place.mounting(), "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"', str(self.daemon.table)]
        check = subprocess.run([*enter, *self.daemon.command(), "-t"], capture_output=True, text=True, timeout=place.PATIENCE)
        self.assertEqual((check.returncode, check.stderr),
                         (77, f"milter-moved: {self.daemon.table}/lock.mdb: cannot be written, and readers must lock: "
                              "mount it read-write (systemd: ReadWritePaths)\n"))


if __name__ == "__main__":
    unittest.main()
