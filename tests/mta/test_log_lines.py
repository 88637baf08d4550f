# SPDX-License-Identifier: BSD-2-Clause
"""Each answer is one line of the grammar in milter-moved(8): a parser is made from the page alone, and reads what a daemon wrote."""

import contextlib
import re
import unittest

from lib import place
from lib.daemon import Daemon
from lib.milter import Milter
from lib.socketmap import Socketmap

CORE = {"ALPHA": "[A-Za-z]", "DIGIT": "[0-9]", "HEXDIG": "[0-9A-Fa-f]", "SP": " ", "DQUOTE": '"'}  # RFC 5234, appendix B
TOKEN = re.compile(r'\s*(?:"([^"]*)"|%x([0-9A-F]+)(?:-([0-9A-F]+))?|(\d+\*?|\*)|([A-Za-z][\w-]*)|([\[\]()/]))')
NAMED = ("recipient", "sender", "entry", "rule", "map", "outcome", "name", "ip")


class Grammar:
    """The regular expression of an ABNF without recursion."""

    def __init__(self, text):
        self.rules = {}
        for line in re.sub(r"\s+;.*", "", text, flags=re.M).splitlines():
            if begins := re.match(r"(\w+)\s+= (.*)", line):
                name, line = begins.groups()
                self.rules[name] = ""
            self.rules[name] += " " + line.strip()

    def rule(self, name):
        if name in CORE:
            return CORE[name]
        made = self.alternatives(self.tokens(self.rules[name]), None)
        return f"(?P<{name}>{made})" if name in NAMED else f"(?:{made})"

    @staticmethod
    def tokens(text):
        at, found = 0, []
        text = text.strip()
        while at < len(text):
            literal, first, last, times, name, mark = (match := TOKEN.match(text, at)).groups()
            at = match.end()
            if literal is not None:
                found.append(("is", re.escape(literal)))
            elif first:
                found.append(("is", f"[\\U{first:>08}-\\U{last or first:>08}]"))
            elif times:
                found.append(("times", "{%s,}" % (times[:-1] or 0) if times.endswith("*") else "{%s}" % times))
            elif name:
                found.append(("rule", name))
            elif mark:
                found.append(("mark", mark))
            else:
                raise ValueError(text[at:])
        return found[::-1]

    def alternatives(self, left, end):
        made, times = "", ""
        while left:
            kind, what = left.pop()
            if (kind, what) == ("mark", end):
                break
            if kind == "times":
                times = what
                continue
            if (kind, what) == ("mark", "/"):
                made += "|"
                continue
            made += (what if kind == "is" and not times else
                     f"(?:{what})" if kind == "is" else
                     self.rule(what) if kind == "rule" else
                     f"(?:{self.alternatives(left, ')')})" if what == "(" else
                     f"(?:{self.alternatives(left, ']')})?") + times
            times = ""
        return made


def documented():
    page = (place.SOURCE / "milter/daemon/milter-moved.8").read_text()
    text = page[page.index("line      ="):]
    return re.compile(Grammar(text[:text.index(".Ed")].replace("\\\\", "\\")).rule("line"))


LONG = "l" * 255 + "@" + ".".join(["d" * 60] * 4)
# As the client writes it, and how it stands in the line.
ODD = (("<@>", "@"), ("<<@>>", "?@?"), ("<>", ""), ("x y", "x?y"), ("<x y@old.example>", "x?y@old.example"), ('<"a b"@old.example>', '"a b"@old.example'),
       ('<"a>, client=x[203.0.113.1], entry=none, continue"@old.example>', '"a>, client=x[203.0.113.1], entry=none, continue"@old.example'),
       ('<"a\\"b\\\\"@old.example>', '"a\\"b\\\\"@old.example'), ('<"open@old.example>', "?open@old.example"), ("<a\tb@old.example>", "a?b@old.example"),
       ("<a>, client=x[203.0.113.1], entry=none, continue", "?a?,?client=x[203.0.113.1],?entry=none,?continue"), ("<al@old.example> NOTIFY=NEVER", "al@old.example"), ("<\xf6\xff@old.example>", None),
       ("<日本語@old.example>", "日本語@old.example"), ("<a\u2028b@old.example>", None), ("<a\x1b[2Jb@old.example>", None), (f"<{LONG}>", LONG),
       ("<" + "x" * 700 + ">", "x" * 700), ("<%s%n@old.example>", "%s%n@old.example"), ("<@relay.example:al@old.example>", "al@old.example"))
SENDERS = ("<eva@client.example>", "<>", "<a>, entry=none, continue>", '<"a b>"@client.example>', '<"open@client.example>', "<x y>", f"<{LONG}>", "<日本語@client.example>")


class LogLines(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        folder = stack.enter_context(place.folder())
        self.daemon = Daemon(folder / "d", log={"target": "stderr", "level": "debug"}, disclosure={"limit": 3, "total_limit": 0})
        self.daemon.movedctl("init")
        self.daemon.hold(("al@old.example", "al@new.example"), ("@gone.example", ""), ("stay@old.example", "", "stay"), ("fo@old.example", "fo@new.example", "forward"),
                         ("日本語@old.example", "日本@new.example"), ('"a b"@old.example', '"c, d>"@new.example'), ("loop@old.example", "loop2@old.example"),
                         ("loop2@old.example", "loop@old.example"), (LONG, "n" * 64 + "@" + ".".join(["e" * 46] * 4)), *((f"u{i}@old.example", f"u{i}@new.example") for i in range(5)))
        stack.enter_context(self.daemon)
        self.line = documented()

    def ask(self, recipients, sender="<eva@client.example>", client="192.0.2.7"):
        with Milter(self.daemon.address) as milter:
            milter.negotiate()
            milter.connect(client)
            milter.helo()
            milter.macros("M", i="4XkQ2z1")
            milter.mail(sender)
            for recipient in recipients:
                milter.rcpt(recipient)
            milter.quit()

    def parsed(self, count):
        """The fields of each line of an answer, when there are so many."""
        def lines():
            return [line.removeprefix("milter-moved: ").rstrip("\n") for line in self.daemon.log().splitlines(True)
                    if ": to=<" in line and line.endswith("\n")]
        place.until(lambda: len(lines()) >= count, f"{count} lines, {len(lines())}", self.daemon.log)
        parsed = [(line, self.line.fullmatch(line)) for line in lines()]
        self.assertEqual([line for line, match in parsed if match is None], [])
        return [match.groupdict() for _, match in parsed]

    def test_recipients_that_are_odd(self):
        self.ask([recipient for recipient, _ in ODD])
        rows = self.parsed(len(ODD))
        self.assertEqual(len(rows), len(ODD))
        for (written, stands), row in zip(ODD, rows):
            self.assertEqual((row["name"], row["ip"]), ("client.example", "192.0.2.7"), written)
            if stands is not None:
                self.assertEqual(row["recipient"], stands, written)

    def test_each_way_and_each_rule(self):
        usual = ["<al@old.example>", "<x@gone.example>", "<fo@old.example>", "<stay@old.example>", "<none@old.example>", "<loop@old.example>", "<日本語@old.example>",
                 '<"a b"@old.example>', "<none>", f"<{LONG}>", *(f"<u{i}@old.example>" for i in range(5))]
        requests = ("listed al@old.example", "refused al@old.example", "relocated al@old.example", "reply 192.0.2.7 0 0 <al@old.example> eva@client.example",
                    "reply 2001:db8::1 0 1 fo@old.example", "reply 192.0.2.8 0 0 <al@old.example> a>, entry=none")
        seen, count = set(), 0
        for mode in ("enforce", "observe"):
            self.daemon.configure(mode=mode)
            self.daemon.reload()
            for sender in SENDERS:
                self.ask(usual, sender)
            self.ask(usual[:2], client="2001:db8::7")
            with Socketmap(self.daemon.lookups) as client, self.daemon.session():
                for request in requests:
                    client.ask(request)
            count += len(usual) * len(SENDERS) + 2 + len(requests)
            rows = self.parsed(count)
            seen |= {row["rule"] for row in rows} | {row["map"] for row in rows} | {row["outcome"].split("=")[0] for row in rows}
        self.assertEqual(len(rows), count)
        observed = rows[count // 2:]
        self.assertEqual([row["sender"] for row in rows[:count // 2]], [None] * (count // 2))
        stands = {row["sender"] for row in observed}
        self.assertLessEqual({"eva@client.example", "", "a", '"a b>"@client.example', "?open@client.example", "x?y", LONG, "a?,?entry=none"}, stands)
        self.assertLessEqual({"over limit", "unwritable", "loop", "stays", "not listed", "listed", "refused", "relocated", "reply", "forward", "continue"}, seen)
        self.assertIn('"a b"@old.example', {row["entry"] for row in rows})


if __name__ == "__main__":
    unittest.main()
