"""The table as files of every format: what goes in comes out, and what a format cannot say is said."""

import json

from cli.test_movedctl import MovedctlCase

HEAD = "old,new,action,from,until,forward_until,disclose,note\n"
FULL = HEAD + ('@a.example,@new.example,reject,,,,,\n'
               '"""al ice""@a.example","""al ice""@new.example",reject,,,,nobody,\n'
               'a@b.example,,reject,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,trusted,"so, ""it"" is"\n'
               'b@b.example,x@new.example,forward,,,2027-01-01T00:00:00Z,,Grüße\n'
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
        self.assertEqual(self.movedctl("import", lines), "1 added, 0 replaced\n")
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
        self.assertEqual(self.movedctl("import", "--replace-all", "--format", "jsonl", "-", stdin=lines), "5 entries in place of 5\n")
        self.assertEqual(self.movedctl("export"), FULL)
        self.assertEqual(self.movedctl("export", "--format", "jsonl"), lines)

    def test_what_get_shows_can_be_imported(self):
        self.movedctl("import", "-", stdin=FULL)
        shown = self.movedctl("get", "--json", "b@b.example")
        self.movedctl("import", "--replace-all", "--format", "jsonl", "-", stdin=shown)
        self.assertEqual(self.movedctl("get", "--json", "b@b.example"), shown)

    def test_bad_lines_are_named_and_change_nothing(self):
        good = '{"old": "a@old.example", "new": ""}\n'
        for words, text in (("1: no JSON object", "old,new\n"), ("2: no such name 'nwe'", good + '{"old": "b@old.example", "nwe": ""}\n'),
                            ("2: old: 'a@old.example' is in line 1 already", good + good)):
            self.refused(65, f"standard input:{words}", "import", "--format", "jsonl", "-", stdin=text)


class OneDomain(FormatCase):
    def test_only_the_entries_of_a_domain(self):
        self.movedctl("import", "-", stdin=FULL)
        self.assertEqual(self.movedctl("export", "--domain", "A.example."), "".join(FULL.splitlines(True)[:3]))
        self.assertEqual(self.movedctl("export", "--domain", "c.example"), HEAD)
        self.refused(65, "--domain: ", "export", "--domain", "a..b")
