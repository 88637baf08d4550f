# SPDX-License-Identifier: BSD-2-Clause
"""Debian's Postfix is upgraded, installed again and configured again by its own maintainer scripts, while milter-moved is attached:
what each recipient gets, what doctor says, and that detach leaves what the scripts alone would have made."""

import re
import shutil
import subprocess
import unittest

from lib import place
from system import test_package

POSTINST = "/var/lib/dpkg/info/postfix.postinst"


class WhileAttached(test_package.Walk):
    early = True

    server, packages, files = "postfix", test_package.OnPostfix.packages, test_package.OnPostfix.files

    def test_the_packages_own_scripts(self):
        self.walk()

    def older(self):
        """As an older version left them: without services that came later."""
        master = self.machine.path("/etc/postfix/master.cf")
        master.write_bytes(re.sub(rb"(?m)^(?:postlog|proxywrite|retry|scache) .*\n", b"", master.read_bytes()))

    def fetch(self):
        done = subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "postfix"], cwd=self.folder, capture_output=True, text=True,
                              timeout=10 * place.PATIENCE)
        found = list(self.folder.glob("postfix_*.deb"))
        if not found:
            raise unittest.SkipTest(f"the package cannot be downloaded: {done.stderr.strip()}")
        shutil.copy(found[0], self.machine.path("/root/postfix.deb"))

    def steps(self):
        """Each way twice: alone, and while attached."""
        self.fetch()
        self.attach()
        self.machine.run("movedctl", "detach", "--yes", "postfix")
        before = self.read()
        self.older()
        older = self.read()
        self.assertNotEqual(older, before)
        for way in (f"DPKG_MAINTSCRIPT_NAME=postinst DPKG_MAINTSCRIPT_PACKAGE=postfix {POSTINST} configure 2.11.0-1", "dpkg --force-confold --install /root/postfix.deb", "dpkg-reconfigure postfix"):
            with self.subTest(way):
                alone = self.after(older, way)
                self.write(older)
                self.machine.run("movedctl", "attach", "--yes", "postfix")
                self.check(f"^{test_package.MOVED}$", "attached")
                self.run_scripts(way)
                self.check(f"^{test_package.MOVED}$", way)
                self.machine.run("movedctl", "doctor")
                self.assertIn("nothing to change", self.machine.run("movedctl", "attach", "--yes", "postfix").stdout)
                self.machine.run("movedctl", "detach", "--yes", "postfix")
                self.assertEqual(self.read(), alone)
                self.check(self.unknown, "detached")
        self.write(before)

    def write(self, files):
        for name, text in files.items():
            self.machine.path(name).write_bytes(text)

    def after(self, files, way):
        """What the way alone makes of the files."""
        self.write(files)
        self.run_scripts(way)
        return self.read()

    def run_scripts(self, way):
        before = self.read()["/etc/postfix/master.cf"]
        self.machine.shell(way)
        self.assertNotEqual(self.read()["/etc/postfix/master.cf"], before)
        place.until(self.machine.serves, "Postfix listens again")


if __name__ == "__main__":
    unittest.main()
