# SPDX-License-Identifier: BSD-2-Clause
"""movedctl hits as a person reads it on a terminal of 80 columns."""

import contextlib
import json
import os
import re
import subprocess
import unicodedata
import unittest

from lib import place
from lib.daemon import Daemon

LONG = "a-very-long-name-of-a-mailbox-as-verp-makes-them-123456789@old.example"
LONG_DOMAIN = "newsletter.department-of-things.university.example"


def row(old, count, senders=(), strangers=0):
    """senders: (domain, mails, days) each."""
    return {"old": old, "count": count, "first_day": "2026-09-01", "last_day": "2026-09-10", "strangers": strangers,
            "senders": [{"domain": domain, "mails": mails, "days": days, "last_day": "2026-09-10"} for domain, mails, days in senders]}


ROWS = (row("al@old.example", 1234567, (("client.example", 1200000, 10), ("<>", 9, 5), (LONG_DOMAIN, 2, 1)), 51),
        row("日本語@old.example", 3, (("xn--bcher-kva.example", 3, 10),)), row(LONG, 1, (), 1))


def columns(line):
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in line)


def ends(line):
    """The columns in which its words end, as they are aligned on the right."""
    return {columns(line[:word.end()]) for word in re.finditer(r"\S+", line)}


class OnATerminal(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        folder = stack.enter_context(place.folder())
        self.daemon = Daemon(folder / "d")
        self.daemon.movedctl("init")
        self.daemon.hold(*((entry["old"], "new@new.example") for entry in ROWS), ("idle@old.example", "new@new.example"))
        self.added = folder / "other.json"
        self.added.write_text(json.dumps(ROWS))

    def shown(self, *args, **env):
        status, shown = self.daemon.on_terminal("hits", "--add", self.added, *args, env={"NO_COLOR": "1", **env})
        self.assertEqual(status, 0, shown)
        lines = [line for line in shown.splitlines() if not line.startswith("movedctl: warning")]
        for line in lines:
            self.assertLessEqual(columns(line), 80, shown)
        return lines

    def find(self, lines, words):
        return next(number for number, line in enumerate(lines) if line.split()[:1] == [words])

    def test_columns_and_bars(self):
        lines = self.shown()
        self.assertEqual(lines[0].split(), ["sender", "days", "mails", "last"])
        rows = [lines[self.find(lines, domain)] for domain in ("client.example", "<>", "xn--bcher-kva.example")]
        self.assertEqual([line.count("#") for line in rows], [20, 10, 20])
        right = {columns(lines[0][:lines[0].index(word) + len(word)]) for word in ("days", "mails")}
        for line in [*rows, lines[self.find(lines, LONG_DOMAIN) + 1]]:
            self.assertLessEqual(right, ends(line), "\n".join(lines))
            self.assertTrue(line.endswith("2026-09-10") and columns(line) == columns(rows[0]), lines)
        self.assertEqual(lines[self.find(lines, LONG_DOMAIN) + 1].count("#"), 2)
        self.assertEqual(lines[self.find(lines, "(others)")].split(), ["(others)", "51"])

    def test_addresses_that_are_wide_or_long(self):
        lines = self.shown(LONG, "日本語@old.example", "idle@old.example", "al@old.example")
        places = []
        for old, words in ((LONG, "1 mail,"), ("日本語@old.example", "3 mails,"), ("idle@old.example", "no mail"), ("al@old.example", "1234567 mails,")):
            number = self.find(lines, old)
            line = lines[number + 1] if old == LONG else lines[number]
            places.append(columns(line[:line.index(words)]))
        self.assertEqual(places, places[:1] * 4)
        self.assertEqual(lines[self.find(lines, LONG)], LONG)

    def test_by_sender(self):
        lines = self.shown("--by-sender")
        self.assertEqual(lines[0].split(), ["sender", "days", "mails", "entries", "last"])
        self.assertEqual([line.split()[0] for line in lines[1:4]], ["client.example", "<>", "xn--bcher-kva.example"])
        self.assertEqual(lines[4], LONG_DOMAIN)
        right = {columns(lines[0][:lines[0].index(word) + len(word)]) for word in ("days", "mails", "entries")}
        for line in (*lines[1:4], lines[5]):
            self.assertLessEqual(right, ends(line), "\n".join(lines))
        self.assertEqual([line.count("#") for line in lines[1:4]], [20, 10, 20])

    def test_many_rows_of_other_hosts_need_little_memory(self):
        if os.environ.get("TESTED_KIND", "plain") != "plain":
            self.skipTest("a sanitizer needs memory without limit")
        names = [f"u{number}@old.example" for number in range(20000)]
        self.daemon.hold(*((name, "new@new.example") for name in names))
        self.added.write_text(json.dumps([row(name, number + 1, (("client.example", 1, 2),)) for number, name in enumerate(names)]))
        done = subprocess.run(["sh", "-c", 'ulimit -d 65536; exec "$@"', "-", *place.program("movedctl"), "-c", self.daemon.conf, "hits", "--add", self.added,
                               "--top", "15000", "--json"], capture_output=True, text=True, timeout=place.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([entry["count"] for entry in json.loads(done.stdout)], list(range(20000, 5000, -1)))

    def test_colour_unless_it_is_unwanted(self):
        self.assertIn("\033[32m####################\033[0m", self.daemon.on_terminal("hits", "--add", self.added, env={"NO_COLOR": ""})[1])
        self.assertNotIn("\033", "".join(self.shown()))


if __name__ == "__main__":
    unittest.main()
