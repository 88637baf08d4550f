# SPDX-License-Identifier: BSD-2-Clause
"""movedctl as an administrator and a script meet it: the real program, a real table, exit statuses and error lines."""

import concurrent.futures
import datetime
import itertools
import json
import os
import signal
import subprocess
import time
import unittest

from lib import place
from lib.daemon import Daemon

HEAD = "old,new,action,from,until,forward_until,disclose,note\n"
MOVED = "551 5.1.6 User not local; please try <{}>"


class MovedctlCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = place.folder()
        self.folder = folder.__enter__()
        self.addCleanup(folder.__exit__, None, None, None)
        self.daemon = Daemon(self.folder / "d")
        self.movedctl, self.ctl = self.daemon.movedctl, self.daemon.ctl
        self.movedctl("init")

    def refused(self, status, words, *args, stdin=""):
        """The command fails with this status and one line on standard error that has these words, and the table stays."""
        before = self.movedctl("export")
        done = self.ctl(*args, stdin=stdin)
        self.assertEqual(done.returncode, status, f"{args}: {done.stderr}")
        self.assertIn(words, done.stderr, args)
        for line in done.stderr.splitlines():
            self.assertRegex(line, r"^movedctl: ", args)
        self.assertEqual(self.movedctl("export"), before, args)
        return done


class Commands(MovedctlCase):
    def test_an_entry_is_added_shown_and_deleted(self):
        self.movedctl("add", "Alice@OLD.example", "alice@new.example", "--note", "since May", "--from", "2026-01-01")
        self.assertEqual(json.loads(self.movedctl("get", "--json", "alice@old.example")),
                         {"old": "alice@old.example", "new": "alice@new.example", "action": "reject",
                          "from": "2026-01-01T00:00:00Z", "until": "", "forward_until": "", "disclose": "",
                          "note": "since May"})
        self.assertIn("alice@new.example", self.movedctl("get", "alice@old.example"))
        self.movedctl("del", "ALICE@old.example")
        done = self.ctl("get", "alice@old.example")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (1, "", ""))

    def test_options_stand_anywhere_and_a_dash_dash_ends_them(self):
        self.movedctl("add", "--disclose=nobody", "a@old.example", "--until", "2099-01-01", "a@new.example")
        self.movedctl("add", "--", "-b@old.example", "-b@new.example")
        self.assertIn("-b@new.example", self.movedctl("get", "--", "-b@old.example"))

    def test_list_counts(self):
        self.daemon.hold(*((f"u{i}@{domain}.example", "") for i in range(150) for domain in ("a", "b")), ("@a.example", ""))
        for args, count in (([], 301), (["--domain", "a.example"], 151), (["u1*@b.example"], 61), (["--domain", "c.example"], 0),
                            (["--json"], 301)):
            self.assertEqual(self.movedctl("list", "--count", *args), f"{count}\n", args)

    def test_the_environment_stands_for_the_option_c(self):
        other = Daemon(self.folder / "other")
        other.movedctl("init")
        other.movedctl("add", "o@old.example", "--gone")
        env = {**os.environ, "MILTER_MOVED_CONF": str(other.conf)}
        for program, args, words in (("movedctl", ["list"], "o@old.example"), ("milter-moved", ["-t"], f"{other.conf}: good")):
            done = subprocess.run(place.program(program) + args, capture_output=True, text=True, env=env, timeout=place.PATIENCE)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(words, done.stdout)
            done = subprocess.run(place.program(program) + args, capture_output=True, text=True, timeout=place.PATIENCE,
                                  env={**env, "MILTER_MOVED_CONF": str(self.folder / "none")})
            self.assertEqual((done.returncode, done.stdout), (66, ""))
            self.assertIn(f"{self.folder / 'none'}: No such file", done.stderr)
        self.assertNotIn("o@old.example", self.ctl("list", env=env).stdout)

    def test_a_wrong_command_names_the_one_that_was_meant(self):
        for typed, meant in (("delete", "del"), ("rm", "del"), ("remove", "del"), ("show", "get"), ("ls", "list"), ("impotr", "import"),
                             ("imp", "import"), ("ad", "add"), ("dle", "del"), ("atach", "attach"), ("detahc", "detach"),
                             ("lst", "list"), ("exprot", "export"), ("bakcup", "backup"), ("statistics", None), ("x", None),
                             ("deliver", None), ("a" * 5000, None), ("", None)):
            hint = f": did you mean {meant}? see movedctl help\n" if meant else ": see movedctl help\n"
            done = self.refused(64, "no such command '", typed)
            if len(typed) < 500:
                self.assertEqual(done.stderr, f"movedctl: no such command '{typed}'{hint}")

    def test_a_time_may_be_relative_to_now(self):
        before = int(time.time()) - 1  # time(3) may be a clock tick behind
        self.movedctl("add", "r@old.example", "r@new.example", "--from", "-1h", "--forward-until", "+2w", "--until", "+180d")
        entry = json.loads(self.movedctl("get", "--json", "r@old.example"))
        for key, seconds in (("from", -3600), ("forward_until", 14 * 86400), ("until", 180 * 86400)):
            when = datetime.datetime.strptime(entry[key], "%Y-%m-%dT%H:%M:%S%z").timestamp()
            self.assertTrue(before + seconds <= when <= time.time() + seconds, entry)
        self.assertTrue(self.movedctl("test", "r@old.example").startswith("forward <r@new.example>"))
        self.assertTrue(self.movedctl("test", "--at", "+15d", "r@old.example").startswith("551 "))
        self.assertTrue(self.ctl("test", "--at", "+181d", "r@old.example").stdout.startswith("continue"))
        self.refused(65, "--at: no date or time '+1x': write 2026-09-01, 2026-09-01T06:00:00Z, +180d", "test", "--at", "+1x", "r@old.example")
        self.refused(65, "until: '-2d' is not after from '-1d'", "add", "s@old.example", "--gone", "--from", "-1d", "--until", "-2d")
        self.refused(65, ":2: until: no date or time '+1d': write 2026-09-01 or ", "import", "-",
                     stdin="old,new,until\na@old.example,a@new.example,+1d\n")

    def test_an_end_in_the_past_is_warned_of(self):
        for option, words in (("--until", "is never in force"), ("--forward-until", "already rejects")):
            for when in ("-1h", "2020-01-01"):
                done = self.ctl("add", "--replace", "r@old.example", "r@new.example", option, when)
                self.assertEqual((done.returncode, done.stderr),
                                 (0, f"movedctl: warning: {option}: {when} has passed: the entry {words}\n"))
            self.assertEqual(self.ctl("add", "--replace", "r@old.example", "r@new.example", option, "+1h").stderr, "")

    def test_what_is_there_is_replaced_only_when_asked(self):
        self.movedctl("add", "a@old.example", "a@new.example")
        self.refused(65, "already has an entry", "add", "A@old.example.", "b@new.example")
        self.movedctl("add", "--replace", "a@old.example", "b@new.example")
        self.assertIn("b@new.example", self.movedctl("get", "a@old.example"))

    def test_the_option_that_is_wrong_is_named_and_the_one_that_was_meant(self):
        for args, words in ((["add", "-xy"], "'-x' is not an option of add: usage: "), (["add", "--gone", "-x"], "'-x' is not an option of add: usage: "),
                            (["add", "--fromage"], "'--fromage' is not an option of add: usage: "),
                            (["add", "--repalce=1"], "'--repalce=1' is not an option of add: did you mean --replace? usage: movedctl add "),
                            (["import", "--formt", "csv", "-"], "did you mean --format? usage: movedctl import "),
                            (["list", "--repalce"], "'--repalce' is not an option of list: usage: movedctl list "),
                            (["list", "-n"], "'-n' is not an option of list: usage: "),
                            (["--json", "list"], "'--json' must come after the command: movedctl COMMAND --json"),
                            (["list", "-c"], "'-c' requires an argument: usage: movedctl list"),
                            (["-d"], "'-d' requires an argument: see movedctl help"), (["-xc"], "'-x' is not an option: "),
                            (["--foo"], "'--foo' is not an option: see movedctl help")):
            self.refused(64, words, *args)

    def test_c_and_d_may_stand_behind_the_command_and_the_last_counts(self):
        other = Daemon(self.folder / "other")
        other.movedctl("init")
        other.movedctl("add", "o@old.example", "--gone")
        for args in (["list", "-d", other.table], [f"-d{other.table}", "list"], ["-d", "/none", "list", "o*", "-d", other.table],
                     ["list", "-c", other.conf], ["list", f"-c{other.conf}", "--json"]):
            self.assertIn("o@old.example", self.movedctl(*args), args)
        for args in (["-V"], ["list", "-V"], ["list", "--version"], ["--version"]):
            self.assertRegex(self.movedctl(*args), r"^movedctl [0-9.]+\n$")

    def test_del_is_all_or_nothing(self):
        self.movedctl("add", "a@old.example", "--gone")
        for names in (("a@old.example", "b@old.example"), ("b@old.example", "a@old.example")):
            self.refused(1, "'b@old.example'", "del", *names)
        self.refused(65, "standard input: a NUL", "del", "-", stdin="a@old.example\0\n")
        self.movedctl("add", "b@old.example", "--gone")
        self.movedctl("del", "a@old.example", "b@old.example", "A@old.example")  # one of them twice
        self.assertEqual(self.movedctl("export"), HEAD)

    def test_no_character_that_a_terminal_obeys_is_shown(self):
        tricks = "\x80\x85\x9b\u2028\u2029\u202e\u2066\u200f"
        old, new, note = f"a{tricks}@old.example", f"b{tricks}@new.example", f"words {tricks}"
        self.movedctl("add", old, new, "--note", note)
        self.movedctl("add", "--replace", old, f"c{tricks}@new.example", "--note", note)
        self.movedctl("add", f"c{tricks}@new.example", "d@new.example")
        for args in (["get", old], ["get", "--json", old], ["list"], ["list", "--json"], ["log"], ["log", "--json"], ["lint"], ["lint", "--json"],
                     ["test", old], ["test", "--json", old], ["test", "--smtputf8", old], ["export"], ["export", "--format", "jsonl"], ["import", "--dry-run", "--replace-all", "-"]):
            text = place.on_a_terminal([*place.program("movedctl"), "-c", self.daemon.conf, *args], f"old,new\n{old},x{new}\n")
            self.assertIn("old.example", text, args)
            for colour in ("\033[0m", "\033[2m", "\033[31m", "\033[32m", "\033[33m", "\033[1;31m", "\033[1;36m"):
                text = text.replace(colour, "")
            shown = {f"U+{ord(letter):04x}" for letter in text if letter != "\n" and (ord(letter) < 0xa0 and not letter.isprintable() or letter in tricks)}
            self.assertEqual(shown, set(), args)
        for args in (["get", old], ["list"], ["export"]):
            self.assertIn(tricks, self.movedctl(*args), "a program reads what is there")
        self.assertEqual(json.loads(self.movedctl("get", "--json", old))["note"], note)
        for args in (["add", old, new], ["del", old + "x"], ["get", tricks], ["test", "--at", tricks, old], ["add", "q@old.example", tricks],
                     ["import", tricks], [tricks], ["list", "--" + tricks]):
            done = self.ctl(*args)
            self.assertNotIn(done.returncode, (0, 1)) if args[0] != "del" else None
            self.assertEqual([letter for letter in done.stderr if letter in tricks], [], args)
            self.assertEqual(len(done.stderr.splitlines()), 1, args)

    def test_each_kind_of_entry(self):
        self.movedctl("add", "gone@old.example", "--gone")
        self.movedctl("add", "stay@old.example", "--stay")
        self.movedctl("add", "fwd@old.example", "f@new.example", "--forward")
        self.movedctl("add", "grace@old.example", "g@new.example", "--forward-until", "2999-01-01")
        self.movedctl("add", "@old.example", "@new.example")
        self.movedctl("add", "@.old.example", "x@new.example")
        answers = {"gone@old.example": "550 5.1.6 User not local; no forwarding address", "stay@old.example": "continue",
                   "fwd@old.example": "forward <f@new.example>", "grace@old.example": "forward <g@new.example>",
                   "any@old.example": MOVED.format("any@new.example"), "any@sub.old.example": MOVED.format("x@new.example")}
        for recipient, answer in answers.items():
            done = self.ctl("test", recipient)
            self.assertEqual(done.stdout.splitlines()[0], answer)
            self.assertEqual(done.returncode, 1 if answer == "continue" else 0)

    def test_list_is_sorted_by_domain_and_filtered(self):
        for old in ("z@a.example", "a@b.example", "B@a.example", "@a.example"):
            self.movedctl("add", old, "x@new.example")

        def olds(*args):
            return [line.split("\t")[0] for line in self.movedctl("list", *args).splitlines()]
        self.assertEqual(olds(), ["@a.example", "b@a.example", "z@a.example", "a@b.example"])
        self.assertEqual(olds("--domain", "A.example."), ["@a.example", "b@a.example", "z@a.example"])
        self.assertEqual(olds("?@*"), ["b@a.example", "z@a.example", "a@b.example"])
        self.assertEqual([entry["old"] for entry in json.loads(self.movedctl("list", "--json"))], olds())
        self.assertEqual(json.loads(self.movedctl("list", "--json", "nothing*")), [])

    def test_test_says_what_the_daemon_would_say_and_why(self):
        self.movedctl("add", "shy@old.example", "shy@new.example", "--disclose", "trusted")
        self.movedctl("add", "soon@old.example", "s@new.example", "--from", "2099-01-01")
        self.movedctl("add", "jörg@old.example", "jörg@new.example")
        withheld = "550 5.1.6 User not local; forwarding address withheld"

        def line(*args):
            return self.ctl("test", *args).stdout.splitlines()[0]
        self.assertEqual(line("shy@old.example"), withheld)
        self.assertEqual(line("shy@old.example", "--client", "127.0.0.1"), MOVED.format("shy@new.example"))
        self.assertEqual(line("shy@old.example", "--client", "2001:db8::1"), withheld)
        self.assertEqual(line("shy@old.example", "--authenticated"), MOVED.format("shy@new.example"))
        self.assertEqual(line("shy@old.example", "--client-name", "mx.partner.example"), withheld)
        self.daemon.configure(disclosure={"trusted_networks": ["0.0.0.0/0", "::/0"]})
        self.assertEqual(line("shy@old.example"), withheld)
        self.assertEqual(line("shy@old.example", "--client", "2001:db8::1"), MOVED.format("shy@new.example"))
        self.daemon.configure(disclosure={"limit": 0})
        self.assertEqual(line("soon@old.example"), "continue")
        self.assertEqual(line("soon@old.example", "--at", "2099-01-01"), MOVED.format("s@new.example"))
        self.assertEqual(line("jörg@old.example"), withheld)
        self.assertEqual(line("jörg@old.example", "--smtputf8"), MOVED.format("jörg@new.example"))
        why = self.movedctl("test", "shy+x@old.example", "--authenticated")
        self.assertIn("entry: shy@old.example", why)
        self.assertIn("shy+x@new.example", why)
        self.assertIn("told:  trusted, and this client is trusted: it has logged in", why)
        self.assertIn("told:  trusted, and this client is not trusted\n", self.ctl("test", "shy@old.example").stdout)
        told = json.loads(self.movedctl("test", "--json", "shy@old.example"))
        self.assertEqual((told["answer"], told["rule"], told["entry"]), (withheld, "not disclosed", "shy@old.example"))
        self.assertEqual((told["disclose"], told["trusted"]), ("trusted", ""))

    def test_test_says_that_nothing_is_refused_in_observe_mode(self):
        self.movedctl("add", "a@old.example", "a@new.example")
        self.assertNotIn("mode:", self.movedctl("test", "a@old.example"))
        self.assertFalse(json.loads(self.movedctl("test", "--json", "a@old.example"))["observed"])
        self.daemon.configure(mode="observe")
        said = self.movedctl("test", "a@old.example").splitlines()
        self.assertEqual((said[0], said[-1]), (MOVED.format("a@new.example"), "mode:  observe: the daemon logs this, and lets the recipient pass"))
        self.assertTrue(json.loads(self.movedctl("test", "--json", "a@old.example"))["observed"])
        self.assertNotIn("mode:", self.ctl("test", "b@old.example").stdout)

    def test_init_leaves_a_table_that_is_there(self):
        self.movedctl("add", "a@old.example", "--gone")
        self.refused(73, "already", "init")

    def test_init_makes_no_folders_above_the_table(self):
        self.refused(73, "no/such: No such file or directory: make the folder above it first", "-d", self.folder / "no/such", "init")

    def test_help_for_each_command(self):
        listed = [line.split()[0] for line in self.movedctl("help").splitlines() if line.startswith("  ") and line[2].isalpha()]
        for command in ("init", "add", "del", "get", "list", "test", "import", "export", "help"):
            self.assertIn(command, listed)
            self.assertTrue(self.movedctl("help", command).startswith(f"Usage: movedctl {command}"))
            self.assertEqual(self.movedctl(command, "--help"), self.movedctl("help", command))
        plain = subprocess.run([*place.program("movedctl"), "--version"], capture_output=True, text=True, timeout=place.PATIENCE)
        self.assertRegex(plain.stdout, r"^movedctl \d+\.\d+")


class BadInput(MovedctlCase):
    def test_usage(self):
        for words, args in ((" did you mean import", ["imprt"]), ("usage: movedctl add", ["add"]), ("--gone", ["add", "a@old.example"]),
                            ("usage: movedctl get", ["get"]), ("usage: movedctl get", ["get", "a@b", "c@d"]),
                            ("'--colour'", ["list", "--colour"]), ("requires an argument", ["list", "--domain"]),
                            ("exclude each other", ["add", "a@old.example", "--gone", "--stay"]),
                            ("no such format", ["import", "--format", "xml", "-"]), ("see movedctl help", [])):
            self.refused(64, words, *args)

    def test_addresses(self):
        bad = ["", "alice", "alice@", "@", "a@b@old.example", "al ice@old.example", "al\001ice@old.example", "a\nb@old.example",
               "x" * 10000, "x" * 10000 + "@old.example", "a@" + "x" * 64 + ".example", "a@old..example", '"a@old.example', b"\xff@old.example"]
        for address in map(os.fsdecode, bad):
            with self.subTest(address=address[:40]):
                done = self.ctl_bytes("add", address, "a@new.example")
                self.assertEqual(done.returncode, 65, done.stderr)
                self.assertRegex(done.stderr, rb"^movedctl: old: [^\n]*write [^\n]*\n$")
                if address:
                    done = self.ctl_bytes("add", "a@old.example", address)
                    self.assertEqual(done.returncode, 65, done.stderr)
                    self.assertRegex(done.stderr, rb"^movedctl: new: [^\n]*\n$")
        self.assertEqual(self.movedctl("export"), HEAD)

    def ctl_bytes(self, *args):
        command = place.program("movedctl") + ["-c", str(self.daemon.conf), *args]
        return subprocess.run(command, capture_output=True, timeout=place.PATIENCE)

    def test_fields(self):
        for words, args in (("from: ", ["--from", "soon"]), ("until: ", ["--until", "2026-02-30"]), ("disclose: ", ["--disclose", "all"]),
                            ("until: ", ["--from", "2026-02-02", "--until", "2026-02-01"]), ("action: ", ["--stay"]), ("note: ", ["--note", "a\nb"])):
            self.refused(65, words, "add", "a@old.example", "a@new.example", *args)
        for word in ("gone", "stay"):
            self.refused(65, f"action: '{word}' with forward_until: ", "add", "a@old.example", f"--{word}", "--forward-until", "+1d")
        for words, args in (("--at: ", ["--at", "soon"]), ("--client: ", ["--client", "localhost"])):
            self.refused(65, words, "test", "a@old.example", *args)

    def test_tables_that_cannot_be_read(self):
        data = self.daemon.table / "data.mdb"
        self.movedctl("add", "a@old.example", "a@new.example")
        whole = data.read_bytes()
        for status, words, octets in ((65, "empty file", b""), (65, "not an LMDB file", b"old,new\n" * 2000),
                                      (65, "cut short", whole[:3 * 4096]), (66, "movedctl init", None)):
            if octets is None:
                data.unlink()
            else:
                data.write_bytes(octets)
            for args in (["get", "a@old.example"], ["list"], ["add", "b@old.example", "--gone"], ["export"], ["import", "-"],
                         ["log"], ["undo"], ["lint"], ["backup", self.folder / "copy"], ["attach", "postfix"]):
                done = self.ctl(*args, stdin="old,new\n")
                self.assertEqual(done.returncode, status, f"{args}: {done.stderr}")
                self.assertIn(words, done.stderr)
                self.assertEqual(done.stdout, "")
            done = self.ctl("test", "a@old.example")
            self.assertEqual((done.returncode, done.stdout.splitlines()[0]), (status, "451 4.3.0 Table of moved mailboxes unavailable"))
        self.assertFalse(data.exists(), "nothing makes a table but init")

    def test_configurations(self):
        self.daemon.conf.write_text('table = "/t";\nmood = "good";\n')
        done = self.ctl("list")
        self.assertEqual((done.returncode, done.stderr),
                         (78, f"movedctl: {self.daemon.conf}:2: mood: unknown key: did you mean mode? see milter-moved.conf(5)\n"))
        self.daemon.conf.unlink()
        self.assertEqual(self.ctl("list").returncode, 66)

    def test_the_other_rule_of_case_is_refused(self):
        self.daemon.configure(addresses={"fold_case": False})
        done = self.ctl("add", "a@old.example", "--gone")
        self.assertEqual(done.returncode, 78)
        self.assertIn("fold_case = true", done.stderr)

    def test_a_full_disk(self):
        for command in (["list"], ["export"], ["get", "a@old.example"], ["help"], ["help", "add"], ["list", "--help"],
                        ["--version"], ["__complete", "l"]):
            self.movedctl("add", "--replace", "a@old.example", "--gone")
            with open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run(place.program("movedctl") + ["-c", str(self.daemon.conf), *command], stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=place.PATIENCE)
            self.assertEqual(done.returncode, 74, command)
            self.assertIn("No space left on device", done.stderr)
        for option in ("-V", "-h", "-t"):
            with open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run(place.program("milter-moved") + ["-c", str(self.daemon.conf), option], stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=place.PATIENCE)
            self.assertEqual((done.returncode, done.stderr), (74, "milter-moved: standard output: No space left on device\n"), option)

    def test_what_is_meant_for_a_closed_output_never_lands_in_the_table(self):
        self.movedctl("add", "a@old.example", "--gone")
        for closed in ("0<&- 1>&- 2>&-", "0<&- 1>&-", "1>&- 2>&-", "0<&- 2>&-", "2>&-", "1>&-"):
            for command, status in ((["undo", "--dry-run"], 74 if "1" in closed else 0), (["del", "none@old.example"], 1)):
                done = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *place.program("movedctl"), "-c", str(self.daemon.conf),
                                       *command], capture_output=True, text=True, timeout=place.PATIENCE)
                self.assertEqual(done.returncode, status, (closed, command))
                self.assertEqual(self.movedctl("list", "--count"), "1\n", (closed, command))


class Config(MovedctlCase):
    """movedctl config: what it prints can be read again and means the same."""

    RICH = r"""
socket = "unix:/run/x\\ \"y\".sock"; mode = "observe"; user = "";
replies: { moved = [ "551 5.1.6 a\\b \"c\"; please try <${new}>", "see %s" ];
  by_domain = ( { domain = "Bücher.example"; gone = "550 5.1.6 closed"; moved = [ "551 5.1.6 <${new}>", "two" ]; }, { domain = ".sub.example"; } ); };
disclosure: { limit = 50; trusted_networks = [ ]; trusted_domains = [ "a.example", "b.example" ]; ipv4_prefix = 20; };
log: { facility = "local3"; level = "debug"; target = "syslog"; }; table = "/var/lib/a\x01\tb";
"""

    def shown(self, text, *options):
        self.daemon.conf.write_text(text)
        return self.movedctl("config", *options)

    def test_what_is_printed_can_be_read_again(self):
        for text in ("", self.RICH):
            values = self.shown(text, "--json")
            printed = self.shown(text)
            self.assertEqual(self.shown(printed, "--json"), values)
            self.assertEqual(self.shown(self.shown(text, "-n"), "--json"), values)

    def test_n_prints_only_what_differs_and_where_it_is_set(self):
        parts = self.daemon.conf.with_name("milter-moved.conf.d")
        parts.mkdir()
        (parts / "a.conf").write_text('\nlog: {\n  level = "debug"; facility = "mail";\n};')
        self.assertEqual(self.shown('table = "/t";\nmode = "enforce"; disclosure: { network_limit = 1000; };', "-n"),
                         f'# {self.daemon.conf}:1\ntable = "/t";\n'
                         f'disclosure: {{\n  # {self.daemon.conf}:2\n  network_limit = 1000;\n}};\n'
                         f'log: {{\n  # {parts}/a.conf:3\n  level = "debug";\n}};\n')
        (parts / "a.conf").unlink()
        self.assertEqual(self.shown("", "-n"), "")
        self.assertEqual(json.loads(self.shown("", "-n", "--json")), {})

    def test_the_values_are_those_in_force(self):
        rich = json.loads(self.shown(self.RICH, "--json"))
        self.assertEqual((rich["log"]["facility"], rich["disclosure"]["network_limit"], rich["disclosure"]["ipv4_network_prefix"],
                          rich["disclosure"]["trusted_networks"], rich["socket"], rich["table"]),
                         ("local3", 500, 20, [], 'unix:/run/x\\ "y".sock', "/var/lib/a\x01\tb"))
        self.assertEqual(rich["replies"]["by_domain"],
                         [{"domain": ".sub.example"}, {"domain": "xn--bcher-kva.example", "gone": "550 5.1.6 closed",
                                                       "moved": ["551 5.1.6 <${new}>", "two"]}])

    def test_a_file_with_an_error_is_refused(self):
        self.daemon.conf.write_text("limit = 1;")
        self.assertEqual(self.ctl("config").returncode, 78)


class Csv(MovedctlCase):
    def file(self, text, name="moved.csv"):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def test_there_and_back(self):
        text = HEAD + ('@a.example,@new.example,reject,,,,,\n'
                       '"""al ice""@a.example","""al ice""@new.example",reject,,,,nobody,\n'
                       'a@b.example,,reject,2026-01-01T00:00:00Z,2099-01-01T00:00:00Z,,trusted,"so, ""it"" is"\n'
                       'b@b.example,x@new.example,forward,,,2099-01-01T00:00:00Z,,Grüße\n'
                       'c@b.example,,stay,,,,,\n')
        self.assertEqual(self.movedctl("import", self.file(text)), "5 added, 0 changed, 0 removed, 0 unchanged\n")
        self.assertEqual(self.movedctl("export"), text)
        self.movedctl("add", "more@b.example", "--gone")
        self.assertEqual(self.movedctl("import", "--replace-all", "-", stdin=text), "0 added, 0 changed, 1 removed, 5 unchanged\n")
        target = self.folder / "out.csv"
        self.movedctl("export", target)
        self.assertEqual(target.read_text(), text)
        self.assertEqual([path.name for path in self.folder.glob("out.csv*")], ["out.csv"])

    def test_entries_that_are_there_are_replaced_and_others_stay(self):
        self.movedctl("add", "a@old.example", "a@new.example")
        self.movedctl("add", "b@old.example", "b@new.example")
        self.assertEqual(self.movedctl("import", "-", stdin="new,old\nx@new.example,A@old.example\n"), "0 added, 1 changed, 0 removed, 0 unchanged\n")
        self.assertIn("x@new.example", self.movedctl("get", "a@old.example"))
        self.assertIn("b@new.example", self.movedctl("get", "b@old.example"))

    def test_a_dry_run_shows_each_difference_and_changes_nothing(self):
        self.movedctl("add", "b@old.example", "b@new.example")
        self.movedctl("add", "c@old.example", "c@new.example", "--note", "since May")
        self.movedctl("add", "d@old.example", "d@new.example")
        before = self.movedctl("export")
        text = ("old,new,action,until,note\n@other.example,,stay,,\nd@old.example,d@new.example,,,\na@old.example,a@new.example,,2099-01-01,\n"
                "c@old.example,x@new.example,forward,,since May\n")
        shown = ["+ a@old.example a@new.example until 2099-01-01T00:00:00Z",
                 "~ c@old.example new 'c@new.example' -> 'x@new.example', action 'reject' -> 'forward'",
                 "+ @other.example (stays)"]
        self.assertEqual(self.movedctl("import", "--dry-run", "-", stdin=text).splitlines(),
                         [*shown, "dry run: 2 added, 1 changed, 0 removed, 1 unchanged"])
        self.assertEqual(self.movedctl("import", "--dry-run", "--replace-all", "-", stdin=text).splitlines(),
                         [shown[0], "- b@old.example b@new.example", *shown[1:], "dry run: 2 added, 1 changed, 1 removed, 1 unchanged"])
        self.assertEqual(self.movedctl("export"), before)

    def test_what_is_the_same_is_not_written_again(self):
        text = "old,new\n" + "".join(f"u{i}@old.example,u{i}@new.example\n" for i in range(1000))
        self.movedctl("import", "-", stdin=text)
        octets = (self.daemon.table / "data.mdb").read_bytes()
        self.assertEqual(self.movedctl("import", "--replace-all", "-", stdin=text), "0 added, 0 changed, 0 removed, 1000 unchanged\n")
        self.assertEqual((self.daemon.table / "data.mdb").read_bytes()[:len(octets)], octets)

    def test_more_than_fits_into_the_sort_buffer(self):
        self.daemon.configure(**{"import": {"sort_buffer": 1}})
        olds = [f"u{i:05d}@d{i % 7}.example" for i in range(40000)]
        mixed = [olds[i * 7919 % 40000] for i in range(40000)]
        self.movedctl("add", "@gone.example", "--gone")
        text = "old,new\n" + "".join(f"{old},x@new.example\n" for old in mixed)
        done = self.ctl("import", "--dry-run", "--replace-all", "-", stdin=text, env={"TMPDIR": "/tmp"})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.movedctl("import", "--replace-all", "-", stdin=text), "40000 added, 0 changed, 1 removed, 0 unchanged\n")
        listed = [line.split("\t")[0] for line in self.movedctl("list").splitlines()]
        self.assertEqual(listed, sorted(olds, key=lambda old: old.split("@")[::-1]))
        done = self.refused(65, "'u00000@d0.example' is already on line 2", "import", "-", stdin=text + "U00000@D0.example,\n")
        self.assertIn("standard input:40002: ", done.stderr)
        self.assertEqual([path.name for path in self.daemon.table.iterdir() if path.suffix != ".mdb"], [])

    def test_crlf_and_a_byte_order_mark(self):
        self.movedctl("import", self.file(b"\xef\xbb\xbfold,new\r\na@old.example,b@new.example\r\n"))
        self.assertIn("b@new.example", self.movedctl("get", "a@old.example"))

    def test_bad_files_change_nothing_and_name_the_line(self):
        good = "a@old.example,a@new.example\n"
        for why, text, line in (("missing column", "old,note\n" + good, ":1"), ("unknown column", "old,new,x\n", ":1"), ("empty", "", ""),
                                ("no header", good, ":1"), ("bad quoting", "old,new\n" + good + '"b"x@old.example,c@d.example\n', ":3"),
                                ("never closed", "old,new\n" + good + '"b@old.example,c@d.example\n', ":3"),
                                ("too few fields", "old,new\nb@old.example\n" + good, ":2"), ("bad address", "old,new\n" + good + "b,c@d.example\n", ":3"),
                                ("twice", "old,new\n" + good + "b@old.example,\nA@OLD.example,c@d.example\n", ":4"),
                                ("UTF-8", b"old,new\n\xff@old.example,a@new.example\n", ":2"), ("NUL", b"old,new\na\0@old.example,a@new.example\n", ":2")):
            with self.subTest(why):
                path = self.file(text)
                done = self.refused(65, f"{path}{line}: ", "import", path)
                self.assertEqual(done.stdout, "")
        self.refused(65, "2: 1 field: write 2, as in the header line\nmovedctl: standard input: 1 bad line; nothing was changed: correct it, or", "import", "-", stdin="old,new\na\n")
        done = self.refused(65, "already on line 2", "import", "-", stdin="old,new\n" + good + good)
        self.assertIn("standard input:3: ", done.stderr)
        self.refused(66, "nosuch.csv", "import", "nosuch.csv")

    def test_bad_lines_can_be_skipped(self):
        done = self.ctl("import", "--skip-bad", "-", stdin="old,new\na@old.example,a@new.example\nbad,\nb@old.example,\n")
        self.assertEqual((done.returncode, done.stdout), (0, "2 added, 0 changed, 0 removed, 0 unchanged, 1 bad line skipped\n"))
        self.assertIn("standard input:3: old: no '@'", done.stderr)

    def test_every_bad_line_is_reported(self):
        done = self.refused(65, "3 bad lines; nothing was changed", "import", "-", stdin="old,new\nx,\na@old.example,\ny,\nz,\n")
        self.assertEqual([line.split(":")[2] for line in done.stderr.splitlines()[:3]], ["2", "4", "5"])

    def test_the_sample_table(self):
        self.assertRegex(self.movedctl("import", place.SOURCE / "etc/moved.csv"), r"^6 added")


class Together(MovedctlCase):
    def test_many_at_once(self):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda i: self.movedctl("add", f"u{i}@old.example", "--gone"), range(60)))
        self.assertEqual(len(self.movedctl("list").splitlines()), 60)

    def test_an_import_that_is_killed_leaves_the_old_table(self):
        """At each of its writes, until it is through."""
        self.movedctl("add", "a@old.example", "--gone")
        before = self.movedctl("export")
        file = self.folder / "new.csv"
        file.write_text("old,new\n" + "".join(f"u{i}@old.example,\n" for i in range(20000)))
        env = {**place.preloading("calls", self.folder), "CALLS_FAIL": "write", "CALLS_KILL": "yes"}
        for at in itertools.count(1):
            done = self.ctl("import", "--replace-all", file, env={**env, "CALLS_AT": str(at)})
            if done.returncode != -signal.SIGKILL:
                break
            self.assertEqual(done.stdout, "")
            self.assertTrue(self.movedctl("export") == before, at)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertGreater(at, 5)
        self.assertEqual(len(self.movedctl("list").splitlines()), 20000)
        self.movedctl("add", "b@old.example", "--gone")


class Terminal(MovedctlCase):
    def shown(self, **environment):
        command = place.program("movedctl") + ["-c", str(self.daemon.conf), "list"]
        return place.on_a_terminal(command, env={**os.environ, **environment}).splitlines()

    def test_a_person_sees_columns(self):
        longest = "x" * 40 + "@a.example"
        for old in (longest, "jörg@old.example", "東京@old.example", "zoe@old.example"):
            self.movedctl("add", old, "new@new.example", "--note", "in May")
        self.movedctl("add", "bob@old.example", "--gone")
        wide = {"東京@old.example": 2}  # each of the two takes two columns
        gap = " " * (24 - len("new@new.example")) + "  note in May"
        self.assertEqual(self.shown(NO_COLOR="1"),
                         [f"{longest}  new@new.example{gap}", f"{'bob@old.example':{len(longest)}}  (gone)",
                          *(f"{old:{len(longest) - wide.get(old, 0)}}  new@new.example{gap}" for old in ("jörg@old.example", "zoe@old.example", *wide))])

    def test_a_date_fits_into_80_columns(self):
        self.movedctl("add", "christopher@old.example", "christopher@new.example", "--until", "2099-09-01")
        self.assertEqual([len(line) for line in self.shown(NO_COLOR="1")], [78])

    def test_in_colour_unless_that_is_not_wanted(self):
        self.movedctl("add", "bob@old.example", "--gone")
        self.movedctl("add", "eva@old.example", "--stay", "--note", "in May")
        self.assertRegex("\n".join(self.shown(NO_COLOR="", TERM="xterm")),
                         "^bob@old\\.example +\033\\[33m\\(gone\\)\033\\[0m\neva@old.example +\033\\[33m\\(stays\\)\033\\[0m +\033\\[2mnote\033\\[0m in May$")
        for plain in ({"NO_COLOR": "1"}, {"NO_COLOR": "", "TERM": "dumb"}):
            self.assertNotIn("\033", "".join(self.shown(**plain)))
