# SPDX-License-Identifier: BSD-2-Clause
"""The table as files of every format: what goes in comes out, and what a format cannot say is said."""

import gzip
import json
import os

from cli.test_movedctl import MovedctlCase
from lib.daemon import Daemon

HEAD = "old,new,action,from,until,forward_until,disclose,note\n"
FULL = HEAD + ('@a.example,@new.example,reject,,,,,\n'
               '"""al ice""@a.example","""al ice""@new.example",reject,,,,nobody,\n'
               'a@b.example,,reject,2026-01-01T00:00:00Z,2099-01-01T00:00:00Z,,trusted,"so, ""it"" is"\n'
               'b@b.example,x@new.example,forward,,,2099-01-01T00:00:00Z,,Grüße\n'
               'c@b.example,,stay,,,,,\n')


class FormatCase(MovedctlCase):
    def file(self, text, name):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def hold(self, rows):
        """The table has these rows of old,new and no others."""
        self.movedctl("import", "--replace-all", "-", stdin="old,new\n" + "".join(f"{row}\n" for row in rows))


class Choice(FormatCase):
    def test_the_ending_of_the_name_tells_and_the_option_overrules_it(self):
        lines = self.file('{"old": "a@old.example", "new": "a@new.example"}\n', "moved.jsonl")
        self.assertEqual(self.movedctl("import", lines), "1 added, 0 changed, 0 removed, 0 unchanged\n")
        self.refused(65, "in the header line", "import", "--format", "csv", lines)
        out = self.folder / "out.jsonl"
        self.movedctl("export", out)
        self.assertEqual(json.loads(out.read_text())["new"], "a@new.example")
        self.movedctl("export", "--format", "csv", out)
        self.assertEqual(out.read_text(), self.movedctl("export"))
        self.assertTrue(self.movedctl("export").startswith(HEAD))

    def test_help_and_the_error_name_every_format(self):
        names = self.refused(64, "no such format 'xml'", "export", "--format", "xml").stderr.split("write ")[1]
        names = names.strip().replace(" or ", ", ").split(", ")
        self.assertIn("jsonl", names)
        for command in ("import", "export"):
            told = self.movedctl("help", command)
            for name in names:
                self.assertRegex(told, rf"(?m)^ {{16}}{name} ", command)


class Jsonl(FormatCase):
    def test_there_and_back(self):
        self.movedctl("import", "-", stdin=FULL)
        lines = self.movedctl("export", "--format", "jsonl")
        self.assertEqual([json.loads(line) for line in lines.splitlines()], json.loads(self.movedctl("list", "--json")))
        self.assertEqual(self.movedctl("import", "--replace-all", "--format", "jsonl", "-", stdin=lines), "0 added, 0 changed, 0 removed, 5 unchanged\n")
        self.assertEqual(self.movedctl("export"), FULL)
        self.assertEqual(self.movedctl("export", "--format", "jsonl"), lines)

    def test_what_get_shows_can_be_imported(self):
        self.movedctl("import", "-", stdin=FULL)
        shown = self.movedctl("get", "--json", "b@b.example")
        self.movedctl("import", "--replace-all", "--format", "jsonl", "-", stdin=shown)
        self.assertEqual(self.movedctl("get", "--json", "b@b.example"), shown)

    def test_bad_lines_are_named_and_change_nothing(self):
        good = '{"old": "a@old.example", "new": ""}\n'
        for words, text in (("1: no JSON object", "old,new\n"), ("1: a JSON array: write an object in each line", f"[\n{good},\n{good}]\n"), ("2: no such name 'nwe'", good + '{"old": "b@old.example", "nwe": ""}\n'),
                            ("2: old: 'a@old.example' is already on line 1", good + good)):
            self.refused(65, f"standard input:{words}", "import", "--format", "jsonl", "-", stdin=text)


class Foreign(FormatCase):
    """Files that other programs have written."""

    def test_other_columns_and_delimiters(self):
        sheet = "\ufeff\"Mail\";\"Name\";\"Moved to\"\r\n\"a@old.example\";\"A; B\";\"a@new.example\"\r\n"
        self.refused(65, "1: the columns are separated by semicolons: write --delimiter ';'", "import", "-", stdin=sheet)
        done = self.movedctl("import", "--delimiter", ";", "--columns", "old=Mail,new=Moved to,note=Name", "-", stdin=sheet)
        self.assertEqual(done, "1 added, 0 changed, 0 removed, 0 unchanged\n")
        self.assertEqual(json.loads(self.movedctl("get", "--json", "a@old.example"))["note"], "A; B")
        self.assertEqual(self.movedctl("import", "--delimiter", "\\t", "-", stdin="old\tnew\na@old.example\ta@new.example\n"),
                         "0 added, 1 changed, 0 removed, 0 unchanged\n")

    def test_the_header_line_is_named_where_it_is_wrong(self):
        self.refused(65, "standard input:1: no column 'new': begin with a header line such as old,new", "import", "-", stdin="old,note\na@old.example,x\n")
        self.refused(65, "standard input:1: no column 'to'", "import", "--columns", "new=to", "-", stdin="old,new\na@old.example,\n")

    def test_options_that_cannot_be_meant(self):
        lines = self.file("", "moved.jsonl")
        for args, words in ((["--columns", "old", "-"], "no '=' in 'old'"), (["--delimiter", ";;", "-"], "';;' is no delimiter"),
                            (["--columns", "old=a", lines], "--columns is for files with columns: jsonl has none"),
                            (["--delimiter", ";", "--format", "access", "-"], "--delimiter is for files with columns: access has none"),
                            (["--replace-all", "--max-remove", "101", "-"], "'101' is not a limit"), (["--replace-all", "--max-remove", "-1", "-"], "'-1' is not a limit"),
                            (["--max-remove", "50", "-"], "--max-remove requires --replace-all")):
            self.refused(64, words, "import", *args, stdin="old,new\n")

    def test_what_is_no_text_is_named_for_what_it_is(self):
        for octets, words in ((FULL.encode("utf-16"), "UTF-16, not UTF-8: convert it first (iconv -f UTF-16 -t UTF-8)"),
                              (gzip.compress(FULL.encode()), "compressed with gzip: unpack it first (gzip -dc)"), (b"PK\x03\x04\x14\0\6\0", ".xlsx")):
            path = self.folder / "moved"
            path.write_bytes(octets)
            for name in ("csv", "jsonl", "relocated", "aliases", "access"):
                self.refused(65, f"{path}: ", "import", "--format", name, path)
                self.refused(65, words, "import", "--format", name, path)

    def test_every_action_there_is_is_named(self):
        self.refused(65, "standard input:2: action: no such action 'closed': write reject, forward, stay or gone", "import", "-",
                     stdin="old,new,action\na@old.example,,closed\n")
        self.movedctl("import", "-", stdin="old,new,action\na@old.example,,gone\n")

    def test_a_wildcard_for_an_address_literal(self):
        self.movedctl("import", "-", stdin="old,new\n@[IPv6:2001:db8::1],a@new.example\n@[192.0.2.1],b@new.example\n")
        for recipient, new in (("x@[IPv6:2001:DB8::1]", "a"), ("x@[192.0.2.1]", "b")):
            self.assertIn(f"please try <{new}@new.example>", self.movedctl("test", recipient))


class WholeTable(FormatCase):
    """What --replace-all refuses."""

    def rows(self, first, last):
        return "old,new\n" + "".join(f"u{number}@old.example,u{number}@new.example\n" for number in range(first, last))

    def test_more_than_a_tenth_of_the_table_is_not_removed_unasked(self):
        self.movedctl("import", "-", stdin=self.rows(0, 300))
        done = self.refused(65, "31 of 300 old addresses are missing from it, more than 10 per cent; nothing was changed", "import", "--replace-all", "-",
                            stdin=self.rows(31, 310))
        self.assertIn("--max-remove 11\n", done.stderr)
        self.assertEqual(self.movedctl("import", "--replace-all", "-", stdin=self.rows(30, 310)), "10 added, 0 changed, 30 removed, 270 unchanged\n")
        self.refused(65, "--max-remove 19\n", "import", "--replace-all", "--max-remove", "0", "--dry-run", "-", stdin=self.rows(81, 310))
        self.movedctl("import", "--replace-all", "--max-remove", "19", "-", stdin=self.rows(81, 310))
        self.refused(65, "--max-remove 100\n", "import", "--replace-all", "--max-remove", "99", "-", stdin=self.rows(0, 0))
        self.assertEqual(self.movedctl("import", "--replace-all", "--max-remove", "100", "-", stdin=self.rows(0, 0)),
                         "0 added, 0 changed, 229 removed, 0 unchanged\n")

    def test_a_few_may_always_go(self):
        self.movedctl("import", "-", stdin=self.rows(0, 21))
        self.refused(65, "21 of 21 old addresses are missing", "import", "--replace-all", "-", stdin=self.rows(0, 0))
        self.assertEqual(self.movedctl("import", "--replace-all", "-", stdin=self.rows(0, 1)), "0 added, 0 changed, 20 removed, 1 unchanged\n")

    def test_lines_that_are_skipped_are_missing_too(self):
        self.movedctl("import", "-", stdin=self.rows(0, 100))
        self.refused(65, "30 of 100 old addresses are missing", "import", "--replace-all", "--skip-bad", "-",
                     stdin=self.rows(0, 100).replace("@new", "", 30))

    def test_a_file_that_may_be_cut_off(self):
        self.movedctl("add", "u1@old.example", "u1@new.example")
        texts = {"csv": "old,new\nu1@old.example,u1@new.exa", "jsonl": '{"old": "u1@old.example", "new": ""}', "relocated": "u1@old.example u1@new.exa",
                 "aliases": "u1: u1@new.exa.REDIRECT", "access": "To:u1@old.example 551 moved to u1@new.exa"}
        for name, text in texts.items():
            args = ("import", "--format", name, "--domain", "old.example", "-")
            done = self.refused(65, "no line break at the end, so the file may be cut off: add one, or leave out --replace-all", *args, "--replace-all", stdin=text)
            self.assertIn(f"standard input:{2 if name == 'csv' else 1}: ", done.stderr)
            self.movedctl(*args, "--replace-all", stdin=text + "\n")
            self.movedctl(*args, stdin=text)


class OneDomain(FormatCase):
    def test_only_the_entries_of_a_domain(self):
        self.movedctl("import", "-", stdin=FULL)
        self.assertEqual(self.movedctl("export", "--domain", "A.example."), "".join(FULL.splitlines(True)[:3]))
        self.assertEqual(self.movedctl("export", "--domain", "c.example"), HEAD)
        self.refused(65, "--domain: ", "export", "--domain", "a..b")


class Losses(FormatCase):
    """What a format has no words for."""

    LOSSY = HEAD + ('@.a.example,x@new.example,,,,,,\n@a.example,@new.example,,,,,,\nfwd@b.example,x@new.example,forward,,,,,\n'
                    'gone@b.example,,,,,,,\nlater@b.example,x@new.example,,2099-01-01,,,,\nnote@b.example,x@new.example,,,,,,since May\n'
                    'plain@b.example,x@new.example,,,,,,\nshy@b.example,x@new.example,,,,,nobody,\nstay@b.example,,stay,,,,,\n')

    def setUp(self):
        super().setUp()
        self.movedctl("import", "-", stdin=self.LOSSY)

    def test_each_is_named_and_the_file_stays_as_it_was(self):
        out = self.folder / "out"
        out.write_text("old")
        done = self.refused(65, "7 entries left out and 1 written in part", "export", "--format", "relocated", out)
        named = [line.removeprefix("movedctl: warning: ").split(": ")[0] for line in done.stderr.splitlines()[:-1]]
        self.assertEqual(named, [line.split(",")[0] for line in self.LOSSY.splitlines()[1:] if not line.startswith("plain")])
        self.assertIn("note@b.example: written without: its note", done.stderr)
        self.assertEqual(out.read_text(), "old")
        self.assertEqual([path.name for path in self.folder.glob("out*")], ["out"])

    def test_what_can_be_written_is_written_where_that_is_meant(self):
        written = "note@b.example\tx@new.example\nplain@b.example\tx@new.example\n"
        out = self.folder / "out"
        done = self.ctl("export", "--skip-bad", "--format", "relocated", out)
        self.assertEqual((done.returncode, done.stdout, out.read_text()), (0, "", written))
        self.assertEqual(len(done.stderr.splitlines()), 8)
        done = self.ctl("export", "--format", "relocated")
        self.assertEqual((done.returncode, done.stdout), (65, written))

    def test_csv_and_jsonl_lose_nothing(self):
        for name in ("csv", "jsonl"):
            done = self.ctl("export", "--format", name)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_nothing_is_told_that_the_configuration_keeps_to_itself(self):
        self.daemon.configure(disclosure={"default": "trusted"})
        done = self.ctl("export", "--format", "relocated")
        self.assertEqual((done.returncode, done.stdout), (65, ""))
        self.assertIn("plain@b.example: left out: disclose: relocated tells everyone", done.stderr)

    def test_names_that_differ_in_case_alone_are_left_out(self):
        other = Daemon(self.folder / "other")
        other.configure(addresses={"fold_case": False})
        other.movedctl("init")
        other.movedctl("import", "-", stdin="old,new\nBob@old.example,b@new.example\nbob@old.example,x@new.example\n")
        done = other.ctl("export", "--format", "relocated")
        self.assertEqual((done.returncode, done.stdout), (65, "bob@old.example\tx@new.example\n"))
        self.assertIn("Bob@old.example: left out: capital letters: relocated finds the name in any case", done.stderr)


class Place(FormatCase):
    """Where an export goes."""

    def test_a_file_keeps_its_owner_and_mode_and_a_link_to_it_stays(self):
        file, link = self.folder / "relocated", self.folder / "link"
        file.write_text("old")
        file.chmod(0o604)
        link.symlink_to("relocated")
        if os.geteuid() == 0:
            os.chown(file, 1, 2)
        before = file.stat()
        self.movedctl("add", "a@old.example", "a@new.example")
        self.movedctl("export", "--format", "relocated", link)
        after = file.stat()
        self.assertTrue(link.is_symlink())
        self.assertEqual(file.read_text(), "a@old.example\ta@new.example\n")
        self.assertEqual((after.st_mode, after.st_uid, after.st_gid), (before.st_mode, before.st_uid, before.st_gid))


class Relocated(FormatCase):
    def test_there_and_back(self):
        text = '@a.example\tw@new.example\n"al ice"@a.example\t"al ice"@new.example\nb+c@b.example\ta%b@new.example\n'
        self.assertEqual(self.movedctl("import", "--format", "relocated", "-", stdin=text), "3 added, 0 changed, 0 removed, 0 unchanged\n")
        self.assertEqual(self.movedctl("export", "--format", "relocated"), text)

    def test_a_name_without_a_domain_needs_one(self):
        self.refused(65, "1: 'bob' has no domain: name one with --domain", "import", "--format", "relocated", "-", stdin="bob b@new.example\n")
        self.movedctl("import", "--format", "relocated", "--domain", "Old.Example.", "-", stdin="bob b@new.example\n")
        self.daemon.configure(addresses={"local_domain": "here.example"})
        self.movedctl("import", "--format", "relocated", "-", stdin="bob b@new.example\n")
        self.assertEqual([line.split("\t")[0] for line in self.movedctl("list").splitlines()], ["bob@here.example", "bob@old.example"])

    def test_lines_that_say_the_same_are_one_entry_wherever_they_stand(self):
        text = "x@xn--bcher-kva.example x@new.example\na@old.example a@new.example\nx@bücher.example x@new.example\nA@old.example a@new.example\n"
        done = self.ctl("import", "--format", "relocated", "-", stdin=text)
        self.assertEqual((done.returncode, done.stdout), (0, "2 added, 0 changed, 0 removed, 0 unchanged\n"))
        self.assertEqual(done.stderr, "movedctl: warning: standard input:4: old: 'a@old.example' is already on line 2, with the same new address\n")
        self.refused(65, "standard input:5: old: 'a@old.example' is already on line 2: write it once", "import", "--format", "relocated", "-",
                     stdin=text + "a@old.example b@new.example\n")

    def test_an_address_and_a_text(self):
        self.refused(65, "relocated(5) has senders told all of it, 'User has moved to a@new.example until May': write user@domain alone",
                     "import", "--format", "relocated", "-", stdin="a@old.example a@new.example until May\n")
        self.movedctl("import", "--format", "relocated", "-", stdin="a@old.example\t5.1.6 Mailbox has moved to a@new.example\n")

    def test_what_is_no_address_is_named_and_nothing_changed(self):
        self.refused(65, "standard input:2: new: '+1 555 0100' is told to senders as it is", "import", "--format", "relocated", "-",
                     stdin="a@old.example a@new.example\nb@old.example +1 555 0100\n")


class Sendmail(FormatCase):
    """The access map and the aliases."""

    MOVED = 'To:{}\tERROR:5.1.6:"551 5.1.6 User not local; please try <{}>"\n'

    def test_access_there_and_back(self):
        text = (self.MOVED.format("bulk.example", "all@new.example") + "To:root@bulk.example\tOK\n" + self.MOVED.format("a+b@old.example", "x@y.example")
                + 'To:gone@old.example\tERROR:5.1.6:"550 5.1.6 User not local; no forwarding address"\n')
        self.assertEqual(self.movedctl("import", "--format", "access", "-", stdin=text), "5 added, 0 changed, 0 removed, 0 unchanged\n")
        self.assertEqual(self.movedctl("export", "--format", "access"), text)

    def test_a_domain_needs_its_subdomains_with_the_same_answer(self):
        self.movedctl("add", "@old.example", "x@new.example")
        self.refused(65, "@old.example: left out: without its subdomains", "export", "--format", "access")
        for other in (["y@new.example"], ["--gone"], ["x@new.example", "--from", "2026-01-01"]):
            self.movedctl("add", "--replace", "@.old.example", *other)
            done = self.refused(65, "@old.example: left out: without its subdomains", "export", "--format", "access")
            self.assertIn("@.old.example: left out: ", done.stderr)
        self.movedctl("add", "--replace", "@.old.example", "x@new.example")
        self.assertEqual(self.movedctl("export", "--format", "access"), self.MOVED.format("old.example", "x@new.example"))

    def is_imported(self, name, text, said, warned, *args):
        """The command succeeds and warns of these lines."""
        done = self.ctl("import", "--format", name, "--domain", "old.example", *args, "-", stdin=text)
        self.assertEqual((done.returncode, done.stdout), (0, f"{said}\n"))
        self.assertEqual([line.split(": ")[:3] for line in done.stderr.splitlines()],
                         [["movedctl", "warning", f"standard input:{line}"] for line in warned], done.stderr)
        return done.stderr

    def test_what_is_not_ours_is_counted_and_the_rest_imported(self):
        text = "Connect:192.0.2.1\tRELAY\nTo:a@old.example\tREJECT\n" + self.MOVED.format("b@old.example", "b@new.example")
        self.is_imported("access", text, "1 added, 0 changed, 0 removed, 0 unchanged, 2 lines not carried over", [])
        self.assertEqual(self.movedctl("list").split("\t")[0], "b@old.example")
        self.is_imported("access", text, "0 added, 0 changed, 0 removed, 1 unchanged, 2 lines not carried over", [1, 2], "--verbose")

    def test_a_thousand_ordinary_aliases_are_one_count(self):
        text = "".join(f"list{number}: a, b\n" for number in range(1000)) + "bob: bob@new.example.REDIRECT\n"
        self.is_imported("aliases", text, "1 added, 0 changed, 0 removed, 0 unchanged, 1000 lines not carried over", [])
        self.is_imported("aliases", text, "0 added, 0 changed, 0 removed, 1 unchanged, 1000 lines not carried over", range(1, 1001), "--verbose")

    def test_a_moved_mailbox_that_is_not_carried_over_is_named(self):
        said = self.is_imported("aliases", "root: me\nbob: bob@new.example.REDIRECT, bob@new.example\n",
                                "0 added, 0 changed, 0 removed, 0 unchanged, 2 lines not carried over", [2])
        self.assertIn("Sendmail's 'notify and forward' tells senders bob@new.example", said)
        said = self.is_imported("access", "b@old.example\t551 moved to b@new.example\n",
                                "0 added, 0 changed, 0 removed, 0 unchanged, 1 line not carried over", [1])
        self.assertIn("its key has no To: in front", said)

    def test_several_addresses_in_a_text(self):
        text = 'To:bo@old.example\tERROR:5.1.6:"551 5.1.6 User not local; please try <bo@new.example>, see <https://old.example/@bo>"\n'
        self.movedctl("import", "--format", "access", "-", stdin=text)
        self.assertIn("bo@new.example", self.movedctl("get", "bo@old.example"))
        for code in ("551", "550"):
            self.refused(65, "1: no new address can be found in the text: write please try <user@domain>", "import", "--format", "access", "-",
                         stdin=f'To:a@old.example\tERROR:5.1.6:"{code} 5.1.6 Ask <a@new.example> or help@old.example"\n')

    def test_aliases_there_and_back(self):
        text = '"al ice":\tx@new.example.REDIRECT\nbob:\tbob@new.example.REDIRECT\n'
        self.movedctl("import", "--format", "aliases", "--domain", "old.example", "-", stdin="postmaster: root\n" + text)
        self.movedctl("add", "c@other.example", "c@new.example")
        self.assertEqual(self.movedctl("export", "--format", "aliases", "--domain", "old.example"), text)
        self.refused(65, "name the one that is meant with --domain", "export", "--format", "aliases")
        self.daemon.configure(addresses={"local_domain": "old.example"})
        done = self.ctl("export", "--format", "aliases")
        self.assertEqual((done.returncode, done.stdout), (65, text))
        self.assertEqual(len(done.stderr.splitlines()), 2)
        self.assertIn("c@other.example: left out: another domain", done.stderr)
