"""The Debian package, on a Debian with systemd and the mail server's own package: from its installation to its purge."""

import os
import shutil
import subprocess
import unittest

from lib import place
from lib.machine import LIBRARIES, Machine, root


def build(folder):
    """The package, of what 'make dist' makes."""
    if shutil.which("dh") is None or shutil.which("dpkg-buildpackage") is None:
        place.lacking("debhelper and dpkg-dev are needed")
    made, log = folder / "build", folder / "build.log"
    made.mkdir()
    with open(log, "wb") as out:
        def run(*command, cwd):
            how = {**os.environ, "DEB_BUILD_OPTIONS": f"nocheck parallel={os.cpu_count()}"}
            if subprocess.run(command, cwd=cwd, stdout=out, stderr=out, env=how).returncode != 0:
                raise AssertionError(f"{command[0]}: {log.read_text(errors='replace')[-3000:]}")
        run(place.SOURCE / "configure", cwd=made)
        run("make", "dist", cwd=made)
        (dist,) = made.glob("milter-moved-*.tar.xz")
        run("tar", "xf", dist, cwd=folder)
        source = folder / dist.name.removesuffix(".tar.xz")
        shutil.copytree(source / "contrib/debian", source / "debian")
        run("dpkg-buildpackage", "-us", "-uc", "-b", cwd=source)
    (package,) = folder.glob("milter-moved_*.deb")
    return package


class OnPostfix(unittest.TestCase):
    """One walk: each step stands on the one before."""

    MOVED = "551 5.1.6 User not local; please try <gone@new.example>"

    def check(self, moved, why):
        place.until(self.machine.serves, "the mail server listens")
        self.assertRegex(self.machine.ask("gone@mx.old.example"), moved, why)
        self.assertEqual(self.machine.ask("root@mx.old.example"), "250 2.1.5 Ok", why)
        self.assertRegex(self.machine.ask("nobody-here@mx.old.example"), "^550 5.1.1 ", why)
        self.assertRegex(self.machine.ask("somebody@elsewhere.example"), "^[45]54 ", why)

    def files(self):
        return {name: self.machine.path(f"/etc/postfix/{name}").read_bytes() for name in ("main.cf", "master.cf")}

    def test_from_installation_to_purge(self):
        lower = root("postfix", *LIBRARIES)
        with place.folder() as folder:
            package = build(folder)
            with Machine(lower, folder / "machine") as self.machine:
                self.walk(package)

    def walk(self, package):
        machine = self.machine
        place.until(machine.serves, "the mail server listens")
        before = self.files()
        shutil.copy(package, machine.path("/root/package.deb"))
        machine.run("dpkg", "--install", "/root/package.deb")
        self.assertTrue(machine.is_active("milter-moved"), machine.journal("milter-moved"))
        self.assertEqual(machine.run("stat", "-c", "%U:%G %a", "/var/lib/milter-moved").stdout, "milter-moved:milter-moved 2770\n")
        self.check("^550 5.1.1 ", "installed, and not attached")
        self.assertEqual(self.files(), before)

        machine.run("movedctl", "add", "gone@mx.old.example", "gone@new.example")
        machine.run("movedctl", "attach", "--yes", "postfix")
        self.check(self.MOVED, "attached")
        machine.run("movedctl", "doctor")
        machine.run("dpkg", "--install", "/root/package.deb")
        self.check(self.MOVED, "installed again")
        machine.reboot()
        place.until(lambda: machine.is_active("milter-moved"), "the daemon is back")
        self.check(self.MOVED, "after a reboot")

        machine.run("dpkg", "--remove", "milter-moved")
        self.check("^550 5.1.1 ", "removed while attached: mail flows")
        self.assertEqual(self.files(), before)
        machine.run("dpkg", "--purge", "milter-moved")
        self.assertFalse(machine.path("/var/lib/milter-moved").exists())
        self.assertFalse(machine.path("/etc/milter-moved").exists())
        self.assertEqual(len(list(machine.path("/var/backups").glob("milter-moved.*/data.mdb"))), 1)


if __name__ == "__main__":
    unittest.main()
