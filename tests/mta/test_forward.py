# SPDX-License-Identifier: BSD-2-Clause
"""Forwarding: who gets the mail in the end, through real mail servers that deliver to the server of the new addresses."""

import contextlib
import re
import signal
import subprocess
import time
import unittest

from lib import place
from lib.daemon import Daemon
from lib.postfix import Postfix
from lib.sendmail import Sendmail
from lib.sink import Sink
from lib.site import SiteCase

MOVED = "551 5.1.6 User not local; please try <{}>"
ACCEPTED = "250 2.1.5 "

POSTFIX = "default_transport = smtp:[127.0.0.1]:{port}\nrelay_transport = $default_transport\n"

# What stays on the host is handed to a script that does what virtual(8) does.
SENDMAIL = """\
define(`confDELIVERY_MODE', `background')dnl
define(`confQUEUE_LA', `1000')dnl
define(`SMART_HOST', `esmtp:[127.0.0.1]')dnl
define(`ESMTP_MAILER_ARGS', `TCP $h {port}')dnl
define(`LOCAL_MAILER_PATH', `{folder}/deliver')dnl
define(`LOCAL_MAILER_ARGS', `deliver $u')dnl
define(`ALIAS_FILE', `{folder}/aliases')dnl
"""


class ForwardCase(SiteCase):
    """new.example, client.example and all others are the sink's; old.example and bulk.example the mail servers' own."""

    ways = ("unix",)

    @classmethod
    def setUpClass(cls):
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.sink = stack.enter_context(Sink())
        super().setUpClass()

    @classmethod
    def more(cls, mta):
        if mta is Postfix:
            return {"more": POSTFIX.format(port=cls.sink.port), "more_services": "smtp unix - - n - - smtp\n"}
        folder = cls.folder / mta.mta
        (folder / "mail/all/new").mkdir(parents=True)
        (folder / "mail/all/new").chmod(0o777)
        (folder / "deliver").write_text(
            f'#!/bin/sh\nfor to; do :; done\n{{ echo "Delivered-To: $to"; cat; }} >{folder}/mail/all/new/$$\n')
        (folder / "deliver").chmod(0o755)
        (folder / "aliases").touch()
        return {"more": SENDMAIL.format(folder=folder, port=cls.sink.port)}

    def setUp(self):
        super().setUp()
        self.sink.took.clear()

    def send(self, site, *recipients, parameters=(), subject="a message"):
        """One message; recipients as in RCPT TO:. Returns their replies once all is delivered."""
        with site.talk() as talk:
            talk.mail("sender@client.example", *parameters)
            said = [talk.say(f"RCPT TO:{recipient}") for recipient in recipients]
            self.assertTrue(talk.message(subject).startswith("250 2.0.0 "))
        site.server.settle()
        return said

    def stayed(self, site, subject="a message"):
        """The mailboxes of the host itself that the message went to; forgets it."""
        found = []
        for file in (site.server.folder / "mail").glob("all/new/*"):
            text = file.read_text(errors="replace")
            if f"Subject: {subject}\n" in text:
                found += re.findall(r"^Delivered-To: ([^@\n]*)", text, re.MULTILINE)
                file.unlink()
        return sorted(found)

    def went(self, subject="a message"):
        """The new addresses that the message went to, each with its parameters; forgets it."""
        found = self.sink.find(f"Subject: {subject}\n")
        self.sink.took.clear()
        for message in found:
            self.assertFalse(message.sender.startswith("<>"), f"a bounce to {message.recipients}:\n{message.text}")
        return sorted(recipient for message in found for recipient in message.recipients)

    def went_to(self, subject="a message"):
        return [re.sub("> .*", ">", recipient) for recipient in self.went(subject)]


class Recipients(ForwardCase):
    def test_each_recipient_gets_it_where_it_is(self):
        for site in self.sites():
            site.hold(("alice@old.example", "alice@new.example", "forward"), ("bob@old.example", "bob@new.example"),
                      ("@bulk.example", "@new.example", "forward"), ("root@bulk.example", "", "stay"))
            said = self.send(site, "<alice@old.example>", "<bob@old.example>", "<here@old.example>", "<Eva+x@bulk.example>",
                             "<root@bulk.example>")
            self.assertEqual([reply[:10] for reply in said],
                             [ACCEPTED, MOVED[:10], ACCEPTED, ACCEPTED, ACCEPTED])
            self.assertEqual(self.went_to(), ["<Eva+x@new.example>", "<alice@new.example>"])
            self.assertEqual(self.stayed(site), ["here", "root"])

    def test_whatever_the_spelling_the_old_mailbox_gets_nothing(self):
        spellings = ("<alice@old.example>", "<ALICE@Old.Example>", '<"alice"@old.example>', '<"ali\\ce"@old.example>',
                     "<alice+x@old.example>", "alice@old.example", "<@mx.old.example:alice@old.example>",
                     "<alice@old.example> NOTIFY=NEVER", "<alice@old.example.>", "<postmaster+y@old.example>")
        for site in self.sites():
            site.hold(("alice@old.example", "alice@new.example", "forward"), ("postmaster@old.example", "pm@new.example", "forward"))
            for spelling in spellings:
                with self.subTest(f"{site}: {spelling}"):
                    said = self.send(site, spelling)
                    new = "<alice+x@new.example>" if "+x" in spelling else \
                        "<pm+y@new.example>" if "+y" in spelling else "<alice@new.example>"
                    self.assertEqual((said[0][:10], self.went_to(), self.stayed(site)), (ACCEPTED, [new], []))

    def test_new_addresses_that_are_hard_to_write(self):
        local = ('"a b"', '"a,b"', r'"a\"b"', r'"a\\b"', '"a@b"', '"a;b"', '"(a)"', '"<a>"', "a!b", "a%b", "a'b", "a`b", "a{b}", "a|b",
                 "|b", "/a/b", '"a..b"', '".a"', '"a."', "a$b", "$a", "a#b", "a=b", "a^b~c?d*e&f", '":include:/etc/passwd"',
                 "v" * 64, "v" * 242, "v" * 241, "v" * 240)
        for site in self.sites():
            rows = [(f"m{n}@old.example", f"{name}@new.example", "forward") for n, name in enumerate(local)]
            site.hold(*rows)
            self.send(site, *(f"<{row[0]}>" for row in rows))
            self.assertEqual(self.went_to(), sorted(f"<{row[1]}>" for row in rows))
            self.assertEqual(self.stayed(site), [])

    def test_two_old_addresses_of_one_new_one_bring_one_copy(self):
        for site in self.sites():
            site.hold(*((f"{name}@old.example", "alice@new.example", "forward") for name in ("alice", "al", "a.lice")))
            self.send(site, "<alice@old.example>", "<al@old.example>", "<alice@old.example>", "<ALICE@old.example>", "<a.lice@old.example>")
            self.assertEqual(self.went_to(), ["<alice@new.example>"])
            self.assertEqual(self.stayed(site), [])

    def test_a_recipient_that_is_the_new_address_of_another_gets_one_copy(self):
        for site in self.sites():
            site.hold(("alice@old.example", "eva@bulk.example", "forward"))
            for recipients in (("<eva@bulk.example>", "<alice@old.example>"), ("<alice@old.example>", "<eva@bulk.example>"),
                               ("<Eva@BULK.example>", "<alice@old.example>", "<here@old.example>", "<eva@bulk.example>"),
                               ("<alice@old.example> NOTIFY=FAILURE", "<eva@bulk.example> NOTIFY=failure")):
                self.send(site, *recipients)
                self.assertEqual([name.lower() for name in self.stayed(site)], ["eva"] + ["here"] * (len(recipients) == 4), recipients)
                self.assertEqual(self.went_to(), [])

    def test_where_old_and_new_are_one_mailbox_to_the_server_it_is_not_lost(self):
        for site in self.sites():
            site.hold(("@old.example", "@bulk.example", "forward"))
            self.send(site, "<alice@old.example>", "<eva@old.example>", "<eva@bulk.example>")
            self.assertEqual(set(self.stayed(site)), {"alice", "eva"})

    def test_a_recipient_that_stays_is_not_deleted_with_one_of_the_same_name(self):
        for site in self.sites():
            site.hold(("alice@old.example", "alice@new.example", "forward"))
            for others in (["<alice@bulk.example>", "<alice@old.example>"], ["<alice@old.example>", "<alice@bulk.example>"]):
                self.send(site, *others)
                self.assertEqual(self.went_to(), ["<alice@new.example>"])
                self.assertEqual(self.stayed(site), ["alice"])

    def test_a_circle_in_the_table_is_put_off(self):
        for site in self.sites():
            site.hold(("alice@old.example", "al@bulk.example", "forward"), ("al@bulk.example", "alice@old.example", "forward"))
            for recipient in ("alice@old.example", "al@bulk.example"):
                self.assertRegex(site.rcpt(recipient), "^451 4.4.6 .*Forwarding loop; try again later$")

    def test_one_message_leaves_nothing_behind_for_the_next(self):
        for site in self.sites():
            site.hold(("alice@old.example", "alice@new.example", "forward"))
            with site.talk() as talk:
                for n in range(3):
                    talk.mail()
                    talk.rcpt("alice@old.example")
                    self.assertTrue(talk.message(f"forwarded {n}").startswith("250 2.0.0 "))
                    talk.mail()
                    talk.rcpt("alice@old.example")
                    talk.say(("RSET", "EHLO client.example", "HELO client.example")[n])
                    talk.mail()
                    talk.rcpt("here@old.example")
                    self.assertTrue(talk.message(f"here {n}").startswith("250 2.0.0 "))
            site.server.settle()
            for n in range(3):
                self.assertEqual(self.stayed(site, f"here {n}"), ["here"])
                self.assertEqual(self.stayed(site, f"forwarded {n}"), [])
            self.assertEqual([message.recipients[0][:19] for message in self.sink.took], ["<alice@new.example>"] * 3)
            self.sink.took.clear()

    def test_three_hundred_recipients(self):
        for site in self.sites():
            site.hold(("@bulk.example", "@new.example", "forward"), ("moved@old.example", "moved@new.example"))
            said = self.send(site, *(f"<m{n}@{'bulk' if n % 2 else 'old'}.example>" for n in range(300)), "<moved@old.example>")
            self.assertEqual([reply[:10] for reply in said], [ACCEPTED] * 300 + [MOVED[:10]])
            self.assertEqual(self.went_to(), sorted(f"<m{n}@new.example>" for n in range(1, 300, 2)))
            self.assertEqual(self.stayed(site), sorted(f"m{n}" for n in range(0, 300, 2)))

    def test_without_the_daemon_at_the_end_of_the_message_it_is_put_off_and_nobody_gets_it(self):
        for site in self.sites():
            site.hold(("alice@old.example", "alice@new.example", "forward"))
            with site.talk() as talk:
                talk.mail()
                talk.rcpt("here@old.example")
                talk.rcpt("alice@old.example")
                site.daemon.process.end(signal.SIGKILL)
                self.assertRegex(talk.message("cut off"), "^4[25]1 4")
            site.daemon.start()
            self.send(site, "<alice@old.example>", subject="the next")
            self.assertEqual((self.sink.find("Subject: cut off"), self.stayed(site, "cut off")), ([], []))
            self.assertEqual(self.went_to("the next"), ["<alice@new.example>"])


    def test_addresses_in_utf8(self):
        for site in self.sites(Postfix):
            site.hold(("jörg@old.example", "joerg@new.example", "forward"), ("jörn@bücher.example", "i@bücher.test", "forward"),
                      ("utf@old.example", "jürgen@new.example", "forward"))
            for recipient, new in (("<jörg@old.example>", "<joerg@new.example>"), ("<JÖRG+x@old.example>", "<joerg+x@new.example>"),
                                   ("<JÖRN@BÜCHER.example>", "<i@xn--bcher-kva.test>"),
                                   ("<jörn@xn--bcher-kva.example>", "<i@xn--bcher-kva.test>"),
                                   ("<utf@old.example>", "<jürgen@new.example>")):
                self.send(site, recipient, parameters=["SMTPUTF8"])
                self.assertEqual((self.went_to(), self.stayed(site)), ([new], []), recipient)
            self.send(site, "<jörg@old.example>")
            self.assertEqual((self.went_to(), self.stayed(site)), (["<joerg@new.example>"], []))
            self.assertEqual(site.rcpt("utf@old.example"), "550 5.1.6 User not local; forwarding address withheld")
        for site in self.sites(Sendmail):  # knows no SMTPUTF8, and takes this one for a name of eight-bit characters
            site.hold(("jörg@old.example", "joerg@new.example", "forward"), ("utf@old.example", "jürgen@new.example", "forward"))
            self.send(site, "<jörg@old.example>")
            self.assertEqual((self.went_to(), self.stayed(site)), (["<joerg@new.example>"], []))
            self.assertRegex(site.rcpt("utf@old.example"), "^550 5.1.6 .*forwarding address withheld")

    def test_mail_of_the_host_itself_is_forwarded_too(self):
        for site in self.sites(Postfix):
            site.hold(("alice@old.example", "alice@new.example", "forward"), ("utf@old.example", "jürgen@new.example", "forward"))
            for names, new, stay in ((["alice@old.example"], ["<alice@new.example>"], []),
                                     (["alice"], ["<alice@new.example>"], []),
                                     (["utf"], ["<jürgen@new.example>"], []),
                                     (["alice@old.example", "here"], ["<alice@new.example>"], ["here"]),
                                     (["alice", "here"], ["<alice@new.example>"], ["alice", "here"])):  # the manual says so
                done = site.server.run("sendmail", "-f", "cron@old.example", *names, stdin="Subject: from cron\n\nHello.\n")
                self.assertEqual(done.returncode, 0, done.stderr)
                site.server.settle()
                self.assertEqual((self.went_to("from cron"), self.stayed(site, "from cron")), (new, stay), names)
        for site in self.sites(Sendmail):
            site.hold(("alice@old.example", "alice@new.example", "forward"))
            self.assertIn("Message accepted", site.server.submit("alice@old.example", "from cron"))
            site.server.settle()
            self.assertEqual((self.went_to("from cron"), self.stayed(site, "from cron")), (["<alice@new.example>"], []))

    def test_the_targets_of_an_alias_get_nothing(self):
        for site in self.sites(Sendmail):
            (site.server.folder / "aliases").write_text("aliased: other\naway: away@elsewhere.example\nsame: same@new.example\nnull: /dev/null\n")
            done = subprocess.run(site.server.command("-bi"), env=site.server.env, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            for name in ("aliased", "away", "same", "null"):
                site.hold(("@old.example", "@new.example", "forward"))
                self.send(site, f"<{name}@old.example>")
                self.assertEqual((self.went_to(), self.stayed(site)), ([f"<{name}@new.example>"], []), name)

    def test_a_migration_forwards_then_refuses_and_then_is_over(self):
        def day(number):
            return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400 * number))
        moments = {"before": (10, 20, 30), "grace": (-10, 10, 20), "refused": (-20, -10, 10), "over": (-30, -20, -10)}
        for site in self.sites():
            for name, (start, grace, end) in moments.items():
                site.movedctl("add", f"{name}@old.example", f"{name}@new.example", "--from", day(start),
                              "--forward-until", day(grace), "--until", day(end))
            said = self.send(site, *(f"<{name}@old.example>" for name in moments))
            self.assertEqual([reply[:10] for reply in said], [ACCEPTED, ACCEPTED, MOVED[:10], ACCEPTED])
            self.assertEqual((self.went_to(), self.stayed(site)), (["<grace@new.example>"], ["before", "over"]))
            at = {number: site.daemon.ctl("test", "before@old.example", "--at", day(number)) for number in (0, 11, 21, 31)}
            self.assertEqual([(done.stdout.splitlines()[0], done.returncode) for done in at.values()], [
                ("continue", 1), ("forward <before@new.example>", 0), (MOVED.format("before@new.example"), 0), ("continue", 1)])


class Notifications(ForwardCase):
    """What the sender is told of a message that was forwarded (RFC 3461)."""

    def test_parameters_of_the_client_are_kept(self):
        for site in self.sites():
            site.hold(("alice@old.example", "alice@new.example", "forward"), ("eva@old.example", "eva@new.example", "forward"))
            self.send(site, "<alice@old.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;list+2Balice@list.example",
                      "<eva@old.example> orcpt=rfc822;eva@list.example notify=NEVER")
            self.assertEqual([self.upper(recipient) for recipient in self.went()], [
                "<alice@new.example> NOTIFY=FAILURE,DELAY ORCPT=rfc822;list+2Balice@list.example",
                "<eva@new.example> NOTIFY=NEVER ORCPT=rfc822;eva@list.example"])

    def upper(self, recipient):
        """The order and the case of the names are the mail server's."""
        path, *parameters = recipient.split(" ")
        parameters = [name.upper() + "=" + value for name, value in (text.split("=", 1) for text in parameters)]
        return " ".join([path, *sorted(parameters)])

    def test_a_bounce_names_what_the_sender_wrote(self):
        for site in self.sites():
            site.hold(("alice+x@old.example", "refused@new.example", "forward"))
            self.send(site, "<Alice+x@old.example> ORCPT=rfc822;alice+2Blist@list.example")
            bounce = self.sink.message("Final-Recipient").text
            self.assertRegex(bounce, "(?im)^original-recipient: ?rfc822; ?alice[+]list@list.example$")
            self.assertRegex(bounce, "(?im)^final-recipient: ?rfc822; ?refused@new.example$")
            self.sink.took.clear()
        for site in self.sites(Postfix):
            self.send(site, "<Alice+x@old.example>")
            self.assertRegex(self.sink.message("Final-Recipient").text, "(?im)^original-recipient: ?rfc822; ?Alice[+]x@old.example$")


class ThroughPostfix(unittest.TestCase):
    """What hangs on Postfix's own configuration."""

    # Of each class of addresses a domain; the mail server has here@ of it alone.
    LISTS = {
        "local_recipient_maps": "inline:{here@local.example=here}",
        "virtual_mailbox_maps": "inline:{here@virtual.example=all/}",
        "virtual_alias_maps": "inline:{here@alias.example=here@virtual.example}",
        "relay_recipient_maps": "inline:{here@relay.example=here}",
    }
    MAIN = """\
mydestination = local.example
virtual_mailbox_domains = virtual.example
virtual_alias_domains = alias.example
relay_domains = relay.example
default_transport = smtp:[127.0.0.1]:{port}
relay_transport = $default_transport
"""

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.sink = self.stack.enter_context(Sink())
        self.folder = self.stack.enter_context(place.folder())
        self.daemon = self.stack.enter_context(Daemon(self.folder / "d", group=Postfix.group))

    def postfix(self, doors, services="", more="", transports=None):
        """transports: of the ports of the doors, in their order, makes domain -> port."""
        postfix = Postfix(self.folder / "postfix", doors,
                          more_services="smtp unix - - n - - smtp\nlocal unix - n n - - local\n" + services)
        names = {line.split(" = ")[0] for line in more.splitlines()}
        lines = self.MAIN.format(port=self.sink.port) + "".join(f"{name} = {maps}\n" for name, maps in self.LISTS.items())
        postfix.more = more + "".join(line + "\n" for line in lines.splitlines() if line.split(" = ")[0] not in names)
        if transports:
            pairs = (f"{{{domain}=smtp:[127.0.0.1]:{port}}}" for domain, port in transports(*postfix.ports.values()).items())
            postfix.more += f"transport_maps = inline:{{{', '.join(pairs)}}}\n"
        return self.stack.enter_context(postfix)

    def took(self):
        return sorted(recipient.split(">")[0] + ">" for message in self.sink.took for recipient in message.recipients)

    def test_a_mailbox_that_was_removed_is_forwarded_through_the_map_listed(self):
        self.daemon.hold(*((f"{name}@{kind}.example", f"{name}@new.example", action)
                           for kind in ("local", "virtual", "alias", "relay")
                           for name, action in ((kind, "forward"), ("eva", "reject"))))
        listed = f"socketmap:unix:{self.daemon.lookups}:listed"
        postfix = self.postfix({"listed": (self.daemon.socket.postfix, {name: f"{maps} {listed}" for name, maps in self.LISTS.items()}),
                                "plain": (self.daemon.socket.postfix, {})})
        kinds = ("local", "virtual", "alias", "relay")
        for kind in kinds:
            with self.subTest(kind), postfix.talk("plain") as talk:
                talk.mail()
                self.assertRegex(talk.rcpt(f"{kind}@{kind}.example"), "^550 5.1.1 ", "without the map it would be unknown")
        with postfix.talk("listed") as talk:
            talk.mail()
            for kind in kinds:
                self.assertEqual(talk.rcpt(f"{kind.upper()}@{kind}.example")[:10], ACCEPTED)
                self.assertEqual(talk.rcpt(f"eva@{kind}.example"), MOVED.format("eva@new.example"))
                self.assertRegex(talk.rcpt(f"nobody@{kind}.example"), "^550 5.1.1 ")
            self.assertTrue(talk.message("removed").startswith("250 2.0.0 "))
        postfix.settle()
        self.assertEqual(self.took(), sorted(f"<{kind}@new.example>" for kind in kinds))
        self.assertEqual(self.sink.find("Final-Recipient"), [])
        self.assertEqual(list((self.folder / "postfix/mail").rglob("new/*")), [])

    def test_the_targets_of_a_virtual_alias_get_nothing(self):
        """Postfix rewrites and expands before the end of the message, and yet knows what the client wrote."""
        self.daemon.configure(addresses={"local_domain": "alias.example"})
        self.daemon.reload()
        self.daemon.hold(("here@alias.example", "here@new.example", "forward"))
        postfix = self.postfix({"plain": (self.daemon.socket.postfix, {})},
                               more="enable_original_recipient = no\nmyorigin = alias.example\n")
        for n, recipient in enumerate(("<here@alias.example>", "<HERE@alias.example.>", "<here>")):
            with postfix.talk("plain") as talk:
                talk.mail()
                self.assertEqual(talk.say(f"RCPT TO:{recipient}")[:10], ACCEPTED)
                self.assertTrue(talk.message(f"alias {n}").startswith("250 2.0.0 "))
        postfix.settle()
        self.assertEqual(self.took(), ["<here@new.example>"] * 3)
        self.assertEqual(list((self.folder / "postfix/mail").rglob("new/*")), [])

    def test_two_tables_that_forward_to_each_other_end_at_the_hop_limit(self):
        other = self.stack.enter_context(Daemon(self.folder / "o", group=Postfix.group))
        self.daemon.hold(("al@relay.example", "al@other.example", "forward"))
        other.hold(("al@other.example", "al@relay.example", "forward"))
        (port,) = place.free_ports(1)
        postfix = self.postfix(
            {"one": (self.daemon.socket.postfix, {"relay_recipient_maps": ""})},
            services=f"127.0.0.1:{port} inet n - n - 20 smtpd\n  -o {{ smtpd_milters = {other.socket.postfix} }}\n"
                     "  -o { relay_recipient_maps = }\n",
            more="hopcount_limit = 9\nrelay_domains = relay.example other.example\n",
            transports=lambda one: {"other.example": port, "relay.example": one})
        with postfix.talk("one") as talk:
            talk.mail()
            self.assertEqual(talk.rcpt("al@relay.example")[:10], ACCEPTED)
            self.assertTrue(talk.message("circle").startswith("250 2.0.0 "))
        bounce = self.sink.message("Final-Recipient")
        self.assertIn("too many hops", bounce.text)
        self.assertIn("original-recipient: rfc822;al@relay.example", bounce.text.lower())

    def test_behind_another_milter_it_hears_only_of_what_that_one_lets_pass(self):
        other = self.stack.enter_context(Daemon(self.folder / "o", group=Postfix.group))
        other.hold(("alice@virtual.example", "greylisted@other.example"))
        self.daemon.hold(("@virtual.example", "@new.example", "forward"))
        both = " ".join(f"{{ {daemon.socket.postfix}, default_action=tempfail }}" for daemon in (other, self.daemon))
        postfix = self.postfix({"both": (None, {"smtpd_milters": both, "virtual_mailbox_maps": "static:all/"})})
        with postfix.talk("both") as talk:
            talk.mail()
            self.assertRegex(talk.rcpt("alice@virtual.example"), "^551 ")
            self.assertEqual(talk.rcpt("bob@virtual.example")[:10], ACCEPTED)
            self.assertTrue(talk.message("two milters").startswith("250 2.0.0 "))
        postfix.settle()
        self.assertEqual(self.took(), ["<bob@new.example>"])

    def test_a_proxy_filter_hides_the_end_of_the_message_and_the_old_mailbox_gets_it(self):
        """As Postfix's MILTER_README says; no loss, but no forwarding either."""
        (port,) = place.free_ports(1)
        self.daemon.hold(("here@virtual.example", "here@new.example", "forward"))
        postfix = self.postfix({"proxied": (self.daemon.socket.postfix, {"smtpd_proxy_filter": f"127.0.0.1:{port}"})},
                               f"127.0.0.1:{port} inet n - n - 20 smtpd\n")
        with postfix.talk("proxied") as talk:
            talk.mail()
            self.assertEqual(talk.rcpt("here@virtual.example")[:10], ACCEPTED)
            self.assertTrue(talk.message("proxied").startswith("250 2.0.0 "))
        self.assertEqual(postfix.recipients("proxied"), ["here@virtual.example"])
        postfix.settle()
        self.assertEqual(self.took(), [])


if __name__ == "__main__":
    unittest.main()
