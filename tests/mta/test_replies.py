# SPDX-License-Identifier: BSD-2-Clause
"""What the sender reads: each reply exactly, through real mail servers, over each kind of socket."""

import re
import unittest

from lib.milter import Milter
from lib.postfix import Postfix
from lib.sendmail import Sendmail
from lib.site import SiteCase

MOVED = "551 5.1.6 User not local; please try <{}>"
WITHHELD = "550 5.1.6 User not local; forwarding address withheld"
GONE = "550 5.1.6 User not local; no forwarding address"
ACCEPTED = "250 2.1.5 "


def as_550(site, reply, recipient):
    """Sendmail puts the recipient before the text of a milter's 550 (not of its 551)."""
    if not isinstance(site.server, Sendmail):
        return reply
    return reply.replace("550 5.1.6 ", f"550 5.1.6 <{recipient}>... ")


def gone(site, recipient):
    return as_550(site, GONE, recipient)


def withheld(site, recipient):
    return as_550(site, WITHHELD, recipient)


LABEL = "d" * 63
LONGEST_NEW = f"{'n' * 64}@{LABEL}.{LABEL}.{'d' * 53}.example"  # 254 octets
assert len(LONGEST_NEW) == 254

SPELLINGS = (  # how the client writes it, what it reads
    ("case of both parts", "ALICE@Old.EXAMPLE", "alice@new.example"),
    ("needless quotes", '"alice"@old.example', "alice@new.example"),
    ("quotes and a backslash", '"al\\ice"@old.example', "alice@new.example"),
    ("extension", "alice+News@old.example", "alice+News@new.example"),
    ("an entry with the extension goes first", "alice+list@old.example", "lists@new.example"),
    ("no domain", "alice", "alice@new.example"),
    ("quotes that are needed", '"two words"@old.example', '"two words"@new.example'),
    ("as written, at the new domain", "Bob.Builder@bulk.example", "Bob.Builder@new.example"),
    ("with the extension too", "bob+x@bulk.example", "bob+x@new.example"),
    ("an entry of the domain's mailbox goes first", "carol@bulk.example", "carol@elsewhere.example"),
    ("a chain, to its end", "first@old.example", "third@new.example"),
)
TABLE = (
    ("alice@old.example", "alice@new.example"),
    ("alice+list@old.example", "lists@new.example"),
    ('"two words"@old.example', '"two words"@new.example'),
    ("@bulk.example", "@new.example"),
    ("carol@bulk.example", "carol@elsewhere.example"),
    ("stays@bulk.example", "", "stay"),
    ("gone@old.example", ""),
    ("first@old.example", "second@old.example"),
    ("second@old.example", "third@new.example"),
)


class Replies(SiteCase):
    settings = {"addresses": {"local_domain": "old.example"}}

    def test_a_moved_mailbox_is_answered_with_its_new_address(self):
        for site in self.sites():
            site.movedctl("add", "alice@old.example", "alice@new.example")
            self.assertEqual(site.rcpt("alice@old.example"), MOVED.format("alice@new.example"))

    def test_mail_to_a_mailbox_that_stays_is_accepted(self):
        for site in self.sites():
            site.hold(("alice@old.example", "alice@new.example"))
            with site.talk() as talk:
                talk.mail()
                self.assertEqual(talk.rcpt("alice@old.example"), MOVED.format("alice@new.example"))
                self.assertTrue(talk.rcpt("here@old.example").startswith(ACCEPTED))
                self.assertTrue(talk.message(f"stays, {site.way}").startswith("250 2.0.0 "))
            self.assertEqual(site.server.recipients(f"stays, {site.way}"), ["here@old.example"])

    def test_every_spelling_of_a_moved_mailbox_is_known(self):
        for site in self.sites():
            site.hold(*TABLE)
            for why, written, new in SPELLINGS:
                self.assertEqual(site.rcpt(written), MOVED.format(new), why)
            self.assertEqual(site.rcpt("gone@old.example"), gone(site, "gone@old.example"))
            self.assertTrue(site.rcpt("stays@bulk.example").startswith(ACCEPTED))

    def test_a_source_route_and_a_trailing_dot_change_nothing(self):
        for site in self.sites():
            site.hold(("alice@old.example", "alice@new.example"))
            for written in ("@relay.example:alice@old.example", "alice@old.example."):
                self.assertEqual(site.rcpt(written), MOVED.format("alice@new.example"), written)

    def test_the_postmaster_of_a_moved_domain_stays(self):
        for site in self.sites():
            site.hold(("@old.example", "@new.example"), ("@bulk.example", "@new.example"))
            for written in ("postmaster", "Postmaster@bulk.example", "MAILER-DAEMON@old.example",
                            "SRS0=HHH=TT=new.example=al@bulk.example", "srs1+HHH+a.example++HHH@old.example"):
                self.assertTrue(site.rcpt(written).startswith(ACCEPTED), written)

    def test_percent_reaches_the_client_as_it_is(self):
        names = ("a%b", "%s%n%%", "%", "a%0b", "%1", "%%", "a%")
        for site in self.sites():
            for n, name in enumerate(names):
                site.movedctl("add", f"a{n}@old.example", f"{name}@new.example")
                self.assertEqual(site.rcpt(f"a{n}@old.example"), MOVED.format(f"{name}@new.example"))

    def test_a_new_address_of_the_greatest_legal_length_arrives_whole(self):
        for site in self.sites():
            site.hold(("long@old.example", LONGEST_NEW))
            self.assertEqual(site.rcpt("long@old.example"), MOVED.format(LONGEST_NEW))

    def test_the_longest_recipient_that_the_server_takes_is_found(self):
        for site in self.sites():
            for octets in (64, 241 if isinstance(site.server, Sendmail) else 242, 255):
                if octets == 255 and isinstance(site.server, Sendmail):
                    continue  # the path with its brackets has 255 octets at most there
                name = "l" * octets
                site.hold((f"{name}@old.example", "l@new.example"))
                self.assertEqual(site.rcpt(f"{name}@old.example"), MOVED.format("l@new.example"), f"{octets} octets")

    def test_a_reply_that_would_be_too_long_falls_back_to_the_default_text(self):
        for site in self.sites(ways=("unix",)):
            site.daemon.configure(replies={"moved": "551 5.1.6 " + "a long text, " * 25 + "please try <${new}>"})
            site.daemon.reload()
            site.hold(("long@old.example", LONGEST_NEW), ("al@old.example", "al@new.example"))
            self.assertEqual(site.rcpt("long@old.example"), MOVED.format(LONGEST_NEW))
            self.assertIn("a long text, please try <al@new.example>", site.rcpt("al@old.example"))
            site.daemon.configure(replies=None)
            site.daemon.reload()

    def test_table_changes_are_in_force_for_the_very_next_recipient(self):
        for site in self.sites():
            with site.talk() as talk:
                talk.mail()
                for n in range(20):
                    site.movedctl("add", "quick@old.example", f"n{n}@new.example", "--replace")
                    self.assertEqual(talk.rcpt("quick@old.example"), MOVED.format(f"n{n}@new.example"))
                site.movedctl("del", "quick@old.example")
                self.assertTrue(talk.rcpt("quick@old.example").startswith(ACCEPTED))


class Texts(SiteCase):
    """Texts of several lines, and of a domain's own, through both kinds of milter client."""

    ways = ("unix",)
    settings = {"replies": {
        "moved": ["551 5.1.6 User not local; please try <${new}>", "100% sure: see https://help.example/moved",
                  "You wrote to ${old}, as ${recipient}"],
        "gone": ["550 5.1.6 User not local; no forwarding address", "2", "3", "4", "5", "6", "7", "${old}"],
        "by_domain": [{"domain": "bulk.example", "moved": "551 5.1.6 Postfach umgezogen; please try <${new}>"},
                      {"domain": "bücher.example", "gone": ["550 5.1.6 Konto geschlossen", "Hilfe: https://hilfe.example"]}]}}

    def test_a_reply_of_several_lines_arrives_whole(self):
        for site in self.sites():
            site.hold(("alice@old.example", "a%b@new.example"), ("gone@old.example", ""))
            self.assertEqual(site.rcpt("ALICE@OLD.example").split("\n"), [
                "551 5.1.6 User not local; please try <a%b@new.example>", "5.1.6 100% sure: see https://help.example/moved",
                "5.1.6 You wrote to ALICE@old.example, as ALICE@OLD.example"])
            self.assertEqual(site.rcpt("gone@old.example").split("\n"), [
                gone(site, "gone@old.example"), *(f"5.1.6 {n}" for n in range(2, 8)), "5.1.6 gone@old.example"])

    def test_a_domain_has_its_own_text(self):
        for site in self.sites():
            site.hold(("alice@bulk.example", "alice@new.example"), ("gone@bücher.example", ""))
            self.assertEqual(site.rcpt("alice@bulk.example"),
                             "551 5.1.6 Postfach umgezogen; please try <alice@new.example>")
            self.assertEqual(site.rcpt("gone@xn--bcher-kva.example"),
                             as_550(site, "550 5.1.6 Konto geschlossen\n5.1.6 Hilfe: https://hilfe.example",
                                    "gone@xn--bcher-kva.example"))

    def test_movedctl_test_shows_every_line_as_it_is_sent(self):
        for site in self.sites(Postfix):
            site.hold(("alice@old.example", "alice@new.example"))
            self.assertEqual(site.movedctl("test", "alice@old.example").splitlines()[:3], [
                "551-5.1.6 User not local; please try <alice@new.example>", "551-5.1.6 100% sure: see https://help.example/moved",
                "551 5.1.6 You wrote to alice@old.example, as alice@old.example"])


class Utf8(SiteCase):
    """Postfix offers SMTPUTF8; this Sendmail does not, and would garble an address that is not ASCII."""

    table = (
        ("jörg@old.example", "jörg@new.example"),
        ("joerg@old.example", "jörg@new.example"),
        ("idn@old.example", "idn@müller.example"),
        ("@xn--bcher-kva.example", "@new.example"),
    )

    def test_with_smtputf8_the_new_address_is_given_in_utf8(self):
        for site in self.sites(Postfix):
            site.hold(*self.table)
            for written, new in (
                    ("jörg@old.example", "jörg@new.example"),
                    ("JÖRG@old.example", "jörg@new.example"),
                    ("jo\u0308rg@old.example", "jörg@new.example"),  # not in NFC
                    ("joerg@old.example", "jörg@new.example"),
                    ("idn@old.example", "idn@müller.example"),
                    ("eva@bücher.example", "eva@new.example"),
                    ("eva@BÜCHER.example", "eva@new.example"),
                    ("eva@xn--bcher-kva.example", "eva@new.example")):
                self.assertEqual(site.rcpt(written, "SMTPUTF8"), MOVED.format(new), written)

    def test_without_smtputf8_nothing_but_ascii_is_sent(self):
        for site in self.sites():
            site.hold(*self.table)
            self.assertEqual(site.rcpt("joerg@old.example"), withheld(site, "joerg@old.example"))
            self.assertEqual(site.rcpt("idn@old.example"), MOVED.format("idn@xn--mller-kva.example"))
            self.assertEqual(site.rcpt("eva@xn--bcher-kva.example"), MOVED.format("eva@new.example"))


class Ascii(SiteCase):
    """In a session without SMTPUTF8 no reply has an octet over 127, whatever the texts, the table and the client have."""

    ways = ("unix",)
    echo = "${old} is ${recipient}"
    settings = {"replies": {"moved": f"551 5.1.6 {echo}; please try <${{new}}>", "withheld": f"550 5.1.6 {echo}, withheld",
                            "gone": [f"550 5.1.6 {echo}", echo]}}

    def test_nothing_but_ascii_is_sent(self):
        for site in self.sites():
            site.hold(("jörg@old.example", "jörg@new.example"), ("joerg@old.example", "jörg@new.example"),
                      ("weg@old.example", ""), ("idn@old.example", "idn@müller.example"), ("weg@bücher.example", ""))
            self.assertEqual(site.rcpt("idn@old.example"),
                             "551 5.1.6 idn@old.example is idn@old.example; please try <idn@xn--mller-kva.example>")
            for written in ("jörg@old.example", "jo\u0308rg@old.example", "JÖRG@old.example", "joerg@old.example",
                            "weg+ö@old.example", "weg@bücher.example", "weg@xn--bcher-kva.example", '"jörg"@old.example'):
                said = site.rcpt(written)
                self.assertTrue(said.isascii() and "\\x" not in said and said[0] == "5", said)

    def test_with_smtputf8_the_old_address_is_echoed_too(self):
        for site in self.sites(Postfix):
            site.hold(("jörg@old.example", "jörg@new.example"), ("weg@bücher.example", ""))
            self.assertEqual(site.rcpt("JÖRG@old.example", "SMTPUTF8"),
                             "551 5.1.6 JÖRG@old.example is JÖRG@old.example; please try <jörg@new.example>")
            self.assertEqual(site.rcpt("weg@bücher.example", "SMTPUTF8"),
                             "550 5.1.6 weg@xn--bcher-kva.example is weg@bücher.example\n"
                             "5.1.6 weg@xn--bcher-kva.example is weg@bücher.example")


class Injection(SiteCase):
    """Every octet at every place that a client can reach: no reply gets a line, a code or a control character of it."""

    ways = ("unix",)
    settings = {"replies": {"moved": ["551 5.1.6 ${old} ${recipient}, please try <${new}>", "${new} ${recipient}"],
                            "gone": "550 5.1.6 ${old} ${recipient} is gone"}}
    PLACES = (b"<%s@bulk.example>", b"<a%sb@bulk.example>", b'<"a%sb"@bulk.example>', b'<"a\\%sb"@bulk.example>',
              b"<alice+%s@old.example>", b"<alice@old.example%s>", b"<alice@old%s.example>", b"<@a%s:alice@old.example>",
              b"<gone@old.example>%s", b"%s<gone@old.example>")
    TEXT = r" ?5\.1\.6 [ -~\u00a0-\U0010ffff]*"
    SENT, READ = re.compile(f"(55[01]-{TEXT}\r\n)?55[01]{TEXT}"), re.compile(f"55[01]{TEXT}(\n{TEXT})?")

    def setUp(self):
        super().setUp()
        for site in self.every_site:
            site.hold(("@bulk.example", "@new.example"), ("alice@old.example", "alice@new.example"), ("gone@old.example", ""))

    def test_through_the_milter_protocol(self):
        for site in self.sites(Postfix):
            for parameters in ((), ("SMTPUTF8",)):
                with Milter(site.daemon.address) as milter:
                    milter.begin("192.0.2.7", *parameters)
                    for octet in range(1, 256):
                        for place in self.PLACES:
                            said = milter.rcpt(place % bytes([octet]), f"NOTIFY={chr(octet)}")
                            self.assertTrue(said == "continue" or self.SENT.fullmatch(said), (place, octet, said))
                            self.assertTrue(parameters or said.isascii(), (place, octet, said))

    def test_through_each_mail_server(self):
        for site in self.sites():
            for place in self.PLACES:
                with site.talk() as talk:
                    talk.mail()
                    for octet in set(range(1, 256)) - {ord("\r"), ord("\n")}:
                        talk.send(b"RCPT TO:" + place % bytes([octet]) + b"\r\n")
                        said = talk.reply()
                        if said.startswith("551"):
                            self.assertTrue(self.READ.fullmatch(said), (place, octet, said))
                        self.assertTrue(said.startswith(("250", "5")), (place, octet, said))
                        self.assertTrue(talk.rcpt("alice@old.example").startswith("551 5.1.6 alice@old.example "), (place, octet))


class Recipients(SiteCase):
    """Many in one transaction. Postfix counts each refused one as an error of the client."""

    more_doors = {"limited": {"smtpd_soft_error_limit": "10", "smtpd_hard_error_limit": "20"}}  # its defaults

    def hundred(self, site):
        """[(recipient, what its reply begins with)], every other one moved."""
        moved = [(f"m{n}@old.example", f"m{n}@new.example") for n in range(50)]
        site.hold(*moved)
        stay = [(f"s{n}@old.example", ACCEPTED) for n in range(50)]
        return [pair for old_new, staying in zip(moved, stay)
                for pair in ((old_new[0], MOVED.format(old_new[1])), staying)]

    def test_each_of_a_hundred_recipients_gets_its_own_answer(self):
        for site in self.sites():
            with site.talk() as talk:
                talk.mail()
                for recipient, expected in self.hundred(site):
                    self.assertEqual(talk.rcpt(recipient)[:len(expected)], expected)
                self.assertTrue(talk.message(f"hundred, {site.way}").startswith("250 2.0.0 "))

    def test_pipelined_recipients_are_answered_in_order(self):
        for site in self.sites():
            recipients = self.hundred(site)
            with site.talk() as talk:
                said = talk.say_all("MAIL FROM:<sender@client.example>",
                                    *(f"RCPT TO:<{recipient}>" for recipient, _ in recipients), "DATA")
                self.assertEqual([reply[:len(expected)] for reply, (_, expected) in zip(said[1:], recipients)],
                                 [expected for _, expected in recipients])
                self.assertTrue(said[-1].startswith("354"), said[-1])
                self.assertTrue(talk.text("pipelined").startswith("250 2.0.0 "))

    def test_with_postfixs_default_limits_the_21st_moved_recipient_ends_the_session(self):
        for site in self.sites(Postfix, ways=("unix",)):
            site.hold(*((f"m{n}@old.example", f"m{n}@new.example") for n in range(21)))
            with site.server.talk("limited") as talk:
                talk.mail()
                for n in range(20):
                    self.assertEqual(talk.rcpt(f"m{n}@old.example"), MOVED.format(f"m{n}@new.example"))
                self.assertEqual(talk.rcpt("m20@old.example"), "421 4.7.0 mx.old.example Error: too many errors")


class Sessions(SiteCase):
    """What one message leaves behind for the next in the same session: nothing."""

    def test_a_second_message_is_answered_as_if_it_were_the_first(self):
        for site in self.sites():
            site.hold(("alice@old.example", "alice@new.example"))
            with site.talk() as talk:
                for n in range(2):
                    talk.mail()
                    self.assertEqual(talk.rcpt("alice@old.example"), MOVED.format("alice@new.example"))
                    self.assertTrue(talk.rcpt("here@old.example").startswith(ACCEPTED))
                    self.assertTrue(talk.message(f"twice {n}, {site.way}").startswith("250 2.0.0 "))

    def test_smtputf8_counts_for_one_message(self):
        for site in self.sites(Postfix):
            site.hold(("joerg@old.example", "jörg@new.example"))
            with site.talk() as talk:
                for parameters, expected in ((("SMTPUTF8",), MOVED.format("jörg@new.example")), ((), WITHHELD)):
                    talk.mail("sender@client.example", *parameters)
                    self.assertEqual(talk.rcpt("joerg@old.example"), expected)
                    talk.say("RSET")

    def test_forwarded_mail_goes_to_the_new_address_alone(self):
        for site in self.sites():
            site.hold(("moving@old.example", "arrived@bulk.example", "forward"))
            with site.talk() as talk:
                talk.mail()
                self.assertTrue(talk.rcpt("moving@old.example").startswith(ACCEPTED))
                self.assertTrue(talk.message(f"forward, {site.way}").startswith("250 2.0.0 "))
                talk.mail()
                talk.rcpt("moving@old.example")
                talk.say("RSET")
                talk.mail()
                talk.rcpt("here@old.example")
                self.assertTrue(talk.message(f"no forward, {site.way}").startswith("250 2.0.0 "))
            self.assertEqual(site.server.recipients(f"forward, {site.way}"), ["arrived@bulk.example"])
            self.assertEqual(site.server.recipients(f"no forward, {site.way}"), ["here@old.example"])

    def test_mail_submitted_on_the_host_is_never_refused(self):
        for site in self.sites(ways=("unix",)):
            site.hold(("alice@old.example", "alice@new.example"))
            site.server.submit("alice@old.example", "from cron")
            self.assertEqual(site.server.recipients("from cron"), ["alice@old.example"])
            self.assertEqual(site.rcpt("alice@old.example"), MOVED.format("alice@new.example"))


class Disclosure(SiteCase):
    """Who is told, through Postfix, which passes on the client that a test says it is."""

    mtas = (Postfix,)
    ways = ("unix",)
    settings = {"disclosure": {"default": "trusted", "trusted_networks": ["192.0.2.0/24", "2001:db8::/32"], "limit": 0}}

    def test_the_new_address_is_told_to_trusted_clients_alone(self):
        for site in self.sites():
            site.hold(("alice@old.example", "alice@new.example"))
            for client, expected in (
                    ("192.0.2.7", MOVED.format("alice@new.example")),
                    ("198.51.100.7", WITHHELD),
                    ("IPV6:2001:db8::7", MOVED.format("alice@new.example")),
                    ("IPV6:2001:db9::7", WITHHELD)):
                with site.talk() as talk:
                    self.assertTrue(talk.say(f"XCLIENT NAME=client.example ADDR={client} PORT=2500").startswith("220"))
                    talk.say("EHLO client.example")
                    talk.mail()
                    self.assertEqual(talk.rcpt("alice@old.example"), expected, client)


if __name__ == "__main__":
    unittest.main()
