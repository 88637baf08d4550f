# SPDX-License-Identifier: BSD-2-Clause
"""systemd's watchdog over milter-moved-follow.service: a follower that hangs is started again, and a store that hangs is no such thing."""

import shutil
import unittest

from lib import place
from lib.machine import LIBRARIES, Machine, root
from lib.package import package

UNIT = "milter-moved-follow.service"
SOURCE = 'source: { connect = "host=/var/run/postgresql dbname=postgres user=moved_follow"; timeout = 1; };\n'
# The same, sooner. Of a process that is stopped systemd's SIGABRT ends nothing; its SIGKILL does.
SOONER = "[Service]\nWatchdogSec=10\nTimeoutAbortSec=1\nRestartSec=100ms\n"


class Watchdog(unittest.TestCase):
    def sql(self, text):
        self.machine.run("su", "postgres", "-c", f'psql -qX -v ON_ERROR_STOP=1 -c "{text}"')

    def show(self, what):
        return self.machine.run("systemctl", "show", "-P", what, UNIT).stdout.strip()

    def put(self, name):
        self.sql(f"INSERT INTO moved (old_address) VALUES ('{name}@old.example')")
        place.until(lambda: self.machine.run("movedctl", "get", f"{name}@old.example", check=False).returncode == 0, f"{name} comes",
                    lambda: self.machine.journal(UNIT))

    def test_a_follower_that_hangs_is_started_again(self):
        with place.folder() as folder, Machine(root("postgresql", *LIBRARIES), folder / "machine") as self.machine:
            run = self.machine.run
            shutil.copy(package(), self.machine.path("/root/package.deb"))
            run("dpkg", "--install", "/root/package.deb")
            self.machine.shell("""sed -i '1i local all moved_follow trust' /etc/postgresql/15/main/pg_hba.conf
                systemctl reload postgresql@15-main
                movedctl schema pgsql | su postgres -c 'psql -qX -v ON_ERROR_STOP=1'""")
            self.sql("ALTER ROLE moved_follow LOGIN")
            with self.machine.path("/etc/milter-moved/milter-moved.conf").open("a") as conf:
                conf.write(SOURCE)
            sooner = self.machine.path(f"/etc/systemd/system/{UNIT}.d/sooner.conf")
            sooner.parent.mkdir()
            sooner.write_text(SOONER)
            run("systemctl", "daemon-reload")
            run("systemctl", "start", UNIT)
            self.put("before")
            pid = self.show("MainPID")

            run("systemctl", "kill", "--signal=STOP", "postgresql@15-main.service")
            for _ in range(3):  # it says that it lives
                last = self.show("WatchdogTimestampMonotonic")
                place.until(lambda: self.show("WatchdogTimestampMonotonic") != last, "the watchdog hears of it")
            self.assertIn("down", run("movedctl", "follow", "--status", check=False).stdout)
            run("systemctl", "kill", "--signal=CONT", "postgresql@15-main.service")
            self.put("after")
            self.assertEqual(self.show("MainPID"), pid)

            run("systemctl", "kill", "--signal=STOP", UNIT)
            place.until(lambda: self.show("NRestarts") == "1" and self.machine.is_active(UNIT), "it is started again",
                        lambda: self.machine.journal(UNIT))
            self.assertIn("Watchdog timeout", self.machine.journal(UNIT))
            self.put("again")
            self.assertNotEqual(self.show("MainPID"), pid)


if __name__ == "__main__":
    unittest.main()
