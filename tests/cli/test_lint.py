# SPDX-License-Identifier: BSD-2-Clause
"""movedctl lint: what it finds in a table, what it leaves alone, and how it tells."""

import concurrent.futures
import contextlib
import json
import os
import socket
import subprocess

from cli.test_movedctl import MovedctlCase
from lib import place
from lib.nameserver import NameServer

HEAD = "old,new,action,from,until,forward_until\n"


class LintCase(MovedctlCase):
    def hold(self, *rows):
        """Makes these rows of a CSV file the table."""
        self.movedctl("import", "--replace-all", "-", stdin=HEAD + "".join(f"{row}{',' * (5 - row.count(','))}\n" for row in rows))

    def found(self, *args):
        """The findings, and the exit status is right for them."""
        done = self.ctl("lint", "--json", *args)
        findings = json.loads(done.stdout)
        self.assertEqual((done.returncode, done.stderr), (1 if findings else 0, ""))
        return findings

    def kinds(self, *args):
        """What kinds are found, by old address."""
        kinds = {}
        for finding in self.found(*args):
            kinds.setdefault(finding["old"], []).append(finding["kind"])
        return kinds

    def seen_by_a_person(self, *args, env=None):
        """What stands on a terminal in the end; there is something to be found."""
        status, shown = self.daemon.on_terminal("lint", *args, env=env)
        self.assertEqual(status, 1)
        return shown


PAST = "c@old.example,c@new.example,,,2020-01-01"


class Entries(LintCase):
    def test_a_clean_table(self):
        self.hold("alice@old.example,alice@new.example", "@old.example,@new.example", "root@old.example,,stay", "gone@old.example,",
                  "later@old.example,later@new.example,,2999-01-01", "fwd@old.example,f@new.example,forward", "@.old.example,@new.example",
                  "x@a.old.example,,stay", "@b.old.example,,stay", "jörg@old.example,jörg@bücher.example", "two@old.example,two@other.example")
        done = self.ctl("lint")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual(self.found(), [])
        self.movedctl("import", "--replace-all", place.SOURCE / "etc/moved.csv")
        self.assertEqual(len(self.movedctl("list").splitlines()), 6)
        self.assertEqual(self.ctl("lint").returncode, 0)

    def test_loops(self):
        self.hold("a@one.example,b@one.example", "b@one.example,A@ONE.example", "to@one.example,a@one.example",
                  "@two.example,@three.example", "@three.example,@two.example",
                  "@.four.example,@x.four.example",
                  "@five.example,y@sub.six.example", "@.six.example,@five.example",
                  "bob@seven.example,bob+x@eight.example", "bob@eight.example,bob@seven.example",
                  "f@nine.example,g@nine.example,forward", "g@nine.example,f@nine.example,forward")
        self.assertEqual(self.kinds(), {old: ["loop"] for old in (
            "a@one.example", "b@one.example", "to@one.example", "@two.example", "@three.example", "@.four.example", "@five.example",
            "@.six.example", "bob@seven.example", "bob@eight.example", "f@nine.example", "g@nine.example")})
        told = {finding["old"]: finding["what"] for finding in self.found()}
        self.assertIn("(to@one.example > a@one.example > b@one.example > a@one.example)", told["to@one.example"])
        self.assertIn("no new address", told["to@one.example"])
        self.assertIn("deferred", told["f@nine.example"])

    def test_lint_and_the_daemons_answer_agree_on_loops_and_chains(self):
        self.hold(*(f"c{i}@c.example,c{i + 1}@c.example" for i in range(10)), "@l.example,@m.example", "@m.example,@l.example")
        loops = {"loop", "chain-too-long"}
        for old, kinds in self.kinds().items():
            told = json.loads(self.ctl("test", "--json", old.replace("@", "x@") if old.startswith("@") else old).stdout)
            self.assertEqual(told["rule"] == "loop", bool(loops.intersection(kinds)), old)

    def test_chains(self):
        self.hold(*(f"c{i}@c.example,c{i + 1}@c.example" for i in range(1, 10)))
        kinds = self.kinds()
        self.assertEqual(kinds, {"c1@c.example": ["chain-too-long"], **{f"c{i}@c.example": ["chain"] for i in range(2, 8)},
                                 "c8@c.example": ["new-has-moved"]})
        self.assertIn("leads through 8 entries to c10@c.example: write that address itself", self.ctl("lint").stdout)

    def test_new_addresses_on_a_moved_domain(self):
        self.hold("@new.example,@newest.example", "root@new.example,,stay", "@gone.example,", "@later.example,@newest.example,,2999-01-01",
                  "alice@old.example,alice@new.example", "bob@old.example,root@new.example", "@old.example,@new.example",
                  "carol@old.example,carol@gone.example", "dave@old.example,dave@later.example", "postmaster@old.example,postmaster@new.example",
                  "eve@four.example,eve@later.example,,2999-01-02")
        self.assertEqual(self.kinds(), {
            "alice@old.example": ["new-has-moved"], "@old.example": ["new-has-moved"], "carol@old.example": ["new-is-gone"],
            "eve@four.example": ["new-has-moved"]})
        told = {finding["old"]: finding["what"] for finding in self.found()}
        self.assertIn("alice@newest.example by the entry @new.example", told["alice@old.example"])
        self.assertIn("@newest.example by the entry @new.example", told["@old.example"])

    def test_entries_that_have_ended(self):
        self.hold("past@old.example,p@new.example,,,2020-01-01", "alone@old.example,,stay",
                  "grace@five.example,g@new.example,forward,,,2020-01-01")
        self.assertEqual(self.kinds(), {"past@old.example": ["expired"]})

    def test_a_new_address_that_gets_too_long(self):
        self.hold(f"{'a' * 60}@old.example,@{'.'.join(['b' * 60] * 3)}.example")
        self.assertEqual(self.kinds(), {})
        self.hold(f"{'a' * 90}@old.example,@{'.'.join(['b' * 60] * 3)}.example")
        self.assertEqual(self.kinds(), {f"{'a' * 90}@old.example": ["new-too-long"]})


class World(LintCase):
    def test_addresses_of_the_whole_world_are_left_alone(self):
        self.hold("a@old.example,иван@почта.рф", "b@old.example,用户@例え.jp", "c@old.example,jörg@bücher.example", "d@old.example,γιώργος@example.gr",
                  "e@old.example,יוסי@example.il", "f@old.example,محمد@موقع.example", "g@old.example,राम@example.in", "h@old.example,оса@роса.рф",
                  "i@old.example,メールabc@new.example", "j@old.example,민수@new.example")
        self.assertEqual(self.kinds(), {})


class Telling(LintCase):
    def test_one_line_a_finding(self):
        self.hold("a@old.example,b@old.example", "b@old.example,a@old.example", PAST)
        done = self.ctl("lint")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "")
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 3)
        for line in lines[:2]:
            self.assertRegex(line, r"^[ab]@old\.example: warning: leads in a loop [^:]*: write [^:]*$")
        self.assertEqual(lines[2], "c@old.example: note: expired at 2020-01-01T00:00:00Z: delete it, or write a later until")
        self.assertEqual(self.found()[2], {"old": "c@old.example", "severity": "note", "kind": "expired", "domain": "", "entries": 1,
                                           "what": "expired at 2020-01-01T00:00:00Z", "right": "delete it, or write a later until"})

    def test_a_person_sees_colour_and_a_summary(self):
        self.hold(PAST, "d@old.example,d@new.example,,,,2020-01-01")
        for env, line in (({}, "c@old.example: \033[1;36mnote\033[0m: "), ({"NO_COLOR": "1"}, "c@old.example: note: ")):
            shown = self.seen_by_a_person(env=env)
            self.assertIn(line, shown)
            self.assertTrue(shown.endswith("\n2 entries: 0 warnings, 1 note\n"), shown)

    def test_a_table_of_many_views_is_walked_to_its_end_once(self):
        count = 25000
        self.hold(*(f"u{i}@old.example,u{i}@new.example" for i in range(count)), "z@z.example,z@new.example,,,2020-01-01",
                  *(f"e{i}@old.example,e{i}@new.example,,,2020-01-01" for i in range(count)))
        findings = self.found()
        self.assertEqual(len({finding["old"] for finding in findings}), count + 1)
        self.assertEqual(len(findings), count + 1)

    def test_usage_and_tables_that_cannot_be_read(self):
        self.refused(64, "usage: movedctl lint", "lint", "a@old.example")
        data = self.daemon.table / "data.mdb"
        data.write_bytes(b"x" * 4096)
        self.assertEqual(self.ctl("lint").returncode, 65)

    def test_a_full_disk(self):
        self.hold(PAST)
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run(place.program("movedctl") + ["-c", str(self.daemon.conf), "lint"], stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=place.PATIENCE)
        self.assertEqual(done.returncode, 74)


# Every host in it but mx.here is somebody else's: RFC 5737, RFC 3849.
ZONE = """\
good.example. MX 10 mx.good.example.
mx.good.example. A 192.0.2.10
six.example. MX 10 mx.six.example.
mx.six.example. AAAA 2001:db8::10
null.example. MX 0 .
bare.example. A 192.0.2.11
bare6.example. AAAA 2001:db8::11
nothing.example. TXT "no mail"
here.example. MX 10 mx.here.example.
mx.here.example. A 127.0.0.1
here6.example. MX 10 mx.here6.example.
mx.here6.example. AAAA ::1
barehere.example. A 127.1.2.3
backup.example. MX 20 mx.here.example.
backup.example. MX 10 mx.good.example.
alias.example. MX 10 alias.good.example.
alias.good.example. CNAME mx.good.example.
aliashere.example. MX 10 alias.here.example.
alias.here.example. CNAME mx.here.example.
cname.example. CNAME good.example.
nohost.example. MX 10 nosuch.good.example.
halfhost.example. MX 10 nosuch.good.example.
halfhost.example. MX 20 mx.good.example.
brokenhost.example. MX 10 mx.broken.example.
xn--bcher-kva.example. MX 10 mx.good.example.
*.many.example. MX 10 mx.good.example.
""" + "".join(f"big.example. MX 10 a-host-with-a-long-name-{i}.big.example.\n" for i in range(15)) + \
    "big.example. MX 5 mx.good.example.\n"

DNS = {"null": "null-mx", "bare": "no-mx", "bare6": "no-mx", "nothing": "no-mail", "here": "this-host", "here6": "this-host",
       "barehere": "this-host", "backup": "this-host", "aliashere": "this-host", "nohost": "no-mail", "nosuch": "no-domain",
       "broken": "dns-failed", "brokenhost": "dns-failed", "refused": "dns-failed"}
CLEAN = ("good", "six", "alias", "cname", "halfhost", "bücher", "big")


class Dns(LintCase):
    @classmethod
    def setUpClass(cls):
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.zone_folder = stack.enter_context(place.folder())
        cls.server = stack.enter_context(NameServer(cls.zone_folder / "ns", ZONE))

    def asking(self, *args):
        """The options that have the test's own name server asked."""
        return ("--dns", "--resolver", self.server.address, *args)

    def test_new_domains(self):
        self.hold(*(f"{name}@old.example,x@{name}.example" for name in (*DNS, *CLEAN)))
        self.assertEqual(self.kinds(*self.asking()), {f"{name}@old.example": [kind] for name, kind in DNS.items()})
        self.assertEqual({finding["kind"]: finding["severity"] for finding in self.found(*self.asking())}["no-mx"], "note")
        said = self.ctl("lint", *self.asking()).stdout
        self.assertIn("here@old.example: warning: the MX of here.example is this host (mx.here.example): ", said)
        self.assertIn("null@old.example: warning: null.example has a null MX and accepts no mail: ", said)
        self.assertIn("broken@old.example: warning: it is not known where broken.example receives mail (SERVFAIL): ", said)
        self.assertIn("brokenhost@old.example: warning: it is not known where brokenhost.example receives mail (SERVFAIL): ", said)
        self.assertIn("(REFUSED)", said)
        self.assertEqual(self.kinds(), {}, "without --dns nobody is asked")

    def test_an_address_of_an_interface_is_this_host(self):
        found = subprocess.run(["ip", "-o", "-4", "addr", "show", "scope", "global"], capture_output=True, text=True, check=True).stdout
        if not found:
            place.lacking("no address but those of loopback")
        own = found.split()[3].partition("/")[0]
        with NameServer(self.folder / "ns", f"own.example. MX 10 mx.own.example.\nmx.own.example. A {own}\n") as server:
            self.hold("a@old.example,a@own.example")
            self.assertEqual(self.kinds("--dns", "--resolver", server.address), {"a@old.example": ["this-host"]})

    def test_a_host_of_its_name_is_this_host(self):
        if os.geteuid() != 0:
            place.lacking("a host name of its own needs root")
        self.hold("a@old.example,a@good.example", "b@old.example,b@six.example")
        done = subprocess.run(["unshare", "--uts", "sh", "-c", 'hostname MX.good.example && exec "$@"', "sh", *place.program("movedctl"),
                               "-c", str(self.daemon.conf), "lint", *self.asking()], capture_output=True, text=True, timeout=place.PATIENCE)
        self.assertEqual(done.stdout, "a@old.example: warning: the MX of good.example is this host (mx.good.example): "
                                      "make sure that its mailboxes are on this host\n", done.stderr)

    def test_each_domain_and_host_is_asked_once(self):
        self.hold(*(f"u{i}@old.example,u{i}@d{i % 3}.many.example" for i in range(300)), "@old.example,@d0.many.example",
                  "chain@old.example,u1@old.example", "lit@old.example,x@[192.0.2.1]", "gone@old.example,", "stay@old.example,,stay",
                  "loop@l.example,@l2.example", "@l2.example,@l.example", "@l.example,@l2.example")
        before = len(self.server.asked())
        self.ctl("lint", *self.asking())
        asked = self.server.asked()[before:]
        self.assertEqual(sorted(asked), [("d0.many.example", "MX"), ("d1.many.example", "MX"), ("d2.many.example", "MX"),
                                         ("mx.good.example", "A"), ("mx.good.example", "AAAA")])

    def test_the_entries_that_lead_to_a_domain_are_counted(self):
        self.hold(*(f"u{i}@old.example,u{i}@null.example" for i in range(12)), "@a.example,@NULL.example.", "z@z.example,u0@old.example")
        finding, = (finding for finding in self.found(*self.asking()) if finding["kind"] == "null-mx")
        self.assertEqual((finding["old"], finding["domain"], finding["entries"]), ("@a.example", "null.example", 14))
        self.assertIn("14 entries", self.ctl("lint", *self.asking()).stdout)

    def test_a_thousand_domains(self):
        self.hold(*(f"u{i}@old.example,u{i}@d{i}.many.example" for i in range(1000)), "last@old.example,x@null.example")
        self.assertEqual(self.kinds(*self.asking()), {"last@old.example": ["null-mx"]})

    def test_an_answer_that_is_cut_comes_over_tcp(self):
        self.hold("big@old.example,x@big.example", "good@old.example,x@good.example")
        with NameServer(self.folder / "ns", ZONE, tcp=False) as server:
            self.assertEqual(self.kinds("--dns", "--resolver", server.address), {"big@old.example": ["dns-failed"]})
        self.assertEqual(self.kinds(*self.asking()), {})

    def test_what_does_not_answer_is_not_waited_for_for_ever(self):
        self.hold(*(f"u{i}@old.example,u@x{i}.silent.example" for i in range(63)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent, concurrent.futures.ThreadPoolExecutor() as pool:
            silent.bind(("127.0.0.1", 0))
            all_of_them = pool.submit(self.kinds, *self.asking())
            shown = pool.submit(self.seen_by_a_person, *self.asking())
            none = pool.submit(self.ctl, "lint", "--json", "--dns", "--resolver", f"127.0.0.1:{silent.getsockname()[1]}")
            self.assertEqual(all_of_them.result(), {f"u{i}@old.example": ["dns-failed"] for i in range(63)})
            done = none.result()
            self.assertIn("\rasking for MX [", shown.result())
            self.assertIn(" questions, ", shown.result())
        self.assertEqual((done.returncode, json.loads(done.stdout)), (69, []))
        self.assertRegex(done.stderr, r"^movedctl: --dns: no name server answers: see /etc/resolv\.conf, or write --resolver ADDRESS\n$")

    def test_nobody_listens(self):
        self.hold(PAST, *(f"u{i}@old.example,u@d{i}.many.example" for i in range(200)))
        port, = place.free_ports(1)
        done = self.ctl("lint", "--dns", "--resolver", f"127.0.0.1:{port}")
        self.assertEqual(done.returncode, 69)
        self.assertIn("c@old.example: note: ", done.stdout)
        self.assertIn("no name server answers", done.stderr)

    def test_usage(self):
        for words, args in (("'here'", ["--dns", "--resolver", "here"]), ("requires --dns", ["--resolver", "127.0.0.1"]),
                            ("requires an argument", ["--dns", "--resolver"])):
            self.refused(64, words, "lint", *args)
