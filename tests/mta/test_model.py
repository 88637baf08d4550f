# SPDX-License-Identifier: BSD-2-Clause
"""The rules of movedctl(8), written down a second time, and a daemon that has to say the same of random tables."""

import csv
import io
import random
import unittest

from lib import place
from lib.daemon import Daemon
from lib.milter import Milter

STRANGER, FRIEND = "198.51.100.7", "192.0.2.7"
PAST, FUTURE = "2020-01-01", "2099-01-01"
DOMAINS = ("old.example", "sub.old.example", "a.sub.old.example", "moved.example", "new.example")
NAMES = ("a", "b", "c", "a+x", "b+x+y", "postmaster", "postmaster+x", "mailer-daemon", "srs0+b+x")
RESERVED = ("postmaster", "mailer-daemon", "double-bounce")
WHO = ("anyone", "trusted", "nobody")
MOVED = "551 5.1.6 User not local; please try <{}>"
WITHHELD = "550 5.1.6 User not local; forwarding address withheld"
GONE = "550 5.1.6 User not local; no forwarding address"
LOOP = "451 4.4.6 Forwarding loop; try again later"
FIELDS = ("old", "new", "action", "from", "until", "forward_until", "disclose")


def random_entry(luck):
    old = luck.choice(("{name}@{domain}",) * 3 + ("@{domain}", "@.{domain}"))
    entry = dict.fromkeys(FIELDS, "")
    entry["old"] = old.format(name=luck.choice(NAMES), domain=luck.choice(DOMAINS))
    entry["action"] = luck.choice(("reject", "reject", "forward", "stay", "gone"))
    if entry["action"] in ("reject", "forward"):
        entry["new"] = luck.choice(("{name}@{domain}",) * 3 + ("@{domain}",)).format(
            name=luck.choice(NAMES), domain=luck.choice(DOMAINS))
        entry["forward_until"] = luck.choice(("", "", PAST, FUTURE))
    entry["from"] = luck.choice(("", "", "", PAST, FUTURE))
    entry["until"] = luck.choice(("", "", "", FUTURE, PAST)) if entry["from"] == "" else ""
    entry["disclose"] = luck.choice(("", "") + WHO)
    return entry


def leads_to_itself(entry):
    old, new = entry["old"], entry["new"]
    return old == new or (new.startswith("@") and old.endswith(new))


class Model:
    """The entries by their old address; who asks is trusted or not."""

    def __init__(self, entries):
        self.entries = entries

    def find(self, old):
        entry = self.entries.get(old.lower())
        return entry if entry and entry["from"] != FUTURE and entry["until"] != PAST else None

    def match(self, local, domain):
        """The entry in force that counts, and the extension that it was found without."""
        srs = local.upper().startswith(("SRS0+", "SRS1="))
        base = local if srs else local.split("+")[0]
        reserved = srs or base.lower() in RESERVED
        parents = domain.split(".")
        wild = [f"@{domain}"] + ["@." + ".".join(parents[n:]) for n in range(1, len(parents))]
        for old, extension in [(f"{local}@{domain}", ""), (f"{base}@{domain}", local[len(base):]),
                               *([] if reserved else ((old, "") for old in wild))]:
            entry = self.find(old)
            if entry:
                return entry, extension
        return None, ""

    def answer(self, recipient, trusted):
        local, domain = recipient.split("@")
        domain = domain.lower()
        seen, strictest, forward = 0, 0, False
        while True:
            entry, extension = self.match(local, domain)
            if entry is None or entry["action"] == "stay":
                break
            if seen == 0:
                forward = (entry["action"] == "forward" or entry["forward_until"]) and entry["forward_until"] != PAST
            strictest = max(strictest, WHO.index(entry["disclose"] or "anyone"))
            if entry["new"] == "":
                return GONE
            if seen == 8:
                return LOOP if forward else GONE
            seen += 1
            new_local, domain = entry["new"].split("@")
            local = new_local + extension if new_local else local
        if seen == 0:
            return "continue"
        if forward:
            return f"forward <{local}@{domain}>"
        return MOVED.format(f"{local}@{domain}") if strictest < (2 if trusted else 1) else WITHHELD


class RandomTables(unittest.TestCase):
    def hold(self, entries):
        text = io.StringIO()
        rows = csv.DictWriter(text, FIELDS)
        rows.writeheader()
        rows.writerows(entries)
        self.daemon.movedctl("import", "--replace-all", "--max-remove", "100", "-", stdin=text.getvalue())

    def said(self, milter, recipient):
        milter.start_mail()
        said = milter.rcpt(f"<{recipient}>")
        if said == "continue":
            milter.data()
            added = [path for change, path in milter.changes if change == "add"]
            return f"forward {added[0]}" if added else said
        milter.abort()
        return said

    def test_the_daemon_reads_the_manual_as_we_do(self):
        heard = set()
        with place.folder() as folder, Daemon(folder / "d", disclosure={"limit": 0, "trusted_networks": ["192.0.2.0/24"]}) as self.daemon:
            for seed in range(12):
                luck = random.Random(seed)
                entries = {entry["old"]: entry for entry in (random_entry(luck) for _ in range(luck.choice((15, 40, 70))))
                           if not leads_to_itself(entry)}
                self.hold(entries.values())
                model = Model(entries)
                for client in (STRANGER, FRIEND):
                    with Milter(self.daemon.address) as milter:
                        milter.begin(client)
                        for recipient in (f"{name}@{domain}" for name in NAMES + ("A+X", "d+z", "MAILER-Daemon") for domain in DOMAINS):
                            expected = model.answer(recipient, client == FRIEND)
                            self.assertEqual(self.said(milter, recipient), expected, f"table {seed}, {recipient}, {client}")
                            heard.add(expected.split("<")[0])
        self.assertEqual(heard, {"continue", "forward ", MOVED.split("<")[0], WITHHELD, GONE, LOOP}, "every answer was seen")


if __name__ == "__main__":
    unittest.main()
