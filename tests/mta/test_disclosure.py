# SPDX-License-Identifier: BSD-2-Clause
"""Who is told the new address, and how many of them: the daemon's own rules, and what each mail server says of a client."""

import contextlib
import json
import re
import smtplib
import socket
import unittest

from lib import classes, milter, place, sasl
from lib.daemon import Daemon
from lib.milter import Milter
from lib.postfix import Postfix
from lib.sendmail import Sendmail
from lib.site import SiteCase
from lib.smtp import Talk
from lib.socketmap import Socketmap
from lib.stock_sendmail import StockSendmail

MOVED = "551 5.1.6 User not local; please try <{}>"
WITHHELD = "550 5.1.6 User not local; forwarding address withheld"
DEFERRED = "450 4.7.1 Too many moved recipients; try again later"


class Limit(unittest.TestCase):
    """Through the milter protocol, since no mail server has so many clients."""

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(place.folder())
        self.daemon = self.stack.enter_context(Daemon(self.folder / "d", disclosure=self.disclosure()))
        self.daemon.movedctl("add", "@old.example", "@new.example")

    def disclosure(self, **more):
        return {"limit": 5, "network_limit": 12, **more}

    def change(self, **more):
        self.daemon.configure(disclosure=self.disclosure(**more))
        self.daemon.reload()

    def told(self, client, *names, auth=None):
        """How many of these mailboxes' new addresses a session of this client is told."""
        with Milter(self.daemon.address) as session:
            session.begin(client, auth=auth)
            said = [session.rcpt(f"<{name}@old.example>") for name in names]
            session.quit()
        for name, reply in zip(names, said):
            self.assertIn(reply, (MOVED.format(f"{name}@new.example"), WITHHELD, DEFERRED))
        return sum(reply.startswith("551") for reply in said)

    def stats(self):
        return json.loads(self.daemon.movedctl("stats", "--json"))

    def test_a_harvest_gets_as_much_as_the_limits_allow(self):
        names = iter(f"u{n}" for n in range(10000))
        for who, clients, expected in (
                ("one client", ["192.0.2.7"] * 30, 5),
                ("a whole /64", [f"2001:db8::{n:x}" for n in range(1, 31)], 5),
                ("256 clients of a /24", [f"198.51.100.{n}" for n in range(256)], 12),
                ("clients of a /48", [f"2001:db8:1:{n:x}::1" for n in range(30)], 12),
                ("clients from everywhere", [f"{n}.0.0.7" for n in range(1, 60)], 118)):
            told = sum(self.told(client, next(names), next(names)) for client in clients)
            self.assertEqual(told, expected, who)

    def test_what_a_client_was_told_costs_nothing_and_trusted_clients_have_no_limit(self):
        for _ in range(3):
            self.assertEqual(self.told("192.0.2.7", "a", "b", "c", "d", "e"), 5)
        self.assertEqual(self.told("192.0.2.7", "f", "a"), 1)
        self.assertEqual(self.told("192.0.2.7", *"ghijklmnopqrstu", auth="alice"), 15)
        self.assertEqual(self.told("127.0.0.1", *"ghijklmnopqrstu"), 15)
        self.assertEqual(self.told("192.0.2.7", "f", "a"), 1)

    def test_a_limit_that_is_reached_is_logged_once_and_counted(self):
        self.told("192.0.2.7", *"abcdefghij")
        self.told("192.0.2.7", *"abcdefghij")
        self.assertEqual(self.daemon.logged("disclosure.limit is reached: client=client.example[192.0.2.7] has been told 5 "), 1)
        self.assertEqual(self.stats()["limit_reached.client"], 1)
        self.told("192.0.2.8", *"klmno")
        self.told("192.0.2.9", *"pqrst")
        self.assertEqual(self.daemon.logged("disclosure.network_limit is reached: the network of client="), 1)
        self.assertEqual(self.stats()["limit_reached.network"], 1)
        self.assertGreater(self.stats()["milter.over_limit"], 0)

    def test_over_limit_defer_asks_to_come_back(self):
        self.change(over_limit="defer")
        self.told("192.0.2.7", *"abcde")
        self.assertEqual(milter.ask(self.daemon.address, "<f@old.example>"), DEFERRED)

    def test_a_reload_forgets_nothing_whatever_it_changes(self):
        self.told("192.0.2.7", *"abcdefgh")
        names = iter("klmnopqrstuvwxyz")
        for more, told in (({}, 0), ({"period": 7200}, 0), ({"limit": 7}, 2), ({"limit": 3, "memory": 1}, 0),
                           ({"limit": 8, "memory": 64}, 1)):
            self.change(**more)
            self.assertEqual(self.told("192.0.2.7", next(names), next(names), next(names)), told, more)

    def test_the_prefixes_say_who_is_one_client(self):
        self.change(ipv4_prefix=30, ipv6_prefix=56, network_limit=0)
        self.assertEqual(self.told("192.0.2.4", *"abcde") + self.told("192.0.2.7", *"fghij"), 5)
        self.assertEqual(self.told("192.0.2.8", *"fghij"), 5)
        self.assertEqual(self.told("2001:db8:0:1::", *"abcde") + self.told("2001:db8:0:ff::", *"fghij"), 5)
        self.assertEqual(self.told("2001:db8:0:100::", *"fghij"), 5)

    def test_the_map_reply_and_the_milter_count_together(self):
        with Socketmap(self.daemon.lookups) as client:
            for name in "abc":
                self.assertEqual(client.ask(f"reply 192.0.2.7 0 0 {name}@old.example"), f"OK moved {name}@new.example")
            self.assertEqual(self.told("192.0.2.7", *"abcdefg"), 5)
            self.assertEqual(client.ask("reply 192.0.2.7 0 0 z@old.example"), "OK withheld z@old.example")


class Rules(SiteCase):
    """Each rule as a sender of either mail server meets it: 127.0.0.2 is trusted, 127.0.0.3 and 127.0.0.4 are strangers."""

    ways = ("unix",)

    def rcpt(self, site, client, *recipients):
        with Talk(site.port, source=client) as talk:
            talk.mail()
            return [re.sub(r"<\S+>\.\.\. ", "", talk.rcpt(recipient)) for recipient in recipients]

    def change(self, site, **disclosure):
        site.daemon.configure(disclosure={"trusted_networks": ["127.0.0.2"], "limit": 0, **disclosure})
        site.daemon.reload()

    def test_disclosure_by_entry_and_by_default(self):
        names = ("plain", "anyone", "trusted", "nobody", "chain")
        for site in self.sites():
            for name in names[:-1]:
                more = ("--disclose", name) if name != "plain" else ()
                site.movedctl("add", f"{name}@old.example", f"{name}@new.example", *more)
            site.movedctl("add", "chain@old.example", "trusted@old.example", "--disclose", "anyone")
            new = {name: MOVED.format(f"{name}@new.example") for name in names} | {"chain": MOVED.format("trusted@new.example")}
            for default, known_to_strangers, known_to_trusted in (
                    ("anyone", {"plain", "anyone"}, {"plain", "anyone", "trusted", "chain"}),
                    ("trusted", {"anyone"}, {"plain", "anyone", "trusted", "chain"}),
                    ("nobody", {"anyone"}, {"anyone", "trusted", "chain"})):
                self.change(site, default=default)
                for client, known in (("127.0.0.3", known_to_strangers), ("127.0.0.2", known_to_trusted)):
                    self.assertEqual(self.rcpt(site, client, *(f"{name}@old.example" for name in names)),
                                     [new[name] if name in known else WITHHELD for name in names], f"{default}, {client}")

    def test_the_limit_of_a_client_and_of_its_network(self):
        for site in self.sites():
            site.hold(("@bulk.example", "@new.example"))
            ask = [f"{name}@bulk.example" for name in "abcd"]
            told = [MOVED.format(f"{name}@new.example") for name in "abcd"]
            for over, beyond in (("withhold", WITHHELD), ("defer", DEFERRED)):
                site.daemon.stop()
                site.daemon.start()
                self.change(site, limit=2, network_limit=3, over_limit=over)
                self.assertEqual(self.rcpt(site, "127.0.0.3", *ask), told[:2] + [beyond] * 2)
                self.assertEqual(self.rcpt(site, "127.0.0.3", *ask[1::-1]), told[1::-1])
                self.assertEqual(self.rcpt(site, "127.0.0.4", *ask[2:]), [told[2], beyond])
                self.assertEqual(self.rcpt(site, "127.0.0.2", *ask), told)


    def test_a_64_is_one_client_and_a_48_one_network(self):
        for site in self.sites(Postfix):
            site.hold(("@bulk.example", "@new.example"))
            site.daemon.stop()
            site.daemon.start()
            self.change(site, limit=1, network_limit=2)
            for client, name, told in (
                    ("IPV6:2001:db8::1", "a", True), ("IPV6:2001:db8::ffff", "b", False), ("IPV6:2001:db8::ffff", "a", True),
                    ("IPV6:2001:db8:0:1::1", "b", True), ("IPV6:2001:db8:0:2::1", "c", False),
                    ("IPV6:2001:db8:0:2::1", "b", True), ("IPV6:2001:db8:1::1", "c", True), ("198.51.100.7", "d", True),
                    ("198.51.100.7", "e", False), ("198.51.100.8", "e", True), ("198.51.100.9", "f", False),
                    ("198.51.101.9", "f", True)):
                with site.talk() as talk:
                    talk.say(f"XCLIENT NAME=client.example ADDR={client} PORT=2500")
                    talk.say("EHLO client.example")
                    talk.mail()
                    self.assertEqual(talk.rcpt(f"{name}@bulk.example"), MOVED.format(f"{name}@new.example") if told else WITHHELD,
                                     f"{client}, {name}")


class ConfirmedName(SiteCase):
    """trusted_domains: what each mail server says of its client's name."""

    ways = ("unix",)
    settings = {"disclosure": {"default": "trusted", "trusted_networks": [], "trusted_domains": ["partner.example", "localhost"],
                               "limit": 0}}

    def test_a_name_that_leads_back_to_the_address_is_trusted(self):
        for site in self.sites(Postfix):
            site.hold(("alice@old.example", "alice@new.example"))
            for attributes, expected in (
                    ("NAME=mx.partner.example", MOVED.format("alice@new.example")),
                    ("NAME=partner.example", MOVED.format("alice@new.example")),
                    ("NAME=mypartner.example", WITHHELD),
                    ("NAME=[UNAVAILABLE] REVERSE_NAME=mx.partner.example", WITHHELD),  # a PTR record alone
                    ("NAME=[TEMPUNAVAIL]", WITHHELD)):
                with site.talk() as talk:
                    said = talk.say(f"XCLIENT {attributes} ADDR=192.0.2.7 PORT=2500")
                    self.assertTrue(said.startswith("220"), said)
                    talk.say("EHLO mx.partner.example")
                    talk.mail("someone@partner.example")
                    self.assertEqual(talk.rcpt("alice@old.example"), expected, attributes)

    def test_sendmail_confirms_a_name_too(self):
        try:
            socket.gethostbyaddr("127.0.0.1")
        except OSError as error:
            place.lacking(f"127.0.0.1 has no name here (/etc/hosts): {error}")
        for site in self.sites(Sendmail):
            site.hold(("alice@old.example", "alice@new.example"))
            self.assertEqual(site.rcpt("alice@old.example"), MOVED.format("alice@new.example"))
            site.daemon.configure(disclosure={**self.settings["disclosure"], "trusted_domains": ["partner.example"]})
            site.daemon.reload()
            with site.talk() as talk:
                talk.mail("someone@partner.example")  # anybody can write that
                self.assertEqual(talk.rcpt("alice@old.example"),
                                 WITHHELD.replace("5.1.6 ", "5.1.6 <alice@old.example>... "))


class Authenticated(unittest.TestCase):
    """Who has logged in (RFC 4954) is trusted: by the macro that each mail server sets, and for as long as he is logged in."""

    SETTINGS = {"disclosure": {"default": "trusted", "trusted_networks": [], "limit": 1}}
    MOVED = [(f"{name}@old.example", f"{name}@new.example") for name in ("alice", "bob", "carol")]

    def servers(self, stack):
        folder = stack.enter_context(place.folder())
        accounts = sasl.accounts(folder / "sasl", alice="secret")
        for mta, how in ((Postfix, sasl.postfix()), (Sendmail, {})):
            daemon = stack.enter_context(Daemon(folder / mta.mta[0], group=mta.group, **self.SETTINGS))
            daemon.hold(*self.MOVED)
            more = {"more": sasl.sendmail(accounts)} if mta is Sendmail else {"sasl": accounts}
            doors = {"unix": (getattr(daemon.socket, mta.mta), how)}
            yield daemon, stack.enter_context(mta(folder / mta.mta, doors, **more))

    def test_who_has_logged_in_is_told_without_a_limit(self):
        with contextlib.ExitStack() as stack:
            for daemon, server in self.servers(stack):
                withheld = WITHHELD if isinstance(server, Postfix) else \
                    WITHHELD.replace("5.1.6 ", "5.1.6 <alice@old.example>... ")
                with self.subTest(server.mta), Talk(server.ports["unix"]) as talk:
                    talk.mail("alice@old.example")
                    self.assertEqual(talk.rcpt("alice@old.example"), withheld)
                    talk.say("RSET")
                    talk.ehlo()
                    with self.assertRaises(smtplib.SMTPAuthenticationError):
                        talk.login("alice", "wrong")
                    talk.mail("alice@old.example")
                    self.assertEqual(talk.rcpt("alice@old.example"), withheld)
                    talk.say("RSET")
                    self.assertEqual(talk.login("alice", "secret")[0], 235)
                    for _ in range(2):
                        talk.mail("alice@old.example")
                        for old, new in self.MOVED:
                            self.assertEqual(talk.rcpt(old), MOVED.format(new))
                        talk.say("RSET")
                    place.until(lambda: daemon.count("trusted=authenticated, reply=551") == 6, "in the log", daemon.log)
                with Talk(server.ports["unix"]) as talk:
                    talk.mail("alice@old.example")
                    self.assertEqual(talk.rcpt("alice@old.example"), withheld)


class Conceal(unittest.TestCase):
    """disclosure.conceal: what a stranger reads of a moved mailbox is what he reads of one that was never there."""

    SPELLINGS = ("{}@old.example", "{}@OLD.Example", '"{}"@old.example', '"\\{}"@old.example', "{}+ext@old.example",
                 "{}@old.example.", "@relay.example:{}@old.example")
    TRUSTED, SECRET, GONE, ANYONE, PRESENT = "trusted", "secret", "no-new", "anyone", "here"

    def start(self, stack, **how):
        self.folder = stack.enter_context(place.folder())
        daemon = Daemon(self.folder / "d", **how, disclosure={
            "default": "trusted", "conceal": True, "trusted_networks": ["192.0.2.0/24"], "limit": 0})
        stack.enter_context(daemon)
        for name, *more in ((self.TRUSTED,), (self.SECRET, "--disclose", "nobody"), (self.ANYONE, "--disclose", "anyone"),
                            (self.PRESENT,)):
            daemon.movedctl("add", f"{name}@old.example", f"{name}@new.example", *more)
        daemon.movedctl("add", f"{self.GONE}@old.example", "--gone")
        return daemon

    def same(self, ask, why):
        """Each concealed mailbox in each spelling, beside an unknown one."""
        for spelling in self.SPELLINGS:
            unknown = ask(spelling.format("stranger"))
            self.assertTrue(unknown.startswith("550 5.1.1 "), unknown)
            for name in (self.TRUSTED, self.SECRET, self.GONE, self.PRESENT):
                self.assertEqual(ask(spelling.format(name)), unknown.replace("stranger", name), f"{why}, {spelling}")

    def test_through_each_address_class_of_postfix(self):
        with contextlib.ExitStack() as stack:
            daemon = self.start(stack, group=Postfix.group)
            doors, services = classes.doors(daemon)
            postfix = stack.enter_context(Postfix(self.folder / "postfix", doors, more_services=services))
            for door, table in classes.TABLES.items():
                daemon.configure(replies={
                    "unknown": f"550 5.1.1 <${{recipient}}>: Recipient address rejected: User unknown in {table}"})
                daemon.reload()
                with postfix.talk(door) as talk:
                    talk.mail()
                    self.same(talk.rcpt, door)
                    self.assertEqual(talk.rcpt("anyone@old.example"), MOVED.format("anyone@new.example"))
                with postfix.talk(door) as talk:
                    talk.say("XCLIENT ADDR=192.0.2.7")
                    talk.say("EHLO client.example")
                    talk.mail()
                    self.assertEqual(talk.rcpt("trusted@old.example"), MOVED.format("trusted@new.example"))
                    self.assertTrue(talk.rcpt("secret@old.example").startswith("550 5.1.1 <secret@old.example>: "))
            # What nobody may know Postfix itself refuses: the milter is not heard.
            daemon.logged("to=<here@old.example>")
            self.assertEqual(daemon.count("to=<secret@old.example>"), 0)

    def test_through_sendmail(self):
        with contextlib.ExitStack() as stack:
            daemon = self.start(stack, group="root", replies={"unknown": "550 5.1.1 User unknown"})
            sendmail = stack.enter_context(StockSendmail(self.folder / "s"))
            sendmail.start()
            daemon.movedctl("add", "daemon@old.example", "daemon@new.example")  # its mailbox is there
            done = daemon.ctl("attach", "--config-dir", sendmail.conf, "--yes", "sendmail", env=sendmail.env)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            sendmail.hears("anyone@old.example", MOVED.format("anyone@new.example"))
            self.same(sendmail.rcpt, "Sendmail")
            self.assertEqual(sendmail.rcpt("daemon@old.example"), "550 5.1.1 <daemon@old.example>... User unknown")

    def test_the_log_and_movedctl_test_say_what_is_behind_it(self):
        with contextlib.ExitStack() as stack:
            daemon = self.start(stack)
            for name, rule in ((self.TRUSTED, "not disclosed"), (self.GONE, "gone")):
                said = milter.ask(daemon.address, f"<{name}@old.example>", "198.51.100.7")
                self.assertTrue(said.startswith("550 5.1.1 "), said)
                place.until(lambda: daemon.count(f"entry={name}@old.example, rule={rule}, reply=550 5.1.1 ") == 1, daemon.log())
                shown = daemon.ctl("test", f"{name}@old.example", "--client", "198.51.100.7").stdout.splitlines()
                self.assertEqual(shown[0], said)
                self.assertIn("disclosure.conceal", shown[-1])
                told = json.loads(daemon.ctl("test", "--json", f"{name}@old.example", "--client", "198.51.100.7").stdout)
                self.assertEqual((told["rule"], told["concealed"]), (rule, True))

    def test_above_the_limit_too(self):
        with contextlib.ExitStack() as stack:
            daemon = self.start(stack)
            daemon.configure(disclosure={"conceal": True, "limit": 1}, replies={"unknown": "550 5.1.1 ${recipient}?"})
            daemon.movedctl("add", "@bulk.example", "@new.example")
            daemon.reload()
            self.assertEqual(milter.ask(daemon.address, "<a@bulk.example>"), MOVED.format("a@new.example"))
            self.assertEqual(milter.ask(daemon.address, "<b@bulk.example>"), "550 5.1.1 b@bulk.example?")


if __name__ == "__main__":
    unittest.main()
