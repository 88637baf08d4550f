# SPDX-License-Identifier: BSD-2-Clause
"""Completion as a person meets it: a real shell on a terminal, keys typed, the line that is then there."""

import contextlib
import os
import pathlib
import re
import select
import shutil
import subprocess
import time
import unittest

from lib import place
from lib.daemon import Daemon

SCRIPTS = place.SOURCE / "contrib/completion"
ENTRIES = [("alice@old.example", "alice@new.example"), ("al@old.example", "al@new.example"), ("bob@older.example", ""),
           ("xy$z@old.example", "x@new.example"), ("@old.example", "@new.example"), ("@.sub.example", "")]
TAB, HOME, END = "\t", "\x01", "\x05"


class CompletionCase(unittest.TestCase):
    def setUp(self):
        self.folder = self.enter(place.folder())
        self.daemon = Daemon(self.folder / "d")
        self.daemon.movedctl("init")
        self.daemon.hold(*ENTRIES)
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "movedctl").write_text("#!/bin/sh\nexec " + " ".join(place.program("movedctl")) + ' "$@"\n')
        (programs / "movedctl").chmod(0o755)
        (self.folder / "files").mkdir()
        (self.folder / "files/moved table.csv").touch()
        (self.folder / "files/backups").mkdir()
        self.environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(self.folder), "TERM": "xterm", "LC_ALL": "C.UTF-8",
                            "MILTER_MOVED_CONF": str(self.daemon.conf), "XDG_CONFIG_HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)}

    def enter(self, context):  # unittest has it from 3.11 on
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def shell(self, name):
        return shutil.which(name) or place.lacking(f"no {name} here: apt-get install {name}")

    def complete(self, *words):
        return self.daemon.movedctl("__complete", *words).splitlines()


class Terminal:
    """A shell on a terminal of its own. A context."""

    def __init__(self, command, setup, environment, folder):
        self.ours, theirs = os.openpty()
        self.text = ""
        self.popen = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=folder, start_new_session=True)
        os.close(theirs)
        os.write(self.ours, f"{setup}\necho rea''dy\n".encode())
        self.read("ready\r?\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.kill()
        self.popen.wait()
        os.close(self.ours)

    def read(self, pattern):
        """What the pattern's first group matches, once it is there; what comes before it is dropped."""
        end = time.monotonic() + place.PATIENCE
        while not (found := re.search(pattern, self.text)):
            if time.monotonic() > end:
                raise AssertionError(f"no {pattern!r} on the terminal: {self.text!r}")
            if select.select([self.ours], [], [], 1)[0]:
                with contextlib.suppress(OSError):
                    self.text += os.read(self.ours, 65536).decode(errors="replace")
        self.text = self.text[found.end():]
        return found[1] if found.re.groups else None

    def line(self, keys):
        """The words of the command line after these keys, as the shell would give them to the program."""
        os.write(self.ours, f"{keys}{HOME}printf '<%s>' {END} :::\n".encode())
        return re.findall("<(.*?)>", self.read(r"(?s)((?:<[^>']*>)+)<:::>"))


LINES = (("movedctl li\t", None), ("movedctl lis\t", ["movedctl", "list"]), ("movedctl get ali\t", ["movedctl", "get", "alice@old.example"]),
         ("movedctl get alice@\t", ["movedctl", "get", "alice@old.example"]), ("movedctl get alice@o\t", ["movedctl", "get", "alice@old.example"]),
         ("movedctl del bob@older.example @.\t", ["movedctl", "del", "bob@older.example", "@.sub.example"]),
         ("movedctl get x\t", ["movedctl", "get", "xy$z@old.example"]),
         ("movedctl import --format re\t", ["movedctl", "import", "--format", "relocated"]),
         ("movedctl import --format=re\t", ["movedctl", "import", "--format=relocated"]),
         ("movedctl add --rep\t", ["movedctl", "add", "--replace"]), ("movedctl add --disclose n\t", ["movedctl", "add", "--disclose", "nobody"]),
         ("movedctl attach se\t", ["movedctl", "attach", "sendmail"]), ("movedctl help expo\t", ["movedctl", "help", "export"]),
         ("movedctl import files/mo\t", ["movedctl", "import", "files/moved table.csv"]),
         ("movedctl attach --config-dir=files/b\t", ["movedctl", "attach", "--config-dir=files/backups"]),
         ("movedctl restore files/b\t", ["movedctl", "restore", "files/backups"]))


class Shells(CompletionCase):
    def walk(self, terminal):
        for keys, words in LINES:
            if words is not None:
                with self.subTest(keys):
                    self.assertEqual([word.rstrip("/") for word in terminal.line(keys)], words)

    def test_bash(self):
        with Terminal([self.shell("bash"), "--norc", "--noprofile", "-i"],
                      f"bind 'set enable-bracketed-paste off'; . {SCRIPTS}/movedctl.bash", self.environment, self.folder) as terminal:
            self.walk(terminal)
            os.write(terminal.ours, b"movedctl li\t\t")
            terminal.read(r"lint\s+list")

    def test_zsh(self):
        with Terminal([self.shell("zsh"), "-f", "-i"],
                      f"unset zle_bracketed_paste; bindkey -e; fpath=({SCRIPTS} $fpath); autoload -Uz compinit; compinit -u -D",
                      self.environment, self.folder) as terminal:
            self.walk(terminal)

    def test_fish(self):
        for keys, words in LINES:
            typed = keys.rstrip(TAB)
            done = subprocess.run([self.shell("fish"), "--no-config", "-c", f"source {SCRIPTS}/movedctl.fish; complete -C {typed!r}"],
                                  env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=place.PATIENCE, check=True)
            offered = [line.split("\t")[0] for line in done.stdout.splitlines()]
            with self.subTest(keys):
                self.assertEqual(sorted(word.rstrip("/") for word in offered), ["lint", "list"] if words is None else [words[-1]])
                self.assertEqual(done.stderr, "")


class Candidates(CompletionCase):
    def test_at_most_100_old_addresses_and_each_begins_as_typed(self):
        self.daemon.hold(*((f"{name}{i}@d{i % 7}.example", f"{name}@new.example") for name in ("u", "v") for i in range(300)))
        found = [line.split("\t")[0] for line in self.complete("get", "v")]
        self.assertEqual((len(found), len(set(found)), {old[0] for old in found}), (100, 100, {"v"}))
        self.assertEqual(self.complete("get", "V299@"), ["v299@d5.example\tv@new.example"])
        self.assertEqual(len(self.complete("list", "--domain", "")), 7)
        self.assertEqual(self.complete("get", "w"), [])

    def test_the_table_of_the_line_is_asked(self):
        other = Daemon(self.folder / "other")
        other.movedctl("init")
        other.hold(("o@o.example", ""))
        for where in (["-c", other.conf], ["-d", other.table]):
            self.assertEqual(self.complete(*where, "get", ""), ["o@o.example"])
            self.assertEqual(self.complete("get", *where, ""), ["o@o.example"])

    def test_nothing_is_said_where_there_is_nothing_to_say(self):
        for words in ([], ["get", ""], ["list", "--domain", ""]):
            done = self.daemon.ctl("-c", "/none", "__complete", "-c", "/none", *words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_an_address_that_controls_a_terminal_is_not_offered(self):
        self.daemon.hold(("a\x9b2J@old.example", "x\x9b2J@new.example"), ("ab@old.example", "x\x9b2J@new.example"))
        self.assertEqual(self.complete("get", "a"), ["ab@old.example\tx??2J@new.example"])

    def test_each_option_and_each_kind_of_operand_is_known(self):
        commands = [line.split("\t")[0] for line in self.complete("")]
        for command in commands:
            options = self.complete(command, "-")
            shown = self.daemon.movedctl("help", command)
            self.assertEqual({option for option in options if option.startswith("--")} - {"--help"},
                             set(re.findall(r"(?<![-\w])--[a-z][a-z0-9-]+", shown.split("\nExample")[0])), command)

    def test_the_scripts_are_installed_where_the_shells_look(self):
        rules = (place.SOURCE / "Makefile.am").read_text()
        for name in ("bash-completion/completions", "zsh/site-functions", "fish/vendor_completions.d"):
            self.assertIn(f"dir = $(datadir)/{name}\n", rules)
        self.assertEqual(sorted(path.name for path in pathlib.Path(SCRIPTS).iterdir()), ["_movedctl", "movedctl.bash", "movedctl.fish"])


if __name__ == "__main__":
    unittest.main()
