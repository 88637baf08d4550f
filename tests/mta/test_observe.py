# SPDX-License-Identifier: BSD-2-Clause
"""Observe mode: what a week of looking shows, of mailboxes that are there and of those that the mail server refuses itself."""

import contextlib
import json
import unittest

from lib import place
from lib.daemon import Daemon
from lib.postfix import Postfix
from lib.smtp import Talk
from lib.stock_sendmail import StockSendmail

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


if __name__ == "__main__":
    unittest.main()
