# SPDX-License-Identifier: BSD-2-Clause
"""The change log and undo, as an administrator meets them."""

import json
import os

from cli.test_movedctl import HEAD, MovedctlCase


class Log(MovedctlCase):
    def log(self, *args):
        return json.loads(self.movedctl("log", "--json", *args))

    def test_who_changed_what_when(self):
        self.movedctl("add", "Al@old.example", "al@new.example", "--note", "it's so")
        done = self.ctl("add", "--replace", "al@old.example", "--gone", env={"SUDO_USER": "alice"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.movedctl("import", "-", stdin="old,new\na@old.example,a@new.example\nb@old.example,b@new.example\n")
        self.movedctl("del", "a@old.example", "b@old.example")
        changes = self.log()
        self.assertEqual([change["command"] for change in changes],
                         ["del a@old.example b@old.example", "import -", "add --replace --gone al@old.example",
                          "add --note 'it'\\''s so' Al@old.example al@new.example"])
        self.assertEqual([(change["change"], change["added"], change["changed"], change["removed"]) for change in changes],
                         [(4, 0, 0, 2), (3, 2, 0, 0), (2, 0, 1, 0), (1, 1, 0, 0)])
        self.assertEqual([change["behind"] for change in changes], ["", "", "alice", ""])
        self.assertEqual({change["uid"] for change in changes}, {os.getuid()})
        self.assertRegex(changes[0]["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        (entry,) = changes[2]["entries"]
        self.assertEqual((entry["old"], entry["before"]["new"], entry["before"]["note"], entry["after"]["new"]),
                         ("al@old.example", "al@new.example", "it's so", ""))
        self.assertEqual([(entry["old"], entry["after"]) for entry in changes[0]["entries"]],
                         [("a@old.example", None), ("b@old.example", None)])

    def test_people_read_it_too(self):
        self.movedctl("add", "al@old.example", "al@new.example")
        self.assertEqual(self.ctl("add", "--replace", "al@old.example", "x@new.example", env={"SUDO_USER": "alice"}).returncode, 0)
        rows = "".join(f"u{i:02}@old.example,\n" for i in range(40))
        self.movedctl("import", "-", stdin="old,new\n" + rows)
        lines = self.movedctl("log").splitlines()
        self.assertRegex(lines[0], r"^change 3 of \S+Z by \S+: import -$")
        self.assertRegex(lines[1], r"^  \+ u00@old\.example +\(gone\)")
        self.assertEqual(lines[11], "  40 added in all: movedctl log 3")
        self.assertRegex(lines[12], r"^change 2 of \S+Z by alice as \S+: add --replace al@old\.example x@new\.example$")
        self.assertEqual(lines[13], "  ~ al@old.example new 'al@new.example' -> 'x@new.example'")
        self.assertEqual(len(self.movedctl("log", "3").splitlines()), 41)

    def test_the_changes_of_one_address(self):
        self.movedctl("add", "al@old.example", "al@new.example")
        self.movedctl("add", "bo@old.example", "bo@new.example")
        self.movedctl("del", "al@old.example", "bo@old.example")
        self.assertEqual([(change["change"], [entry["old"] for entry in change["entries"]]) for change in self.log("AL@old.example.")],
                         [(3, ["al@old.example"]), (1, ["al@old.example"])])
        done = self.ctl("log", "nobody@old.example")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (1, "", ""))
        self.assertEqual(self.ctl("log", "9").returncode, 1)
        self.refused(65, "write user@domain", "log", "al")

    def test_a_table_that_nobody_has_changed(self):
        self.assertEqual(self.movedctl("log"), "")
        self.assertEqual(self.log(), [])

    def test_what_fails_is_not_logged(self):
        self.movedctl("add", "al@old.example", "al@new.example")
        self.refused(65, "already", "add", "al@old.example", "--gone")
        self.refused(1, "no entry", "del", "al@old.example", "bo@old.example")
        self.refused(65, "bad line", "import", "-", stdin="old,new\nc@old.example,\nx,\n")
        self.movedctl("import", "--dry-run", "-", stdin="old,new\nc@old.example,\n")
        self.movedctl("import", "-", stdin="old,new\nal@old.example,al@new.example\n")
        self.assertEqual(len(self.log()), 1)

    def test_foreign_octets_in_a_command_do_no_harm(self):
        done = self.ctl("add", "al@old.example", "--gone", env={"SUDO_USER": "al\x1b[31m\ufffd"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.movedctl("add", "bo@old.example", "--gone", "--note", "x" * 900)
        self.assertNotIn("\x1b", self.movedctl("log"))
        self.assertEqual(self.log()[1]["behind"], "al?[31m\ufffd")
        self.assertTrue(self.log()[0]["command"].startswith("add --gone --note xxx"))



class Undo(MovedctlCase):
    def test_each_kind_of_change_and_back(self):
        self.movedctl("add", "al@old.example", "al@new.example", "--note", "first", "--from", "2026-01-01")
        states = [self.movedctl("export")]
        for args, text in ((["add", "--replace", "al@old.example", "--gone"], ""), (["del", "al@old.example"], ""),
                           (["import", "-"], "old,new\n@old.example,@new.example\nal@old.example,x@new.example\n"),
                           (["import", "--replace-all", "-"], "old,new\nzo@old.example,\nal@old.example,x@new.example\n")):
            self.movedctl(*args, stdin=text)
            states.append(self.movedctl("export"))
            self.movedctl("undo")
            self.assertEqual(self.movedctl("export"), states[-2], args)
            self.movedctl("undo")
            self.assertEqual(self.movedctl("export"), states[-1], args)
        numbers = [change["change"] for change in json.loads(self.movedctl("log", "--json"))]
        self.assertEqual(numbers, list(range(13, 0, -1)), "a table that is rewritten keeps its log")

    def test_it_says_what_it_has_done(self):
        self.movedctl("import", "-", stdin="old,new\na@old.example,\nb@old.example,\n")
        self.assertRegex(self.movedctl("undo", "--dry-run"), r"^dry run: would undo change 1 of \S+ by \S+: import -\n2 removed\n$")
        self.assertEqual(len(self.movedctl("list").splitlines()), 2)
        self.assertRegex(self.movedctl("undo"), r"^undone: change 1 of \S+ by \S+: import -\n2 removed\n$")
        self.assertRegex(self.movedctl("undo"), r"^undone: change 2 of \S+ by \S+: undo of change 1\n2 added\n$")

    def test_what_the_log_does_not_hold_says_so_before(self):
        great = self.folder / "great.csv"
        great.write_text("old,new,note\n" + "".join(f"u{i:05}@old.example,,{'n' * 1000}\n" for i in range(17000)))
        for args in (["--dry-run"], []):
            done = self.ctl("import", *args, great)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stderr, r"^movedctl: warning: this is too large for the change log and cannot be undone: copy the table first, with movedctl backup\n$")
        self.assertEqual(self.movedctl("log").splitlines()[1:], ["  17000 added: too large for the log, cannot be undone"])
        done = self.ctl("undo")
        self.assertEqual(done.returncode, 65)
        self.assertRegex(done.stderr, r"^movedctl: change 1, 'import \S+', has more entries than the change log holds: restore a copy of the table\n$")
        self.movedctl("backup", self.folder / "copy")
        done = self.ctl("import", "--replace-all", "--max-remove", "100", "-", stdin=HEAD)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.movedctl("list"), "")
        self.assertEqual(self.ctl("restore", self.folder / "copy").returncode, 0)
        self.assertEqual(len(self.movedctl("list").splitlines()), 17000)

    def test_an_earlier_change(self):
        self.movedctl("add", "a@old.example", "x@new.example")
        self.movedctl("add", "b@old.example", "x@new.example")
        self.movedctl("undo", "1")
        self.assertEqual([line.split("\t")[0] for line in self.movedctl("list").splitlines()], ["b@old.example"])
        self.refused(65, "'a@old.example' is no longer what change 1 made of it", "undo", "1")
        self.refused(65, "change 9 is not in the log", "undo", "9")
        self.refused(64, "'last' is not the number of a change", "undo", "last")

    def test_nothing_to_undo(self):
        self.refused(65, "nothing to undo", "undo")
        self.assertEqual(self.movedctl("export"), HEAD)

    def test_the_next_recipient_meets_it(self):
        self.movedctl("add", "al@old.example", "al@new.example")
        with self.daemon:
            self.movedctl("undo")
            self.assertEqual(self.ctl("test", "al@old.example").stdout.splitlines()[0], "continue")
