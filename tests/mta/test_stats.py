"""movedctl stats: what the daemon has counted, as an administrator and a program read it."""

import contextlib
import json
import unittest

from lib import milter, place
from lib.daemon import Daemon
from lib.socketmap import Socketmap


class Stats(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(place.folder())
        self.daemon = self.stack.enter_context(Daemon(self.folder / "d"))
        self.daemon.hold(("alice@old.example", "alice@new.example"), ("gone@old.example", ""))

    def stats(self):
        return json.loads(self.daemon.movedctl("stats", "--json"))

    def test_every_answer_is_counted_by_who_asked_and_which_rule_decided(self):
        before = self.stats()
        for recipient in ("<alice@old.example>", "<alice@old.example>", "<gone@old.example>", "<bob@old.example>", "<x"):
            milter.ask(self.daemon.address, recipient)
        with self.daemon.session(), Socketmap(self.daemon.lookups) as client:
            client.ask("listed alice@old.example")
            client.ask("listed alice")
            client.ask("reply 192.0.2.7 0 0 gone@old.example")
        after = self.stats()
        counted = {name: value - before[name] for name, value in after.items()
                   if isinstance(value, int) and value != before[name] and "." in name}
        self.assertEqual(counted, {"milter.moved": 2, "milter.gone": 1, "milter.not_listed": 1,
                                   "milter.not_an_address": 1, "listed.moved": 1, "reply.gone": 1})
        self.assertEqual(after["sessions"] - before["sessions"], 6)
        self.assertEqual((after["mode"], after["table"], after["entries"]), ("enforce", "good", 2))

    def test_what_is_observed_is_counted_apart(self):
        self.daemon.configure(mode="observe")
        self.daemon.reload()
        milter.ask(self.daemon.address, "<alice@old.example>")
        stats = self.stats()
        self.assertEqual((stats["mode"], stats["observed.moved"], stats["milter.moved"]), ("observe", 1, 0))

    def test_a_table_that_cannot_be_read_is_said(self):
        (self.daemon.table / "data.mdb").rename(self.folder / "away")
        place.until(lambda: self.stats()["table"] != "good", "the daemon misses its table")
        stats = self.stats()
        self.assertIn("no table there", stats["table"])
        self.assertEqual(stats["entries"], 0)
        (self.folder / "away").rename(self.daemon.table / "data.mdb")
        place.until(lambda: self.stats()["table"] == "good", "the table is back")

    def test_on_paper_what_was_never_counted_is_left_out(self):
        milter.ask(self.daemon.address, "<alice@old.example>")
        lines = dict(line.split(None, 1) for line in self.daemon.movedctl("stats").splitlines())
        self.assertEqual(lines["milter.moved"], "1")
        self.assertNotIn("milter.loop", lines)
        self.assertEqual(lines["log_lines_lost"], "0")

    def test_without_the_daemon_one_line_says_so(self):
        self.daemon.stop()
        done = self.daemon.ctl("stats")
        self.assertEqual((done.returncode, done.stdout), (69, ""))
        self.assertRegex(done.stderr, r"\Amovedctl: unix:\S+lookup\.sock: .*: start milter-moved, or .*\n\Z")

    def test_numbers_that_are_none_are_not_found(self):
        with Socketmap(self.daemon.lookups) as client:
            for number in ("", "x", "-1", "1000000", "99999999999999999999", "1 "):
                self.assertEqual(client.ask(f"stats {number}"), "NOTFOUND ", number)
            self.assertTrue(client.ask("stats 0").startswith("OK version "))


if __name__ == "__main__":
    unittest.main()
