# SPDX-License-Identifier: BSD-2-Clause
"""The mail servers' own tables: what movedctl writes they read, and what they read movedctl reads the same."""

import contextlib
import json
import re
import subprocess
import unittest

from lib import place
from lib.daemon import Daemon
from lib.postfix import Postfix
from lib.sendmail import Sendmail
from lib.smtp import Talk

ROWS = r'''alice@old.example,alice@new.example
"""al ice""@old.example","""a b""@new.example"
"""a\""b""@old.example",quote@new.example
"""a\\b""@old.example",backslash@new.example
per%cent@old.example,a%b$c@new.example
jörg@old.example,jürgen@new.example
x@bücher.example,x@new.example
@bulk.example,all@new.example
alice@bulk.example,alice@new.example
'''


class RelocatedPostfix(Postfix):
    """With relocated_maps, made of what was exported."""

    def _write(self):
        super()._write()
        table = f"lmdb:{self.folder.parent}/relocated"
        with open(self.folder / "conf/main.cf", "a", encoding="ascii") as main:
            main.write(f"relocated_maps = {table}\nrecipient_delimiter = +\n")
        done = self.run("postmap", table)
        if done.returncode != 0 or done.stderr:
            raise AssertionError(f"postmap: {done.stderr}")


class Relocated(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        folder = stack.enter_context(place.folder())
        daemon = Daemon(folder / "d")
        cls.movedctl = staticmethod(daemon.movedctl)
        daemon.movedctl("init")
        daemon.movedctl("import", "-", stdin="old,new\n" + ROWS)
        daemon.movedctl("export", "--format", "relocated", folder / "relocated")
        doors = {"unix": ("unix:/nonexistent", {"smtpd_milters": ""})}
        cls.folder = folder
        cls.postfix = stack.enter_context(RelocatedPostfix(folder / "postfix", doors))

    def said(self, *recipients):
        with self.postfix.talk("unix") as talk:
            talk.mail("sender@client.example", "SMTPUTF8")
            return [talk.rcpt(recipient) for recipient in recipients]

    def test_postfix_tells_what_was_exported(self):
        moved = {"Alice@Old.Example": "alice@new.example", "alice+x@old.example": "alice@new.example", '"al ice"@old.example': '"a b"@new.example',
                 '"a\\"b"@old.example': "quote@new.example", '"a\\\\b"@old.example': "backslash@new.example",
                 "jörg@old.example": "jürgen@new.example", "x@bücher.example": "x@new.example", "x@xn--bcher-kva.example": "x@new.example",
                 "any@bulk.example": "all@new.example", "alice@bulk.example": "alice@new.example"}
        for recipient, reply in zip(moved, self.said(*moved)):
            self.assertRegex(reply, "^550 5.1.6 <.*>: Recipient address rejected: User has moved to ", recipient)
            self.assertEqual(reply.split("has moved to ")[1], moved[recipient], recipient)
        self.assertTrue(self.said("bob@old.example")[0].startswith("250 "))
        done = self.postfix.run("postmap", "-q", "per%cent@old.example", f"lmdb:{self.folder}/relocated")
        self.assertEqual(done.stdout, "a%b$c@new.example\n")

    def test_a_table_is_read_as_postmap_reads_it(self):
        odd = ("# a comment\n\nalice@old.example\t alice@new.example  \nBob@OLD.example\n   bob@new.example\n"
               "carl@old.example\n# between\n\n \t\n\tcarl@new.example\n\"al ice\"@old.example\ta@new.example\n"
               "feed@old.example\ffeed@new.example\nhash#@old.example h@new.example\ncr@old.example c@new.example\r\n"
               "@wild.example w@new.example\n#gone@old.example g@new.example\nlast@old.example  last@new.example")
        path = self.folder / "odd"
        path.write_text(odd, newline="")
        self.postfix.run("postmap", f"lmdb:{path}")
        theirs = self.postfix.run("postmap", "-s", f"lmdb:{path}").stdout
        self.assertEqual(len(theirs.splitlines()), 9, theirs)
        self.movedctl("import", "--replace-all", "-", stdin="old,new\n")
        self.movedctl("import", "--format", "relocated", path)
        ours = ["\t".join(line.split("\t")[:2]) for line in self.movedctl("list").splitlines()]
        self.assertEqual(sorted(ours), sorted(theirs.splitlines()))


# One mailbox for each octet that a name may have without quotes, within and in front; and names in quotes.
NAMES = [name for octet in "!#$%&'*+-/=?^_`{|}~" for name in (f"a{octet}b", f"{octet}c")] + ["a.b", '"a b"', '".c"', '"a..b"', '"a,b"', '"a<b"', '"a(b"']
LONG, LONGER = "n" * 203 + "@new.example", "n" * 208 + "@new.example"  # the longest that access and aliases tell whole


class FormatSendmail(Sendmail):
    """With an access map and aliases, made of what was exported and of an odd file of each."""

    def __init__(self, folder, doors, files):
        super().__init__(folder, doors, more="define(`ALIAS_FILE', `{0}/aliases')dnl\n"
                         "FEATURE(`access_db', `hash -T<TMPF> {0}/access')dnl\n"
                         "FEATURE(`blocklist_recipients')dnl\nFEATURE(`redirect')dnl\n".format(folder))
        self.files = files
        self.complaints = ""

    def tool(self, name, *args, **how):
        return subprocess.run([f"{self.root}/usr/libexec/sendmail/{name}", "-C", f"{self.folder}/sendmail.cf", *args], env=self.env,
                              capture_output=True, text=True, timeout=place.PATIENCE, **how)

    def made(self, done):
        self.complaints += "".join(line for line in done.stderr.splitlines(True) if "World writable" not in line and "bytes total" not in line)

    def _write(self):
        super()._write()
        for name in ("access", "aliases"):
            (self.folder / name).write_bytes(self.files[name].read_bytes())
        with open(self.folder / "access", encoding="ascii") as text:
            self.made(self.tool("makemap", "hash", f"{self.folder}/access", stdin=text))
        self.made(subprocess.run(self.command("-bi"), capture_output=True, text=True, env=self.env, timeout=place.PATIENCE))

    def verify(self, *recipients):
        """sendmail -bv: whom it would deliver to, or what it would say; a line for each."""
        return subprocess.run(self.command("-bv", "--", *recipients), capture_output=True, text=True, env=self.env,
                              timeout=place.PATIENCE).stdout.splitlines()


class AccessAndAliases(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.folder = stack.enter_context(place.folder())
        cls.daemon = Daemon(cls.folder / "d")
        cls.movedctl = staticmethod(cls.daemon.movedctl)
        cls.movedctl("init")
        rows = [(f"{name}@old.example", f"{name}@new.example") for name in NAMES]
        rows += [("gone@old.example", ""), ("long@old.example", LONG), ("longer@old.example", LONGER), ("@bulk.example", "all@new.example"), ("@.bulk.example", "all@new.example"),
                 ("@sub.bulk.example", "sub@new.example"), ("@.sub.bulk.example", "sub@new.example"), ("@single.example", "all@new.example")]
        cls.movedctl("import", "--format", "jsonl", "-", stdin="".join(json.dumps({"old": old, "new": new}) + "\n" for old, new in rows))
        cls.movedctl("add", "root@bulk.example", "--stay")
        files = {"access": cls.folder / "access", "aliases": cls.folder / "aliases"}
        cls.left_out = {}
        for name, more in (("access", []), ("aliases", ["--domain", "old.example"])):
            done = cls.daemon.ctl("export", "--skip-bad", "--format", name, *more, files[name])
            cls.left_out[name] = re.findall("warning: (.*?): left out", done.stderr)
        cls.sendmail = stack.enter_context(FormatSendmail(cls.folder / "sendmail", {"plain": (None, {})}, files))

    def test_sendmail_takes_the_files_without_a_word(self):
        self.assertEqual(self.sendmail.complaints, "")

    def test_access_tells_what_was_exported(self):
        moved = {f"{name}@old.example": f"{name}@new.example" for name in NAMES}
        moved.update({"long@old.example": LONG, "longer@old.example": LONGER, "x@bulk.example": "all@new.example", "x@y.bulk.example": "all@new.example",
                      "x@sub.bulk.example": "sub@new.example", "x@y.sub.bulk.example": "sub@new.example"})
        for recipient in self.left_out["access"]:
            self.assertRegex(recipient, '[%!"]|^@single|^longer@')
            moved.pop(recipient, None)
        with Talk(self.sendmail.ports["plain"]) as talk:
            talk.mail("sender@client.example")
            for recipient, new in moved.items():
                self.assertEqual(talk.rcpt(recipient), f"551 5.1.6 User not local; please try <{new}>")
            self.assertRegex(talk.rcpt("gone@old.example"), "^550 5.1.6 .*User not local; no forwarding address$")
            for recipient in ("root@bulk.example", "other@old.example", "x@single.example"):
                self.assertTrue(talk.rcpt(recipient).startswith("250 "), recipient)

    def test_aliases_tell_what_was_exported(self):
        told = {name: f"{name}@new.example" for name in NAMES}
        told.update({"long": LONG, "longer": LONGER})
        left_out = [address.removesuffix("@old.example") for address in self.left_out["aliases"]]
        self.assertEqual([name for name in left_out if name in told and not re.search('[%!"]|^[/|]', name)], [])
        self.assertIn("gone", left_out)
        names = [name for name in told if name not in left_out]
        said = self.sendmail.verify(*(f"{name}@old.example" for name in names))
        self.assertEqual(said, [f"User has moved; please try <{told[name]}>" for name in names])

    def test_both_are_read_again_as_they_were(self):
        for name, more in (("access", []), ("aliases", ["--domain", "old.example"])):
            text = (self.folder / name).read_text()
            fresh = Daemon(self.folder / f"fresh-{name}")
            fresh.movedctl("init")
            fresh.movedctl("import", "--format", name, *more, self.folder / name)
            self.assertEqual(fresh.movedctl("export", "--format", name, *more), text)

    def test_odd_files_are_read_as_sendmail_reads_them(self):
        odd = self.folder / "odd"
        odd.write_text("# c\nalice: alice@new.example.REDIRECT\nBob :\tBob <bob@new.example.redirect.>\n\"al ice\": \\\nal@new.example.REDIRECT (moved)\n"
                       "carl:\n\n\tcarl@new.example.REDIRECT\ndora:\n\tdora@new.example.REDIRECT\nroot: me, you@new.example.REDIRECT\n")
        self.addCleanup(self.rebuild, (self.sendmail.folder / "aliases").read_bytes())
        self.rebuild(odd.read_bytes())
        fresh = Daemon(self.folder / "odd-d")
        fresh.movedctl("init")
        done = fresh.ctl("import", "--skip-bad", "--format", "aliases", "--domain", "old.example", odd)
        self.assertEqual([line.split(":")[1] for line in re.findall("odd(:[0-9]+): ", done.stderr)], ["6", "8", "11"])
        ours = {line.split("\t")[0]: line.split("\t")[1] for line in fresh.movedctl("list").splitlines()}
        self.assertEqual(ours, {"alice@old.example": "alice@new.example", "bob@old.example": "bob@new.example",
                                '"al ice"@old.example': "al@new.example", "dora@old.example": "dora@new.example"})
        self.assertEqual(self.sendmail.verify(*ours), [f"User has moved; please try <{new}>" for new in ours.values()])
        self.assertRegex(self.sendmail.verify("carl@old.example")[0], r"^carl@old\.example\.\.\. deliverable")

    def rebuild(self, text):
        (self.sendmail.folder / "aliases").write_bytes(text)
        subprocess.run(self.sendmail.command("-bi"), capture_output=True, env=self.sendmail.env, timeout=place.PATIENCE)
