# SPDX-License-Identifier: BSD-2-Clause
"""What movedctl doctor gives as the mend of each finding on Sendmail, carried out as it stands there: doctor is then content."""

import os
import re
import socket
import unittest

from lib import place
from lib.daemon import Daemon
from lib.stock_sendmail import StockSendmail
from mta.test_doctor_mends import GONE, Mends

# The finding; what is replaced in sendmail.cf, or in sendmail.mc, to come to it; {d} is the daemon's folder.
SENDMAIL = (
    ("map-missing", "cf", r"\nKreply .*", ""),
    ("lookup-elsewhere", "cf", r"local:{d}/lookup.sock", "local:/none/lookup.sock"),
    ("socket-elsewhere", "cf", r"S=unix:{d}/milter.sock", "S=unix:/none/milter.sock"),
    ("port-without-milter", "cf", r"(O DaemonPortOptions=.*Name=MTA-v4.*)", r"\1, InputMailFilters=other"),
    ("flag-t", "mc", r"(INPUT_MAIL_FILTER\(`milter-moved', `S=unix:[^,]*), F=T", r"\1"),
    ("error-limits", "mc", r"(confBAD_RCPT_THROTTLE', `)0", r"\g<1>1"),
    ("open-relay", "mc", r"(FEATURE\(`delay_checks')", r"FEATURE(`promiscuous_relay')dnl\n\1"),
    ("open-relay", "mc", r"(FEATURE\(`delay_checks')", r"RELAY_DOMAIN(`198.51.100')dnl\n\1"),
)


class OnSendmail(Mends):
    makefile = False
    bsd = None

    def setUp(self):
        super().setUp()
        self.server = self.stack.enter_context(StockSendmail(
            self.folder / "s", "MAIL_FILTER(`other', `S=inet:9@127.0.0.1')dnl\n", bsd=self.bsd))
        if self.makefile:
            self.server.makefile()
        self.server.start()
        self.daemon = self.stack.enter_context(Daemon(self.folder / "d", group="root"))
        self.daemon.hold((GONE, "gone@new.example"))
        self.movedctl("attach", "--yes")

    def movedctl(self, command, *args):
        done = self.daemon.ctl(command, "--config-dir", self.server.conf, *args, "sendmail", env=self.env())
        self.assertEqual(done.returncode, 0, done.stderr)

    def change(self, name, old, new):
        path = self.server.cf if name == "cf" else self.server.mc
        text = re.sub(old.format(d=self.daemon.folder), new, path.read_text())
        self.assertNotEqual(text, path.read_text(), old)
        path.write_text(text)

    def restart(self, rebuilds=False):
        self.server.stop()
        if rebuilds:
            self.server.rebuild()
        self.server.start()

    def in_mc(self, line):
        """The editor's part of a mend: 'In .../sendmail.mc ...'."""
        if not line.lower().endswith(", and:") or f" {self.server.mc} " not in line:
            return False
        if found := re.search(r"write ((?:define|INPUT_MAIL_FILTER)\(`[^']*',).*\)", line):
            self.change("mc", re.escape(found[1]) + ".*", found[0].removeprefix("write ") + "dnl")
        else:
            self.change("mc", r"(FEATURE\(`promiscuous_relay'|RELAY_DOMAIN\(`198.51.100')\)dnl\n", "")
        return True

    def test_what_is_wrong_with_its_configuration(self):
        files = self.server.files()
        for name, where, old, new in SENDMAIL:
            with self.subTest(name):
                self.change(where, old, new)
                self.restart(rebuilds=where == "mc")
                self.content(name, by_hand=self.in_mc)
                if name != "open-relay":
                    self.server.assert_closed()
            for path, text in files.items():
                (self.server.conf / path).write_bytes(text)
            self.restart()

    def test_not_attached(self):
        self.movedctl("detach", "--yes")
        self.content("not-attached")

    def test_an_open_relay_by_its_tables_while_attached_and_after_detach(self):
        access, domains = self.server.conf / "access", self.server.conf / "relay-domains"

        def close(line):
            if line.startswith(f"In {self.server.mc} take out "):
                self.assertIn("RELAY in the access map (then makemap), a line of relay-domains", line)
                access.write_text(access.read_text().replace("Connect:198.51.100\tRELAY\n", ""))
                self.server.map("access")
                domains.write_text("")
                return True
        for mends in (self.content, self.mends):
            for table in (access, domains):
                with self.subTest(table.name, how=mends.__name__):
                    if table == access:
                        self.server.map("access", "Connect:198.51.100\tRELAY")
                    else:
                        domains.write_text("198.51.100\n")
                    self.restart()
                    mends("open-relay", by_hand=close)
            self.movedctl("detach", "--yes")

    def test_what_sendmail_has_not_read(self):
        os.utime(self.server.cf, (1, 1))
        self.content("not-rebuilt")
        pid = next(line for line in self.server.cf.read_text().splitlines() if line.startswith("O PidFile=")).partition("=")[2]
        os.utime(pid, (1, 1))
        self.content("not-restarted")

    def test_a_domain_that_is_not_served(self):
        self.daemon.movedctl("add", "gone@retired.example", "gone@new.example")
        self.content("unserved")

    def test_sockets_that_sendmail_does_not_open(self):
        self.daemon.folder.chmod(0o777)
        self.content("folder-unsafe")
        self.daemon.lookups.chmod(0)
        self.content("lookup-failed")

    def test_an_account_that_sendmail_runs_as(self):
        self.change("cf", "#?O RunAsUser=.*", "O RunAsUser=games")
        self.mends("socket-access")

    def test_another_milter_that_is_down(self):
        other = Daemon(self.folder / "o", "inet")
        self.change("mc", r"MAIL_FILTER\(`other', `S=inet:9@127.0.0.1'\)", f"INPUT_MAIL_FILTER(`other', `S={other.socket.sendmail}, F=T')")
        self.restart(rebuilds=True)
        self.content("milter-unreached", by_hand=lambda line: line.startswith("Start that milter") and self.stack.enter_context(other))

    def test_what_is_forwarded(self):
        self.daemon.movedctl("add", "f@old.example", "f@new.example", "--forward")

        def give_alias(line):
            with open(self.server.conf / "aliases", "a") as aliases:
                aliases.write("f: daemon\n")
            return self.server.command("-bi")
        self.content("forward-needs-mailbox", by_hand=give_alias)
        self.daemon.movedctl("add", "daemon@old.example", "nobody-at-all@old.example", "--forward")
        self.content("forward-to-nobody", by_hand=lambda line: line.endswith(" NEW") and not self.shell(line[2:-3] + "sys@old.example"))


class ByItsMakefile(OnSendmail):
    makefile = True


class WithoutCfM4InItsMc(OnSendmail):
    """As on FreeBSD: m4 alone would make a sendmail.cf that is none, and exit with 0."""
    bsd = f"{socket.gethostname()}.mc"


if __name__ == "__main__":
    unittest.main()
