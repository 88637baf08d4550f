"""The mail servers' own tables: what movedctl writes they read, and what they read movedctl reads the same."""

import contextlib
import unittest

from lib import place
from lib.daemon import Daemon
from lib.postfix import Postfix

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
        self.movedctl("import", "--replace-all", "--format", "relocated", path)
        ours = ["\t".join(line.split("\t")[:2]) for line in self.movedctl("list").splitlines()]
        self.assertEqual(sorted(ours), sorted(theirs.splitlines()))
