# SPDX-License-Identifier: BSD-2-Clause
"""movedctl hits: who still writes to the old addresses, counted from real mail on days that pass while the test runs."""

import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import time
import unittest

from lib import place
from lib.daemon import Daemon
from lib.days import Days
from lib.holder import holding
from lib.milter import Milter
from lib.postfix import Postfix
from lib.sendmail import Sendmail
from lib.smtp import Talk
from lib.socketmap import Socketmap

ENTRIES = (("al@old.example", "al@new.example"), ("bo@old.example", "bo@new.example"), ("@gone.example", ""),
           ("stay@old.example", "", "stay"), ("fo@old.example", "fo@new.example", "forward"))


class HitsCase(unittest.TestCase):
    settings = {}

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(place.folder())
        self.daemon = Daemon(self.folder / "d", group=self.group(), hits={"flush_interval": 1}, **self.settings)
        self.days = Days(self.folder)
        self.daemon.env = self.days.env
        self.daemon.movedctl("init")
        self.ctl("import", "--replace-all", "-", stdin="old,new,action\n" + "".join(
            ",".join((*entry, "reject")[:3]) + "\n" for entry in ENTRIES))
        self.stack.enter_context(self.daemon)

    def group(self):
        return None

    def day(self, number):
        self.days.turn(number)

    def ctl(self, *args, stdin="", status=0):
        done = self.daemon.ctl(*args, stdin=stdin, env=self.daemon.env)
        self.assertEqual(done.returncode, status, done.stderr)
        self.said = done.stderr
        return done.stdout

    def hits(self, *args):
        return {row["old"]: row for row in json.loads(self.ctl("hits", "--json", *args))}

    def counted(self, old, count):
        """Waits until so many mails are counted for the entry, and returns its row."""
        place.until(lambda: self.hits(old)[old]["count"] >= count, f"{count} mails to {old}: {self.hits(old)}", self.daemon.log)
        row = self.hits(old)[old]
        self.assertEqual(row["count"], count)
        return row

    def mail(self, sender, *recipients):
        with Milter(self.daemon.address) as milter:
            milter.negotiate()
            milter.connect()
            milter.helo()
            milter.macros("M", i="4XkQ2z1")
            milter.mail(f"<{sender}>")
            said = [milter.rcpt(f"<{recipient}>") for recipient in recipients]
            milter.quit()
        return said


class Counted(HitsCase):
    def memory(self):
        """KiB of the daemon's own."""
        status = pathlib.Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:")))

    def test_a_domain_that_comes_back_is_named_and_others_are_strangers(self):
        for day in range(3):
            self.day(day)
            self.mail("eva@client.example", "al@old.example")
            self.mail("", "al@old.example")
            self.mail(f"x@spam{day}.example", "al@old.example")
            self.counted("al@old.example", 3 * day + 3)
        row = self.hits("al@old.example")["al@old.example"]
        self.assertEqual(row["strangers"], 5)
        self.assertEqual([(sender["domain"], sender["mails"], sender["days"]) for sender in row["senders"]],
                         [("client.example", 2, 3), ("<>", 2, 3)])
        self.assertEqual(row["senders"][0]["last_day"], row["last_day"])
        self.assertLess(row["first_day"], row["last_day"])

    def test_what_counts(self):
        self.mail("eva@client.example", "al@old.example", "x@gone.example", "y@gone.example", "stay@old.example", "none@old.example")
        self.mail("eva@client.example", "fo@old.example")
        self.counted("@gone.example", 2)
        self.counted("fo@old.example", 1)
        self.assertEqual(sorted(self.hits()), ["@gone.example", "al@old.example", "fo@old.example"])
        zero = self.hits("stay@old.example")["stay@old.example"]
        self.assertEqual((zero["count"], zero["first_day"], zero["senders"]), (0, None, []))
        self.assertEqual(self.ctl("hits", "none@old.example", status=1), "")

    def test_the_map_reply_counts_what_it_refuses_and_the_milter_the_rest(self):
        with Socketmap(self.daemon.lookups) as client, self.daemon.session():
            for address in ("al@old.example", "fo@old.example", "stay@old.example"):
                client.ask(f"reply 192.0.2.7 0 0 <{address}> eva@client.example")
                client.ask(f"listed {address}")
            self.counted("al@old.example", 1)
            self.daemon.configure(mode="observe")
            self.daemon.reload()
            client.ask("reply 192.0.2.7 0 0 <bo@old.example> eva@client.example")  # the session counts it
            self.mail("eva@client.example", "bo@old.example")
            self.counted("bo@old.example", 1)
        place.until(lambda: json.loads(self.daemon.movedctl("stats", "--json"))["sessions_open"] == 0, "no session is open")
        with Socketmap(self.daemon.lookups) as client:
            client.ask("reply 192.0.2.7 0 0 <bo@old.example> eva@client.example")
        self.counted("bo@old.example", 2)
        self.assertEqual(sorted(self.hits()), ["al@old.example", "bo@old.example"])

    def test_nothing_is_kept_but_the_domain(self):
        for day in range(2):
            self.day(day)
            for sender in ("eva@client.example", "eva@[192.0.2.7]", "eva@192.0.2.7", "eva"):
                self.mail(sender, "al@old.example")
            self.counted("al@old.example", 4 * day + 4)
        domains = [sender["domain"] for sender in self.hits()["al@old.example"]["senders"]]
        self.assertEqual(domains, ["(none)", "client.example"])
        kept = (self.daemon.table / "hits/data.mdb").read_bytes()
        for text in (b"eva", b"192.0.2.7", b"4XkQ2z1"):
            self.assertNotIn(text, kept)

    def test_a_wildcard_has_one_row_however_many_names(self):
        names = int(os.environ.get("HITS_NAMES", "50000"))
        held = []
        for part in range(10):
            self.mail("eva@client.example", *(f"u{random.getrandbits(64):x}@gone.example" for _ in range(names // 10)))
            held.append((self.memory(), (self.daemon.table / "hits/data.mdb").stat().st_size))
        self.assertEqual(self.counted("@gone.example", names)["strangers"], names)
        self.assertEqual(len(self.hits()), 1)
        if os.environ.get("TESTED_KIND", "plain") == "plain":  # a sanitizer keeps what was freed
            self.assertLess(held[-1][0] - held[1][0], 8192, f"KiB, and octets of hits/, after each tenth: {held}")
        self.assertLess(held[-1][1] - held[1][1], 1 << 20, held)

    def test_what_there_is_no_room_for_is_answered_and_counted_as_lost(self):
        """Here since another program holds hits/, so that nothing can be written."""
        self.mail("eva@client.example", "al@old.example")
        self.counted("al@old.example", 1)
        names = [f"{number:06}".ljust(240, "x") + "@old.example" for number in range(16000)]
        self.ctl("import", "-", stdin="old,new\n" + "".join(f"{name},\n" for name in names))
        with holding(self.daemon.table / "hits", "write"):
            for part in range(0, len(names), 1000):
                self.mail("eva@client.example", *names[part:part + 1000])
            lost = json.loads(self.daemon.movedctl("stats", "--json"))["hits_lost"]
        self.assertGreater(lost, 0)
        place.until(lambda: len(self.hits()) + lost == len(names) + 1, f"all others are counted, beside {lost}", self.daemon.log)

    def test_other_views(self):
        for day in range(2):
            self.day(day)
            self.mail("eva@client.example", "al@old.example", "al@old.example", "bo@old.example")
            self.mail("x@other.example", "x@gone.example")
            self.counted("@gone.example", day + 1)
            self.ctl("hits", "--by-sender")
            self.assertEqual("no sender domain has come back" in self.said, day == 0, self.said)
        self.assertEqual(list(self.hits("--top", "1")), ["al@old.example"])
        self.assertEqual(list(self.hits("--domain", "gone.example")), ["@gone.example"])
        self.day(9)
        self.mail("eva@client.example", "bo@old.example")
        self.counted("bo@old.example", 3)
        self.assertEqual(list(self.hits("--since", "-2d")), ["bo@old.example"])
        senders = json.loads(self.ctl("hits", "--by-sender", "--json"))
        self.assertEqual([(row["domain"], row["mails"], row["entries"], row["days"]) for row in senders],
                         [("client.example", 4, 2, 3), ("other.example", 1, 1, 2)])
        self.assertEqual(self.ctl("hits", "--top", "1").split("\t")[:2], ["al@old.example", "4"])
        # The same of entries that are named.
        both = ("bo@old.example", "al@old.example")
        self.assertEqual(list(self.hits(*both)), list(both))
        self.assertEqual(list(self.hits(*both, "--top", "1")), ["al@old.example"])
        self.assertEqual(list(self.hits(*both, "--since", "-2d")), ["bo@old.example"])
        self.assertEqual(list(self.hits(*both, "--domain", "gone.example")), [])
        senders = json.loads(self.ctl("hits", *both[:1], "none@old.example", "--by-sender", "--json", status=1))
        self.assertEqual([(row["domain"], row["entries"]) for row in senders], [("client.example", 1)])
        for words in (("--top", "x"), ("--since", "x"), ("--unused-for", "5"), ("--until", "-1d"), ("--clear",), ("--unused-for", "999d")):
            self.assertIn(self.daemon.ctl("hits", *words).returncode, (64, 65), words)

    def test_other_hosts_are_added(self):
        for day in range(2):
            self.day(day)
            self.mail("eva@client.example", "al@old.example")
            self.counted("al@old.example", day + 1)
        other = self.folder / "other.json"
        other.write_text(self.ctl("hits", "--json"))
        row = self.hits("--add", other, other)["al@old.example"]
        self.assertEqual((row["count"], row["strangers"], row["senders"][0]["mails"], row["senders"][0]["days"]), (6, 3, 3, 2))
        other.write_text('[{"old": "bo@old.example", "count": 2, "first_day": "2026-01-01", "last_day": "2026-01-02", "strangers": 2, "senders": []}]')
        self.assertEqual(sorted(self.hits("--add", other)), ["al@old.example", "bo@old.example"])
        row = ('[{"old": "bo@old.example", "count": 2, "first_day": "2026-01-01", "last_day": "2026-01-02", "strangers": 0, "senders": '
               '[{"domain": "%s", "mails": 2, "days": 2, "last_day": "2026-01-02"}]}]')
        other.write_text(row % "client.example")
        self.assertIn("client.example", self.ctl("hits", "--add", other))
        both = row % "client.example"
        for part in ("[]", " [ ]\n"):
            other.write_text(part)
            self.assertEqual(list(self.hits("--add", other)), ["al@old.example"])
        # An empty or a cut file is one of a host that could not be asked, and not of one to which nobody wrote.
        for bad in ("", "[", both[:-1], both[:-1] + ",", both[:-1] + ",]", both * 2, "[]" + both, both[1:], both[1:-1], "[,]", "[{}]", "[{", "x", both.replace('"days": 2', '"days": 4294967296'), row % "a\\tb", row % "\\u001b[2J", row % "Client.example"):
            other.write_text(bad)
            self.assertEqual(self.daemon.ctl("hits", "--add", other).returncode, 65, bad)
        self.assertEqual(self.daemon.ctl("hits", "--add", self.folder / "none").returncode, 66)

    def test_erased_on_demand(self):
        self.mail("eva@client.example", "al@old.example", "bo@old.example")
        self.counted("bo@old.example", 1)
        self.ctl("hits", "--clear", "al@old.example")
        self.assertEqual(list(self.hits()), ["bo@old.example"])
        self.ctl("hits", "--clear", "bo@old.example", "typo@old.example", status=1)
        self.assertIn("no entry 'typo@old.example': nothing was cleared", self.said)
        self.assertEqual(list(self.hits()), ["bo@old.example"])
        self.day(10)
        self.ctl("hits", "--clear", "--until", "-5d")
        self.assertEqual(self.hits(), {})
        self.mail("eva@client.example", "al@old.example")
        self.counted("al@old.example", 1)
        self.ctl("hits", "--clear", "--all")
        self.ctl("hits", "--clear", "typo@old.example", status=1)  # also where nothing is counted
        self.ctl("hits", "--clear", "--until", "x", status=65)
        self.assertEqual(self.hits(), {})
        self.mail("eva@client.example", "al@old.example")
        self.counted("al@old.example", 1)  # the daemon goes on


class Unused(HitsCase):
    def setUp(self):
        super().setUp()
        self.said_by_hits("unused for 30d is known from", "--unused-for", "30d")  # the daemon's thread has begun to count

    def said_by_hits(self, words, *args):
        place.until(lambda: words in self.daemon.ctl("hits", *args, env=self.daemon.env).stderr, words)

    def test_what_nobody_needs_is_named_and_deleted(self):
        self.assertEqual(self.ctl("hits", "--unused-for", "30d"), "")
        self.assertRegex(self.said, "counting began on [-0-9]+: which entries are unused for 30d is known from [-0-9]+ on")
        for day in (0, 1, 20, 40):
            self.day(day)
            self.mail("eva@client.example", "al@old.example")
            self.mail(f"x@spam{day}.example", "bo@old.example")
            self.counted("bo@old.example", (0, 1, 20, 40).index(day) + 1)
        self.ctl("add", "late@old.example", "late@new.example")
        named = self.ctl("hits", "--unused-for", "30d")
        self.assertEqual(named.split(), ["@gone.example", "bo@old.example", "fo@old.example"])
        self.assertEqual(sorted(self.hits("--unused-for", "30d")), sorted(named.split()))
        self.day(80)
        self.assertEqual(self.ctl("hits", "--unused-for", "30d", "--domain", "old.example").split(),
                         ["al@old.example", "bo@old.example", "fo@old.example", "late@old.example"])
        self.day(41)
        self.ctl("del", "-", stdin=named)
        self.assertEqual(self.ctl("list").count("\n"), 3)
        self.ctl("add", "bo@old.example", "bo@new.example")
        self.assertEqual(self.ctl("hits", "--unused-for", "30d"), "")
        self.assertEqual(self.hits("bo@old.example")["bo@old.example"]["count"], 0)

    def test_del_reads_all_or_nothing(self):
        self.ctl("del", "-", stdin="al@old.example\nnone@old.example\n", status=1)
        self.ctl("del", "-", stdin="al@old.example\n\n\nx\n", status=65)
        self.ctl("del", "-", stdin="")
        self.assertEqual(self.ctl("list").count("\n"), 5)
        self.ctl("del", "-", stdin="al@old.example\r\nbo@old.example")
        self.assertEqual(self.ctl("list").count("\n"), 3)

    def test_days_without_the_daemon_are_reported(self):
        self.daemon.stop()
        self.day(20)
        self.daemon.start()
        self.said_by_hits("milter-moved did not run from")

    def test_an_entry_that_was_forwarded_and_has_no_mail_is_linted(self):
        self.ctl("add", "for@old.example", "for@new.example", "--forward-until", "+5d")
        self.ctl("add", "used@old.example", "used@new.example", "--forward-until", "+5d")
        self.mail("eva@client.example", "used@old.example")
        self.counted("used@old.example", 1)
        self.day(10)
        found = self.ctl("lint", status=1)
        self.assertIn("for@old.example: warning: no longer forwards, and has had no mail since", found)
        self.assertNotIn("used@old.example", found)


class Life(HitsCase):
    def test_an_end_for_what_has_none(self):
        self.ctl("add", "a@old.example", "a@new.example", "--for", "20d", "--forward-until", "+5d")
        self.ctl("import", "--for", "31d", "-", stdin="old,new,until\nb@old.example,b@new.example,\nc@old.example,c@new.example,2099-01-01\n")
        entries = {entry["old"]: entry for entry in json.loads(self.ctl("list", "--json"))}
        self.assertTrue(entries["a@old.example"]["until"])
        self.assertTrue(entries["b@old.example"]["until"])
        self.assertEqual(entries["c@old.example"]["until"], "2099-01-01T00:00:00Z")
        self.assertEqual([row.split("\t")[0] for row in self.ctl("list", "--expiring", "30d").splitlines()], ["a@old.example"])
        self.assertEqual([row["old"] for row in json.loads(self.ctl("list", "--expiring", "5w", "--json"))], ["a@old.example", "b@old.example"])
        self.day(40)
        self.assertEqual(self.ctl("list", "--expiring", "30d"), "")
        for words in (("list", "--expiring", "x"), ("add", "d@old.example", "d@new.example", "--for", "+3d"),
                      ("add", "d@old.example", "d@new.example", "--for", "3d", "--until", "+3d")):
            self.assertIn(self.daemon.ctl(*words).returncode, (64, 65), words)

    def test_a_duration_of_nothing_and_one_beyond_the_last_year(self):
        self.ctl("add", "a@old.example", "a@new.example", "--until", "+5d")
        self.assertEqual(self.ctl("list", "--expiring", "0d"), "")
        self.assertEqual(self.ctl("list", "--expiring", "0d", "--count"), "0\n")
        for words in (["add", "b@old.example", "b@new.example"], ["import", "-"]):
            done = self.daemon.ctl(*words, "--for", "0h", stdin="old,new\nc@old.example,\n")
            self.assertEqual((done.returncode, done.stderr), (65, "movedctl: --for: '0h' is no time at all: write 180d, 26w or 12h\n"))
        self.ctl("add", "d@old.example", "d@new.example", "--from", "9999-12-31", "--for", "1w")
        self.ctl("add", "e@old.example", "e@new.example", "--for", "418900w")
        self.assertIn("0 added, 0 changed, 0 removed,", self.ctl("import", "-", stdin=self.ctl("export")))


class Faults(HitsCase):
    """Whatever happens to hits/, answers are as before, and one line tells."""

    def stats(self):
        return json.loads(self.daemon.movedctl("stats", "--json"))

    def is_lost(self, mails):
        for _ in range(mails):
            self.assertEqual(self.mail("eva@client.example", "al@old.example"), ["551 5.1.6 User not local; please try <al@new.example>"])
        place.until(lambda: self.stats()["hits_lost"] == mails, f"{mails} lost: {self.stats()}", self.daemon.log)
        self.mail("eva@client.example", "al@old.example")
        place.until(lambda: self.stats()["hits_lost"] == mails + 1, "one more is lost")
        self.assertEqual(self.daemon.logged("not counted"), 1, self.daemon.log())

    def damaged(self, damage):
        self.mail("eva@client.example", "al@old.example")
        self.counted("al@old.example", 1)
        damage(self.daemon.table / "hits/data.mdb")
        self.is_lost(3)
        self.assertEqual(self.daemon.ctl("hits").returncode, 65)
        self.ctl("hits", "--clear", "--all")
        self.mail("eva@client.example", "al@old.example")
        place.until(lambda: self.hits("al@old.example")["al@old.example"]["count"] == 1, "it is counted again")
        self.ctl("hits")
        self.assertIn("mails that were answered and not counted: 4,", self.said)

    def test_cut_short(self):
        self.damaged(lambda path: os.truncate(path, 8192))

    def test_overwritten(self):
        def overwrite(path):
            with open(path, "r+b") as file:
                file.write(b"\xff" * path.stat().st_size)
        self.damaged(overwrite)

    def test_emptied_in_the_middle_of_a_flush(self):
        """When the daemon has looked at the file, and waits for the lock: it gets the lock, and then the fault."""
        if os.geteuid() != 0:
            place.lacking("only root sees what a thread of the daemon's user waits for")
        self.mail("eva@client.example", "al@old.example")
        self.counted("al@old.example", 1)
        # As long as another program has hits/ open, LMDB makes no new locks when the daemon opens it again.
        self.stack.enter_context(holding(self.daemon.table / "hits", "read"))
        with holding(self.daemon.table / "hits", "write"):
            self.mail("eva@client.example", "bo@old.example")
            place.until(lambda: self.waits_for(self.daemon.table / "hits/lock.mdb"), "the daemon waits for hits/")
            os.truncate(self.daemon.table / "hits/data.mdb", 0)
        place.until(lambda: self.stats()["hits_lost"] == 1, "the mail is lost")
        self.assertEqual(self.mail("eva@client.example", "al@old.example"), ["551 5.1.6 User not local; please try <al@new.example>"])
        self.counted("al@old.example", 1)  # LMDB takes an empty file for a new one
        self.ctl("hits")
        self.assertIn("mails that were answered and not counted: 1,", self.said)

    def test_a_folder_that_cannot_be_written(self):
        self.daemon.stop()
        hits = self.daemon.table / "hits"
        hits.rename(self.folder / "away")
        hits.write_text("no folder")
        self.daemon.start()
        self.is_lost(2)

    def test_files_that_cannot_be_written(self):
        if os.geteuid() != 0:
            place.lacking("only root takes files away from the daemon's user")
        self.mail("eva@client.example", "al@old.example")
        self.counted("al@old.example", 1)
        for file in (self.daemon.table / "hits").iterdir():
            os.chown(file, 0, 0)
            file.chmod(0o444)
        self.is_lost(2)

    def test_a_clock_that_is_set_back(self):
        for day, mails in ((100, 1), (0, 2), (100, 3)):
            self.day(day)
            self.assertEqual(self.mail("eva@client.example", "al@old.example"), ["551 5.1.6 User not local; please try <al@new.example>"])
            self.counted("al@old.example", mails)
        self.assertEqual(self.stats()["hits_lost"], 0)
        self.ctl("hits")
        self.assertEqual(self.said, "")
        self.assertEqual(self.ctl("hits", "--unused-for", "30d", "--domain", "gone.example"), "@gone.example\n")

    def test_a_full_disk(self):
        if os.environ.get("TESTED_KIND") == "tsan":
            self.skipTest("ThreadSanitizer keeps shadow memory in a file, which the limit cuts short")
        self.daemon.stop()
        self.daemon.configure(log={"target": "stderr", "level": "error"})  # the log has the same limit
        wrapped = self.daemon.command()
        self.daemon.command = lambda: ["sh", "-c", 'ulimit -f 200; exec "$@"', "-", *wrapped]
        self.daemon.start()
        entries = "".join(f"v{name}@old.example,v@new.example\n" for name in range(3000))
        self.ctl("import", "-", stdin="old,new\n" + entries)
        for part in range(30):
            said = self.mail("eva@client.example", *(f"v{100 * part + name}@old.example" for name in range(100)))
            self.assertEqual(set(said), {"551 5.1.6 User not local; please try <v@new.example>"})
        place.until(lambda: self.stats()["hits_lost"] > 0, "some are lost")
        place.until(lambda: self.daemon.count("not counted") == 1, self.daemon.log()[-2000:])

    def waits_for(self, path):
        """Whether a thread of the daemon waits for a lock in this file, which is mapped."""
        process = pathlib.Path("/proc", str(self.daemon.process.pid))
        lines = [line.split() for line in (process / "maps").read_text().splitlines()]
        ranges = [[int(end, 16) for end in line[0].split("-")] for line in lines if line[-1] == str(path)]
        for task in (process / "task").iterdir():
            with contextlib.suppress(OSError):
                words = (task / "syscall").read_text().split()
                if len(words) > 2 and any(begin <= int(words[1], 16) < end for begin, end in ranges):
                    return True
        return False

    def test_a_program_that_writes_hits_and_does_not_end_holds_up_no_answer(self):
        if os.geteuid() != 0:
            place.lacking("only root sees what a thread of the daemon's user waits for")
        self.mail("eva@client.example", "al@old.example")
        self.counted("al@old.example", 1)
        with holding(self.daemon.table / "hits", "write"):
            self.ctl("add", "new@old.example", "new@new.example")  # which the daemon takes from the change log
            place.until(lambda: self.waits_for(self.daemon.table / "hits/lock.mdb"), "the daemon waits for hits/")
            self.daemon.reload()
            self.assertEqual(self.mail("eva@client.example", "new@old.example"),
                             ["551 5.1.6 User not local; please try <new@new.example>"])
            self.daemon.stop()
            self.daemon.start()
            self.assertEqual(self.mail("eva@client.example", "bo@old.example"), ["551 5.1.6 User not local; please try <bo@new.example>"])
        self.counted("bo@old.example", 1)

    def test_killed_at_any_moment(self):
        for number in range(int(os.environ.get("FAULT_KILLS", "20"))):
            self.day(number)
            self.mail("eva@client.example", "al@old.example")
            time.sleep((number % 10) * 0.15)  # any moment of the interval; nothing is asserted about which
            self.daemon.process.kill(signal.SIGKILL)
            self.daemon.process.wait()
            self.daemon.start()
        row = self.hits("al@old.example")["al@old.example"]
        self.assertLessEqual(row["count"], number + 1)
        before = row["count"]
        self.mail("eva@client.example", "al@old.example")
        self.counted("al@old.example", before + 1)

    def test_switched_off_and_on(self):
        self.mail("eva@client.example", "al@old.example")
        self.counted("al@old.example", 1)
        self.daemon.configure(hits={"enabled": False, "flush_interval": 1})
        self.daemon.reload()
        place.until(lambda: self.is_off(), "nothing is counted any more")
        self.daemon.configure(hits={"flush_interval": 1})
        self.day(3)
        self.daemon.reload()
        before = self.hits("al@old.example")["al@old.example"]["count"]

        def is_on():
            self.mail("eva@client.example", "al@old.example")
            return self.hits("al@old.example")["al@old.example"]["count"] > before
        place.until(is_on, "it is counted again")
        self.assertEqual(self.ctl("hits", "--unused-for", "2d"), "")
        self.assertIn("counting began", self.said)

    def test_switched_off_at_a_restart(self):
        """Those days were not counted either, and nothing tells that nobody wrote."""
        self.daemon.stop()
        self.daemon.configure(hits={"enabled": False, "flush_interval": 1})
        self.daemon.start()
        self.mail("eva@client.example", "al@old.example")
        self.daemon.stop()
        self.day(40)
        self.daemon.configure(hits={"flush_interval": 1})
        self.daemon.start()
        place.until(lambda: "unused for 30d is known from" in self.daemon.ctl("hits", "--unused-for", "30d", env=self.daemon.env).stderr,
                    "counting begins again")

    def is_off(self):
        before = self.hits("al@old.example")["al@old.example"]["count"]
        self.mail("eva@client.example", "al@old.example")
        time.sleep(1.5)  # an interval and more: there is nothing else that would tell
        return self.hits("al@old.example")["al@old.example"]["count"] == before


class RealMail(HitsCase):
    """A thousand mails of five domains on ten days, through a real mail server."""

    SENDERS = ("a.example", "b.example", "c.example", "d.example", None)

    def group(self):
        return Postfix.group

    def through(self, mta):
        server = self.stack.enter_context(mta(self.folder / "m", {"unix": (getattr(self.daemon.socket, mta.mta), {})},
                                              local_milter=getattr(self.daemon.socket, mta.mta)))
        total = 0
        for day in range(10):
            self.day(day)
            for number in range(20):
                for domain in self.SENDERS:
                    with Talk(server.ports["unix"]) as talk:
                        said = talk.mail(f"s{number}@{domain}" if domain else "")
                        self.assertTrue(said.startswith("250"), said)
                        said = talk.rcpt("al@old.example")
                        self.assertEqual(said, "551 5.1.6 User not local; please try <al@new.example>")
                    total += 1
            row = self.counted("al@old.example", total)
        self.assertEqual((row["count"], row["strangers"]), (1000, 100))
        self.assertEqual({sender["domain"]: (sender["mails"], sender["days"]) for sender in row["senders"]},
                         {domain or "<>": (180, 10) for domain in self.SENDERS})

    def test_postfix(self):
        self.through(Postfix)

    def test_sendmail(self):
        self.through(Sendmail)


if __name__ == "__main__":
    unittest.main()
