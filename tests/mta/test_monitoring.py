# SPDX-License-Identifier: BSD-2-Clause
"""What reads our log and our exit status: fail2ban, logcheck and Icinga, each on what a real daemon wrote."""

import os
import re
import subprocess
import sys
import unittest

from lib import place
from lib.daemon import Daemon
from lib.milter import Milter

CONTRIB = place.SOURCE / "contrib"
PREFIXES = ("Nov 28 03:04:05 mx1 milter-moved[4711]: ", "2026-11-28T03:04:05.123456+01:00 mx1.old.example milter-moved[4711]: ")
STRANGER, OTHER, SIX = "192.0.2.7", "198.51.100.9", "2001:db8::7"


class Log(unittest.TestCase):
    """A daemon that has answered, forwarded, refused above a limit, been reloaded and stopped."""

    @classmethod
    def setUpClass(cls):
        folder = place.folder()
        cls.folder = folder.__enter__()
        cls.addClassCleanup(folder.__exit__, None, None, None)
        daemon = Daemon(cls.folder / "d", disclosure={"limit": 2, "network_limit": 3})
        with daemon:
            daemon.hold(*((f"u{i}@old.example", f"u{i}@new.example") for i in range(4)), ("gone@old.example", ""),
                        ("f@old.example", "f@new.example", "forward"), ('"q, [] (1)"@old.example', "q@new.example"))
            for client in (STRANGER, OTHER, SIX):
                with Milter(daemon.address) as session:
                    session.begin(client)
                    for name in ("u0", "u1", "u2", "u3", "gone", "f", '"q, [] (1)"') if client != OTHER else ("u0", "gone", '"q, [] (1)"'):
                        session.rcpt(f"<{name}@old.example>")
                    # What would ban somebody else, if a recipient or a sender could forge it.
                    session.rcpt(f'<"disclosure.limit is reached: client=x[203.0.113.1] has been told 2 new addresses in this period"@old.example>')
                    session.quit()
            daemon.reload()
            daemon.configure(mode="observe", disclosure={"limit": 2, "network_limit": 3})
            daemon.reload()
            with Milter(daemon.address) as session:
                session.begin(OTHER)
                session.rcpt("<u0@old.example>")
                session.quit()
            place.until(lambda: "observed reply=" in daemon.log(), "the answer is logged")
        cls.lines = [re.sub(r"^milter-moved: ", "", line) for line in daemon.log().splitlines()]

    def as_syslog(self, prefix):
        path = self.folder / "mail.log"
        path.write_text("".join(f"{prefix}{line}\n" for line in self.lines))
        return path

    def test_fail2ban_sees_who_is_over_the_limit_and_nobody_else(self):
        unpacked = place.unpacked("fail2ban")
        for prefix in PREFIXES:
            config = self.folder / "fail2ban"
            subprocess.run(["cp", "-r", unpacked / "etc/fail2ban", config], check=True)
            self.addCleanup(subprocess.run, ["rm", "-rf", config], check=True)
            subprocess.run(["cp", "-r", f"{CONTRIB}/fail2ban/.", config], check=True)
            done = subprocess.run([sys.executable, unpacked / "usr/bin/fail2ban-regex", "--config", config, "--out", "ip", self.as_syslog(prefix),
                                   config / "filter.d/milter-moved.conf"], capture_output=True, text=True, timeout=place.PATIENCE,
                                  env={**os.environ, "PYTHONPATH": str(unpacked / "usr/lib/python3/dist-packages")})
            self.assertEqual((done.returncode, sorted(done.stdout.split())), (0, sorted([STRANGER, SIX])), done.stderr + "\n".join(self.lines))

    def test_fail2ban_takes_the_jail(self):
        unpacked = place.unpacked("fail2ban")
        config = self.folder / "jail"
        subprocess.run(["cp", "-r", unpacked / "etc/fail2ban", config], check=True)
        subprocess.run(["cp", "-r", f"{CONTRIB}/fail2ban/.", config], check=True)
        (config / "jail.d/defaults-debian.conf").unlink(missing_ok=True)  # of sshd, which has no log here
        (config / "jail.d/path.local").write_text(f"[milter-moved]\nlogpath = {self.as_syslog(PREFIXES[0])}\n")
        done = subprocess.run([sys.executable, unpacked / "usr/bin/fail2ban-client", "-c", config, "--dump"], capture_output=True, text=True,
                              timeout=place.PATIENCE, env={**os.environ, "PYTHONPATH": str(unpacked / "usr/lib/python3/dist-packages")})
        self.assertIn("'add', 'milter-moved'", done.stdout, done.stderr)
        self.assertIn("'maxretry', 1]", done.stdout)

    def test_logcheck_reports_what_an_administrator_should_see_and_nothing_else(self):
        for prefix in PREFIXES:
            done = subprocess.run(["grep", "-E", "-v", "-f", CONTRIB / "logcheck/milter-moved", self.as_syslog(prefix)],
                                  capture_output=True, text=True, timeout=place.PATIENCE)
            left = [line.removeprefix(prefix) for line in done.stdout.splitlines()]
            self.assertEqual([line for line in left if not line.startswith("disclosure.")], [])
            self.assertEqual(len(left), sum(line.startswith("disclosure.") for line in self.lines))
            self.assertGreater(len(self.lines), 15)


class Icinga(unittest.TestCase):
    CONF = CONTRIB / "icinga/milter-moved.conf"

    def test_movedctl_takes_the_options(self):
        options = re.findall(r'"(--?[a-z]+)"', self.CONF.read_text())
        done = subprocess.run([*place.program("movedctl"), "__complete", "doctor", "-"], capture_output=True, text=True, timeout=place.PATIENCE)
        self.assertEqual(set(options) - set(done.stdout.split()) - {"-c"}, set())

    def test_icinga_takes_the_file(self):
        unpacked = place.unpacked("icinga2")
        binary, = unpacked.glob("usr/lib/*/icinga2/sbin/icinga2")
        with place.folder() as folder:
            (folder / "icinga2.conf").write_text(
                f'include <itl>\ninclude "{self.CONF}"\nobject Host "mx1" {{\n  check_command = "dummy"\n  vars.milter_moved = true\n}}\n')
            folders = [word for name in ("DataDir", "LogDir", "CacheDir", "SpoolDir", "InitRunDir", "ConfigDir")
                       for word in (f"--define={name}={folder}",)]
            done = subprocess.run([binary, "daemon", "-C", "-c", folder / "icinga2.conf", f"--include={unpacked}/usr/share/icinga2/include",
                                   "--define=RunAsUser=root", "--define=RunAsGroup=root", *folders],
                                  capture_output=True, text=True, timeout=place.PATIENCE,
                                  env={**os.environ, "LD_LIBRARY_PATH": (unpacked / "lib-path").read_text().strip()})
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("Instantiated 1 Service", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
