# SPDX-License-Identifier: BSD-2-Clause
"""milter-moved-follow.service on a Debian with systemd and PostgreSQL's own package."""

import json
import re
import shutil
import unittest

from lib import place
from lib.machine import LIBRARIES, Machine, root
from lib.package import package

SOURCE = 'source: { connect = "host=127.0.0.1 dbname=postgres user=moved_follow"; passfile = "/etc/milter-moved/pgpass"; start_wait = 3; timeout = 5; };\n'
UNIT = "milter-moved-follow.service"


class Follow(unittest.TestCase):
    early = True

    def sql(self, text):
        return self.machine.run("su", "postgres", "-c", f'psql -qAtX -v ON_ERROR_STOP=1 -c "{text}"').stdout

    def status(self):
        return json.loads(self.machine.run("movedctl", "follow", "--status", "--json", check=False).stdout or "{}")

    def test_it_follows_as_a_user_of_its_own_and_never_keeps_mail_from_starting(self):
        with place.folder() as folder, Machine(root("postgresql", *LIBRARIES), folder / "machine") as self.machine:
            run = self.machine.run
            shutil.copy(package(), self.machine.path("/root/package.deb"))
            run("dpkg", "--install", "/root/package.deb")
            run("sh", "-c", "movedctl schema pgsql | su postgres -c 'psql -qX -v ON_ERROR_STOP=1'")
            self.sql("ALTER ROLE moved_follow LOGIN PASSWORD 'secret'; INSERT INTO moved (old_address, new_address) VALUES ('a@old.example', 'a@new.example')")
            with self.machine.path("/etc/milter-moved/milter-moved.conf").open("a") as conf:
                conf.write(SOURCE)
            self.machine.path("/etc/milter-moved/pgpass").write_text("*:*:*:moved_follow:secret\n")
            self.assertEqual(self.machine.path("/etc/milter-moved/pgpass").stat().st_mode & 0o777, 0o600)

            done = run("systemctl", "start", UNIT, check=False)
            self.assertEqual(done.returncode, 0, run("journalctl", "-u", UNIT, check=False).stdout)
            # A slow machine is ready after source.start_wait, and in step later.
            place.until(lambda: self.status()["state"] == "in step", "it is in step", lambda: self.machine.journal(UNIT))
            self.assertIn("a@new.example", run("movedctl", "get", "a@old.example").stdout)
            pid = run("systemctl", "show", "-P", "MainPID", UNIT).stdout.strip()
            self.assertEqual(run("ps", "-o", "user:30=,group:30=", "-p", pid).stdout.split(), ["milter-moved-follow", "milter-moved"])
            self.assertIn("CapEff:\t0000000000000000", run("cat", f"/proc/{pid}/status").stdout)
            self.assertNotIn(f"pid={pid},", run("ss", "-lxntup").stdout)
            self.assertEqual(run("su", "-s", "/bin/sh", "milter-moved", "-c", "cat /etc/milter-moved/pgpass", check=False).returncode, 1)
            exposure = re.search(r"exposure level for \S+: ([0-9.]+)", run("systemd-analyze", "security", UNIT, "--no-pager").stdout)
            self.assertLess(float(exposure[1]), 2.5)

            # The daemon and the administrator go on with the table that the follower writes.
            self.assertEqual(run("systemctl", "is-active", "milter-moved.service").stdout.strip(), "active")
            self.sql("INSERT INTO moved (old_address) VALUES ('b@old.example')")
            place.until(lambda: run("movedctl", "get", "b@old.example", check=False).returncode == 0, "the change comes")

            # Where no password is needed there is no file of passwords.
            self.machine.path("/etc/milter-moved/pgpass").unlink()
            self.machine.shell("""sed -i '1i host all moved_follow 127.0.0.1/32 trust' /etc/postgresql/15/main/pg_hba.conf
                systemctl reload postgresql@15-main""")
            run("systemctl", "restart", UNIT)
            place.until(lambda: self.status()["state"] == "in step", "it follows without a password")

            # A store that is down, and one that hangs: ready all the same.
            for how in ("stop", "kill --signal=STOP"):
                with self.subTest(how=how):
                    run("systemctl", *how.split(), "postgresql@15-main.service")
                    run("systemctl", "restart", UNIT, timeout=place.PATIENCE)  # until it says that it is ready, which is no failure
                    self.assertEqual(run("systemctl", "is-active", UNIT).stdout.strip(), "active")
                    place.until(lambda: self.status()["state"] == "down", "it says so")
                    self.assertIn("a@new.example", run("movedctl", "get", "a@old.example").stdout)
                    run("systemctl", *(["start"] if how == "stop" else ["kill", "--signal=CONT"]), "postgresql@15-main.service")
                    place.until(lambda: self.status()["state"] == "in step", "it comes back")


if __name__ == "__main__":
    unittest.main()
