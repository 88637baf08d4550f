# SPDX-License-Identifier: BSD-2-Clause
"""The Debian package, on a Debian with systemd and the mail server's own package: from its installation to its purge."""

import contextlib
import re
import shutil
import smtplib
import subprocess
import unittest

from lib import place
from lib.load import Load
from lib.machine import LIBRARIES, Machine, root
from lib.package import changed, package, rpm

CONF = "/etc/milter-moved/milter-moved.conf"
MOVED = "551 5.1.6 User not local; please try <gone@new.example>"
SENDERS = 3


class Contents(unittest.TestCase):
    def test_what_is_for_other_programs_is_among_the_examples(self):
        """README and the manual have it in contrib, which an installed package lacks."""
        for command in (["dpkg-deb", "--contents", package()], ["rpm", "-qlp", rpm()]):
            listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            for name in ("fail2ban/filter.d/milter-moved.conf", "fail2ban/jail.d/milter-moved.conf", "grafana/milter-moved.json",
                         "icinga/milter-moved.conf", "prometheus/milter-moved.rules.yml"):
                self.assertIn(f"/usr/share/doc/milter-moved/examples/{name}\n", listed)


class Walk(unittest.TestCase):
    """A walk is one test: each step stands on the one before."""

    server = packages = None
    files = ()  # of the mail server, which are as they were in the end
    here, unknown = "^250 ", "^550 5.1.1 "

    def walk(self):
        with place.folder() as self.folder, Machine(root(*self.packages, *LIBRARIES), self.folder / "machine") as self.machine:
            self.prepare()
            place.until(self.machine.serves, "the mail server listens")
            before = self.read()
            self.steps()
            self.assertEqual(self.read(), before)

    def prepare(self):
        pass

    def read(self):
        return {name: self.machine.path(name).read_bytes() for name in self.files}

    def ask(self, recipient):
        """Sendmail, told to start again, listens on for a moment and then does not."""
        def attempt():
            with contextlib.suppress(OSError, smtplib.SMTPException):
                return self.machine.ask(recipient)
            return None
        return place.until(attempt, "the mail server listens")

    def check(self, moved, why):
        self.assertRegex(self.ask("gone@mx.old.example"), moved, f"{why}\n{self.machine.journal('milter-moved')}")
        self.assertRegex(self.ask("root@mx.old.example"), self.here, why)
        self.assertRegex(self.ask("nobody-here@mx.old.example"), self.unknown, why)
        self.assertRegex(self.ask("somebody@elsewhere.example"), "^[45]5[04] ", why)

    def install(self, path, check=True):
        shutil.copy(path, self.machine.path("/root/package.deb"))
        return self.machine.run("dpkg", "--install", "/root/package.deb", check=check)

    def attach(self):
        self.install(package())
        self.check(self.unknown, "installed, and not attached")
        self.machine.run("movedctl", "add", "gone@mx.old.example", "gone@new.example")
        self.machine.run("movedctl", "attach", "--yes", self.server)
        self.check(f"^{MOVED}$", "attached")
        self.machine.run("movedctl", "doctor")

    def under_load(self, *steps, deferred=0):
        """While senders come and go each recipient gets the right reply, and no session is deferred, or at most so many at MAIL."""
        def session():
            with self.machine.talk() as talk:
                talk.mail()
                return tuple(talk.rcpt(f"{name}@mx.old.example") for name in ("gone", "root", "nobody-here"))
        with Load(session, threads=SENDERS) as load:
            load.goes_on()
            for step in steps:
                step()
                load.goes_on()
        late = [said for said in load.said if said[0].startswith("503 5.5.1 ")]
        self.assertLessEqual(sum(load.said[said] for said in late), deferred, dict(load.said))
        for said in set(load.said) - set(late):
            self.assertEqual(len(said), 3, said)
            self.assertEqual(said[0], MOVED, dict(load.said))
            self.assertRegex(said[1], self.here)
            self.assertRegex(said[2], self.unknown)

    def restart(self):
        self.machine.run("systemctl", "restart", "milter-moved")

    def reload(self):
        self.machine.run("systemctl", "reload", "milter-moved")

    def upgrade(self):
        self.install(changed(self.folder, "0.1.0-9"))

    def reboot(self):
        self.machine.reboot()
        place.until(lambda: self.machine.is_active("milter-moved"), "the daemon is back")
        self.check(f"^{MOVED}$", "after a reboot")

    def remove_and_purge(self):
        said = self.machine.shell("dpkg --remove milter-moved 2>&1").stdout
        self.assertNotRegex(said, "still (be )?activ", "systemd has nothing to warn of")
        self.check(self.unknown, "removed while attached: mail flows")
        self.machine.run("dpkg", "--purge", "milter-moved")
        self.assertEqual(len(list(self.machine.path("/var/backups").glob("milter-moved.*/data.mdb"))), 1)
        left = self.machine.shell("find / -ignore_readdir_race -xdev -name '*milter-moved*' -not -path '/var/backups/*' -not -path '/var/lib/dpkg/*'").stdout
        kept = re.compile(r"/(root|var/log|proc|sys|run)/.*|.*\.\d{4}-\d\d-\d\dT\d{6}Z")  # with a date: copies that attach made
        self.assertEqual([line for line in left.splitlines() if not kept.fullmatch(line)], [])


class OnPostfix(Walk):
    server, packages = "postfix", ("postfix", "rpm", "swaks", "autopkgtest", "dpkg-dev")
    files = ("/etc/postfix/main.cf", "/etc/postfix/master.cf")

    def test_from_installation_to_purge(self):
        self.walk()

    def prepare(self):
        """Postfix waits a second with each new message once a hundred have come in and none was delivered, as under our load."""
        place.until(self.machine.serves, "Postfix runs")
        self.machine.shell("postconf -e in_flow_delay=0s; postfix reload")

    def steps(self):
        self.passes_its_own_test()
        self.attach()
        self.is_not_that_of_another_configuration()
        self.under_load(self.restart, self.reload, self.upgrade)
        self.is_not_edited()
        self.is_activated()
        self.observes()
        self.reboot()
        self.closes_its_sockets_if_it_cannot_start()
        self.stays_if_detach_refuses()
        self.remove_and_purge()

    def passes_its_own_test(self):
        """With autopkgtest. The machine is what the test's restrictions ask for, though this server of testbeds cannot know."""
        shutil.copy(package(), self.machine.path("/root/milter-moved.deb"))
        shutil.copytree(place.SOURCE / "contrib/debian", self.machine.path("/root/source/debian"))
        self.machine.run("autopkgtest", "--ignore-restrictions=isolation-container,breaks-testbed", "--no-built-binaries",
                         "/root/milter-moved.deb", "/root/source/", "--", "null")
        self.machine.run("movedctl", "del", "gone@mx.old.example")

    def is_not_that_of_another_configuration(self):
        """The units are those of the installed configuration: who detaches with another one leaves them as they are."""
        self.machine.shell("cp -a /etc/postfix /etc/milter-moved /root")
        self.machine.run("movedctl", "-c", "/root/milter-moved/milter-moved.conf", "detach", "--yes", "--config-dir", "/root/postfix", "postfix")
        self.assertTrue(self.machine.path("/etc/systemd/system/milter-moved.socket.d/sockets.conf").exists())
        self.restart()
        self.check(f"^{MOVED}$", "another one was detached")

    def is_not_edited(self):
        """A configuration file that a program changes would have each upgrade ask."""
        self.assertEqual(self.machine.run("dpkg", "--verify", "milter-moved").stdout, "")

    def is_activated(self):
        """Who comes while it is stopped, or has just been killed, waits and is answered."""
        self.machine.run("systemctl", "stop", "milter-moved.service")
        self.check(f"^{MOVED}$", "started by the first sender")
        self.machine.run("systemctl", "kill", "--signal=KILL", "milter-moved.service")
        self.check(f"^{MOVED}$", "killed")

    def observes(self):
        self.machine.run("movedctl", "attach", "--yes", "--observe", "postfix")
        self.check(self.unknown, "observing")
        self.machine.path(f"{CONF}.d/zz.conf").write_text('mode = "enforce";\n')
        self.reload()
        place.until(lambda: self.machine.ask("gone@mx.old.example") == MOVED, "enforcing again")

    def closes_its_sockets_if_it_cannot_start(self):
        """Nobody waits for an answer that does not come; an upgrade meanwhile fails, with the old daemon answering."""
        wrong = self.machine.path(f"{CONF}.d/wrong.conf")
        wrong.write_text("no_such_key = 1;\n")
        done = self.install(changed(self.folder, "0.1.0-10"), check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no_such_key", done.stderr)
        self.check(f"^{MOVED}$", "the upgrade failed, and the old version answers")

        self.machine.run("systemctl", "restart", "milter-moved", check=False)
        place.until(lambda: self.machine.run("systemctl", "is-failed", "milter-moved.socket", check=False).stdout == "failed\n",
                    "the sockets are closed")
        with self.machine.talk() as talk:
            self.assertRegex(talk.mail(), "^451 4.7.1 ")
        wrong.unlink()
        self.machine.run("systemctl", "reset-failed", "milter-moved.socket", "milter-moved")
        self.machine.run("systemctl", "restart", "milter-moved.socket", "milter-moved")
        self.check(f"^{MOVED}$", "mended")
        self.machine.run("dpkg", "--configure", "milter-moved")
        self.check(f"^{MOVED}$", "upgraded after all")

    def stays_if_detach_refuses(self):
        main = self.machine.path("/etc/postfix/main.cf")
        before = main.read_text()
        main.write_text(before + "moved_elsewhere = $moved_listed\n")
        done = self.machine.run("dpkg", "--remove", "milter-moved", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("'moved_listed' stands where attach did not put it", done.stderr)
        self.check(f"^{MOVED}$", "not removed, and answering")
        main.write_text(before)


class FromBefore(Walk):
    """A version that held its sockets itself is replaced by one whose sockets systemd holds."""

    server, packages, files, prepare = OnPostfix.server, OnPostfix.packages, OnPostfix.files, OnPostfix.prepare
    SOCKETS = "/var/spool/postfix/milter-moved"

    def test_nothing_is_asked_and_no_mail_is_deferred(self):
        self.walk()

    def before(self, tree):
        units = tree / "lib/systemd/system"
        (units / "milter-moved.socket").unlink()
        service = (units / "milter-moved.service").read_text().replace(" milter-moved.socket", "")
        service = re.sub("(?m)^(Wants|PartOf)=.*\n", "", service)
        (units / "milter-moved.service").write_text(service.replace(
            "ExecStart=", "ExecStartPre=+/usr/bin/install -d -o milter-moved -g postfix -m 2755 /run/milter-moved\nExecStart="))
        (tree / "DEBIAN/postinst").write_text("#!/bin/sh\nset -e\nsystemd-sysusers milter-moved.conf\nmovedctl init\n"
                                              "systemctl daemon-reload\nsystemctl enable --now milter-moved\n")

    def attach(self):
        self.install(changed(self.folder, "0.1.0-1", self.before))
        self.machine.run("movedctl", "add", "gone@mx.old.example", "gone@new.example")
        self.machine.run("movedctl", "attach", "--yes", self.server)
        self.check(f"^{MOVED}$", "attached")
        self.assertFalse(self.machine.is_active("milter-moved.socket"))

    def steps(self):
        self.attach()
        # Of each sender at most one, that comes just as systemd puts its socket in the place of the old one.
        self.under_load(lambda: self.install(package()), deferred=SENDERS)
        self.under_load(self.restart, self.upgrade)
        self.assertTrue(self.machine.is_active("milter-moved.socket"))
        self.assertEqual(sorted(path.name for path in self.machine.path(self.SOCKETS).iterdir()), ["lookup.sock", "milter.sock"])
        self.reboot()
        self.is_placed_by_hand()
        self.remove_and_purge()

    def is_placed_by_hand(self):
        """Where the configuration has other sockets than the unit as it is shipped, the daemon makes its own."""
        self.machine.run("rm", "/etc/systemd/system/milter-moved.socket.d/sockets.conf")
        self.machine.run("mv", f"{CONF}.d/attach.conf", f"{CONF}.d/own.conf")
        self.reboot()
        self.assertIn("'/run/milter-moved/milter.sock', handed over by systemd, is served by nobody", self.machine.journal("milter-moved"))


class FromRpm(Walk):
    """The rpm, where dpkg knows nothing of it: installed, attached, upgraded over itself, removed."""

    server, packages, files, prepare = OnPostfix.server, OnPostfix.packages, OnPostfix.files, OnPostfix.prepare

    def test_from_installation_to_removal(self):
        self.walk()

    def install(self, path, check=True):
        """Debian's libraries are there under other names than the spec file's."""
        shutil.copy(path, self.machine.path("/root/package.rpm"))
        return self.machine.run("rpm", "-Uvh", "--nodeps", "--force", "/root/package.rpm", check=check)

    def steps(self):
        before = self.everything()
        self.install(rpm())
        self.assertEqual(self.machine.run("rpm", "--verify", "--nodeps", "milter-moved").stdout, "")
        self.machine.shell("systemctl daemon-reload; systemctl start milter-moved.socket milter-moved")
        self.machine.run("movedctl", "add", "gone@mx.old.example", "gone@new.example")
        self.machine.run("movedctl", "attach", "--yes", self.server)
        self.check(f"^{MOVED}$", "attached")
        self.machine.run("movedctl", "doctor")
        self.under_load(lambda: self.install(rpm()))
        self.machine.run("rpm", "-e", "milter-moved")
        self.check(self.unknown, "removed while attached: mail flows")
        self.assertEqual(self.everything() - before, {"/var/lib/milter-moved"})  # the table, and the users, are the administrator's

    def everything(self):
        """What is called after us; but for copies with a date, which attach made, and what the table's folder has."""
        found = self.machine.shell("find /etc /usr /var -ignore_readdir_race -xdev -name '*milter-moved*' -o -xdev -name '*movedctl*'").stdout
        return {line for line in found.splitlines() if not re.fullmatch(r"/var/(log|tmp)/.*|/var/lib/systemd/.*", line)}


class OnSendmail(Walk):
    server, packages = "sendmail", ("sendmail",)
    files = ("/etc/mail/sendmail.mc", "/etc/mail/sendmail.cf")

    def test_from_installation_to_purge(self):
        self.walk()

    def prepare(self):
        """No name server, no pauses for strangers, and the stranger's address, one of the machine's own, is a stranger's."""
        self.machine.shell("""
            cp /etc/mail/service.switch-nodns /etc/mail/service.switch
            echo mx.old.example >>/etc/mail/local-host-names
            echo '127.0.0.1 mx.old.example' >>/etc/hosts
            echo '192.0.2.7 client.example' >>/etc/hosts
            sed -i '/greet_pause/d; /RATE_THROTTLE/d; /RCPT_THROTTLE/d; /ratecontrol/d; /conncontrol/d
                /^MAILER_DEFINITIONS/i define(`confDONT_PROBE_INTERFACES'"', "'`True'"')dnl"'
                ' /etc/mail/sendmail.mc
            sed -i '/^Connect:192.0.2/d' /etc/mail/access
            make -C /etc/mail >/dev/null
            systemctl restart sendmail""")

    def steps(self):
        self.attach()
        self.under_load(self.restart, self.reload, self.upgrade)
        self.reboot()
        self.remove_and_purge()


if __name__ == "__main__":
    unittest.main()
