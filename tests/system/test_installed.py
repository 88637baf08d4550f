# SPDX-License-Identifier: BSD-2-Clause
"""What a postmaster has: milter-moved as 'make install' puts it, systemd, and the mail server's own Debian package."""

import re
import unittest

from lib import package, place
from lib.machine import LIBRARIES, Machine, root
from lib.readme import built


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        lower = root("postfix", *LIBRARIES)
        folder = cls.enterClassContext(place.folder())
        cls.machine = Machine(lower, folder / "machine")
        package.run(folder / "log", "make", "install", f"DESTDIR={folder / 'machine/upper'}", cwd=built())
        cls.enterClassContext(cls.machine)
        machine = cls.machine
        machine.run("systemctl", "daemon-reload")
        machine.run("useradd", "--system", "--home-dir", "/var/lib/milter-moved", "--shell", "/usr/sbin/nologin", "milter-moved")
        machine.run("movedctl", "init")
        machine.run("systemctl", "enable", "--now", "milter-moved")
        machine.run("movedctl", "add", "gone@mx.old.example", "gone@new.example")
        machine.run("movedctl", "attach", "--yes", "postfix")

    @classmethod
    def enterClassContext(cls, context):  # unittest has it from 3.11 on
        value = context.__enter__()
        cls.addClassCleanup(context.__exit__, None, None, None)
        return value

    def check(self, why=""):
        """Each kind of recipient gets what it should."""
        place.until(self.machine.serves, "the mail server listens")
        for recipient, reply in (("gone@mx.old.example", "551 5.1.6 User not local; please try <gone@new.example>"),
                                 ("root@mx.old.example", "250 2.1.5 Ok")):
            self.assertEqual(self.machine.ask(recipient), reply, f"{why}\n{self.machine.journal('milter-moved')}")
        self.assertRegex(self.machine.ask("nobody@mx.old.example.invalid"), "^[45]5[04] ")

    def owners(self):
        return self.machine.run("stat", "-c", "%U:%G %a %n", "/var/lib/milter-moved", "/var/lib/milter-moved/data.mdb",
                                "/var/lib/milter-moved/lock.mdb").stdout

    def test_the_table_stays_the_users_through_restart_reload_and_reboot(self):
        own = self.owners()
        self.assertNotIn("root", own)
        self.check("as attached")
        self.machine.run("systemctl", "restart", "milter-moved")
        self.check("after a restart")
        self.machine.run("systemctl", "reload", "milter-moved")
        self.check("after a reload")
        self.machine.reboot()
        place.until(lambda: self.machine.is_active("milter-moved"), f"it starts again:\n{self.machine.journal('milter-moved')}")
        self.check("after a reboot")
        self.assertEqual(self.owners(), own)

    def test_a_member_of_the_tables_group_sees_who_has_written(self):
        hits = "/var/lib/milter-moved/hits"
        place.until(self.machine.path(f"{hits}/data.mdb").exists, "counting has begun")
        self.assertEqual(self.machine.run("stat", "-c", "%U:%G %a", hits).stdout, "milter-moved:milter-moved 2770\n")
        self.machine.run("useradd", "--groups", "milter-moved", "clerk")
        for words in (["hits", "gone@mx.old.example"], ["hits", "--unused-for", "1d"]):
            self.machine.run("runuser", "-u", "clerk", "--", "movedctl", *words)

    def test_a_reload_takes_the_configuration_up(self):
        conf = self.machine.path("/etc/milter-moved/milter-moved.conf")
        before = conf.read_text()

        def put_back():
            conf.write_text(before)
            self.machine.run("systemctl", "reload", "milter-moved")
            place.until(lambda: "Elsewhere" not in self.machine.ask("gone@mx.old.example"), "the old text is in force again")
        self.addCleanup(put_back)
        conf.write_text(before + '\nreplies: { moved = "551 5.1.6 Elsewhere now; please try <${new}>"; };\n')
        self.machine.run("systemctl", "reload", "milter-moved")
        place.until(lambda: "Elsewhere" in self.machine.ask("gone@mx.old.example"), "the new text is in force")

    def test_a_reload_with_a_bad_configuration_fails_and_changes_nothing(self):
        part = self.machine.path("/etc/milter-moved/milter-moved.conf.d/bad.conf")
        self.addCleanup(part.unlink, missing_ok=True)
        for text, mode, words in (("no_such_key = 1;\n", 0o644, "bad.conf:1: no_such_key"), ("", 0o600, "bad.conf: Permission denied")):
            part.write_text(text)
            part.chmod(mode)
            self.assertNotEqual(self.machine.run("systemctl", "reload", "milter-moved", check=False).returncode, 0)
            self.assertIn(words, self.machine.journal("milter-moved"))
            self.assertTrue(self.machine.is_active("milter-moved"))
        self.check("the old configuration stays in force")
        part.unlink()
        self.machine.run("systemctl", "reload", "milter-moved")

    def test_stopping_the_sockets_stops_the_daemon(self):
        self.addCleanup(self.machine.run, "systemctl", "start", "milter-moved.socket", "milter-moved")
        self.machine.run("systemctl", "stop", "milter-moved.socket")
        place.until(lambda: not self.machine.is_active("milter-moved"), "the daemon has stopped")

    def test_the_units_are_good_ones(self):
        done = self.machine.run("systemd-analyze", "verify", "--man=no", *self.machine.shell("ls /usr/lib/systemd/system/milter-moved*").stdout.split(),
                                check=False)
        self.assertEqual((done.returncode, [line for line in done.stderr.splitlines() if "milter-moved" in line]), (0, []), done.stderr)
        said = self.machine.run("systemd-analyze", "security", "milter-moved.service", "--no-pager").stdout
        self.assertLessEqual(float(re.search(r"exposure level for \S+: ([0-9.]+)", said)[1]), 2.1)
        pid = self.machine.run("systemctl", "show", "-P", "MainPID", "milter-moved").stdout.strip()
        self.assertEqual(set(re.findall(r"^Cap\w+:\t(\w+)$", self.machine.run("cat", f"/proc/{pid}/status").stdout, re.M)), {"0" * 16})

    def test_the_metrics_are_written_each_minute_as_the_owner_of_the_folder(self):
        folder = "/var/lib/prometheus/node-exporter"
        self.machine.shell(f"useradd --system prometheus; install -d -o prometheus -m 755 {folder}")
        self.addCleanup(self.machine.run, "systemctl", "stop", "milter-moved-metrics.timer")
        written = self.machine.path(f"{folder}/milter-moved.prom")
        self.machine.run("systemctl", "start", "milter-moved-metrics.service")
        self.assertEqual(self.machine.run("stat", "-c", "%U:%G %a", f"{folder}/milter-moved.prom").stdout, "prometheus:postfix 644\n")
        self.assertIn("\nmilter_moved_up 1\n", written.read_text())
        self.assertIn("\nmilter_moved_table_entries 1\n", written.read_text())
        self.assertIn("\nmilter_moved_follow_lag_seconds 0\n", written.read_text())
        self.assertEqual([path.name for path in written.parent.iterdir()], ["milter-moved.prom"])
        written.unlink()
        sooner = self.machine.path("/etc/systemd/system/milter-moved-metrics.timer.d/sooner.conf")
        sooner.parent.mkdir()
        sooner.write_text("[Timer]\nOnActiveSec=0\n")  # not a minute after the boot
        self.machine.shell("systemctl daemon-reload; systemctl start milter-moved-metrics.timer")
        place.until(written.exists, "the timer starts it")
        self.machine.run("systemctl", "stop", "milter-moved-metrics.timer")
        # What it has started has ended too: else the next start would be the same one.
        place.until(lambda: self.machine.run("systemctl", "show", "-P", "ActiveState", "milter-moved-metrics.service").stdout == "inactive\n",
                    "the service has ended")

        # A daemon that is down is a metric, and no failed unit each minute.
        self.addCleanup(self.machine.run, "systemctl", "start", "milter-moved.socket", "milter-moved")
        self.machine.run("systemctl", "stop", "milter-moved.socket", "milter-moved")
        self.machine.run("systemctl", "start", "milter-moved-metrics.service")
        self.assertIn("\nmilter_moved_up 0\n", written.read_text())
        self.assertNotIn("Failed", self.machine.journal("milter-moved-metrics"))

    def test_doctor_is_content(self):
        done = self.machine.run("movedctl", "doctor", check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
