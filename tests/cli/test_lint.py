"""movedctl lint: what it finds in a table, what it leaves alone, and how it tells."""

import json
import os
import pty
import subprocess

from cli.test_movedctl import MovedctlCase
from lib import place

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
        self.assertIn("put off", told["f@nine.example"])

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
                  "eve@old.example,eve@later.example,,2999-01-02")
        self.assertEqual(self.kinds(), {
            "alice@old.example": ["new-has-moved"], "@old.example": ["new-has-moved"], "carol@old.example": ["new-is-gone"],
            "dave@old.example": ["new-will-move"], "eve@old.example": ["new-has-moved"]})
        told = {finding["old"]: finding["what"] for finding in self.found()}
        self.assertIn("alice@newest.example by the entry @new.example", told["alice@old.example"])
        self.assertIn("@newest.example by the entry @new.example", told["@old.example"])
        self.assertIn("from 2999-01-01T00:00:00Z on by the entry @later.example", told["dave@old.example"])

    def test_entries_that_have_no_effect(self):
        self.hold("past@old.example,p@new.example,,,2020-01-01", "alone@old.example,,stay", "bob+list@two.example,,stay", "bob@two.example,b@new.example",
                  "postmaster@three.example,,stay", "early@three.example,,stay", "@three.example,@new.example,,2999-01-01",
                  "x@sub.four.example,,stay", "@.four.example,@new.example", "@four.example,,stay", "@.[192.0.2.1],@new.example",
                  "grace@five.example,g@new.example,forward,,,2020-01-01")
        self.assertEqual(self.kinds(), {
            "past@old.example": ["expired"], "alone@old.example": ["stay-alone"], "postmaster@three.example": ["stay-alone"],
            "@four.example": ["stay-alone"], "@.[192.0.2.1]": ["never-matches"]})

    def test_a_new_address_that_gets_too_long(self):
        self.hold(f"{'a' * 60}@old.example,@{'.'.join(['b' * 60] * 3)}.example")
        self.assertEqual(self.kinds(), {})
        self.hold(f"{'a' * 90}@old.example,@{'.'.join(['b' * 60] * 3)}.example")
        self.assertEqual(self.kinds(), {f"{'a' * 90}@old.example": ["new-too-long"]})


class Spelling(LintCase):
    def test_addresses_of_the_whole_world_are_left_alone(self):
        self.hold("a@old.example,иван@почта.рф", "b@old.example,用户@例え.jp", "c@old.example,jörg@bücher.example", "d@old.example,γιώργος@example.gr",
                  "e@old.example,יוסי@example.il", "f@old.example,محمد@موقع.example", "g@old.example,राम@example.in", "h@old.example,оса@роса.рф",
                  "i@old.example,メールabc@new.example", "j@old.example,민수@new.example")
        self.assertEqual(self.kinds(), {})

    def test_trickery(self):
        self.hold("a@old.example,pаypal@new.example", "b@old.example,x@pаypal.example", "c@old.example,@xn--pypal-4ve.example",
                  "d@old.example,аррӏе@new.example", "e@old.example,x@xn--80ak6aa92e.com", "f@old.example,al\u202eice@new.example",
                  "g@old.example,al\u200bice@new.example", "h@old.example,aliceא@new.example", "i@old.example,2יוסי@new.example",
                  "j@old.example,x@xn--a.example", "k@old.example,राम१2@new.example", "@old.example,@xn--80ak6aa92e.com")
        self.assertEqual(self.kinds(), {
            "a@old.example": ["mixed-scripts"], "b@old.example": ["mixed-scripts"], "c@old.example": ["mixed-scripts"],
            "d@old.example": ["lookalike"], "e@old.example": ["lookalike"], "f@old.example": ["direction"], "g@old.example": ["invisible"],
            "h@old.example": ["mixed-scripts"], "i@old.example": ["direction"], "j@old.example": ["not-idna"], "k@old.example": ["mixed-scripts"],
            "@old.example": ["lookalike"]})
        self.assertTrue(all(finding["severity"] == "warning" for finding in self.found()))
        said = self.ctl("lint").stdout
        self.assertIn("U+0430 CYRILLIC SMALL LETTER A", said)
        self.assertNotIn("\u202e", said)
        self.assertNotIn("\u200b", said)


class Telling(LintCase):
    def test_one_line_a_finding(self):
        self.hold("a@old.example,b@old.example", "b@old.example,a@old.example", "c@old.example,,stay")
        done = self.ctl("lint")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "")
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 3)
        for line in lines[:2]:
            self.assertRegex(line, r"^[ab]@old\.example: warning: leads in a circle [^:]*: write [^:]*$")
        self.assertEqual(lines[2], "c@old.example: note: says that it stays, where no other entry moves it: delete it")
        self.assertEqual(self.found()[2], {"old": "c@old.example", "severity": "note", "kind": "stay-alone", "right": "delete it", "domain": "",
                                           "what": "says that it stays, where no other entry moves it", "entries": 1})

    def test_a_person_sees_colour_and_a_summary(self):
        self.hold("c@old.example,,stay", "d@old.example,d@new.example,,,,2020-01-01")
        for env, line in (({}, "c@old.example: \033[1;36mnote\033[0m: "), ({"NO_COLOR": "1"}, "c@old.example: note: ")):
            ours, theirs = pty.openpty()
            done = subprocess.run(place.program("movedctl") + ["-c", str(self.daemon.conf), "lint"], stdout=theirs, stderr=theirs,
                                  timeout=place.PATIENCE, env={**os.environ, **env})
            os.close(theirs)
            shown = os.read(ours, 10000).decode().replace("\r\n", "\n")
            os.close(ours)
            self.assertEqual(done.returncode, 1)
            self.assertIn(line, shown)
            self.assertTrue(shown.endswith("1 entry is past its forward_until: it forwards no more\n2 entries: 0 warnings, 1 note\n"), shown)

    def test_a_table_of_many_views_is_walked_to_its_end_once(self):
        count = 25000
        self.hold(*(f"u{i}@old.example,u{i}@new.example" for i in range(count)), "z@z.example,,stay",
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
        self.hold("c@old.example,,stay")
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run(place.program("movedctl") + ["-c", str(self.daemon.conf), "lint"], stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=place.PATIENCE)
        self.assertEqual(done.returncode, 74)
