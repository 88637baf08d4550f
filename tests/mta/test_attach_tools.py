"""movedctl attach postfix beside what else writes main.cf and master.cf: postconf, templates, packages, older versions of us."""

import os
import re
import subprocess
import unittest

from lib import place
from mta.test_attach_postfix import MOVED, Case

VIRTUAL = """\
virtual_mailbox_domains = virt.example
virtual_mailbox_base = {folder}/spool
virtual_mailbox_maps = inline:{{here@virt.example=virt/}}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
transport_maps = inline:{{retired.example=discard: elsewhere.example=discard:}}
"""
MAPS = "virtual_mailbox_maps = inline:{here@virt.example=virt/, new@virt.example=virt/}"
PRESENT, UNKNOWN, REMOVED = "here@virt.example", "nobody@virt.example", "gone@virt.example"
RETIRED = "gone@retired.example"


class Tools(Case):
    def begin(self, more="", **how):
        """A Postfix with a virtual domain, and a daemon that has run for long: the map listed says no without a session."""
        self.start(VIRTUAL + more, **how)
        self.daemon.stop()
        self.daemon.runs_for_an_hour().start()

    def service(self):
        return f"127.0.0.1:{self.postfix.ports['smtp']}/inet"

    def write(self, name, text):
        (self.postfix.conf / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    def doctor(self):
        done = self.ctl("doctor", "--smtp", f"127.0.0.1:{self.postfix.ports['smtp']}")
        return done.returncode, done.stdout + done.stderr

    def settled(self, removed, retired):
        self.postfix.run("postfix", "reload")
        self.hears(REMOVED, removed)
        self.hears(RETIRED, retired)
        self.hears(PRESENT, "250 ")
        self.hears(UNKNOWN, "550 5.1.1 ")


KNOWN, NOT_KNOWN, DENIED = MOVED.format("gone@new.example"), "550 5.1.1 ", "4"

# What a tool does; what a removed mailbox and one of a domain that is no longer served then get; what doctor says, "" for all is well.
TOOLS = (
    ("postconf -e smtpd_milters", lambda t: t.postfix.run("postconf", "-e", "smtpd_milters ="), NOT_KNOWN, DENIED, "listed-without-milter"),
    ("postconf -e of a map list", lambda t: t.postfix.run("postconf", "-e", MAPS), NOT_KNOWN, KNOWN, "listed-missing"),
    ("postconf -P", lambda t: t.postfix.run("postconf", "-P", f"{t.service()}/smtpd_client_restrictions=permit_mynetworks"), KNOWN, KNOWN, ""),
    ("postconf -F", lambda t: t.postfix.run("postconf", "-F", f"{t.service()}/chroot=n"), KNOWN, KNOWN, ""),
    ("postconf -M", lambda t: t.postfix.run("postconf", "-M", f"{t.service()}={t.service().split('/')[0]} inet n - y - - smtpd"), NOT_KNOWN, DENIED, "not-attached"),
    ("main.cf cut at its end", lambda t: t.write("main.cf", t.postfix.files()["main.cf"].split(b"# milter-moved")[0]), KNOWN, KNOWN, "listed-missing"),
    ("main.cf from a template", lambda t: t.write("main.cf", t.before["main.cf"]), NOT_KNOWN, DENIED, "not-attached"),
    ("master.cf from a template", lambda t: t.write("master.cf", t.before["master.cf"]), NOT_KNOWN, DENIED, "not-attached"),
    ("master.cf rewritten, without comments", lambda t: t.write("master.cf", t.postfix.run("postconf", "-M").stdout), KNOWN, KNOWN, ""),
)


class AfterEachTool(Tools):
    def test_no_outage_no_relay_no_mail_for_a_removed_mailbox(self):
        self.begin("smtpd_milters =\nnon_smtpd_milters = $smtpd_milters\n")
        self.before = self.postfix.files()
        for why, tool, removed, retired, finding in TOOLS:
            with self.subTest(why):
                self.write("main.cf", self.before["main.cf"])
                self.write("master.cf", self.before["master.cf"])
                self.attach("--unserved")
                self.settled(KNOWN, KNOWN)
                tool(self)
                self.settled(removed, retired)
                status, said = self.doctor()
                self.assertEqual(status, 1 if finding else 0, said)
                self.assertIn(finding, said)
                self.attach("--unserved")
                self.settled(KNOWN, KNOWN)
                status, said = self.doctor()
                self.assertEqual(status, 0, said)
                self.detach()
                for name, text in self.postfix.files().items():
                    self.assertNotIn(b"moved_", text, name)
                self.settled(NOT_KNOWN, DENIED)

    def test_detach_brings_back_what_a_tool_made_of_a_file(self):
        """Each tool before attach, and after it: detach leaves the same."""
        self.begin("smtpd_milters =\n")
        self.before = self.postfix.files()
        for why, tool, *_ in TOOLS[:5]:
            with self.subTest(why):
                tool(self)
                alone = self.postfix.files()
                self.write("main.cf", self.before["main.cf"])
                self.write("master.cf", self.before["master.cf"])
                self.attach("--unserved", "--raise-limits")
                tool(self)
                self.detach()
                self.assertEqual(self.postfix.files(), alone)
                self.write("main.cf", self.before["main.cf"])
                self.write("master.cf", self.before["master.cf"])


class AnOlderAttach(Tools):
    def test_is_said_and_nothing_is_changed(self):
        self.begin()
        for name in ("main.cf", "master.cf"):
            before = self.postfix.files()
            self.write(name, before[name] + b"# milter-moved begin: by movedctl attach, to be taken out by movedctl detach\n")
            files = self.postfix.files()
            for command in ("attach", "detach"):
                done = self.ctl(command, "--yes", "postfix")
                self.assertEqual(done.returncode, 78, done.stderr)
                number = before[name].count(b"\n") + 1
                self.assertIn(f"{name}:{number}: 'milter-moved begin' is of an older movedctl: put back the copy", done.stderr)
            self.assertEqual(self.postfix.files(), files)
            self.write(name, before[name])


class WhatIsNotOurs(Tools):
    def test_detach_refuses_while_a_name_of_ours_stands_elsewhere(self):
        self.begin("smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination\n")
        self.attach()
        for wrong in ("pipemap:{$moved_listed, static:OK}", "socketmap:unix:milter-moved/lookup.sock:refused"):
            attached = self.postfix.files()
            self.postfix.run("postconf", "-e", f"smtpd_recipient_restrictions = permit_mynetworks, check_recipient_access {wrong}, reject_unauth_destination")
            files = self.postfix.files()
            done = self.ctl("detach", "--yes", "postfix")
            self.assertEqual(done.returncode, 78, done.stderr)
            number = files["main.cf"].decode().split(wrong)[0].count("\n") + 1
            self.assertIn(f"main.cf:{number}: ", done.stderr)
            self.assertEqual(self.postfix.files(), files)
            self.assert_closed()
            self.write("main.cf", attached["main.cf"])
        self.detach()

    def test_a_port_for_what_was_accepted_before_is_left_alone(self):
        port, = place.free_ports(1)
        self.begin(services=f"127.0.0.1:{port} inet n - n - - smtpd\n  -o receive_override_options=no_header_body_checks,no_unknown_recipient_checks\n")
        before = self.postfix.rcpt(REMOVED, port)
        self.assertIn(f"127.0.0.1:{port}/inet has no_unknown_recipient_checks in master.cf, and is left alone", self.attach())
        self.hears(REMOVED, KNOWN)
        self.assertEqual(self.postfix.rcpt(REMOVED, port), before)
        self.daemon.stop()
        self.assertEqual(self.postfix.rcpt(PRESENT, port)[:4], "250 ")

    def test_mail_of_the_host_itself_waits_for_nobody(self):
        self.begin("non_smtpd_milters = $smtpd_milters\n")
        self.attach()
        self.hears(REMOVED, KNOWN)
        self.daemon.stop()
        self.assertEqual(self.postfix.outcome(PRESENT, "while it is down"), "sent")

    def test_a_host_without_an_smtpd_is_told_so(self):
        self.begin(answers=False)
        master = self.postfix.files()["master.cf"].decode()
        self.write("master.cf", re.sub(r"^.* smtpd$\n", "", master, flags=re.M))
        files = self.postfix.files()
        self.assertIn("no smtpd takes mail here", self.attach(status=78))
        self.assertEqual(self.postfix.files(), files)

    def test_a_daemon_without_its_table_is_not_attached(self):
        self.begin()
        self.restart(table="/none/such")
        self.daemon.configure(table=str(self.daemon.table))
        files = self.postfix.files()
        self.assertIn("milter-moved cannot read its table", self.attach(status=69))
        self.assertEqual(self.postfix.files(), files)

    def test_a_main_cf_that_is_a_mount_point_is_written_over(self):
        self.begin()
        before = self.postfix.files()
        script = 'mount --bind "$1" "$1" && shift && exec "$@"'
        for command, words in (("attach", b"$moved_listed"), ("detach", before["main.cf"])):
            done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", self.postfix.conf / "main.cf", *place.program("movedctl"), "-c",
                                   self.daemon.conf, command, "--yes", "--config-dir", self.postfix.conf, "postfix"],
                                  capture_output=True, text=True, check=False, timeout=place.PATIENCE, env={**os.environ, **self.postfix.env})
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(words, self.postfix.files()["main.cf"])
        self.assertEqual(self.postfix.files(), before)

    def test_another_delimiter_than_ours_is_said_and_opens_nothing(self):
        self.begin("recipient_delimiter = -\nsmtpd_reject_unlisted_sender = yes\nsmtpd_recipient_restrictions = reject_unauth_destination\n")
        said = self.attach("--unserved")
        self.assertIn('recipient_delimiter = -, and delimiters = "+"', said)
        self.assertIn("accepted as a sender", said)
        self.assertNotIn("accepted as a sender", self.attach())
        self.hears(REMOVED, KNOWN)
        self.hears(RETIRED, KNOWN)
        for recipient in ("gone-list@virt.example", "gone-list@retired.example"):
            self.assertRegex(self.postfix.rcpt(recipient), "^[45]", recipient)

    def test_detach_from_whatever_is_here(self):
        self.begin()
        before = self.postfix.files()
        self.attach()
        for _ in range(2):
            done = self.ctl("detach", "--yes", "--all")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.postfix.files(), before)
        self.assertEqual(self.daemon.ctl("detach", "--yes", "--all", "--config-dir", self.folder).returncode, 0)
        self.assertEqual(self.daemon.ctl("detach", "--yes").returncode, 64)


# Where the refusal to relay stands.
REFUSALS = {
    "relay, as Postfix has it": "",
    "recipient": "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks,\n  reject_unverified_sender, reject_unauth_destination\n",
    "client": "smtpd_relay_restrictions =\nsmtpd_client_restrictions = permit_mynetworks, reject_unauth_destination\nsmtpd_recipient_restrictions = reject_unauth_destination\n",
    "sender, helo": "smtpd_relay_restrictions = permit_mynetworks reject_unauth_destination\nsmtpd_helo_restrictions = reject_unauth_destination\nsmtpd_sender_restrictions = reject_unauth_destination\n",
    "a class": "smtpd_restriction_classes = gate\ngate = permit_mynetworks, reject_unauth_destination\nsmtpd_relay_restrictions = gate\n",
    "without permit_mynetworks": "smtpd_relay_restrictions = reject_unauth_destination\n",
}


class NoLongerServed(Tools):
    def test_wherever_the_refusal_stands(self):
        for where, more in REFUSALS.items():
            with self.subTest(where):
                self.begin(more.replace("reject_unverified_sender, ", ""))
                before = self.postfix.files()
                self.attach("--unserved")
                self.settled(KNOWN, KNOWN)
                self.assertRegex(self.postfix.rcpt("nobody@retired.example"), "Relay access denied")
                self.detach()
                self.assertEqual(self.postfix.files(), before)
            self.doCleanups()
            self.setUp()

    def test_what_would_only_be_forwarded_is_not_let_in(self):
        self.begin()
        self.daemon.hold((RETIRED, "gone@new.example"), ("fwd@retired.example", "fwd@new.example", "forward"))
        self.attach("--unserved")
        self.hears(RETIRED, KNOWN)
        self.assertRegex(self.postfix.rcpt("fwd@retired.example"), "Relay access denied")


if __name__ == "__main__":
    unittest.main()
