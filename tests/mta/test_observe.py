# SPDX-License-Identifier: BSD-2-Clause
"""Observe mode: what a week of looking shows, of mailboxes that are there and of those that the mail server refuses itself."""

import contextlib
import json
import smtplib
import unittest

from lib import place
from lib.daemon import Daemon
from lib.days import Days
from lib.postfix import Postfix
from lib.stock import Stock
from lib.smtp import Talk
from lib.stock_sendmail import StockSendmail

from mta.test_attach_postfix import place_in_queue

MOVED = "551 5.1.6 User not local; please try <{}>"
# Accounts that every Debian has: of the mailboxes asked about these alone are there.
PRESENT, REMOVED, UNKNOWN = "daemon@old.example", "removed@old.example", "unknown@old.example"


class ObserveCase(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(place.folder())

    def start(self, mta, **settings):
        self.daemon = self.stack.enter_context(Daemon(self.folder / "d", group=Postfix.group if mta is Postfix else "root", mode="observe", **settings))
        self.daemon.hold((PRESENT, "daemon@new.example"), (REMOVED, "removed@new.example"), ("@gone.example", ""))
        if mta is Postfix:
            lists = {"virtual_mailbox_maps": f"inline:{{{PRESENT}=all/}}"}
            return self.stack.enter_context(Postfix(self.folder / "m", {"smtp": (self.daemon.socket.postfix, lists)}))
        ours = f"INPUT_MAIL_FILTER(`moved', `S={self.daemon.socket.sendmail}, F=T')dnl\n"
        return self.stack.enter_context(StockSendmail(self.folder / "m", ours)).start()

    def stats(self, *groups):
        counted = json.loads(self.daemon.movedctl("stats", "--json"))
        return {name: count for name, count in counted.items() if name.split(".")[0] in groups and count > 0}

    def sees(self, mta):
        with Talk(self.start(mta).ports["smtp"]) as talk:
            talk.mail("eva@client.example")
            said = [talk.rcpt(mailbox) for mailbox in (PRESENT, REMOVED, UNKNOWN)]
            talk.say("RSET")
            talk.mail("")
            said.append(talk.rcpt(REMOVED))
        for reply, code in zip(said, ("250 2.1.5", "550 5.1.1", "550 5.1.1", "550 5.1.1")):
            self.assertTrue(reply.startswith(code), said)
        for mailbox, sender in ((PRESENT, "eva@client.example"), (REMOVED, "eva@client.example"), (REMOVED, "")):
            new = mailbox.replace("old", "new")
            line = f"[127.0.0.1], from=<{sender}>, entry={mailbox}, observed reply={MOVED.format(new)}"
            place.until(lambda: self.daemon.count(line) == 1, f"'{line}' in the log", self.daemon.log)
        self.assertEqual(self.stats("milter", "observed"), {"observed.moved": 3, "observed.not_listed": 1})
        expected = {PRESENT: 1, REMOVED: 2}
        place.until(lambda: self.counted() == expected, f"hits are {expected}: {self.counted()}")
        self.assertEqual(self.daemon.movedctl("hits", "@gone.example"), "@gone.example\t0\t\t\t0\n")

    def counted(self):
        return {row["old"]: row["count"] for row in json.loads(self.daemon.movedctl("hits", "--json"))}

    def test_postfix(self):
        self.sees(Postfix)

    def test_sendmail(self):
        self.sees(StockSendmail)


class Week(unittest.TestCase):
    """movedctl attach --observe, and a week of mail: what would have been refused, to whom, and which entries met nobody."""

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(place.folder())
        self.days = Days(self.folder)

    def ctl(self, *args):
        done = self.daemon.ctl(*args, env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def start(self, mta, group):
        self.server = self.stack.enter_context(mta(self.folder / "m"))
        self.daemon = Daemon(self.folder / "d", group=group, hits={"flush_interval": 1})
        self.env = self.daemon.env = self.days.env
        if mta is Stock:
            place_in_queue(self.daemon, self.server)
        else:
            self.server.start()
        self.daemon.movedctl("init")
        self.daemon.hold((PRESENT, "daemon@new.example"), (REMOVED, "removed@new.example"), ("idle@old.example", "idle@new.example"),
                         ("@gone.example", ""))
        self.stack.enter_context(self.daemon)

    def attach(self, name):
        before = self.replies("before@client.example")
        done = self.daemon.ctl("attach", "--yes", "--observe", "--config-dir", self.server.conf, name, env=self.server.env)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        place.until(lambda: self.daemon.count("configuration read again") == 1, "the daemon observes", self.daemon.log)

        def asks():
            with contextlib.suppress(OSError, smtplib.SMTPException):  # it may be restarting itself
                return self.replies("first@client.example") == before and self.observed() > 0
        place.until(asks, "the mail server asks", self.daemon.log)
        self.daemon.stop()
        self.ctl("hits", "--clear", "--all")
        self.daemon.start()
        return before

    def replies(self, sender):
        said = []
        for recipient in (PRESENT, REMOVED, UNKNOWN):
            with self.server.stranger() as talk:
                talk.mail(sender)
                said.append(talk.rcpt(recipient))
        return said

    def observed(self):
        return json.loads(self.daemon.movedctl("stats", "--json"))["observed.moved"]

    def shows_a_week(self, before):
        for day in range(7):
            self.days.turn(day)
            self.assertEqual(self.replies("eva@client.example"), before)
            self.assertEqual(self.replies(f"x@spam{day}.example"), before)
            place.until(lambda: self.observed() == 4 * day + 4, f"day {day} is counted: {self.observed()}", self.daemon.log)
            place.until(lambda: sum(row["count"] for row in self.hits()) == 4 * day + 4, f"day {day} is written: {self.hits()}")
        for row in self.hits():
            self.assertEqual((row["count"], row["strangers"]), (14, 8), row)
            self.assertEqual([(sender["domain"], sender["mails"], sender["days"]) for sender in row["senders"]],
                             [("client.example", 6, 7)])
        self.assertEqual([row["old"] for row in self.hits()], [PRESENT, REMOVED])
        stats = json.loads(self.ctl("stats", "--json"))
        counted = {name: count for name, count in stats.items() if name.split(".")[0] in ("milter", "observed") and count}
        self.assertEqual((stats["mode"], counted), ("observe", {"observed.moved": 28, "observed.not_listed": 14}))
        self.assertEqual(sorted(self.ctl("hits", "--unused-for", "6d").split()), ["@gone.example", "idle@old.example"])

    def hits(self):
        return json.loads(self.ctl("hits", "--json"))

    def test_postfix(self):
        self.start(Stock, Postfix.group)
        self.shows_a_week(self.attach("postfix"))

    def test_sendmail(self):
        self.start(StockSendmail, "root")
        self.shows_a_week(self.attach("sendmail"))


if __name__ == "__main__":
    unittest.main()
