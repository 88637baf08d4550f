# SPDX-License-Identifier: BSD-2-Clause
"""README is run: each of its blocks, pasted line by line into a machine with systemd and the mail server's own package."""

import contextlib
import os
import re
import smtplib
import subprocess
import unittest

from lib import package, place
from lib.machine import LIBRARIES, Machine, root
from lib.readme import blocks, built

# What each block of a chapter is. A new block has to be named here, and so to be run.
BLOCKS = {
    "": ["dialogue"],
    "Try it": ["here"],
    "Install": ["build", "machine"],
    "Add entries": ["machine", "machine"],
    "Attach to Postfix": ["machine"],
    "Attach to Sendmail": ["machine", "machine", "machine"],
    "Day to day": ["machine", "machine", "configuration"],
    "A week before it counts": ["machine"],
    "Upgrade": ["machine"],
    "Uninstall": ["machine"],
    "Without systemd": ["machine"],
}
MOVED, GONE = "551 5.1.6 User not local; please try <{}>", "550 5.1.6 User not local; no forwarding address"


class Blocks(unittest.TestCase):
    def test_each_block_is_known(self):
        self.assertEqual({chapter: len(of) for chapter, of in blocks().items() if of}, {chapter: len(of) for chapter, of in BLOCKS.items()})

    def test_readme_fits_a_terminal(self):
        for name in ("README", "contrib/debian/README.Debian"):
            self.assertEqual([line for line in (place.SOURCE / name).read_text().splitlines() if len(line) > 80], [], name)

    def test_the_two_commands_are_there(self):
        for line in blocks()["Try it"][0].splitlines():
            self.assertTrue(os.access(place.SOURCE / line.split()[0], os.X_OK), line)

    def test_the_configuration_is_a_good_one(self):
        with place.folder() as folder:
            (folder / "c.conf").write_text(blocks()["Day to day"][2])
            done = subprocess.run([*place.program("movedctl"), "config", "-n", "-c", folder / "c.conf"], capture_output=True, text=True,
                                  timeout=place.PATIENCE)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn('mode = "observe"', done.stdout)


class Walk(unittest.TestCase):
    """A walk is one test: each chapter stands on the one before."""

    packages = chapter = None

    def walk(self):
        self.blocks = blocks()
        lower = root(*self.packages, *LIBRARIES)
        with place.folder() as self.folder, Machine(lower, self.folder / "machine") as self.machine:
            self.log = self.folder / "log"
            self.prepare()
            self.steps()

    def make(self, script):
        """Runs on this host, which has a compiler; what is installed goes into the machine."""
        package.run(self.log, "sh", "-ec", script, cwd=built(), env={**os.environ, "DESTDIR": f"/proc/{self.machine.pid}/root"})

    def paste(self, chapter, number=0):
        """The block's lines, typed on a terminal as root; a question is answered with yes."""
        for part in re.split(r"(?m)^(make.*\n)", self.blocks[chapter][number]):
            if part.startswith("make"):
                self.make(part)
            elif part.strip():
                self.machine.path("/root/block").write_text(part)
                done = self.machine.run("script", "-qefc", "sh -e /root/block", "/dev/null", stdin="yes\n" * 5, check=False, timeout=120)
                self.assertEqual(done.returncode, 0, f"{chapter}\n{part}\n{done.stdout}{self.machine.journal('milter-moved')[-2000:]}")
                self.assertNotRegex(done.stdout, "still (be )?activ", "systemd has nothing to warn of")

    def check(self, why, **others):
        expected = {"alice@old.example": MOVED.format("alice@new.example"), "bob@old.example": GONE,
                    "root@old.example": "250 ", "nobody-here@old.example": "550 5.1.1 ", "x@retired.example": MOVED.format("x@new.example"),
                    "root@retired.example": "250 ", "carol@old.example": MOVED.format("c@new.example"), **others}

        def replies():
            return {recipient: self.ask(recipient)[:len(reply)] for recipient, reply in expected.items()}
        place.until(lambda: replies() == expected, why) if replies() != expected else None
        self.assertEqual(replies(), expected, f"{why}\n{self.machine.journal('milter-moved')}")

    def ask(self, recipient):
        place.until(self.machine.serves, "the mail server listens")
        return self.machine.ask(recipient)

    def install(self):
        self.make("make install")
        self.paste("Install", 1)
        self.assertTrue(self.machine.is_active("milter-moved"))
        self.paste("Add entries")
        self.paste("Add entries", 1)


class OnPostfix(Walk):
    packages = ("postfix", "patch", "libpq5")

    def test_readme(self):
        self.walk()

    def prepare(self):
        place.until(self.machine.serves, "Postfix runs")
        self.machine.run("postconf", "-e", "mydestination=old.example, retired.example, localhost")
        self.machine.run("postfix", "reload")

    def files(self):
        return [self.machine.path(f"/etc/postfix/{name}").read_bytes() for name in ("main.cf", "master.cf")]

    def steps(self):
        before = self.files()
        self.install()
        self.paste("Attach to Postfix")
        self.check("attached")
        self.paste("Day to day")
        self.paste("Day to day", 1)
        self.check("day to day")
        self.machine.run("movedctl", "detach", "--yes", "postfix")
        self.paste("A week before it counts")
        self.check("after a week")
        self.paste("Upgrade")
        self.check("upgraded")
        self.without_systemd()
        self.paste("Uninstall")
        self.assertNotIn("(ignored)", self.log.read_text())
        self.assertEqual(self.files(), before)
        self.assertEqual(self.machine.shell("find / -xdev -name '*milter*moved*' -o -xdev -name '*movedctl*' | grep -v '^/proc\\|^/sys\\|/var/tmp'",
                                            check=False).stdout.splitlines(), [])

    def without_systemd(self):
        self.machine.shell("systemctl stop milter-moved.socket milter-moved")
        self.paste("Without systemd")
        place.until(lambda: self.machine.run("pgrep", "-x", "milter-moved", check=False).returncode == 1, "the daemon ends")
        self.machine.shell("rm /etc/milter-moved/milter-moved.conf.d/pid.conf; systemctl start milter-moved.socket milter-moved")
        self.check("under systemd again")


class OnSendmail(Walk):
    packages = ("sendmail", "patch", "libpq5")

    def test_readme(self):
        self.walk()

    def prepare(self):
        """No name server, no pauses for strangers, and the stranger's address, one of the machine's own, is a stranger's."""
        self.machine.shell("""
            cp /etc/mail/service.switch-nodns /etc/mail/service.switch
            printf '%s\\n' old.example retired.example >>/etc/mail/local-host-names
            echo '127.0.0.1 mx.old.example' >>/etc/hosts
            echo '192.0.2.7 client.example' >>/etc/hosts
            sed -i '/greet_pause/d; /RATE_THROTTLE/d; /RCPT_THROTTLE/d; /ratecontrol/d; /conncontrol/d
                /^MAILER_DEFINITIONS/i define(`confDONT_PROBE_INTERFACES'"', "'`True'"')dnl"'
                ' /etc/mail/sendmail.mc
            sed -i '/^Connect:192.0.2/d' /etc/mail/access
            make -C /etc/mail >/dev/null
            systemctl restart sendmail""")

    def ask(self, recipient):
        """Sendmail, told to start again, listens on for a moment and then does not."""
        def attempt():
            with contextlib.suppress(OSError, smtplib.SMTPException):
                return self.machine.ask(recipient)
            return None
        return place.until(attempt, "the mail server listens")

    def steps(self):
        before = self.machine.path("/etc/mail/sendmail.cf").read_bytes()
        self.install()
        self.paste("Attach to Sendmail")
        self.check("attached", **{"bob@old.example": "550 5.1.6 "})
        self.paste("Attach to Sendmail", 1)
        self.machine.run("movedctl", "detach", "--yes", "sendmail")
        self.assertEqual(self.machine.path("/etc/mail/sendmail.cf").read_bytes(), before)
        self.paste("Attach to Sendmail", 2)
        self.check("by hand", **{"bob@old.example": "550 5.1.6 "})
        self.paste("Uninstall")


if __name__ == "__main__":
    unittest.main()
