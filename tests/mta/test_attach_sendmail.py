# SPDX-License-Identifier: BSD-2-Clause
"""movedctl attach sendmail, on Sendmail as Debian sets it up and on what administrators have made of it."""

import contextlib
import os
import re
import subprocess
import signal
import socket
import time
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
        self.sendmail.assert_closed()
        self.daemon = Daemon(self.folder / "d", group="root", **(daemon or {}))
        self.stack.enter_context(self.daemon)
        self.daemon.hold((REMOVED, "gone@new.example"), ("gone@retired.example", "gone@new.example"))

    def ctl(self, command, *args):
        return self.daemon.ctl(command, "--config-dir", self.sendmail.conf, *args, env=self.sendmail.env)

    def attach(self, *args, status=0):
        done = self.ctl("attach", "--yes", *args, "sendmail")
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.sendmail.assert_closed()
        return done.stdout + done.stderr

    def attached(self, *args):
        printed = self.attach(*args)
        self.sendmail.hears(REMOVED, NEW)
        return printed

    def detach(self):
        done = self.ctl("detach", "--yes", "sendmail")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.sendmail.assert_closed()
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
        self.assertIn("only the first line", self.attached())
        for mailbox, expected in (
                (REMOVED, NEW),
                ("al@bulk.example", "551 5.1.6 al@bulk.example ist umgezogen; please try <al@new.example>"),
                ("al@Bulk.EXAMPLE", "551 5.1.6 al@bulk.example ist umgezogen; please try <al@new.example>"),
                ("bo@bulk.example", "550 5.1.6 <bo@bulk.example>... bo@bulk.example ist weg"),
                ("al@a.bulk.example", "551 5.1.6 sub; please try <al@new.example>"),
                ("al@b.a.bulk.example", "551 5.1.6 subsub; please try <al@new.example>")):
            self.assertEqual(self.sendmail.rcpt(mailbox), expected)

    def test_an_address_with_percent_signs_is_shown_as_it_is(self):
        """The value of a map may have arguments, %0 to %9, and %% for a percent sign."""
        self.start()
        names = ("a%0b", "%1", "%%", "a%b", "a%", "a%%0b%1")
        self.daemon.hold((REMOVED, "gone@new.example"),
                         *((f"m{n}@old.example", f"{name}@new.example") for n, name in enumerate(names)))
        self.attached()
        for n, name in enumerate(names):
            self.assertEqual(self.sendmail.rcpt(f"m{n}@old.example"), MOVED.format(f"{name}@new.example"))

    def test_the_copies_of_one_change_have_one_date(self):
        """By it detach knows which sendmail.cf was made of which sendmail.mc."""
        self.start()
        now = int(time.time())
        taken = {time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(now + second)) for second in range(60)}
        for date in taken:
            (self.sendmail.conf / f"sendmail.mc.{date}").write_text("")
        self.attached()
        dates = [path.name.split(".cf.")[1] for path in self.sendmail.conf.glob("sendmail.cf.2*Z")]
        self.assertEqual(len(dates), 1)
        self.assertNotIn(dates[0], taken)
        self.assertNotEqual((self.sendmail.conf / f"sendmail.mc.{dates[0]}").read_text(), "")

    def test_nothing_the_second_time(self):
        self.start()
        self.attached()
        files, there = self.sendmail.files(), sorted(self.sendmail.conf.iterdir())
        self.assertIn("Attached already: nothing to change.", self.attach())
        self.assertEqual(self.sendmail.files(), files)
        self.assertEqual(sorted(self.sendmail.conf.iterdir()), there)
        self.daemon.stop()
        self.assertRegex(self.attach(), "warning: milter-moved does not answer on .*: start it: ")
        self.daemon.start()
        self.detach()
        self.assertIn("Not attached: nothing to change.", self.detach())

    def test_one_that_has_not_read_it_is_restarted_by_the_next_run(self):
        self.start()
        self.attached()
        os.utime(self.sendmail.cf)  # as new as if attach had been killed before it told Sendmail
        self.assertIn("and is reloaded", self.attach())
        self.assertNotIn("reloaded", self.attach())

    def test_sendmail_answers_again_when_attach_and_detach_return(self):
        self.start()
        for _ in range(5):  # a second SIGHUP that came too soon would end it
            self.assertEqual(self.ctl("attach", "--yes", "sendmail").returncode, 0)
            self.assertEqual(self.sendmail.rcpt(REMOVED), NEW)
            self.ctl("attach", "--yes", "--unserved", "sendmail")
            self.assertEqual(self.ctl("detach", "--yes", "sendmail").returncode, 0)
            self.assertIn("550 5.1.1 ", self.sendmail.rcpt(REMOVED))

    def test_a_sendmail_that_cannot_restart_is_said(self):
        self.start()
        self.sendmail.process.kill(signal.SIGSTOP)
        try:
            done = self.ctl("attach", "--yes", "sendmail")
        finally:
            self.sendmail.process.kill(signal.SIGCONT)
        self.assertIn("Sendmail was told to restart, and has not done so within", done.stderr)
        self.sendmail.hears(REMOVED, NEW)
        self.sendmail.stop()
        self.assertIn("Sendmail is not running, or cannot be found: restart it", self.ctl("detach", "--yes", "sendmail").stderr)

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
        self.refuses("sendmail refuses it: exit status 78: line 7: bad", status=69)
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
        self.detach()
        self.attach()
        self.assertEqual(len([*self.sendmail.conf.glob("sendmail.mc.2*Z")]), 3)
        self.assertEqual(self.sendmail.mc.stat().st_mode & 0o7777, 0o640)

    def test_observe_refuses_nothing_and_accepts_nothing_that_was_refused(self):
        self.start()
        before = self.replies()
        self.attach("--observe")
        part = self.daemon.conf.with_name("milter-moved.conf.d") / "attach.conf"
        self.assertEqual(part.read_text(), 'mode = "observe"; # sendmail\n')
        place.until(lambda: self.daemon.count("configuration read again") == 1, "the daemon reads it")
        self.sendmail.hears(PRESENT, "250 ")
        observed = f"from=<sender@client.example>, map=reply, entry={REMOVED}, observed reply={NEW}"
        place.until(lambda: self.replies() == before and self.daemon.count(observed), "all as before, and logged")

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

    def test_a_session_that_goes_on_while_the_daemon_is_restarted_loses_nothing(self):
        self.start()
        self.attached()
        with self.sendmail.stranger() as talk:
            talk.mail()
            self.assertEqual(talk.rcpt(REMOVED), NEW)
            self.daemon.stop(signal.SIGKILL)
            self.daemon.start()
            for mailbox, right in 2 * [*zip(MAILBOXES, (re.escape(NEW), "250 2.1.5 ", "550 5.1.1 "))]:
                self.assertRegex(talk.rcpt(mailbox), f"^451 4[.]3[.][02] |^{right}")
        self.expect("a new session", NEW, "250 2.1.5 ", "550 5.1.1 ")

    def test_a_folder_that_others_may_write_to_is_refused_as_sendmail_would(self):
        self.start()
        self.daemon.folder.chmod(0o775)
        self.refuses("which others may write to (mode 0775): Sendmail opens no socket there: chmod go-w")
        self.daemon.folder.chmod(0o755)
        self.attached()
        self.daemon.folder.chmod(0o775)
        self.expect("a folder that its group may write to", *3 * ["451 4.3."])

    def test_an_account_that_sendmail_runs_as_has_to_be_let_in(self):
        self.start("define(`confRUN_AS_USER', `games')dnl\n")
        self.refuses("games", status=77)

    def test_it_is_said_that_moved_recipients_count_as_bad_ones(self):
        self.start("define(`confBAD_RCPT_THROTTLE', `3')dnl\n")
        self.assertIn("after 3 in a session each costs a second", self.attach("--dry-run"))

    def test_without_the_daemon_or_its_table_nothing_is_attached(self):
        """All mail would be deferred."""
        self.start()
        self.daemon.stop()
        self.assertIn("does not answer", self.attach("--dry-run"))
        self.refuses("start it: milter-moved -c ", status=69)
        self.daemon.configure(table="/none/such")
        self.daemon.start()
        self.daemon.configure(table=str(self.daemon.table))
        self.refuses("cannot read its table", status=69)

    def test_what_was_changed_in_sendmail_cf_by_hand_is_not_lost(self):
        self.start()
        with open(self.sendmail.cf, "a") as cf:
            cf.write("O MaxHopCount=7\n")
        self.refuses("is not what m4 makes of")
        self.refuses("bring it into sendmail.mc, and rebuild: O MaxHopCount=7")
        self.sendmail.rebuild()
        self.attached()
        with open(self.sendmail.cf, "a") as cf:
            cf.write("O MaxHopCount=7\n")
        done = self.ctl("detach", "--yes", "sendmail")
        self.assertEqual(done.returncode, 78)
        self.assertIn("O MaxHopCount=7", done.stderr)

    def test_a_domain_that_is_no_longer_served_is_answered_only_where_that_is_asked_for(self):
        self.start()
        said = self.attached()
        self.assertIn("warning: retired.example is not served by this Sendmail", said)
        self.assertIn("--unserved", said)
        denied = self.sendmail.rcpt("gone@retired.example")
        self.assertIn("Relaying denied", denied)
        self.daemon.hold((REMOVED, "gone@new.example", "forward"), ("gone@retired.example", "gone@new.example", "forward"),
                         ("more@retired.example", "more@new.example", "forward"))
        said = self.ctl("lint", "--mta", "sendmail").stdout
        self.assertEqual(said, "gone@retired.example: warning: is to be forwarded, but Sendmail accepts no mail for retired.example "
                               "(2 entries): accept mail for it, or write reject\n")
        self.daemon.hold((REMOVED, "gone@new.example"), ("gone@retired.example", "gone@new.example"))
        self.attach("--unserved")
        self.sendmail.hears("gone@retired.example", NEW)
        self.assertEqual(self.sendmail.rcpt("nobody@retired.example"), denied.replace("gone@", "nobody@"))
        self.assertIn("Relaying denied", self.sendmail.rcpt("gone@elsewhere.example"))
        self.daemon.configure(mode="observe")
        self.daemon.reload()
        self.assertEqual(self.sendmail.rcpt("gone@retired.example"), denied)
        self.daemon.configure(mode="enforce")
        self.daemon.reload()
        self.attach()
        self.sendmail.hears("gone@retired.example", denied)


class Texts(Case):
    def test_every_text_arrives_as_it_was_configured(self):
        texts = {
            "moved": "551 5.1.6 a  b   c 100% %d%s 'it' `back` \"double\" $x $$ $1 $& # \\ dnl define(`x')"
                     " include(/etc/passwd), [[two]] (paren <${new}> was <${old}>; ;:,@!|~^*?+={}",
            "withheld": "550 5.7.1 R$* ${old} S5 <",
            "gone": "550 5.1.6 # ${old}'s mailbox is `gone'",
            "table_error": "451 4.3.5 it's #1: $%",
        }
        self.start()
        self.daemon.configure(replies=texts)
        self.daemon.reload()
        new = "a%b$c#d'e`f!g/h=i{j}k|l~m^n*o?p+q&r@new.example"
        self.daemon.hold((REMOVED, new), ("left@old.example", ""), ("utf@old.example", "jörg@new.example"),
                         ("quoted@old.example", '"x y"@new.example'), ("jörg@old.example", "j@new.example"),
                         ('"two words"@old.example', "t@new.example"))
        self.attach()
        self.sendmail.hears(REMOVED, "551 5.1.6 a ")

        def moved(old, to):
            return texts["moved"].replace("${new}", to).replace("${old}", old)
        self.assertEqual(self.sendmail.rcpt(REMOVED), moved(REMOVED, new))
        for old, to in ((REMOVED.upper(), new), ("gone+x@old.example", new.replace("@", "+x@")),
                        ("jörg@old.example", "j@new.example"), ('"two words"@old.example', "t@new.example")):
            self.assertIn(f"<{to}> was <", self.sendmail.rcpt(old))
        # Sendmail itself puts the recipient before the text of a 550.
        self.assertEqual(self.sendmail.rcpt("left@old.example"),
                         "550 5.1.6 <left@old.example>... # left@old.example's mailbox is `gone'")
        self.assertEqual(self.sendmail.rcpt("quoted@old.example"),
                         "550 5.7.1 <quoted@old.example>... R$* quoted@old.example S5 <")
        self.assertEqual(self.daemon.logged("entry=quoted@old.example, rule=unwritable, reply=550 5.7.1 "), 1)
        self.assertEqual(self.sendmail.rcpt("utf@old.example"),
                         "550 5.7.1 <utf@old.example>... R$* utf@old.example S5 <")
        (self.daemon.table / "data.mdb").rename(self.folder / "table")
        self.sendmail.hears(REMOVED, "451 4.3.5 it's #1: $%")

    def test_new_texts_come_with_the_next_attach(self):
        self.start()
        self.attached()
        self.daemon.configure(replies={"moved": "551 5.1.6 Try ${new}"})
        self.daemon.reload()
        self.attach()
        self.sendmail.hears(REMOVED, "551 5.1.6 Try gone@new.example")

    def test_a_text_that_m4_cannot_have_is_refused(self):
        self.start()
        self.daemon.configure(replies={"gone": "550 5.1.6 [[[gone]]]"})
        self.refuses("which cannot be written for Sendmail")

    def test_client_and_authentication_decide_who_learns_the_new_address(self):
        """{auth_authen} and an IPv6 address, as the rules hand them over."""
        self.start()
        self.daemon.configure(disclosure={"default": "trusted",
                                          "trusted_networks": ["198.51.100.0/24", "2001:db8::/32"]})
        self.daemon.reload()
        self.attach()
        for macros, learns in (({"client_addr": "198.51.100.7"}, True), ({"client_addr": "203.0.113.7"}, False),
                               ({"client_addr": "IPv6:2001:db8:0:0:0:0:0:7"}, True),
                               ({"client_addr": "IPv6:2001:db9:0:0:0:0:0:7"}, False),
                               ({"client_addr": "203.0.113.7", "auth_authen": "joe@old.example"}, True)):
            with self.subTest(**macros):
                said = self.sendmail.ruleset("moved_rcpt", f"<{REMOVED}>", client_name="client.example",
                                             client_resolve="OK", mail_from="<sender@client.example>", **macros)
                self.assertIn("gone @ new" if learns else "withheld", said)


class OddSendmail(Case):
    def before_and_after(self, mailboxes, *args):
        before = {mailbox: self.sendmail.rcpt(mailbox) for mailbox in mailboxes}
        files = self.sendmail.files()
        self.attached(*args)
        after = {mailbox: self.sendmail.rcpt(mailbox) for mailbox in mailboxes}
        self.detach()
        self.assertEqual(self.sendmail.files(), files)
        return before, after

    def test_virtusertable_and_mailertable_with_their_own_errors(self):
        self.start(
            "FEATURE(`virtusertable')dnl\nFEATURE(`mailertable')dnl\nFEATURE(`blocklist_recipients')dnl\n"
            "FEATURE(`redirect')dnl\nVIRTUSER_DOMAIN(`virt.example')dnl\nVIRTUSER_DOMAIN(`all.example')dnl\n",
            maps={"virtusertable": ["here@virt.example\tdaemon", "@virt.example\terror:nouser 550 No such user here",
                                    "@all.example\tdaemon"],
                  "mailertable": ["closed.example\terror:5.1.1:550 none here", "next.example\tsmtp:[127.0.0.9]"],
                  "access": ["To:blocked@old.example\tERROR:5.2.1:550 Mailbox disabled", "To:closed.example\tRELAY",
                             "To:next.example\tRELAY"],
                  "aliases": ["team: gone@virt.example, daemon", "away: away@new.example.REDIRECT"]})
        self.sendmail.command("-bi")
        moved = [f"gone@{name}.example" for name in ("old", "virt", "all", "closed", "next")]
        others = [f"{name}@{domain}.example" for domain in ("old", "virt", "all", "closed", "next")
                  for name in ("here", "nobody-at-all")]
        others += ["team@old.example", "away@old.example", "gone@retired.example"]
        blocked = "blocked@old.example"
        self.daemon.hold(*[(old, "gone@new.example") for old in [*moved, blocked, "gone@retired.example"]])
        resolved = self.sendmail.command("-bv", *moved, *others).stdout
        before, after = self.before_and_after([*moved, *others, blocked])
        self.assertEqual(after, {**before, **{old: NEW for old in moved}})
        self.assertIn("Mailbox disabled", before[blocked])
        self.attach()
        self.assertEqual(self.sendmail.command("-bv", *moved, *others).stdout, resolved)

    def test_a_client_or_sender_that_is_refused_learns_no_new_address(self):
        self.start(maps={"access": ["Connect:127.0.0.5\tREJECT", "From:bad@client.example\tREJECT"]})

        def ask():
            return [self.sendmail.rcpt(mailbox, **how) for mailbox in MAILBOXES
                    for how in ({"source": "127.0.0.5"}, {"sender": "bad@client.example"})]
        before = ask()
        self.attached()
        self.assertEqual(ask(), before)
        self.assertTrue(all(said.startswith("550 5.7.1 ") for said in before), before)

    def test_without_delay_checks_and_access_map(self):
        self.start(less=("FEATURE(`delay_checks'", "FEATURE(`access_db'", "FEATURE(`greet_pause'",
                         "FEATURE(`conncontrol'", "FEATURE(`ratecontrol'"))
        before, after = self.before_and_after([*MAILBOXES, "gone@retired.example"])
        self.assertEqual(after, {**before, REMOVED: NEW})

    OWN = ('LOCAL_RULESETS\nSLocal_check_rcpt\n'
           'R$* secret @ $*\t\t$#error $@ 5.7.1 $: "550 Keep  out"\n'
           'R$*\t\t\t$: $>CanonAddr $1\nR$* < @ $+ > $*\t\t$@ OK\n')

    def test_an_own_local_check_rcpt_goes_on(self):
        for where in ("more", "tail"):
            with self.subTest(where=where), contextlib.ExitStack() as self.stack, place.folder() as self.folder:
                self.start(**{where: self.OWN})
                before, after = self.before_and_after([*MAILBOXES, "secret@old.example"])
                self.assertEqual(before["secret@old.example"], "550 5.7.1 <secret@old.example>... Keep  out")
                self.assertEqual(after, {**before, REMOVED: NEW})

    def test_an_own_local_check_rcpt_that_would_come_first_is_refused(self):
        own = self.folder / "own.m4"
        own.write_text(self.OWN)
        self.start(f"include(`{own}')dnl\n")
        self.refuses("has a Local_check_rcpt before the MAILER lines, and so before ours: "
                     "move it after them: R$* secret")

    def test_other_milters_stay_and_so_do_ports_of_their_own(self):
        listed, off = place.free_ports(2)
        self.start(
            "MAIL_FILTER(`second', `S=inet:9@127.0.0.1')dnl\n"
            "INPUT_MAIL_FILTER(`first', `S=inet:10@127.0.0.1')dnl\n"
            "define(`confINPUT_MAIL_FILTERS', `second, first')dnl\n"
            f"DAEMON_OPTIONS(`Name=Listed, Addr=127.0.0.1, Port={listed}, InputMailFilters=second')dnl\n"
            f"DAEMON_OPTIONS(`Name=Off, Addr=127.0.0.1, InputMailFilters=, Port={off}')dnl\n")
        files = self.sendmail.files()
        printed = self.attached()
        self.assertRegex(printed, "a port has its milters switched off, and is left alone: .*Name=Off")
        lines = said(self.sendmail.files()["sendmail.cf"])
        self.assertIn(b"O InputMailFilters=second, first, milter-moved", lines)
        self.assertIn(f"O DaemonPortOptions=Name=Listed, Addr=127.0.0.1, Port={listed}, "
                      "InputMailFilters=second;milter-moved".encode(), lines)
        self.assertEqual([line for line in lines if b"Port=" in line and b"Listed" not in line],
                         [line for line in said(files["sendmail.cf"]) if b"Port=" in line and b"Listed" not in line])
        for port in (listed, off):
            self.assertEqual(self.sendmail.rcpt(REMOVED, port), NEW)
        self.daemon.stop()
        self.assertEqual(self.sendmail.rcpt(PRESENT, listed), "451 4.3.2 Please try again later")
        self.detach()
        self.assertEqual(self.sendmail.files(), files)

    def test_among_filters_behind_the_mailers_it_is_the_last(self):
        one, two = "INPUT_MAIL_FILTER(`one', `S=inet:9@127.0.0.1')dnl\n", "MAIL_FILTER(`two', `S=inet:10@127.0.0.1')dnl\n"
        for tail, before in ((one, "one"), (two + "define(`confINPUT_MAIL_FILTERS', `two')dnl\n", "two"),
                             ("LOCAL_RULESETS\nSown\nR$*\t\t$@ $1\n" + one, "one"), (one.rstrip("\n"), "one")):
            with self.subTest(tail), contextlib.ExitStack() as self.stack, place.folder() as self.folder:
                self.start(tail=tail)
                files = self.sendmail.files()
                self.attached()
                self.assertIn(f"O InputMailFilters={before}, milter-moved".encode(), said(self.sendmail.files()["sendmail.cf"]))
                self.detach()
                self.assertEqual(self.sendmail.files(), files)

    def test_a_list_of_milters_that_ours_does_not_get_into_is_refused(self):
        self.start(tail="define(`INPUT_MAIL_FILTER', `')dnl\n")
        self.refuses("confINPUT_MAIL_FILTERS does not get milter-moved")

    BSD = ".SUFFIXES: .cf .mc\n.mc.cf:\n\tm4 -D_CF_DIR_={share}/ {share}/m4/cf.m4 $< >$@\n"

    def test_where_the_makefile_gives_cf_m4_to_m4(self):
        for name, option in ((f"{socket.gethostname()}.mc", False), ("relay.mc", True), ("sendmail.mc", False)):
            with self.subTest(name), contextlib.ExitStack() as self.stack, place.folder() as self.folder:
                self.start(bsd=name)
                makefile = self.BSD.format(share=self.sendmail.folder / "share/cf")
                (self.sendmail.conf / "Makefile").write_text(makefile)
                files, given = self.sendmail.files(), ("--mc", self.sendmail.mc) if option else ()
                if option:
                    self.refuses("--mc names the file", status=66)
                self.attached(*given)
                made = self.sendmail.files()
                self.sendmail.rebuild()
                self.assertEqual(said(self.sendmail.files()["sendmail.cf"]), said(made["sendmail.cf"]))
                self.assertIn("nothing to change", self.attach(*given))
                done = self.ctl("detach", "--yes", *given, "sendmail")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.sendmail.files(), files)
                (self.sendmail.conf / "Makefile").write_text(makefile + "\techo 'O MaxHopCount=3' >>$@\n")
                if name == "sendmail.mc":
                    self.refuses("Makefile makes another sendmail.cf")
                self.sendmail.mc.write_text(self.sendmail.mc.read_text() + "FEATURE(`smrsh')dnl\n")
                self.refuses("*** ERROR: FEATURE() should be before MAILER()", *given)

    def test_mc_is_for_sendmail_alone(self):
        self.start()
        for command in ("attach", "detach"):
            self.assertEqual(self.daemon.ctl(command, "--yes", "--mc", self.sendmail.mc, "postfix").returncode, 64)
        self.refuses("--mc: no such file '/none'", "--mc", "/none", status=66)

    def test_the_diff_of_a_dry_run_is_one_that_patch_takes(self):
        self.start()
        shown = self.ctl("attach", "--dry-run", "sendmail")
        done = subprocess.run(["patch", "-p1", "-d", "/"], input=shown.stdout, capture_output=True, text=True, timeout=place.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + shown.stdout + shown.stderr)
        self.sendmail.stop()
        self.sendmail.start()
        self.expect("by hand", NEW, "250 2.1.5 ", "550 5.1.1 ")
        self.daemon.lookups.unlink()
        self.expect("no lookup socket", *3 * ["451 4.3.0 Table"])

    def test_a_milter_at_a_port(self):
        for way in ("inet", "inet6") if place.has_ipv6() else ("inet",):
            with self.subTest(way=way), contextlib.ExitStack() as self.stack, place.folder() as self.folder:
                self.start(daemon={"way": way})
                before, after = self.before_and_after(MAILBOXES)
                self.assertEqual(after, {**before, REMOVED: NEW})

    def test_a_milter_put_in_by_hand_is_not_put_in_twice(self):
        socket = self.folder / "d/milter.sock"
        self.start(f"INPUT_MAIL_FILTER(`moved', `F=T, S=local:{socket}')dnl\n")
        self.attached()
        lines = said(self.sendmail.files()["sendmail.cf"])
        self.assertEqual([line for line in lines if line.startswith(b"X")], [f"Xmoved, F=T, S=local:{socket}".encode()])

    def test_a_milter_put_in_by_hand_without_f_is_refused(self):
        self.start(f"INPUT_MAIL_FILTER(`moved', `S=unix:{self.folder}/d/milter.sock')dnl\n")
        self.refuses("has our milter without F=T")

    def test_a_map_of_the_same_name_is_refused(self):
        self.start(tail="LOCAL_CONFIG\nKreply regex -a@MATCH ^x$\n")
        self.refuses("already has a map called reply")

    def test_detach_names_all_that_it_leaves(self):
        self.start(daemon={"hits": {"enabled": False}})  # whose folder the daemon makes whenever it comes to it

        def there():
            return {path for folder in (self.sendmail.conf, self.daemon.folder) for path in folder.rglob("*")}
        before = there()
        self.attach("--observe")
        said = self.detach()
        left = there() - before
        self.assertEqual([path for path in left if f"kept: {path}\n" not in said], [])
        self.assertEqual(self.detach(), "Not attached: nothing to change.\n")
        self.assertEqual(there() - before, left)

    def test_a_warning_of_m4_is_shown_once_and_stops_nothing(self):
        self.start("FEATURE(`blacklist_recipients')dnl\nFEATURE(`relay_mail_from')dnl\n")
        said = self.attached()
        self.assertEqual(said.count("FEATURE(blacklist_recipients) is deprecated"), 1)
        self.assertIn("warning: m4: relay.  Use SMTP AUTH", said)
        self.detach()
        self.sendmail.mc.write_text(self.sendmail.mc.read_text() + "FEATURE(`smrsh')dnl\n")
        self.refuses("*** ERROR: FEATURE() should be before MAILER()")

    def test_no_mailers_no_sendmail_mc_and_no_folder(self):
        self.start()
        self.sendmail.mc.write_text("include(`real.mc')\n")
        self.refuses("m4 makes no sendmail.cf of")
        self.sendmail.mc.unlink()
        self.refuses(f"no sendmail.mc and no {socket.gethostname()}.mc: --mc names the file", status=66)
        done = self.daemon.ctl("attach", "--config-dir", self.folder / "none", "--yes", "sendmail")
        self.assertEqual(done.returncode, 66)
        self.assertIn("no Sendmail here", done.stderr)


if __name__ == "__main__":
    unittest.main()
