# SPDX-License-Identifier: BSD-2-Clause
"""The daemon alone, asked over the milter protocol: what no mail server would let a test do."""

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unicodedata
import unittest

from lib import holder, place
from lib.daemon import USER, Daemon, handed_over, listening
from lib.load import Load
from lib.milter import Milter, ask

MOVED = "551 5.1.6 User not local; please try <{}>"
NEW = MOVED.format("alice@new.example")
WITHHELD = "550 5.1.6 User not local; forwarding address withheld"
DEFERRED = "450 4.7.1 Too many moved recipients; try again later"
UNAVAILABLE = "451 4.3.0 Table of moved mailboxes unavailable"
STRANGER, FRIEND = "198.51.100.7", "192.0.2.7"


class Alone(unittest.TestCase):
    """Each test has a daemon to itself."""

    way = "unix"
    settings = {}
    maxDiff = None

    def setUp(self):
        folder = place.folder()
        self.folder = folder.__enter__()
        self.addCleanup(folder.__exit__, None, None, None)
        self.daemon = self.run_daemon(self.way, **self.settings)
        self.daemon.hold(("alice@old.example", "alice@new.example"))

    def run_daemon(self, way="unix", **settings):
        daemon = Daemon(self.folder / way, way, **settings)
        daemon.__enter__()
        self.addCleanup(daemon.__exit__, None, None, None)
        return daemon

    def fails(self, call, at):
        """Restarts the daemon, and from then on one of these calls fails."""
        self.daemon.stop()
        self.daemon.env = {**place.preloading("calls", self.folder), "CALLS_FAIL": call, "CALLS_AT": str(at)}
        self.daemon.start()

    def ask(self, recipient="<alice@old.example>", client=STRANGER, *parameters, **who):
        return ask(self.daemon.address, recipient, client, *parameters, **who)


class Negotiation(Alone):
    def test_it_asks_for_what_it_needs_and_no_more(self):
        with Milter(self.daemon.address) as milter:
            version, actions, steps = milter.negotiate()
        self.assertEqual(version, 6)
        self.assertEqual(actions & ~0x1FF, 0)
        self.assertEqual(actions & 0x02 | actions & 0x10 | actions & 0x01, 0, "no right to touch header, body, quarantine")
        no_helo, no_body, no_header, no_eoh, no_unknown, no_data = 0x02, 0x10, 0x20, 0x40, 0x100, 0x200
        for step in (no_helo, no_body, no_header, no_eoh, no_unknown, no_data):
            self.assertTrue(steps & step, f"step {step:#x} is sent for nothing")
        no_mail, no_rcpt, rcpt_without_reply = 0x04, 0x08, 0x8000
        for step in (no_mail, no_rcpt, rcpt_without_reply):
            self.assertFalse(steps & step, f"step {step:#x} is needed")

    def test_a_mail_server_that_offers_less_gets_the_same_answer(self):
        for version, actions, steps in ((6, 0x1FF, 0), (6, 0x3F, 0x7F), (2, 0x1F, 0x7F)):
            with Milter(self.daemon.address) as milter:
                milter.negotiate(actions, steps, version)
                self.assertEqual(milter.connect(STRANGER), "continue")
                self.assertEqual(milter.helo(), "continue")
                self.assertEqual(milter.start_mail(), "continue")
                self.assertEqual(milter.rcpt("<alice@old.example>"), NEW)
                self.assertEqual(milter.rcpt("<here@old.example>"), "continue")

    def test_parameters_that_sendmail_left_in_the_path_are_not_part_of_it(self):
        self.daemon.movedctl("add", "joerg@old.example", "jörg@new.example")
        with Milter(self.daemon.address) as milter:
            milter.negotiate()
            milter.connect(STRANGER)
            milter.mail("<sender@client.example> SMTPUTF8 SIZE=100")
            self.assertEqual(milter.rcpt("<alice@old.example> NOTIFY=NEVER"), NEW)
            self.assertEqual(milter.rcpt("<joerg@old.example>", "NOTIFY=NEVER"), MOVED.format("jörg@new.example"))

    def test_a_client_that_shares_no_code_with_libmilter_reads_the_same(self):
        go = shutil.which("go")
        source = "/usr/share/gocode/src/github.com/emersion/go-milter"
        if not go or not os.path.isdir(source):
            place.lacking("golang-go and golang-github-emersion-go-milter-dev are not installed")
        with Milter(self.daemon.address):
            pass
        program = self.folder / "goclient"
        env = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "",
               "GOCACHE": os.environ.get("GOCACHE", os.path.expanduser("~/.cache/go-build"))}
        subprocess.run([go, "build", "-o", program, place.SOURCE / "tests/mta/goclient/main.go"], env=env, check=True,
                       timeout=300)
        self.daemon.movedctl("add", "percent@old.example", "a%b@new.example")
        inet = self.run_daemon("inet", table=str(self.daemon.table))
        for network, address in (("unix", str(self.daemon.address)), ("tcp", "{}:{}".format(*inet.address))):
            done = subprocess.run([program, network, address, STRANGER, "alice@old.example", "percent@old.example",
                                   "here@old.example", "alice@old.example"],
                                  capture_output=True, text=True, timeout=place.PATIENCE)
            self.assertEqual(done.stderr, "")
            # '%%': as the mail server gets it, who makes '%' of it
            self.assertEqual(done.stdout.splitlines(), [NEW, MOVED.format("a%%b@new.example"), "c", NEW])


class Failing(Alone):
    def test_a_reply_that_libmilter_does_not_take_refuses_nobody_for_good(self):
        self.fails("smfi_setreply", 1)
        self.assertEqual([self.ask(), self.ask()], ["451 4.3.0 Internal error", NEW])


class Addresses(Alone):
    HOSTILE = (b"", b"<>", b"<@>", b"<alice>", b"<alice@>", b"<@old.example>", b"<a@b@old.example>", b"<\"alice@old.example>",
               b"<alice@old.example\r\n250 ok>", b"<al\x01ice@old.example>", b"<al\xffice@old.example>", b"<\xc3@old.example>",
               b"<" + b"a" * 10_000 + b"@old.example>", b"<alice@" + b"o" * 10_000 + b">", b"<" * 5_000, b"\"" * 5_000,
               b"<@a,@b:>", b"<alice@[127.0.0.1]>", b"<alice@old..example>", b"<%s%n@old.example>", b" ")

    def test_what_is_no_address_is_left_to_the_mail_server(self):
        with Milter(self.daemon.address) as milter:
            milter.begin(STRANGER)
            for recipient in self.HOSTILE:
                self.assertEqual(milter.rcpt(recipient), "continue", recipient[:60])
                self.assertEqual(milter.rcpt("<alice@old.example>"), NEW)

    def test_no_character_that_a_terminal_obeys_is_in_the_log(self):
        self.daemon.configure(log={"target": "stderr", "level": "debug"})
        self.daemon.reload()
        tricks = ["\x1b[2J", "\x7f", "\x80", "\x9b2J", "\x85", "\u2028", "\u2029", "\u202e", "\u2066", "\u200f"]
        held = [f"a{number}{trick}@old.example" for number, trick in enumerate(tricks) if trick > "\x7f"]
        self.daemon.hold(*((old, "alice@new.example") for old in held))
        with Milter(self.daemon.address) as milter:
            milter.negotiate()
            milter.connect(STRANGER, host="client\x1b[2J\x9b\u202e.example")
            milter.start_mail("SMTPUTF8")
            for old in held:
                self.assertTrue(milter.rcpt(f"<{old}>").startswith("551 "), old)
            for trick in [*(trick.encode() for trick in tricks), b"\x1b[2J", b"\x9b2J", b"\xc2", b"\xe2\x80", b"\xff"]:
                milter.rcpt(b"<x" + trick + b"@")
                milter.rcpt(b"<x" + trick + b"@here.example>")
        place.until(lambda: self.daemon.log().count("to=<") >= len(held) + 2 * (len(tricks) + 5), "a line for each recipient")
        text = (self.daemon.folder / "log").read_bytes().decode("utf-8", "strict")
        self.assertEqual({f"U+{ord(letter):04x}" for letter in text if letter != "\n" and
                          (unicodedata.category(letter) in ("Cc", "Zl", "Zp") or letter in "\u202e\u2066\u200f")}, set())

    def test_a_mailbox_name_of_255_octets_is_found(self):
        name = "l" * 255
        self.daemon.hold((f"{name}@old.example", "l@new.example"))
        self.assertEqual(self.ask(f"<{name}@old.example>"), MOVED.format("l@new.example"))
        self.assertEqual(self.ask(f"<{name}l@old.example>"), "continue")


class Disclosure(Alone):
    settings = {"disclosure": {"default": "anyone", "trusted_networks": ["192.0.2.0/24"], "limit": 3, "period": 3600}}

    def setUp(self):
        super().setUp()
        self.daemon.hold(*((f"m{n}@old.example", f"m{n}@new.example") for n in range(9)))

    def ask_all(self, client, count=5, **who):
        return [self.ask(f"<m{n}@old.example>", client, **who) for n in range(count)]

    def test_above_the_limit_the_address_is_withheld_from_strangers(self):
        told = [MOVED.format(f"m{n}@new.example") for n in range(5)]
        self.assertEqual(self.ask_all(STRANGER), told[:3] + [WITHHELD] * 2)
        self.assertEqual(self.ask("<m1@old.example>"), told[1], "one that it was told before costs nothing")
        self.assertEqual(self.ask_all(FRIEND), told)
        self.assertEqual(self.ask_all(STRANGER, auth="alice"), told)
        self.assertEqual(self.ask_all("198.51.100.8"), told[:3] + [WITHHELD] * 2, "another client")
        self.assertEqual(self.ask_all("2001:db8::1"), told[:3] + [WITHHELD] * 2)
        self.assertEqual(self.ask("<m5@old.example>", "2001:db8::2"), WITHHELD, "of the same /64")
        self.assertEqual(self.ask("<m5@old.example>", "2001:db8:0:1::2"), MOVED.format("m5@new.example"))

    def test_above_the_limit_mail_is_put_off_where_the_configuration_says_so(self):
        self.daemon.configure(disclosure={**self.settings["disclosure"], "over_limit": "defer"})
        self.daemon.reload()
        self.assertEqual(self.ask_all(STRANGER)[3:], [DEFERRED] * 2)

    def test_each_reload_says_what_waits_for_the_next_start_and_no_more(self):
        socket = self.daemon.settings["socket"]
        self.daemon.configure(socket="inet:9@127.0.0.1", user="root")
        for times in (1, 2):
            self.daemon.reload()
            self.assertEqual(self.daemon.count("socket_mode: changed; in force from the next start on"), times)
        self.daemon.configure(socket=socket)
        self.daemon.reload()
        self.assertEqual(self.daemon.count("socket_mode: changed; in force from the next start on"), 2)
        self.assertEqual(self.daemon.count("user, pid_file: changed; in force from the next start on"), 3)

    def test_a_reload_that_contradicts_the_table_changes_nothing(self):
        self.daemon.configure(addresses={"fold_case": False}, mode="observe")
        self.daemon.reload("the old one stays in force")
        self.assertEqual(self.ask("<M1@old.example>"), MOVED.format("m1@new.example"))

    def test_a_reload_reads_the_folder_beside_the_file_too(self):
        parts = self.daemon.conf.with_name("milter-moved.conf.d")
        parts.mkdir()
        (parts / "50-texts.conf").write_text('replies: { moved = "551 5.1.6 Part; please try <${new}>"; };')
        self.daemon.reload()
        self.assertEqual(self.ask("<m1@old.example>"), "551 5.1.6 Part; please try <m1@new.example>")
        done = subprocess.run(place.program("milter-moved") + ["-t", "-c", self.daemon.conf], capture_output=True, text=True,
                              timeout=place.PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.splitlines()[:2], [f"configuration: {self.daemon.conf}: good",
                                                        f"configuration: {parts / '50-texts.conf'}: good"])
        (parts / "60-bad.conf").write_text("\nmood = 1;")
        self.daemon.reload(f"{parts / '60-bad.conf'}:2: mood: unknown key")
        (parts / "60-bad.conf").chmod(0)
        self.daemon.reload(f"{parts / '60-bad.conf'}: Permission denied: let this user read it")
        self.assertEqual(self.ask("<m1@old.example>"), "551 5.1.6 Part; please try <m1@new.example>")

    def test_a_reload_does_not_give_everyone_a_new_allowance(self):
        self.ask_all(STRANGER, 3)
        self.daemon.reload()
        self.assertEqual(self.ask("<m4@old.example>"), WITHHELD)

    def test_who_may_know(self):
        entry = ("secret@old.example", "secret@new.example")
        for disclose, of_stranger, of_friend in (
                ("anyone", MOVED, MOVED), ("trusted", WITHHELD, MOVED), ("nobody", WITHHELD, WITHHELD)):
            self.daemon.movedctl("add", *entry, "--disclose", disclose, "--replace")
            self.assertEqual(self.ask("<secret@old.example>"), of_stranger.format(entry[1]), disclose)
            self.assertEqual(self.ask("<secret@old.example>", FRIEND), of_friend.format(entry[1]), disclose)
            self.assertEqual(self.ask("<secret@old.example>", auth="al"), of_friend.format(entry[1]), disclose)

    def test_local_submission_is_never_refused(self):
        with Milter(self.daemon.address) as milter:
            milter.begin(None)
            self.assertEqual(milter.rcpt("<m1@old.example>"), "continue")
        with Milter(self.daemon.address) as milter:  # as Postfix shows non_smtpd_milters
            milter.negotiate()
            milter.connect("127.0.0.1", 0, "localhost")
            milter.helo("localhost")
            milter.mail("cron@old.example")
            self.assertEqual(milter.rcpt("m1@old.example"), "continue")
        with Milter(self.daemon.address) as milter:  # a client whose port a proxy kept to itself
            milter.negotiate()
            milter.connect(STRANGER, 0, "client.example")
            milter.mail("sender@client.example")
            self.assertEqual(milter.rcpt("m1@old.example"), MOVED.format("m1@new.example"))


class Forward(Alone):
    POSTFIX, SENDMAIL = "Postfix 3.7.11", "8.17.1.9"

    def setUp(self):
        super().setUp()
        self.daemon.hold(("al@old.example", "al@new.example", "forward"), ("eva@old.example", "eva@new.example"))

    def forward(self, *recipients, actions=0x1FF, server=POSTFIX):
        with Milter(self.daemon.address) as milter:
            milter.negotiate(actions)
            milter.macros("C", v=server)
            milter.connect(STRANGER)
            milter.start_mail()
            said = [milter.rcpt(*words) for words in recipients]
            return said, milter.data(), milter.changes

    def test_the_recipient_is_replaced_at_the_end_of_the_message(self):
        said, end, changes = self.forward(("<al@old.example>", "NOTIFY=NEVER"), ("<eva@old.example>",), ("<here@old.example>",))
        self.assertEqual(said, ["continue", MOVED.format("eva@new.example"), "continue"])
        self.assertEqual(end, "continue")
        self.assertEqual(changes, [("add", "<al@new.example>"), ("delete", "<al@old.example>")])

    def test_to_sendmail_it_is_added_once_more_where_both_were_one_mailbox(self):
        add, delete = ("add", "<al@new.example>"), ("delete", "<al@old.example>")
        self.assertEqual(self.forward(("<al@old.example>",), server=self.SENDMAIL)[2], [add, delete, add])
        self.assertEqual(self.forward(("<al@here.example>",), ("<al@old.example>",), server=self.SENDMAIL)[2], [add, add],
                         "and not deleted where another of its name stays")

    def test_a_server_that_lets_no_recipient_be_replaced_is_told_to_try_later(self):
        for actions in (0x01, 0x04 | 0x08, 0x80):
            said, _, changes = self.forward(("<al@old.example>",), ("<here@old.example>",), actions=actions)
            self.assertRegex(said[0], r"^451 4\.3\.0 ")
            self.assertEqual(said[1], "continue")
            self.assertEqual(changes, [])

    def test_where_a_step_fails_at_the_end_the_message_is_put_off_and_none_is_deleted_that_was_not_added(self):
        al, eva = ("add", "<al@new.example>"), ("add", "<eva@new.example>")
        self.daemon.hold(("al@old.example", "al@new.example", "forward"), ("eva@old.example", "eva@new.example", "forward"))
        for call, at, made in (("smfi_addrcpt_par", 1, []), ("smfi_addrcpt_par", 2, [al]), ("smfi_delrcpt", 1, [al, eva])):
            self.fails(call, at)
            said, end, changes = self.forward(("<al@old.example>",), ("<eva@old.example>",))
            self.assertEqual((said, changes), (["continue"] * 2, made), call)
            self.assertEqual(end, "451 4.3.0 Cannot forward this message now; try again later")

    def test_nothing_is_left_of_it_for_the_next_message(self):
        with Milter(self.daemon.address) as milter:
            milter.begin(STRANGER)
            for end in (milter.abort, milter.data, lambda: None):  # the last is another MAIL, and libmilter aborts itself
                milter.rcpt("<al@old.example>")
                end()
                milter.start_mail()
                self.assertEqual(milter.rcpt("<here@old.example>"), "continue")
                self.assertEqual((milter.data(), milter.changes), ("continue", []))
                milter.start_mail()

    def test_a_message_has_a_thousand_of_them_and_the_next_come_in_another(self):
        self.daemon.hold(("@old.example", "@new.example", "forward"))
        for server in (self.POSTFIX, self.SENDMAIL):
            said, end, changes = self.forward(*((f"<m{n}@old.example>",) for n in range(1002)), ("<here@here.example>",), server=server)
            self.assertEqual(said[:1000], ["continue"] * 1000)
            self.assertRegex(said[1000], "^451 4")
            self.assertRegex(said[1001], "^451 4")
            self.assertEqual((said[1002], end), ("continue", "continue"))
            self.assertEqual({name for change, name in changes if change == "delete"}, {f"<m{n}@old.example>" for n in range(1000)})

    def test_a_new_address_that_has_moved_since_is_tried_again(self):
        """Else it would be added for the one and deleted for the other."""
        self.daemon.hold(("x@old.example", "a@old.example", "forward"))
        with Milter(self.daemon.address) as milter:
            milter.begin(STRANGER)
            self.assertEqual(milter.rcpt("<x@old.example>"), "continue")
            self.daemon.movedctl("add", "a@old.example", "a@new.example", "--forward")
            self.assertRegex(milter.rcpt("<A@OLD.example>"), "^451 4")
            milter.data()
        self.assertEqual(self.forward(("<x@old.example>",), ("<a@old.example>",))[2], [
            ("add", "<a@new.example>"), ("delete", "<x@old.example>"), ("delete", "<a@old.example>")])

    def test_an_old_address_that_is_a_new_one_since_is_tried_again(self):
        """Else what is added for the second would be deleted with the first."""
        self.daemon.hold(("a@old.example", "a@new.example", "forward"))
        with Milter(self.daemon.address) as milter:
            milter.begin(STRANGER)
            self.assertEqual(milter.rcpt("<a@old.example>"), "continue")
            self.daemon.hold(("x@old.example", "A@old.example", "forward"))
            self.assertRegex(milter.rcpt("<x@old.example>"), "^451 4")
            self.assertEqual(milter.data(), "continue")
            self.assertEqual(set(milter.changes), {("add", "<a@new.example>"), ("delete", "<a@old.example>")})

    def test_a_new_address_that_is_a_recipient_already_is_added_as_that_one_came(self):
        """Postfix then knows the two for one (cleanup_out_recipient.c)."""
        self.assertEqual(self.forward(("<al@old.example>",), ("<AL@new.example>", "NOTIFY=NEVER"), ("<Al@New.example>",))[2],
                         [("add", "<Al@New.example>"), ("delete", "<al@old.example>")])

    def test_a_circle_is_put_off_and_logged(self):
        self.daemon.hold(("a@old.example", "b@old.example", "forward"), ("b@old.example", "a@old.example"))
        self.assertEqual(self.ask("<a@old.example>"), "451 4.4.6 Forwarding loop; try again later")
        self.assertEqual(self.ask("<b@old.example>"), "550 5.1.6 User not local; no forwarding address")
        place.until(lambda: self.daemon.count("rule=loop, reply=451 4.4.6") == 1 and self.daemon.count("rule=loop, reply=550") == 1,
                    "both in the log", self.daemon.log)

    def test_what_was_replaced_is_logged_with_the_queue_id(self):
        self.forward(("<al+x@old.example>",))
        place.until(lambda: self.daemon.count("4XkQ2z1: to=<al+x@old.example>, forwarded=<al+x@new.example>") == 1,
                    "the line in the log", self.daemon.log)

    def packets(self, *recipients):
        """What was agreed on, and how many packets a session of one message takes each way."""
        with Milter(self.daemon.address) as milter:
            agreed = milter.begin(STRANGER).negotiated
            for recipient in recipients:
                milter.rcpt(recipient)
            milter.data()
            milter.quit()
            return agreed, milter.sent, milter.received

    def test_a_message_that_meets_no_such_entry_takes_no_packet_more(self):
        recipients = ("<eva@old.example>", "<here@old.example>", "<al@elsewhere.example>")
        with_forwards = self.packets(*recipients)
        self.daemon.hold(("eva@old.example", "eva@new.example"))
        self.assertEqual(self.packets(*recipients), with_forwards)


class OfThisHost(Alone):
    """sendmail(1) of Postfix, which must never be refused: 127.0.0.1 without a port, and paths without brackets."""

    def said(self, client, port, sender):
        with Milter(self.daemon.address) as milter:
            milter.negotiate()
            milter.connect(client, port)
            milter.mail(sender)
            return milter.rcpt("<alice@old.example>")

    def test_it_is_not_refused(self):
        self.assertEqual(self.said("127.0.0.1", 0, "cron@old.example"), "continue")

    def test_nobody_else_is_taken_for_it(self):
        for client, port, sender in (("127.0.0.1", 25000, "cron@old.example"), ("127.0.0.1", 0, "<cron@old.example>"),
                                     ("127.0.0.2", 0, "cron@old.example"), (STRANGER, 0, "cron@old.example"),
                                     ("::1", 0, "cron@old.example")):
            self.assertEqual(self.said(client, port, sender), NEW, (client, port, sender))


class Observe(Alone):
    settings = {"mode": "observe"}

    def test_nothing_is_refused_and_the_log_says_what_would_have_been(self):
        self.assertEqual(self.ask(), "continue")
        place.until(lambda: self.daemon.count(NEW), "the reply in the log")

    RCPT_REJ = 0x800

    def test_what_the_mail_server_refuses_is_heard_and_never_answered(self):
        """Even if the mode changes meanwhile; {rcpt_addr} is then the mail server's reply."""
        refused = {"rcpt_mailer": "error", "rcpt_addr": "User unknown; not alice@old.example"}
        with Milter(self.daemon.address) as milter:
            self.assertTrue(milter.negotiate()[2] & self.RCPT_REJ)
            self.assertIn(b"{rcpt_mailer}", milter.negotiated)
            milter.macros("C", v="Postfix 3.7.11")
            milter.connect(STRANGER)
            milter.start_mail()
            for _ in range(2):
                milter.macros("R", **refused)
                self.assertEqual(milter.rcpt("<alice@old.example>"), "continue")
                self.daemon.configure(mode="enforce")
                self.daemon.reload()
            milter.macros("R", rcpt_mailer="error", rcpt_addr="alice@old.example")
            self.assertEqual(milter.rcpt("<nobody@old.example>"), "continue")
            milter.macros("R", rcpt_mailer="virtual", rcpt_addr="alice@old.example")
            self.assertEqual(milter.rcpt("<alice@old.example>"), NEW)
        observed = f"client=client.example[{STRANGER}], from=<sender@client.example>, entry=alice@old.example, observed reply={NEW}"
        place.until(lambda: self.daemon.count(observed) == 2, f"'{observed}' twice in the log", self.daemon.log)
        counted = json.loads(self.daemon.movedctl("stats", "--json"))
        self.assertEqual([counted[name] for name in ("milter.moved", "observed.moved", "observed.not_listed")], [1, 2, 1])

    def test_in_enforce_mode_it_hears_nothing_of_them(self):
        self.daemon.configure(mode="enforce")
        self.daemon.reload()
        with Milter(self.daemon.address) as milter:
            self.assertFalse(milter.negotiate()[2] & self.RCPT_REJ)


class Vanishing(Alone):
    def test_a_mail_server_that_vanishes_at_any_step_does_no_harm(self):
        steps = ("negotiate", "connect", "helo", "start_mail")
        for count in range(len(steps) + 3):
            for reset in (True, False):
                with Milter(self.daemon.address) as milter:
                    for step in steps[:count]:
                        getattr(milter, step)()
                    if count > len(steps):
                        milter.rcpt("<alice@old.example>")
                    if count > len(steps) + 1:
                        milter.send("E")
                    if not reset:
                        milter.socket.sendall(struct.pack(">I", 4000) + b"R<ali")  # in the middle of a packet
        self.assertEqual(self.ask(), NEW)

    def test_what_is_no_milter_protocol_does_no_harm(self):
        for data in (b"GET / HTTP/1.0\r\n\r\n", b"\0\0\0\0", b"\xff\xff\xff\xffO", b"\0\0\0\1Z" * 50, b"\0\0\0\2RA", os.urandom(500)):
            with Milter(self.daemon.address) as milter:
                milter.socket.sendall(data)
        for command, data in (("R", b""), ("R", b"<alice@old.example>"), ("M", b""), ("C", b""), ("D", b"R"), ("D", b"Ri"), ("E", b"")):
            with Milter(self.daemon.address) as milter:
                milter.negotiate()
                milter.send(command, data)
        self.assertEqual(self.ask(), NEW)

    def test_a_hundred_sessions_at_once_are_all_answered(self):
        sessions = [Milter(self.daemon.address).begin(STRANGER) for _ in range(100)]
        for _ in range(3):
            for milter in sessions:
                milter.send("R", b"<alice@old.example>\0")
            for milter in sessions:
                self.assertEqual(milter.answer(), NEW)
        for milter in sessions:
            milter.close()


class Starting(Alone):
    """As an administrator starts it by hand: without -f, and with words that it does not know."""

    def setUp(self):
        super().setUp()
        self.daemon.stop()

    def run_with(self, *options):
        return subprocess.run(place.program("milter-moved") + [*options], capture_output=True, text=True, timeout=place.PATIENCE)

    def test_in_the_background_its_exit_status_says_that_it_is_ready(self):
        done = self.run_with("-c", str(self.daemon.conf))  # and nothing of it holds our pipes open
        self.addCleanup(os.kill, place.listener(self.daemon.address), signal.SIGTERM)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('warning: log.target: "stderr" is read by nobody', done.stderr)  # as our configuration has it
        self.assertEqual(self.ask(), NEW)

    def test_in_the_background_its_exit_status_says_why_it_is_not(self):
        for status, words, settings in ((73, "cannot make the folder .*: make it, for ", {"socket": "unix:/proc/none/milter.sock"}),
                                        (78, r"conf:\d+: socket_group: no such group 'nosuch'", {"socket": self.daemon.socket.ours, "socket_group": "nosuch"}),
                                        (78, "unknown key", {"sokcet": 1})):
            self.daemon.configure(**settings)
            for foreground in ((), ("-f",)):
                done = self.run_with("-c", str(self.daemon.conf), *foreground)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertRegex(done.stderr, rf"\A(milter-moved: .*{words}.*\n)\Z")

    def test_closed_descriptors_are_not_given_to_files_or_sockets(self):
        command = ["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", *self.daemon.command()]
        self.daemon.process = place.Process(command, self.daemon.folder / "log")
        place.until(self.daemon.answers, "milter-moved answers")
        self.assertEqual(self.ask(), NEW)
        self.assertEqual({os.readlink(f"/proc/{self.daemon.process.pid}/fd/{number}") for number in range(3)}, {"/"})

    def test_check_finds_a_group_that_is_not_there(self):
        self.daemon.configure(socket_group="nosuch")
        done = self.run_with("-t", "-c", str(self.daemon.conf))
        self.assertEqual((done.returncode, done.stderr),
                         (78, f"milter-moved: {self.daemon.spot('socket_group')}: socket_group: no such group 'nosuch': write one of this host\n"))
        self.daemon.configure(socket_group=None)
        for count, said in enumerate(("0 entries", "1 entry", "2 entries")):
            self.daemon.hold(*((f"u{number}@old.example", "u@new.example") for number in range(count)))
            done = self.run_with("-t", "-c", str(self.daemon.conf))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(done.stdout, rf"(?m)^table: .*: good, {said}$")

    def test_options(self):
        for options, words in ((["-x"], "'-x' is not an option"), (["--colour"], "'--colour' is not an option"), (["-c"], "'-c' requires an argument"),
                               (["-t", "now"], "'now' is not an option")):
            done = self.run_with(*options)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (64, "", f"milter-moved: {words}: see milter-moved -h\n"))
        for option, words in (("-V", r"milter-moved \d+\.\d+\.\d+\n"), ("--version", r"milter-moved \d+\.\d+\.\d+\n"), ("-h", r"Usage: .*"), ("--help", r"Usage: .*")):
            done = self.run_with(option)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertRegex(done.stdout, rf"\A{words}")
        done = self.run_with("-t", "-c", str(self.folder / "nosuch"))
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (66, 1))


class Logs(Alone):
    """The two targets that are sockets of the system, in a /dev and a /run of the daemon's own."""

    ENTER = ('d=$1; shift; for f in null urandom; do : >"$d/dev/$f" && mount --bind /dev/$f "$d/dev/$f" || exit; done && '
             'mount --bind "$d/dev" /dev && mount --bind "$d/run" /run && exec "$@"')

    def setUp(self):
        super().setUp()
        self.daemon.stop()
        self.system = self.folder / "system"
        for name in ("dev", "run/systemd/journal"):
            (self.system / name).mkdir(parents=True)
        mounting, command = place.mounting(), self.daemon.command()
        self.daemon.command = lambda: [*mounting, "sh", "-c", self.ENTER, "sh", str(self.system), *command]

    def listen(self, path):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(str(self.system / path))
        listener.settimeout(place.PATIENCE)
        (self.system / path).chmod(0o666)
        return listener

    def line(self, listener, target):
        """What the daemon says to this listener of one refusal."""
        self.daemon.configure(log={"target": target, "facility": "local3"})
        self.daemon.start()
        self.assertEqual(self.ask(), NEW)
        while b"to=<alice" not in (octets := listener.recv(65536)):
            continue
        self.daemon.stop()
        return octets

    def test_syslog(self):
        self.assertRegex(self.line(self.listen("dev/log"), "syslog"),
                         rb"\A<158>.* milter-moved\[\d+\]: \w+: to=<alice@old.example>, client=.*, entry=alice@old.example, reply=551 5.1.6 ")

    def test_journal(self):
        fields = self.line(self.listen("run/systemd/journal/socket"), "journal").split(b"\n")
        self.assertLessEqual({b"PRIORITY=6", b"SYSLOG_FACILITY=19", b"SYSLOG_IDENTIFIER=milter-moved"}, set(fields))
        self.assertRegex([field for field in fields if field.startswith(b"MESSAGE=")][0], rb"\AMESSAGE=\w+: to=<alice@old.example>, .*reply=551 5.1.6 ")

    def test_without_a_journal_the_lines_go_to_syslog(self):
        self.assertIn(b"entry=alice@old.example", self.line(self.listen("dev/log"), "journal"))


class Stopping(Alone):
    def test_the_sessions_that_are_open_are_served_to_their_end(self):
        sessions = [Milter(self.daemon.address).begin(STRANGER) for _ in range(20)]
        self.daemon.process.kill(signal.SIGTERM)
        place.until(lambda: self.daemon.count("stopping"), "the daemon begins to stop")
        end = time.monotonic() + 0.5  # more than the daemon takes before it looks for sessions
        while time.monotonic() < end:
            for milter in sessions:
                self.assertEqual(milter.rcpt("<alice@old.example>"), NEW)
        place.until(lambda: not place.listens(self.daemon.address), "nobody else is let in", self.daemon.log)
        for milter in sessions:
            milter.quit()
            milter.close()
        self.assertEqual(self.daemon.process.wait(), 0)
        self.assertFalse(self.daemon.address.exists())

    def test_a_session_that_never_ends_does_not_keep_it_for_ever(self):
        with Milter(self.daemon.address) as milter:
            milter.begin(STRANGER)
            self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(self.daemon.logged("cut off"), 1)


class Crowded(Alone):
    """Connections that use the process up: libmilter says nothing of them, and calls nobody before they negotiate."""

    def crowd(self, count, octets=b""):
        for _ in range(count):
            milter = Milter(self.daemon.address)
            self.addCleanup(milter.close)
            milter.socket.sendall(octets)

    def test_connections_that_say_nothing_and_use_the_descriptors_up_are_logged(self):
        self.daemon.stop()
        command = self.daemon.command()
        self.daemon.command = lambda: ["prlimit", "--nofile=100:100", *command]
        self.daemon.start()
        self.crowd(75)
        place.until(lambda: self.daemon.count("80 % or more of the 100 descriptors are open, for 0 milter sessions: raise LimitNOFILE, "),
                    "a line in the log")
        self.assertEqual(self.ask(), NEW)

    def test_half_packets_that_hold_many_threads_are_logged(self):
        self.crowd(1000, b"\0\0\0\x0dO")
        place.until(lambda: re.search(r"\d+ threads run, for 0 milter sessions: a connection that sends half a packet ", self.daemon.log()),
                    "a line in the log")
        self.assertEqual(self.ask(), NEW)


class Overlap(Alone):
    def test_the_end_of_the_old_one_leaves_the_socket_of_the_new_one_alone(self):
        for _ in range(5):
            old, ready = self.daemon.process, self.daemon.count("ready on")
            self.daemon.process = self.daemon.launch()
            place.until(lambda: self.daemon.count("ready on") > ready, "the new daemon is ready")
            self.assertEqual(old.end(), 0)
            self.assertEqual(self.ask(), NEW)

    def test_a_second_one_on_the_same_port_does_not_start_and_the_first_goes_on(self):
        first = self.run_daemon("inet", table=str(self.daemon.table))
        self.assertEqual(first.launch().wait(), 73)
        self.assertEqual(ask(first.address, "<alice@old.example>"), NEW)

    def test_a_folder_that_is_missing_is_made_so_that_a_mail_server_reaches_the_sockets(self):
        self.daemon.stop()
        folder = self.daemon.folder / "run"
        for umask in (0o077, 0o022):
            self.daemon.configure(socket=f"unix:{folder}/milter.sock", lookup_socket=f"unix:{folder}/lookup.sock")
            process = self.daemon.launch(umask=umask)
            self.addCleanup(process.end)
            place.until(lambda: place.listens(folder / "lookup.sock"), "it listens", self.daemon.log)
            self.assertEqual(folder.stat().st_mode & 0o777, 0o755)
            process.end()
            folder.rmdir()

    def test_a_file_that_is_no_socket_is_left_alone(self):
        self.daemon.stop()
        self.daemon.address.write_text("precious")
        self.assertEqual(self.daemon.launch().wait(), 73)
        self.assertEqual(self.daemon.address.read_text(), "precious")


class HandedOver(Alone):
    def test_a_socket_handed_over_by_systemd_outlives_each_restart(self):
        self.daemon.stop()
        path = self.folder / "handed.sock"
        with listening(path) as listener:
            with Load(lambda: ask(path, "<alice@old.example>")) as load:
                for _ in range(4):
                    process = handed_over([listener], self.daemon.command(), self.folder / "handed.log")
                    self.addCleanup(process.end)
                    load.hears(NEW)
                    self.assertEqual(process.end(), 0)
                last = handed_over([listener], self.daemon.command(), self.folder / "handed.log")
                self.addCleanup(last.end)
                load.hears(NEW)
        self.assertEqual(set(load.said), {NEW})
        self.assertTrue(path.exists())


class Table(Alone):
    """A table that cannot be read is answered as on_table_error says, never as 'not moved'; mended, it is taken up."""

    def data(self):
        return self.daemon.table / "data.mdb"

    def missing(self):
        """Renamed, not emptied: a daemon that is just opening the table would make its lock file again in the meantime."""
        self.daemon.table.rename(tempfile.mkdtemp(dir=self.folder))

    def cut_short(self):
        os.truncate(self.data(), 4096 * 2)

    def empty(self):
        os.truncate(self.data(), 0)

    def not_lmdb(self):
        self.data().write_bytes(b"old,new\n" * 4096)

    def overwritten(self):
        """As long as it was."""
        with self.data().open("r+b") as file:
            file.write(b"old,new\n" * (self.data().stat().st_size // 8))

    def another_lmdb(self):
        """Another program's LMDB file, written over ours."""
        hits = self.daemon.table / "hits/data.mdb"
        place.until(hits.exists, "the daemon counts hits")
        with self.data().open("r+b") as file:
            file.write(hits.read_bytes())

    def unreadable(self):
        self.data().chmod(0)

    def newer_format(self):
        """The one digit behind the key 'format'."""
        data, count = re.subn(rb"format\d", b"format9", self.data().read_bytes())
        self.assertGreater(count, 0)
        self.data().write_bytes(data)

    BREAKS = (("missing", 66), ("cut_short", 65), ("empty", 65), ("not_lmdb", 65), ("unreadable", 77), ("newer_format", 65))

    def each_break(self):
        """Breaks the table of the daemon, which does not run, in each way; then puts it back."""
        good = self.folder / "good"
        self.daemon.stop()
        shutil.copytree(self.daemon.table, good)
        for name, status in self.BREAKS:
            if name == "unreadable" and USER == "root":
                continue
            getattr(self, name)()
            yield name, status
            self.daemon.stop()
            self.put_back(good)

    def put_back(self, good):
        """As an administrator does it: the files that were saved, with the owner that they had."""
        fresh = self.folder / "fresh"
        shutil.copytree(good, fresh)
        for path in (fresh, *fresh.iterdir()):
            shutil.chown(path, USER)
        if self.daemon.table.exists():
            self.missing()
        fresh.rename(self.daemon.table)

    def test_check_names_what_is_wrong_with_the_table(self):
        for name, status in self.each_break():
            done = subprocess.run(place.program("milter-moved") + ["-t", "-c", self.daemon.conf], capture_output=True,
                                  text=True, timeout=place.PATIENCE)
            self.assertEqual(done.returncode, status, f"{name}: {done.stderr}")
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_mail_is_put_off_until_the_table_is_mended(self):
        good = self.folder / "good"
        for name, _ in self.each_break():
            self.daemon.start()
            self.assertEqual(self.ask(), UNAVAILABLE, name)
            self.assertEqual(self.ask("<here@old.example>"), UNAVAILABLE, name)
            self.put_back(good)
            place.until(lambda: self.ask() == NEW, f"the table is taken up after: {name}")
            self.assertEqual(self.ask("<here@old.example>"), "continue", name)

    def test_with_accept_mail_is_let_through_until_the_table_is_mended(self):
        good = self.folder / "good"
        self.daemon.configure(on_table_error="accept")
        for name, _ in self.each_break():
            self.daemon.start()
            self.assertEqual(self.ask(), "continue", name)
            self.put_back(good)
            place.until(lambda: self.ask() == NEW, f"the table is taken up after: {name}")

    def lock(self):
        return self.daemon.table / "lock.mdb"

    def lock_emptied(self):
        os.truncate(self.lock(), 0)

    def lock_cut(self):
        os.truncate(self.lock(), 100)

    def lock_text(self):
        """Longer than its locks: they look taken."""
        self.lock().write_text("old,new\n" * 100)

    def lock_removed(self):
        self.lock().unlink()

    def lock_replaced(self):
        os.link(self.lock(), self.folder / "aside")
        (self.folder / "lock").write_text("")
        shutil.chown(self.folder / "lock", USER)
        (self.folder / "lock").replace(self.lock())

    LOCK_BREAKS = ("lock_emptied", "lock_cut", "lock_text", "lock_removed", "lock_replaced")
    DAMAGED = "lock.mdb: removed, cut short or overwritten"

    def test_a_lock_file_that_is_damaged_under_the_daemon_is_made_again(self):
        for name in self.LOCK_BREAKS:
            said, seen = set(), self.daemon.count("is open")
            getattr(self, name)()

            def is_mended():
                said.add(self.ask())
                return self.daemon.count("is open") > seen
            place.until(is_mended, f"the table is reopened: {name}")
            said.discard(NEW)
            self.assertLessEqual(said, {UNAVAILABLE}, name)
            self.assertEqual(self.ask(), NEW, name)
            self.assertEqual(self.daemon.ctl("add", f"{name}@old.example", "b@new.example").returncode, 0, name)
            self.assertIn("b@new.example", self.ask(f"<{name}@old.example>"))
        self.daemon.logged(self.DAMAGED, len(self.LOCK_BREAKS))
        self.assertTrue(self.daemon.process.lives())

    def test_a_damaged_lock_file_that_another_program_uses_waits_for_that(self):
        with holder.holding(self.daemon.table, "read"):
            self.lock_emptied()
            place.until(lambda: self.ask() == UNAVAILABLE and self.daemon.count(self.DAMAGED) > 1, "the daemon cannot open it")
            done = self.daemon.ctl("get", "alice@old.example")
            self.assertEqual(done.returncode, 75, done.stderr)
            self.assertRegex(done.stderr, r"^movedctl: .*/lock\.mdb: .*\n$")
        place.until(lambda: self.ask() == NEW, "the table is taken up")

    def test_a_table_that_is_cut_short_or_taken_away_under_the_daemon_does_not_kill_it(self):
        good = self.folder / "good"
        rows = [(f"m{n}@old.example", f"m{n}@new.example") for n in range(2000)]
        self.daemon.hold(("alice@old.example", "alice@new.example"), *rows)
        shutil.copytree(self.daemon.table, good)
        for name in ("cut_short", "empty", "missing", "not_lmdb", "overwritten", "another_lmdb"):
            getattr(self, name)()
            said = set()

            def notices():
                said.add(self.ask("<m1999@old.example>"))
                return UNAVAILABLE in said
            place.until(notices, f"the daemon notices: {name}")
            self.assertNotIn("continue", said, name)
            self.put_back(good)
            place.until(lambda: self.ask() == NEW, f"the table is taken up after: {name}")
            self.assertTrue(self.daemon.process.lives())

    def test_a_copy_that_is_written_over_the_table_is_taken_up(self):
        for turn in range(2):  # of LMDB's two metadata pages, each is the newest one once
            self.daemon.movedctl("backup", self.folder / f"backup{turn}")
            self.daemon.movedctl("add", f"m{turn}@old.example", "m@new.example")
            self.data().write_bytes((self.folder / f"backup{turn}/data.mdb").read_bytes())
            place.until(lambda: self.ask() == NEW and self.ask(f"<m{turn}@old.example>") == "continue", f"the copy is taken up, turn {turn}")


if __name__ == "__main__":
    unittest.main()
