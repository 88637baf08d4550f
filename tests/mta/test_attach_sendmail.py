"""movedctl attach sendmail, on Sendmail as Debian sets it up and on what administrators have made of it."""

import contextlib
import unittest

from lib import place
from lib.daemon import Daemon
from lib.stock_sendmail import StockSendmail

MOVED = "551 5.1.6 User not local; please try <{}>"
REMOVED, PRESENT, UNKNOWN = "gone@old.example", "daemon@old.example", "nobody-at-all@old.example"
NEW = MOVED.format("gone@new.example")
MAILBOXES = (REMOVED, PRESENT, UNKNOWN)


def said(cf):
    """What a sendmail.cf says: without comments, which have a date, and empty lines."""
    return [line for line in cf.splitlines() if line and not line.startswith(b"#")]


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(place.folder())

    def start(self, more="", tail="", makefile=False, maps=None, daemon=None, **how):
        """Sendmail, running, and our daemon."""
        self.sendmail = StockSendmail(self.folder / "s", more, tail, **how)
        self.stack.enter_context(self.sendmail)
        for name, lines in (maps or {}).items():
            self.sendmail.map(name, *lines)
        if makefile:
            self.sendmail.makefile()
        self.sendmail.start()
        self.daemon = Daemon(self.folder / "d", group="root", **(daemon or {}))
        self.stack.enter_context(self.daemon)
        self.daemon.hold((REMOVED, "gone@new.example"), ("gone@retired.example", "gone@new.example"))

    def ctl(self, command, *args):
        return self.daemon.ctl(command, "--config-dir", self.sendmail.conf, *args, env=self.sendmail.env)

    def attach(self, *args, status=0):
        done = self.ctl("attach", "--yes", *args, "sendmail")
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def attached(self, *args):
        printed = self.attach(*args)
        self.sendmail.hears(REMOVED, NEW)
        return printed

    def detach(self):
        done = self.ctl("detach", "--yes", "sendmail")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout + done.stderr

    def refuses(self, words, *args, status=78):
        """attach says one line, with these words, and nothing is changed."""
        files = self.sendmail.files()
        done = self.ctl("attach", "--yes", *args, "sendmail")
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertIn(words, done.stderr.splitlines()[-1])
        self.assertEqual(self.sendmail.files(), files)

    def replies(self, **how):
        return {mailbox: self.sendmail.rcpt(mailbox, **how) for mailbox in MAILBOXES}

    def outcomes(self, mark):
        return {mailbox: self.sendmail.outcome(mailbox, f"{mark} {mailbox}") for mailbox in MAILBOXES}

    def expect(self, why, *replies):
        for mailbox, reply in zip(MAILBOXES, replies):
            self.assertEqual(self.sendmail.rcpt(mailbox)[:len(reply)], reply, f"{why}: {mailbox}")

    def restart(self, **settings):
        self.daemon.stop()
        self.daemon.configure(**settings)
        self.daemon.start()


class StockSendmailCase(Case):
    def test_a_removed_mailbox_is_answered_and_all_else_stays_as_it_was(self):
        self.start(makefile=True)
        before, sent_before, files = self.replies(), self.outcomes("before"), self.sendmail.files()
        self.assertTrue(before[REMOVED].startswith("550 5.1.1 "), before)
        self.assertEqual(sent_before[PRESENT], "sent")
        denied = self.sendmail.rcpt("gone@retired.example")
        self.assertIn("Relaying denied", denied)

        self.attached()
        self.assertEqual(self.replies(), {**before, REMOVED: NEW})
        self.assertEqual(self.outcomes("attached"), {**sent_before, REMOVED: NEW})
        self.assertEqual(self.sendmail.rcpt("gone@retired.example"), denied)

        self.daemon.stop()
        self.assertEqual(set(self.replies().values()), {"451 4.3.2 Please try again later"})
        self.assertIn("Deferred: 451 4.3.2", self.sendmail.submit(PRESENT, "stopped"))
        self.daemon.start()
        self.assertEqual(self.replies(), {**before, REMOVED: NEW})

        self.detach()
        self.assertEqual(self.sendmail.files(), files)
        self.sendmail.hears(REMOVED, "550 5.1.1 ")
        self.assertEqual(self.replies(), before)
        self.assertEqual(self.outcomes("detached"), sent_before)

    def test_a_domains_own_texts_and_first_lines(self):
        self.start(domains=("old.example", "bulk.example", "a.bulk.example", "b.a.bulk.example"), daemon={"replies": {
            "moved": ["551 5.1.6 User not local; please try <${new}>", "100% sure"],
            "by_domain": [
                {"domain": "bulk.example", "moved": "551 5.1.6 ${old} ist umgezogen; please try <${new}>",
                 "gone": ["550 5.1.6 ${recipient} ist weg", "und bleibt es"]},
                {"domain": ".bulk.example", "moved": "551 5.1.6 sub; please try <${new}>"},
                {"domain": ".a.bulk.example", "moved": "551 5.1.6 subsub; please try <${new}>"}]}})
        self.daemon.hold((REMOVED, "gone@new.example"), ("al@bulk.example", "al@new.example"), ("bo@bulk.example", ""),
                         ("al@a.bulk.example", "al@new.example"), ("al@b.a.bulk.example", "al@new.example"))
        self.assertIn("the first line alone", self.attached())
        for mailbox, expected in (
                (REMOVED, NEW),
                ("al@bulk.example", "551 5.1.6 al@bulk.example ist umgezogen; please try <al@new.example>"),
                ("al@Bulk.EXAMPLE", "551 5.1.6 al@bulk.example ist umgezogen; please try <al@new.example>"),
                ("bo@bulk.example", "550 5.1.6 <bo@bulk.example>... bo@bulk.example ist weg"),
                ("al@a.bulk.example", "551 5.1.6 sub; please try <al@new.example>"),
                ("al@b.a.bulk.example", "551 5.1.6 subsub; please try <al@new.example>")):
            self.assertEqual(self.sendmail.rcpt(mailbox), expected)

    def test_nothing_the_second_time(self):
        self.start()
        self.attached()
        files, there = self.sendmail.files(), sorted(self.sendmail.conf.iterdir())
        self.assertIn("Attached already: nothing to change.", self.attach())
        self.assertEqual(self.sendmail.files(), files)
        self.assertEqual(sorted(self.sendmail.conf.iterdir()), there)
        self.detach()
        self.assertIn("Not attached: nothing to change.", self.detach())

    def test_the_servers_own_makefile_makes_the_same(self):
        self.start(makefile=True)
        self.attached()
        cf = self.sendmail.files()["sendmail.cf"]
        self.assertIn(b"# INPUT_MAIL_FILTER(`milter-moved'", cf)  # as it ends where the makefile made it
        self.sendmail.makefile()
        self.assertEqual(said(self.sendmail.files()["sendmail.cf"]), said(cf))
        self.assertNotIn("milter-moved.m4", (self.sendmail.conf / "Makefile").read_text())
        self.attach()
        # Something else has been changed since: no kept sendmail.cf is the right one any more.
        with open(self.sendmail.mc, "a") as mc:
            mc.write("LOCAL_CONFIG\nCwlater.example\n")
        self.sendmail.makefile()
        self.detach()
        made = self.sendmail.files()
        self.assertIn(b"Cwlater.example", said(made["sendmail.cf"]))
        self.sendmail.makefile()
        self.assertEqual(said(self.sendmail.files()["sendmail.cf"]), said(made["sendmail.cf"]))

    def test_a_makefile_that_makes_another_sendmail_cf_has_all_taken_back(self):
        self.start()
        makefile = self.sendmail.conf / "Makefile"
        makefile.write_text("sendmail.cf: sendmail.mc\n\tm4 $< >$@\n\techo 'O MaxHopCount=3' >>$@\n")
        self.refuses("Makefile makes another sendmail.cf", status=78)
        makefile.write_text("sendmail.cf: sendmail.mc\n\t@echo 'disk is full' >&2; false\n")
        self.refuses("make: exit status 2", status=69)
        self.assertEqual(self.sendmail.rcpt(REMOVED)[:9], "550 5.1.1")

    def test_a_sendmail_that_does_not_take_it_has_all_taken_back(self):
        self.start()
        (self.sendmail.folder / "bin/sendmail").write_text("#!/bin/sh\necho 'line 7: bad' >&2\nexit 78\n")
        self.refuses("sendmail: exit status 78: line 7: bad", status=69)
        self.assertEqual(sorted(self.sendmail.conf.glob("*.2*Z")), [])

    def test_a_dry_run_and_an_unanswered_question_change_nothing(self):
        self.start()
        files, there = self.sendmail.files(), sorted(self.sendmail.conf.iterdir())
        done = self.ctl("attach", "--dry-run", "sendmail")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("+INPUT_MAIL_FILTER(`milter-moved', `S=unix:", done.stdout)
        self.assertIn("+Kreply socket", done.stdout)
        done = self.ctl("attach", "sendmail")
        self.assertEqual(done.returncode, 64)
        self.assertIn("--yes", done.stderr)
        self.assertEqual(self.sendmail.files(), files)
        self.assertEqual(sorted(self.sendmail.conf.iterdir()), there)

    def test_dated_copies_are_kept_with_owner_and_mode(self):
        self.start()
        self.sendmail.mc.chmod(0o640)
        files = self.sendmail.files()
        self.attach()
        for name in ("sendmail.mc", "sendmail.cf"):
            (copy,) = self.sendmail.conf.glob(f"{name}.2*Z")
            self.assertEqual(copy.read_bytes(), files[name])
        self.assertEqual(self.sendmail.mc.stat().st_mode & 0o7777, 0o640)

    def test_observe_refuses_nothing_and_accepts_nothing_that_was_refused(self):
        self.start()
        before = self.replies()
        self.attach("--observe")
        self.assertIn('mode = "observe"', self.daemon.conf.read_text())
        place.until(lambda: self.daemon.count("configuration read again") == 1, "the daemon reads it")
        self.sendmail.hears(PRESENT, "250 ")
        place.until(lambda: self.replies() == before and self.daemon.count("map=reply"), "all as before, and logged")

    def test_every_way_of_being_down(self):
        """The table of movedctl(8): what a removed, a present and an unknown mailbox get."""
        self.start()
        self.attached()
        known = (NEW, "250 2.1.5 ", "550 5.1.1 ")

        def without(path, why, *replies):
            path.rename(self.folder / "away")
            self.expect(why, *replies)
            (self.folder / "away").rename(path)
            self.expect(f"{why}, and mended", *known)
        self.expect("all is well", *known)
        self.daemon.stop()
        self.expect("the daemon is stopped", *3 * ["451 4.3.2 Please try again later"])
        self.daemon.start()
        without(self.daemon.address, "no milter socket", *3 * ["451 4.3.2 Please try again later"])
        without(self.daemon.lookups, "no lookup socket", *3 * ["451 4.3.0 Table of moved mailboxes unavailable"])
        data = self.daemon.table / "data.mdb"
        data.rename(self.folder / "table")
        place.until(lambda: self.sendmail.rcpt(REMOVED).startswith("451 4.3.0 "), "the daemon misses its table")
        self.expect("no table", *3 * ["451 4.3.0 Table of moved mailboxes unavailable"])
        self.daemon.configure(on_table_error="accept")
        self.daemon.reload()
        self.expect("no table, on_table_error = accept", "550 5.1.1 ", *known[1:])


if __name__ == "__main__":
    unittest.main()
