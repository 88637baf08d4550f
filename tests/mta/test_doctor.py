# SPDX-License-Identifier: BSD-2-Clause
"""movedctl doctor: each diagnosis on a mail server that is really in that state, and what it says mends it."""

import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess
import threading
import unittest

from lib import place
from lib.daemon import Daemon, listening
from lib.milter import ask
from lib.stock import Stock
from lib.stock_sendmail import StockSendmail
from mta.test_attach_postfix import CLASSES, MOVED, SERVED, place_in_queue

GONE, INVENTED = "gone@old.example", "no-such-mailbox-movedctl-doctor@old.example"
UNLISTED = "proxy:unix:passwd.byname $alias_maps"
MAP = "socketmap:unix:milter-moved/lookup.sock"
US = "unix:milter-moved/milter.sock"
OURS = f"{{ {US}, default_action=tempfail }}"
INVENTED_AT = INVENTED.split("@")[0] + "@{}"
ABROAD = INVENTED_AT.format("elsewhere.invalid")  # asked about as a stranger, where Postfix offers XCLIENT

# Services of master.cf, each with what is wrong with it.
DOORS = {
    "soft": {"soft_bounce": "yes"},
    "footer": {"smtpd_reject_footer": "call 555-0100"},
    "restricted": {"smtpd_recipient_restrictions": "check_recipient_access static:{554 5.7.1 Not today}"},
    "greylist": {"smtpd_recipient_restrictions": "check_recipient_access static:{450 4.2.0 Come again}"},
    "tls": {"smtpd_tls_security_level": "encrypt"},
    "login": {"smtpd_recipient_restrictions": "check_recipient_access static:{530 5.7.0 Authentication required}"},
    "stranger": {"mynetworks": "192.0.2.0/24"},
    "submission": {"smtpd_relay_restrictions": "permit_sasl_authenticated,reject", "smtpd_client_restrictions": "permit_sasl_authenticated,reject"},
    "verify": {"address_verify_poll_delay": "1", "smtpd_recipient_restrictions": "reject_unverified_recipient"},
    "verify-mended": {"address_verify_poll_delay": "1", "smtpd_recipient_restrictions":
                      f"check_recipient_access {MAP}:refused reject_unverified_recipient"},
    "milter-elsewhere": {"smtpd_milters": "{ unix:milter-moved/old.sock, default_action=tempfail }"},
    "milter-accept": {"smtpd_milters": f"{{ {US}, default_action=accept }}"},
    "milter-none": {"smtpd_milters": "", "moved_listed": ""},
    "milter-none-but-listed": {"smtpd_milters": ""},
    "milter-maps": {"smtpd_milter_maps": "static:DISABLE"},
    "milter-dead": {"smtpd_milters": f"{{ inet:127.0.0.1:9, default_action=tempfail }} {OURS}"},
    "milter-greylists": {"smtpd_milters": f"{{ unix:second/milter.sock, default_action=tempfail }} {OURS}"},
    "unlisted": {"local_recipient_maps": UNLISTED, "virtual_alias_maps": "inline:{x@alias.example=y}"},
    "listed-alone": {"local_recipient_maps": "$moved_listed"},
    "table-dead": {"local_recipient_maps": f"socketmap:unix:none:x {UNLISTED}", "virtual_alias_maps": "inline:{x@alias.example=y}"},
    "catch-all": {"local_recipient_maps": ""},
    "one-error": {"smtpd_soft_error_limit": "1", "smtpd_hard_error_limit": "1"},
}


# An MX before the server that has the mailboxes.
FRONT = """\
myhostname = front.example
mydestination =
mynetworks = 127.0.0.0/8
relay_domains = old.example
relay_recipient_maps =
alias_maps =
alias_database =
smtpd_relay_restrictions = permit_mynetworks reject_unauth_destination
smtpd_recipient_restrictions = reject_unverified_recipient
address_verify_poll_delay = 1
"""


class Doctor(unittest.TestCase):
    """What the cases share: self.postfix and self.daemon."""

    maxDiff = None

    @property
    def server(self):
        return self.postfix

    def doctor(self, *args, port=None, status=None):
        """Its report; the exit status is the report's own."""
        port = port or self.server.ports["smtp"]
        done = self.ctl("doctor", "--json", "--smtp", f"127.0.0.1:{port}", *args)
        self.assertEqual(done.stderr, "")
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, report["status"])
        if status is not None:
            self.assertEqual(done.returncode, status, done.stdout)
        report["of"] = {finding["name"]: finding for finding in report["findings"]}
        report["got"] = {asked["recipient"]: asked for asked in report["asked"]}
        return report

    def ctl(self, command, *args, before=()):
        return self.daemon.ctl(*before, command, "--config-dir", self.server.conf, *args, env=self.server.env)

    def assertExplains(self, report, name, recipient=GONE, mend=""):
        asked = report["got"][recipient]
        self.assertEqual(asked["finding"], name, json.dumps(report, indent=1))
        self.assertIn(mend, report["of"][name]["mend"])
        return report["of"][name]

    def assertWell(self, report):
        self.assertEqual((report["status"], [f for f in report["findings"] if f["weight"] != "note"]), (0, []))


def start(stack, folder, more="", inside=True, **settings):
    postfix = Stock(folder / "p", more.format(folder=folder / "p"))
    stack.enter_context(postfix)
    daemon = Daemon(folder / "d", group=Stock.group, **settings)
    if inside:
        place_in_queue(daemon, postfix)
    stack.enter_context(daemon)
    daemon.hold(*[(f"gone@{domain}", "gone@new.example") for domain in SERVED])
    return postfix, daemon


def attach(postfix, daemon, *args):
    done = daemon.ctl("attach", "--config-dir", postfix.conf, "--yes", *args, "postfix", env=postfix.env)
    assert done.returncode == 0, done.stderr


def restart(postfix, **parameters):
    """With these in main.cf: a reload is seen late."""
    for name, value in parameters.items():
        postfix.run("postconf", "-e", f"{name} = {value}")
    postfix.run("postfix", "stop")
    postfix.run("postfix", "start")
    for port in postfix.ports.values():
        place.until(lambda: place.listens(("127.0.0.1", port)), "Postfix listens again")


class OnePostfix(Doctor):
    """An attached Postfix with a door for each thing that may be wrong with a service."""

    @classmethod
    def setUpClass(cls):
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        folder = cls.folder = stack.enter_context(place.folder())
        relocated = "relocated_maps = inline:{{away@old.example=x@y.example}}\n"
        cls.postfix, cls.daemon = start(stack, folder, CLASSES + relocated)
        attach(cls.postfix, cls.daemon)
        ports = dict(zip(DOORS, place.free_ports(len(DOORS))))
        with open(cls.postfix.conf / "master.cf", "a") as master:
            master.write("\n")
            for door, settings in DOORS.items():
                master.write(f"127.0.0.1:{ports[door]} inet n - y - - smtpd\n")
                master.writelines(f"  -o {{ {name} = {value} }}\n"
                                  for name, value in {"moved_milter": OURS, "moved_listed": f"{MAP}:listed", **settings}.items())
        # Another milter, which greylists: one of ours without a table, with words of its own.
        second = cls.postfix.folder / "queue/second"
        second.mkdir()
        other = Daemon(folder / "o", group=Stock.group, socket=f"unix:{second}/milter.sock", lookup_socket="",
                       replies={"table_error": "451 4.7.1 Greylisted; come back in 5 minutes"})
        os.chown(second, *pwd.getpwnam("nobody")[2:4])
        other.address = second / "milter.sock"
        stack.enter_context(other)
        (other.table / "data.mdb").unlink()
        place.until(lambda: ask(other.address, f"<{GONE}>").startswith("451 4.7.1 "), "it misses its table", other.log)
        restart(cls.postfix)
        cls.postfix.ports.update(ports)

    def at(self, door, *args, **how):
        return self.doctor("--domain", "old.example", *args, port=self.postfix.ports[door], **how)

    def test_soft_bounce(self):
        report = self.at("soft", status=1)
        finding = self.assertExplains(report, "soft-bounce", mend="soft_bounce=no")
        self.assertExplains(report, "soft-bounce", INVENTED)
        self.assertEqual(finding["recipients"], 2)
        self.assertEqual(report["got"][GONE]["got"], MOVED.format("gone@new.example").replace("551 5.", "451 4."))

    def test_a_reject_footer_is_worth_a_note(self):
        report = self.at("footer")
        self.assertEqual(self.assertExplains(report, "reject-footer")["weight"], "note")
        self.assertTrue(report["got"][GONE]["well"])

    def test_another_restriction(self):
        self.assertIn("Not today", self.assertExplains(self.at("restricted", status=1), "restricted")["why"])

    def test_greylisting_by_a_restriction_and_by_a_milter(self):
        for door in ("greylist", "milter-greylists"):
            self.assertExplains(self.at(door, status=1), "greylisted", mend="127.0.0.1")

    def test_tls_and_login_wanted(self):
        self.assertExplains(self.at("tls", status=1), "tls-wanted", mend="smtpd_tls_security_level = may")
        self.assertExplains(self.at("login", status=1), "login-wanted", mend="--smtp HOST:25")

    def test_recipients_verified_and_the_setting_that_mends_it(self):
        report = self.at("verify", status=1)
        self.assertExplains(report, "recipients-verified",
                            mend=f"check_recipient_access,{MAP}:refused,reject_unverified_recipient")
        mended = self.at("verify-mended")
        self.assertEqual((mended["got"][GONE]["well"], mended["got"][GONE]["finding"]), (True, None))

    def test_a_milter_that_is_looked_for_elsewhere(self):
        finding = self.assertExplains(self.at("milter-elsewhere", status=1), "socket-elsewhere",
                                      mend="attach --config-dir")
        self.assertIn("unix:milter-moved/old.sock", finding["why"])

    def test_what_happens_while_the_milter_is_down(self):
        finding = self.at("milter-accept", status=1)["of"]["default-action"]
        self.assertIn("does 'accept'", finding["why"])

    def test_no_milter(self):
        finding = self.assertExplains(self.at("milter-none", status=1), "milters-off", mend="postconf")
        self.assertIn(f"127.0.0.1:{self.postfix.ports['milter-none']}/inet", finding["why"])

    def test_the_map_without_the_milter_is_dangerous(self):
        with self.daemon.session():
            report = self.at("milter-none-but-listed", status=1)
            self.assertTrue(report["got"][GONE]["got"].startswith("250 "))
        report = self.at("milter-none-but-listed", status=1)
        self.assertFalse(report["got"][GONE]["got"].startswith("2"))
        self.assertIn("DANGEROUS", self.assertExplains(report, "listed-without-milter")["why"])

    def test_it_is_seen_whatever_port_is_asked(self):
        report = self.at("smtp", status=1)
        self.assertTrue(report["got"][GONE]["well"])
        self.assertIn(f"127.0.0.1:{self.postfix.ports['milter-none-but-listed']}/inet",
                      report["of"]["listed-without-milter"]["why"])

    def test_clients_for_which_the_milter_is_passed_over(self):
        self.assertExplains(self.at("milter-maps", status=1), "milter-maps")

    def test_another_milter_that_does_not_answer(self):
        finding = self.assertExplains(self.at("milter-dead", status=1), "other-milter")
        self.assertIn("inet:127.0.0.1:9", finding["why"])

    def test_a_class_without_the_map(self):
        finding = self.assertExplains(self.at("unlisted", status=1), "listed-missing",
                                      mend="attach --config-dir")
        self.assertIn("old.example is of class local", finding["why"])

    def test_a_table_of_postfix_that_cannot_be_asked(self):
        self.assertExplains(self.at("table-dead", status=1), "lookup-failed")

    def test_a_server_that_takes_everything_is_worth_a_note(self):
        report = self.at("catch-all")
        self.assertEqual(self.assertExplains(report, "catch-all", INVENTED)["weight"], "note")
        self.assertTrue(report["got"][INVENTED]["well"])

    def test_relocated_maps_that_answer_themselves(self):
        self.daemon.movedctl("add", "away@old.example", "x@new.example")
        self.addCleanup(self.daemon.movedctl, "del", "away@old.example")
        report = self.doctor("away@old.example", port=self.postfix.ports["milter-none"], status=1)
        self.assertExplains(report, "relocated-answers", "away@old.example", mend="out of the tables of relocated_maps")

    def test_the_map_in_a_list_that_was_empty(self):
        self.assertIn("listed-alone", self.at("listed-alone", status=1)["of"])

    def test_a_domain_that_is_not_served(self):
        self.daemon.movedctl("add", "gone@retired.example", "gone@new.example")
        self.addCleanup(self.daemon.movedctl, "del", "gone@retired.example")
        report = self.doctor("gone@retired.example", port=self.postfix.ports["stranger"], status=1)
        self.assertIn("Relay access denied", report["got"]["gone@retired.example"]["got"])
        self.assertExplains(report, "unserved", "gone@retired.example", mend="--unserved postfix")
        # Where no restriction refuses to relay attach could do nothing.
        report = self.doctor("gone@retired.example", port=self.postfix.ports["submission"], status=1)
        self.assertNotIn("unserved", report["of"])
        self.assertExplains(report, "restricted", "gone@retired.example")
        # To us, who may relay, it answers: a stranger hears otherwise.
        report = self.doctor("--domain", "retired.example", status=1)
        self.assertTrue(report["got"]["gone@retired.example"]["well"])
        self.assertIn("unserved", report["of"])
        self.assertExplains(report, "relays-for-us", INVENTED_AT.format("retired.example"))

    def test_error_limits_end_no_examination_and_are_told(self):
        self.daemon.movedctl("import", "-", stdin="old,new\n" + "".join(
            f"u{i}@old.example,u{i}@new.example\n" for i in range(30)))
        self.addCleanup(self.daemon.movedctl, "del", *[f"u{i}@old.example" for i in range(30)])
        for door in ("one-error", "smtp"):
            report = self.at(door)
            self.assertGreater(len(report["asked"]), 2)
            self.assertEqual([asked for asked in report["asked"] if not asked["well"]], [])
            self.assertIn("--raise-limits", report["of"]["error-limits"]["mend"])
            self.assertEqual(report["of"]["error-limits"]["weight"], "note")


class BrokenAndMended(Doctor):
    """States of the daemon, its files and main.cf, one after the other on one host."""

    @classmethod
    def setUpClass(cls):
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.folder = stack.enter_context(place.folder())
        cls.postfix, cls.daemon = start(stack, cls.folder, CLASSES)
        attach(cls.postfix, cls.daemon)
        restart(cls.postfix)

    def tearDown(self):
        self.assertWell(self.doctor())

    def test_all_is_well(self):
        report = self.doctor(status=0)
        self.assertEqual(report["findings"], [])
        self.assertEqual({asked["recipient"] for asked in report["asked"]},
                         {f"{name}@{domain}" for domain in SERVED for name in ("gone", INVENTED.split("@")[0])} | {ABROAD})
        self.assertEqual(report["summary"], "OK: 9 recipients asked about, each got what it should")
        done = self.ctl("doctor", "--smtp", f"127.0.0.1:{self.postfix.ports['smtp']}")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout.splitlines()[0], report["summary"])
        self.assertIn(f"ok   {GONE} ", done.stdout)
        self.assertIn(f"unix:{self.daemon.address}, nobody:irc, mode 0660: answers", " ".join(done.stdout.split()))

    def test_what_the_table_says_of_other_actions(self):
        self.daemon.hold(("gone@old.example", "", ""), ("daemon@old.example", "d@new.example", "forward"),
                         ("@virt.example", "@new.example"), ("@.relay.example", "@new.example"),
                         ("stays@virt.example", "", "stay"), ("jörg@old.example", "jörg@new.example"))
        self.addCleanup(lambda: self.daemon.hold(*[(f"gone@{domain}", "gone@new.example") for domain in SERVED]))
        report = self.doctor(status=0)
        self.assertEqual({recipient: asked["rule"] for recipient, asked in report["got"].items()},
                         {"gone@old.example": "gone", "daemon@old.example": "forwarded", "jörg@old.example": "moved",
                          INVENTED: "no mailbox", ABROAD: "no relay",
                          INVENTED_AT.format("virt.example"): "moved"})

    def test_a_stopped_daemon(self):
        self.daemon.stop()
        try:
            report = self.doctor(status=69)
        finally:
            self.daemon.start()
        self.assertExplains(report, "daemon-down", mend=f"$ milter-moved -c {self.daemon.conf}")
        self.assertTrue(report["summary"].startswith("DOWN: daemon-down"))

    def test_the_file_is_named_that_sets_the_key(self):
        part = pathlib.Path(f"{self.daemon.conf}.d/socket.conf")
        part.parent.mkdir()
        part.write_text(f'socket = "unix:{self.daemon.folder}/none.sock";\n')
        (part.parent / "z.conf").write_text('socket_mode = "0660";\n')
        try:
            report = self.doctor(status=1)
        finally:
            shutil.rmtree(part.parent)
        self.assertIn(f"(socket in {part})", report["of"]["daemon-down"]["why"])

    def test_a_mail_server_that_is_not_there(self):
        (port,) = place.free_ports(1)
        report = self.doctor(port=port, status=69)
        self.assertIn("--smtp HOST:PORT", report["of"]["server-down"]["mend"])
        self.assertEqual(report["asked"], [])
        done = self.ctl("doctor", "--smtp", "no..name:25")  # no name server is asked about it
        self.assertEqual(done.returncode, 69)
        self.assertIn("no..name:25: N", done.stdout)  # getaddrinfo(3) has two texts for it

    def test_modes_of_the_socket_and_of_a_folder_above(self):
        folder = self.daemon.address.parent
        for path, mode, mend in ((self.daemon.address, 0o600, 'socket_group = "irc"'),
                                 (folder, 0o700, f"chmod o+x {folder}")):
            before = path.stat().st_mode
            path.chmod(mode)
            try:
                finding = self.assertExplains(self.doctor(status=1), "socket-access", mend=mend)
                self.assertIn(f"{path}: irc may not ", finding["why"])
            finally:
                path.chmod(before)

    def test_modes_of_the_lookup_socket(self):
        self.daemon.stop()
        self.daemon.start()  # proxymap has to reopen it
        place.until(lambda: place.listens(self.daemon.lookups), "the daemon listens for look-ups")
        self.daemon.lookups.chmod(0o600)
        try:
            finding = self.assertExplains(self.doctor(status=1), "lookup-access")
            self.assertIn(str(self.daemon.lookups), finding["why"])
        finally:
            self.daemon.lookups.chmod(0o660)

    def test_a_table_that_cannot_be_read(self):
        data, away = self.daemon.table / "data.mdb", self.folder / "away"
        data.rename(away)
        try:
            place.until(lambda: self.postfix.rcpt(GONE).startswith("451 4.3.0 "), "the daemon misses it")
            report = self.doctor(status=1)
            self.assertIn(" init", report["of"]["table"]["mend"])
            self.assertIn("cannot read its table", report["of"]["daemon-table"]["why"])
        finally:
            away.rename(data)
        place.until(lambda: self.postfix.rcpt(GONE).startswith("551 "), "the daemon has it again")

    def test_observe_mode_is_said_and_no_fault(self):
        self.daemon.configure(mode="observe")
        report = self.doctor(status=1)
        self.assertIn('runs with mode = "enforce"', report["of"]["not-reloaded"]["why"])
        self.daemon.reload()
        report = self.doctor(status=0)
        self.assertIn('mode = "enforce"', report["of"]["observing"]["mend"])
        self.assertTrue(report["got"][GONE]["got"].startswith("550 5.1.1 "))
        self.assertIn("nothing is refused", report["summary"])
        self.daemon.configure(mode="enforce")
        self.daemon.reload()

    def test_an_empty_table(self):
        self.daemon.hold()
        self.assertEqual(list(self.doctor(status=0)["of"]), ["table-empty"])
        self.daemon.hold(*[(f"gone@{domain}", "gone@new.example") for domain in SERVED])

    def test_a_limit_that_we_have_reached(self):
        self.daemon.movedctl("add", "gone2@old.example", "gone2@new.example")
        self.daemon.configure(disclosure={"limit": 1, "trusted_networks": []})
        self.daemon.reload()
        report = self.doctor("--domain", "old.example", status=0)
        self.assertExplains(report, "over-limit", "gone2@old.example", mend="trusted_networks of disclosure")
        self.daemon.configure(disclosure={"limit": 0})
        self.daemon.reload()
        self.daemon.movedctl("del", "gone2@old.example")

    def test_a_client_that_is_trusted_by_its_name(self):
        self.daemon.configure(disclosure={"limit": 0, "default": "trusted", "trusted_networks": [],
                                          "trusted_domains": ["client.example"]})
        self.daemon.reload()
        self.doctor(status=0)
        self.daemon.configure(disclosure={"limit": 0})
        self.daemon.reload()

    def test_no_lookup_socket(self):
        self.daemon.configure(lookup_socket="")
        self.assertIn("lookup_socket = ", self.doctor(status=1)["of"]["no-lookups"]["mend"])
        self.daemon.configure(lookup_socket=f"unix:{self.daemon.lookups}")

    def as_user(self, *groups):
        command = place.program("movedctl") + ["-c", str(self.daemon.conf), "doctor", "--config-dir", str(self.postfix.conf),
                                               "--smtp", f"127.0.0.1:{self.postfix.ports['smtp']}"]
        return subprocess.run(command, user="daemon", group="daemon", extra_groups=list(groups), env=self.postfix.env,
                              capture_output=True, text=True, timeout=place.PATIENCE)

    def test_a_user_who_may_not_look(self):
        done = self.as_user()
        self.assertEqual(done.returncode, 77, done.stderr)
        self.assertTrue(done.stdout.startswith("NOT SEEN: table"), done.stdout)
        self.assertIn("mend: Run movedctl doctor as root", done.stdout)

    def test_a_member_of_the_tables_group(self):
        done = self.as_user(self.daemon.table.stat().st_gid)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertTrue(done.stdout.startswith("OK: 9 recipients asked about"), done.stdout)
        self.assertEqual(" ".join(done.stdout.split()).count(": not seen "), 2, done.stdout)
        self.daemon.stop()
        try:
            done = self.as_user(self.daemon.table.stat().st_gid)
        finally:
            self.daemon.start()
        self.assertEqual(done.returncode, 69, done.stdout + done.stderr)  # the sockets are not there: that can be seen
        self.assertTrue(done.stdout.startswith("DOWN: daemon-down: "), done.stdout)

    def test_the_plugin_of_nagios(self):
        def plugin(*args):
            done = self.ctl("doctor", "--nagios", *args)
            self.assertEqual((done.stdout.count("\n"), done.stderr), (1, ""))
            self.assertRegex(done.stdout, r"^MILTER-MOVED (OK|CRITICAL|UNKNOWN) - [^|]+(\| asked=\d+;;;0; wrong=\d+;;0;0;\d+ entries=\d+;;;0;)?$")
            return done.returncode, done.stdout
        smtp = ("--smtp", f"127.0.0.1:{self.postfix.ports['smtp']}")
        status, line = plugin(*smtp)
        self.assertEqual((status, line), (0, "MILTER-MOVED OK - 9 recipients asked about, each got what it should "
                                          "| asked=9;;;0; wrong=0;;0;0;9 entries=4;;;0;\n"))
        self.assertEqual(plugin("--smtp", "x:y:z")[0], 3)
        self.daemon.stop()
        try:
            status, line = plugin(*smtp)
        finally:
            self.daemon.start()
        self.assertEqual(status, 2)
        self.assertTrue(line.startswith("MILTER-MOVED CRITICAL - daemon-down: "), line)

    def test_what_a_client_elsewhere_gets(self):
        self.daemon.movedctl("add", "gone@retired.example", "gone@new.example")
        recipient = "gone@retired.example"
        self.assertTrue(self.doctor(recipient)["got"][recipient]["got"].startswith("551 "))
        report = self.doctor("--as", "192.0.2.7", recipient)
        self.assertIn("elay access denied", report["got"][recipient]["got"])
        self.assertExplains(report, "unserved", recipient)
        self.daemon.movedctl("del", recipient)
        self.assertIn("no IP address", self.ctl("doctor", "--as", "x").stderr)

    def test_a_server_that_lets_nobody_ask_as_another(self):
        place.replace(self.postfix.conf / "main.cf", (self.postfix.conf / "main.cf").read_text().replace(
            "smtpd_authorized_xclient_hosts = 127.0.0.1\n", ""))
        self.postfix.run("postfix", "reload")
        self.addCleanup(self.postfix.run, "postconf", "-e", "smtpd_authorized_xclient_hosts = 127.0.0.1")
        place.until(lambda: ABROAD not in self.doctor()["got"], "Postfix has read main.cf again")
        report = self.doctor("--as", "192.0.2.7", status=0)
        self.assertIn("192.0.2.7", report["of"]["no-xclient"]["why"])
        for line in report["of"]["no-xclient"]["mend"].splitlines():
            if line.startswith("$ "):
                subprocess.run(["sh", "-c", line[2:]], env=self.postfix.env, check=True)
        place.until(lambda: "no-xclient" not in self.doctor("--as", "192.0.2.7")["of"], "it is let in")

    def test_a_server_of_another_configuration(self):
        with Stock(self.folder / "another", CLASSES.format(folder=self.folder / "another")) as another:
            report = self.doctor(port=another.ports["smtp"], status=1)
            self.assertIn("other-configuration", report["of"])
            self.assertEqual([name for name in report["of"] if name not in ("other-configuration", "not-heard", "unknown-first")], [])
            self.assertIn("On the host of the mail server", report["of"]["unknown-first"]["mend"])
        self.assertNotIn("other-configuration", self.doctor()["of"])
        # The same port, and another greeting; the same port at another address.
        self.postfix.run("postconf", "-P", f"127.0.0.1:{self.postfix.ports['smtp']}/inet/smtpd_banner=somebody")
        try:
            self.assertIn("other-configuration", self.doctor()["of"])
        finally:
            self.postfix.run("postconf", "-PX", f"127.0.0.1:{self.postfix.ports['smtp']}/inet/smtpd_banner")

    def test_an_enforcing_selinux(self):
        """A kernel that has it is not needed: its file system says so."""
        command = " ".join(map(str, [*place.program("movedctl"), "-c", self.daemon.conf, "doctor", "--config-dir", self.postfix.conf, "--smtp",
                                     f"127.0.0.1:{self.postfix.ports['smtp']}"]))
        done = subprocess.run([*place.mounting(), "sh", "-c", "mount -t tmpfs none /sys/fs && mkdir /sys/fs/selinux && "
                               f"echo 1 > /sys/fs/selinux/enforce && exec {command}"], env={**os.environ, **self.postfix.env}, capture_output=True, text=True)
        self.assertIn(f"restorecon -R {self.daemon.address.parent}", " ".join(done.stdout.split()), done.stderr)

    def test_it_fits_on_a_terminal_and_says_nothing_twice(self):
        self.daemon.movedctl("add", "gone@retired.example", "gone@new.example")
        done = self.ctl("doctor", "--smtp", f"127.0.0.1:{self.postfix.ports['smtp']}")
        self.daemon.movedctl("del", "gone@retired.example")
        self.assertEqual([line for line in done.stdout.splitlines() if len(line) > 80 and " " in line.strip()], [], done.stdout)
        long = [line.strip() for line in done.stdout.splitlines() if len(line.strip()) > 30 and "551 5.1.6" not in line]
        self.assertEqual(len(long), len(set(long)), done.stdout)

    def test_a_daemon_with_another_table_and_with_other_words(self):
        other = self.folder / "other"
        self.daemon.ctl("-d", other, "init")
        self.daemon.ctl("-d", other, "add", "else@old.example", "else@new.example")
        done = self.daemon.ctl("-d", other, "doctor", "--config-dir", self.postfix.conf, "--smtp",
                               f"127.0.0.1:{self.postfix.ports['smtp']}", env=self.postfix.env)
        self.assertEqual(done.returncode, 1)
        self.assertIn("fault: daemon-differs", done.stdout)
        self.daemon.configure(replies={"moved": "551 5.1.6 Has moved; please try <${new}>"})
        self.assertExplains(self.doctor(status=1), "other-words", mend="$ kill -HUP ")
        self.daemon.configure(replies=None)

    def test_where_the_milter_and_the_map_do_not_belong(self):
        main = self.postfix.conf / "main.cf"
        before = main.read_text()
        self.addCleanup(place.replace, main, before)
        mailboxes = re.search(r"^virtual_mailbox_maps.*$", before, re.MULTILINE).group()
        place.replace(main, before + f"non_smtpd_milters = {US}\n{mailboxes} {MAP}:listed\nrelocated_maps = {MAP}:relocated\n")
        report = self.doctor(status=1)
        self.assertIn("non_smtpd_milters = '", report["of"]["non-smtpd-milters"]["mend"])
        self.assertIn("virtual_mailbox_maps", report["of"]["listed-for-all"]["why"])
        self.assertEqual(report["of"]["relocated-maps"]["weight"], "note")
        # Nobody connects now: an smtpd that begins with this map ends, and Postfix then waits a minute.
        place.replace(main, before + f"{mailboxes} proxy:{MAP}:listed\nproxy_read_maps = proxy:unix:passwd.byname\n")
        report = self.doctor(port=place.free_ports(1)[0], status=69)
        self.assertIn("needs no proxymap", report["of"]["proxy-read-maps"]["mend"])
        place.replace(main, before)
        self.postfix.run("postfix", "reload")
        place.until(lambda: self.doctor()["status"] == 0, "all is well again")

    def test_a_front_server_that_verifies_recipients(self):
        main = FRONT + f"relay_transport = smtp:[127.0.0.1]:{self.postfix.ports['smtp']}\n"
        with Stock(self.folder / "f", main=main) as front:
            done = self.daemon.ctl("doctor", "--json", "--config-dir", "/none", "--mta", "postfix", "--smtp",
                                   f"127.0.0.1:{front.ports['smtp']}", GONE, env=self.postfix.env)
            report = json.loads(done.stdout)
            self.assertEqual(report["asked"][0]["finding"], "recipients-verified", done.stdout)
            self.assertIn("no-configuration", [finding["name"] for finding in report["findings"]])

    def test_bad_arguments(self):
        for args, words in ((("--smtp", "x:y:z"), "HOST:PORT"), (("--mta", "exim"), "postfix or sendmail"),
                            (("--domain", "none.example"), "no entry"), (("@@",), "@@")):
            done = self.ctl("doctor", *(args if "--smtp" in args else
                                        ("--smtp", f"127.0.0.1:{self.postfix.ports['smtp']}", *args)))
            self.assertIn(done.returncode, (64, 65), args)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)


class OutsideTheChroot(Doctor):
    def test_a_socket_that_a_confined_service_cannot_see(self):
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(place.folder())
            self.postfix, self.daemon = start(stack, folder, inside=False)
            restart(self.postfix, smtpd_milters=f"{{ unix:{self.daemon.address}, default_action=tempfail }}")
            report = self.doctor("daemon@old.example", status=1)
            finding = self.assertExplains(report, "socket-out-of-chroot", "daemon@old.example",
                                          mend="attach moves the sockets")
            self.assertIn("is confined to", finding["why"])


class Strange(threading.Thread):
    """A server that gives these answers, one a line that it is sent, and then hangs up."""

    def __init__(self, *answers):
        super().__init__(daemon=True)
        self.answers, self.heard = answers, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def end(self):
        """First the thread, then the listener: its descriptor may at once be another one's, and that one's clients be answered here."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.join(place.PATIENCE)
        self.listener.close()

    def run(self):
        with contextlib.suppress(OSError):  # until the listener is shut down
            while True:
                talk, _ = self.listener.accept()
                with contextlib.suppress(ConnectionError), talk, talk.makefile("rb") as lines:
                    self.serve(talk, lines)

    def serve(self, talk, lines):
        for answer in self.answers:
            talk.sendall(answer)
            line = lines.readline()
            if not line:
                return
            self.heard.append(line)


class StrangeServers(Doctor):
    """What no mail server of ours says."""

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.daemon = self.stack.enter_context(Daemon(self.stack.enter_context(place.folder()) / "d"))
        self.daemon.hold((GONE, "gone@new.example"))

    def ask(self, *answers, recipients=(GONE,)):
        strange = Strange(*answers)
        self.addCleanup(strange.end)
        done = self.daemon.ctl("doctor", "--json", "--config-dir", "/none", "--smtp",
                               f"127.0.0.1:{strange.port}", *recipients)
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, report["status"])
        self.assertNotIn("DATA", b"".join(strange.heard).decode("ascii", "replace").upper())
        return report, strange

    def names(self, report):
        return [finding["name"] for finding in report["findings"] if finding["weight"] != "note"]

    def test_what_is_no_smtp(self):
        self.assertEqual(self.names(self.ask()[0]), ["server-down"])
        for greeting in (b"HTTP/1.1 400 Bad Request\r\n", b"\0" * 70000, b"220-x\r\n" * 5000, b"22\r\n",
                         b"554 5.3.2 Not here\r\n", b"421 4.3.2 Too many connections\r\n"):
            report, _ = self.ask(greeting)
            self.assertEqual((report["status"], self.names(report)), (69, ["server-down"]), greeting[:20])

    def test_a_server_that_hangs_up_or_shuts_us_out(self):
        report, _ = self.ask(b"220 x ESMTP\r\n", b"250 x\r\n")
        self.assertEqual(self.names(report), ["server-down"])
        report, _ = self.ask(b"220 x ESMTP\r\n", b"250 x\r\n", b"421 4.7.0 Too many errors\r\n")
        self.assertEqual(report["asked"][0]["finding"], "session-ended")

    def test_replies_that_say_little(self):
        for reply, name in ((b"250 ok", "not-heard"),
                            (b"452 4.3.1 Insufficient system storage", "deferred"),
                            (b"550 5.1.0 Address unknown", "unknown-first"),
                            (b"554 5.7.1 Relay access denied", "unserved"),
                            (b"451 4.1.6 User not local; please try <gone@new.example>", "soft-bounce")):
            report, _ = self.ask(b"220 x ESMTP\r\n", b"250 x\r\n", b"250 ok\r\n", reply + b"\r\n", b"250 ok\r\n")
            self.assertEqual(report["asked"][0]["finding"], name)

    def test_another_program_on_our_socket(self):
        path = self.daemon.folder / "other.sock"
        with listening(path) as listener:
            threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
            self.daemon.configure(lookup_socket=f"unix:{path}")
            report, _ = self.ask(b"554 5.3.2 Not here\r\n")
        self.assertIn("daemon-other", self.names(report))
        self.assertNotIn(f"kill {os.getpid()}", json.dumps(report))

    def test_of_several_daemons_the_one_with_this_configuration_is_restarted(self):
        for way in ("unix", "inet"):
            with Daemon(self.daemon.folder / way, way, lookup_socket="") as other:
                done = other.ctl("doctor", "--json", "--config-dir", "/none", "--smtp", f"127.0.0.1:{place.free_ports(1)[0]}")
                mends = {finding["name"]: finding["mend"] for finding in json.loads(done.stdout)["findings"]}
                self.assertIn(f"$ kill {other.process.pid} && " if way == "unix" else
                              f"\nRestart the milter-moved that was started with {other.conf}.\n", mends["no-lookups"])
                self.assertNotIn(f" {self.daemon.process.pid} ", mends["no-lookups"])

    def test_text_that_a_terminal_would_obey(self):
        report, _ = self.ask(b"220 x ESMTP\r\n", b"250-x\r\n250 SIZE\r\n", b"250 ok\r\n",
                             b"550 5.7.1 \x1b[2J\xff\xc2\x9bhello\r\n", b"250 ok\r\n")
        self.assertEqual(report["asked"][0]["got"], "550 5.7.1 ?[2J???hello")
        self.assertEqual(report["asked"][0]["finding"], "another-answered")

    def test_a_server_older_than_ehlo_and_replies_without_enhanced_codes(self):
        report, strange = self.ask(b"220 x\r\n", b"502 what\r\n", b"250 x\r\n", b"250 ok\r\n",
                                   b"550 User unknown\r\n", b"250\r\n")
        self.assertTrue(strange.heard[1].startswith(b"HELO "))
        self.assertEqual(report["asked"][0]["finding"], "unknown-first")


class Manual(unittest.TestCase):
    def test_it_has_the_name_of_each_finding(self):
        source = place.SOURCE / "milter"
        manual = (source / "ctl/movedctl.8").read_text()
        paths = source.glob("doctor/*.c")
        names = {name for path in paths for name in re.findall(
            r'^    \{"([a-z-]+)", (?:NOTE|FAULT|DOWN)|exam_note\(\s*exam,\s+"([a-z-]+)"',
            path.read_text(), re.MULTILINE)}
        names = {a or b for a, b in names}
        self.assertGreater(len(names), 40)
        self.assertEqual({name for name in names if not re.search(rf"[ ,]{name}\b", manual)}, set())


class OneSendmail(Doctor):
    def start(self, more="", attached=True, **settings):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.folder = stack.enter_context(place.folder())
        self.sendmail = stack.enter_context(StockSendmail(self.folder / "s", more.format(folder=self.folder)))
        self.sendmail.start()
        self.daemon = stack.enter_context(Daemon(self.folder / "d", group="root", **settings))
        self.daemon.hold((GONE, "gone@new.example"))
        if attached:
            self.attach()

    @property
    def server(self):
        return self.sendmail

    def attach(self, *args):
        done = self.ctl("attach", "--yes", *args, "sendmail")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.sendmail.hears(GONE, "551 ")

    def restart(self, *changes):
        """With these changes of sendmail.cf."""
        text = self.sendmail.cf.read_text()
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.sendmail.stop()
        self.sendmail.cf.write_text(text)
        self.sendmail.start()

    def test_before_and_after_it_is_attached(self):
        self.start(attached=False)
        self.assertExplains(self.doctor(status=1), "not-attached", mend="sendmail")
        self.attach()
        report = self.doctor(status=0)
        self.assertEqual((report["server"], report["findings"]), ("sendmail", []))
        self.daemon.stop()
        self.assertExplains(self.doctor(status=69), "daemon-down")

    def test_the_milter_without_the_map(self):
        self.start("INPUT_MAIL_FILTER(`milter-moved', `S=unix:{folder}/d/milter.sock, F=T')dnl\n", attached=False)
        self.assertExplains(self.doctor(status=1), "map-missing", mend="attach --config-dir")

    def test_without_f_t(self):
        self.start()
        self.restart((", F=T,", ","))
        self.assertIn("F=T'", self.doctor(status=1)["of"]["flag-t"]["mend"])

    def test_sockets_that_are_looked_for_elsewhere(self):
        self.start()
        self.restart((f"S=unix:{self.daemon.address}", "S=unix:/none/milter.sock"))
        self.assertIn("/none/milter.sock", self.assertExplains(self.doctor(status=1), "socket-elsewhere")["why"])
        self.restart(("S=unix:/none/milter.sock", f"S=unix:{self.daemon.address}"),
                     (f"local:{self.daemon.lookups}", "local:/none/lookup.sock"))
        self.assertIn("/none/lookup.sock", self.assertExplains(self.doctor(status=1), "lookup-elsewhere")["why"])

    def test_a_port_with_milters_of_its_own(self):
        self.start()
        text = self.sendmail.cf.read_text()
        port = self.sendmail.ports["smtp"]
        line = next(line for line in text.splitlines()
                    if line.startswith("O DaemonPortOptions=") and str(port) in line)
        self.restart((line, line + ", InputMailFilters=other"),
                     ("\nXmilter-moved,", "\nXother, S=inet:9@127.0.0.1\nXmilter-moved,"))
        self.assertIn(f"Port={port}", self.doctor(status=1)["of"]["port-without-milter"]["why"])

    def test_what_has_not_been_read_yet(self):
        self.start()
        cf = self.sendmail.cf.stat().st_mtime
        os.utime(self.sendmail.mc, (cf + 1, cf + 1))
        self.assertIn("sendmail.mc", self.doctor(status=1)["of"]["not-rebuilt"]["why"])
        os.utime(self.sendmail.mc, (cf, cf))
        os.utime(self.sendmail.cf, (cf + 3600, cf + 3600))
        self.assertIn("has not read it yet", self.doctor(status=1)["of"]["not-restarted"]["why"])

    def test_sockets_that_sendmail_does_not_open(self):
        self.start()
        self.daemon.folder.chmod(0o777)
        self.assertExplains(self.doctor(status=1), "folder-unsafe", mend=f"chmod go-w {self.daemon.folder}")
        self.daemon.folder.chmod(0o755)
        self.assertEqual(self.doctor()["status"], 0)
        self.daemon.lookups.chmod(0)
        self.assertExplains(self.doctor(status=1), "lookup-failed", mend=str(self.daemon.lookups))

    def test_another_milter_that_does_not_answer(self):
        self.start()
        self.restart(("\nXmilter-moved,", "\nXother, S=inet:9@127.0.0.1, F=T\nXmilter-moved,"),
                     ("O InputMailFilters=", "O InputMailFilters=other, "))
        self.assertExplains(self.doctor(status=1), "milter-unreached")

    def test_other_words_in_sendmail_cf(self):
        self.start()
        self.daemon.configure(replies={"moved": "551 5.1.6 Has moved; please try <${new}>"})
        self.daemon.reload()
        self.assertExplains(self.doctor(status=1), "other-words", mend="attach --config-dir")

    def test_a_domain_that_is_not_served(self):
        self.start()
        self.daemon.movedctl("add", "gone@retired.example", "gone@new.example")
        report = self.doctor(status=1)
        self.assertTrue(report["got"]["gone@retired.example"]["well"])  # we may relay
        self.assertIn("retired.example", report["of"]["unserved"]["why"])
        self.attach("--unserved")
        report = self.doctor()
        self.assertWell(report)
        self.assertExplains(report, "relays-for-us", INVENTED_AT.format("retired.example"))

    def test_a_new_address_that_sendmails_rules_cannot_write(self):
        self.start()
        self.daemon.movedctl("add", "q@old.example", '"a b"@new.example')
        self.daemon.movedctl("add", "no@old.example", "--gone")
        self.assertIn("withheld", self.doctor(status=0)["got"]["q@old.example"]["got"])

    def test_forwarding_needs_the_mailbox(self):
        self.start()
        self.daemon.movedctl("add", "f@old.example", "f@new.example", "--forward")
        self.assertExplains(self.doctor(status=1), "forward-needs-mailbox", "f@old.example")

    def test_a_forward_to_a_mailbox_that_sendmail_does_not_have(self):
        self.start()
        self.daemon.hold(("daemon@old.example", "nobody-at-all@old.example", "forward"),
                         ("bin@old.example", "sys@old.example", "forward"))
        finding = self.doctor(status=1)["of"]["forward-to-nobody"]
        self.assertIn("daemon@old.example", finding["why"])
        self.assertIn("nobody-at-all@old.example", finding["why"])
        self.daemon.hold(("bin@old.example", "sys@old.example", "forward"))
        self.assertEqual(self.doctor(status=0)["findings"], [])

    def test_an_open_relay(self):
        self.start()
        self.assertTrue(self.doctor(status=0)["got"][ABROAD]["well"])
        mc = self.sendmail.mc.read_text()
        self.sendmail.mc.write_text(mc.replace("FEATURE(`delay_checks'", "FEATURE(`promiscuous_relay')dnl\nFEATURE(`delay_checks'", 1))
        self.sendmail.stop()
        self.sendmail.rebuild()
        self.sendmail.start()
        self.assertEqual(self.assertExplains(self.doctor(status=1), "open-relay", ABROAD, "promiscuous_relay")["weight"], "fault")
        self.sendmail.mc.write_text(mc)
        self.sendmail.rebuild()

    def test_refused_recipients_that_are_slowed_down(self):
        self.start("define(`confBAD_RCPT_THROTTLE', `1')dnl\n")
        self.assertEqual(self.doctor(status=0)["of"]["error-limits"]["weight"], "note")


if __name__ == "__main__":
    unittest.main()
