# SPDX-License-Identifier: BSD-2-Clause
"""movedctl attach postfix, on Postfix as Debian sets it up and on what administrators have made of it."""

import contextlib
import grp
import os
import pathlib
import pwd
import re
import shlex
import signal
import socket
import subprocess
import unittest

from lib import place
from lib.daemon import USER, Daemon
from lib.postfix import OWNER, Postfix
from lib.smtp import Talk
from lib.stock import DEBIAN, Stock

MOVED = "551 5.1.6 User not local; please try <{}>"

# One domain of every class; each has here@ and not nobody@. The accounts of class local are the host's.
CLASSES = """\
virtual_mailbox_domains = virt.example
virtual_mailbox_base = {folder}/spool
virtual_mailbox_maps = inline:{{here@virt.example=virt/}}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
virtual_alias_domains = alias.example
virtual_alias_maps = inline:{{here@alias.example=here@virt.example}}
relay_domains = relay.example
relay_recipient_maps = inline:{{here@relay.example=x}}
transport_maps = inline:{{relay.example=discard: retired.example=discard: other.example=discard:}}
"""
SERVED = {"old.example": "daemon", "virt.example": "here", "alias.example": "here", "relay.example": "here"}


class Case(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(place.folder())

    def start(self, more="", inside=True, daemon=None, answers=True, **how):
        """A Postfix, and our daemon with its socket in the queue folder or outside of it."""
        self.postfix = Stock(self.folder / "p", more.format(folder=self.folder / "p"), **how)
        self.stack.enter_context(self.postfix)
        self.answers = answers
        self.assert_closed()
        self.daemon = Daemon(self.folder / "d", group=Postfix.group, **(daemon or {}))
        if inside:
            place_in_queue(self.daemon, self.postfix)
        self.stack.enter_context(self.daemon)
        self.daemon.hold(*[(f"gone@{domain}", "gone@new.example") for domain in [*SERVED, "retired.example"]])

    def ctl(self, *args):
        command, *rest = args
        return self.daemon.ctl(command, "--config-dir", self.postfix.conf, *rest, env=self.postfix.env)

    def attach(self, *args, status=0):
        done = self.ctl("attach", "--yes", *args, "postfix")
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assert_closed()
        return done.stdout + done.stderr

    def detach(self):
        done = self.ctl("detach", "--yes", "postfix")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_closed()
        return done.stdout

    def assert_closed(self):
        if self.answers:
            self.postfix.assert_closed()

    def hears(self, recipient, expected):
        """A reload is seen by each smtpd when it is done with what it has: so it is waited for."""
        try:
            place.until(lambda: self.postfix.rcpt(recipient).startswith(expected), expected)
        except AssertionError:
            self.assertEqual(self.postfix.rcpt(recipient), expected, self.postfix.log()[-2000:])
        self.assert_closed()

    def restart(self, **settings):
        self.daemon.stop()
        self.daemon.configure(**settings)
        self.daemon.start()

    def replace_postfix(self, script):
        """In the place of postfix(1) this script, where {real} is its folder."""
        folder, real = self.postfix.folder / "bin", self.postfix.root / "usr/sbin"
        folder.mkdir()
        for program in real.iterdir():
            (folder / program.name).symlink_to(program)
        (folder / "postfix").unlink()
        (folder / "postfix").write_text(f"#!/bin/sh\n{script.format(real=real)}\nexec {real}/postfix \"$@\"\n")
        (folder / "postfix").chmod(0o755)
        with open(self.postfix.conf / "main.cf", "a") as main:
            main.write(f"command_directory = {folder}\n")

    def replies(self, port=None):
        return {recipient: self.postfix.rcpt(recipient, port)
                for domain, here in SERVED.items()
                for recipient in (f"{here}@{domain}", f"nobody-at-all@{domain}", f"gone@{domain}")}

    def outcomes(self, mark):
        return {recipient: self.postfix.outcome(recipient, f"{mark} {recipient}")
                for domain, here in SERVED.items()
                for recipient in (f"{here}@{domain}", f"nobody-at-all@{domain}", f"gone@{domain}")}


def place_in_queue(daemon, postfix):
    folder = postfix.folder / "queue/milter-moved"
    folder.mkdir()
    os.chown(folder, *pwd.getpwnam(USER)[2:4])
    daemon.address = daemon.socket.address = folder / "milter.sock"
    daemon.lookups = folder / "lookup.sock"
    daemon.configure(socket=f"unix:{daemon.address}", lookup_socket=f"unix:{daemon.lookups}")


class StockPostfix(Case):
    def test_a_removed_mailbox_of_every_class_and_all_else_stays_as_it_was(self):
        self.start(CLASSES)
        before, sent_before, files = self.replies(), self.outcomes("before"), self.postfix.files()
        for domain in SERVED:
            self.assertTrue(before[f"gone@{domain}"].startswith("550 5.1.1 "), before)

        self.attach()
        self.hears("gone@old.example", MOVED.format("gone@new.example"))
        expected = {recipient: MOVED.format("gone@new.example") if recipient.startswith("gone@") else reply
                    for recipient, reply in before.items()}
        self.assertEqual(self.replies(), expected)
        self.assertEqual(self.outcomes("attached"), sent_before)

        self.daemon.stop()
        stopped = self.replies()
        for recipient, reply in stopped.items():
            known = before[recipient].startswith("250")
            self.assertTrue(reply.startswith("4") or (not known and reply == before[recipient]), (recipient, reply))
            if recipient.startswith("gone@"):
                self.assertTrue(reply.startswith("451 4."), (recipient, reply))
        self.assertEqual(self.outcomes("stopped"), sent_before)
        self.daemon.start()

        self.detach()
        self.assertEqual(self.postfix.files(), files)
        self.hears("gone@old.example", "550 5.1.1 ")
        self.assertEqual(self.replies(), before)
        self.assertEqual(self.outcomes("detached"), sent_before)

    def test_debians_own_configuration_and_nothing_the_second_time(self):
        self.start()
        files = self.postfix.files()
        said = self.attach()
        self.assertIn("+smtpd_milters = $moved_milter\n", said)
        self.assertIn("+  -o { moved_milter = { unix:milter-moved/milter.sock, default_action=tempfail } }\n", said)
        self.assertIn("+  -o moved_listed=socketmap:unix:milter-moved/lookup.sock:listed\n", said)
        self.hears("gone@old.example", MOVED.format("gone@new.example"))
        self.assertTrue(self.postfix.rcpt("nobody-at-all@old.example").startswith("550 5.1.1 "))
        self.assertTrue(self.postfix.rcpt("daemon@old.example").startswith("250 "))
        attached, there = self.postfix.files(), sorted(self.postfix.conf.iterdir())
        self.assertIn("Attached already: nothing to change.", self.attach())
        self.assertEqual(self.postfix.files(), attached)
        self.assertEqual(sorted(self.postfix.conf.iterdir()), there)
        self.daemon.stop()
        done = self.ctl("attach", "--yes", "postfix")
        self.assertEqual((done.returncode, done.stdout), (0, "Attached already: nothing to change.\n"))
        self.assertRegex(done.stderr, "warning: milter-moved does not answer on .*: start it: ")
        self.daemon.start()
        self.detach()
        self.assertEqual(self.postfix.files(), files)
        self.assertIn("Not attached", self.ctl("detach", "--yes", "postfix").stdout)

    def test_the_next_session_is_one_with_the_new_configuration(self):
        """Where master(8) takes its time to read it, and beside a session that goes on."""
        self.start()
        self.replace_postfix('case "$3" in reload) (sleep 1; exec {real}/postfix "$@") >/dev/null 2>&1 & exit ;; esac')
        with self.postfix.stranger() as session:
            for change, expected in (("attach", MOVED.format("gone@new.example")), ("detach", "550 5.1.1 ")):
                self.assertEqual(self.ctl(change, "--yes", "postfix").returncode, 0)
                self.assertEqual(self.postfix.rcpt("gone@old.example")[:len(expected)], expected, change)
            session.mail()
            self.assertEqual(session.rcpt("gone@old.example")[:10], "550 5.1.1 ")

    def test_a_dated_copy_is_kept_with_its_owner_and_mode(self):
        self.start()
        (self.postfix.conf / "main.cf").chmod(0o640)
        files = self.postfix.files()
        self.attach()
        (copy,) = self.postfix.conf.glob("main.cf.2*Z")
        self.assertEqual(copy.read_bytes(), files["main.cf"])
        self.assertEqual((self.postfix.conf / "main.cf").stat().st_mode & 0o7777, 0o640)
        self.assertEqual(copy.stat().st_mode & 0o7777, 0o640)

    def test_a_dry_run_and_an_unanswered_question_change_nothing(self):
        self.start()
        files, there = self.postfix.files(), sorted(self.postfix.conf.iterdir())
        done = self.ctl("attach", "--dry-run", "postfix")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("+moved_listed =\n", done.stdout)
        done = self.ctl("attach", "postfix")
        self.assertEqual(done.returncode, 64)
        self.assertIn("--yes", done.stderr)
        command = [*place.program("movedctl"), "-c", self.daemon.conf, "attach", "--dry-run", "--config-dir", self.postfix.conf, "postfix"]
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(command, env=self.postfix.env, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertIn("movedctl: standard output: No space left on device\n", done.stderr)
        self.assertEqual(done.returncode, 74)
        self.assertEqual(self.postfix.files(), files)
        self.assertEqual(sorted(self.postfix.conf.iterdir()), there)

    def test_the_reader_of_the_output_may_end_first(self):
        self.start()
        ours, theirs = os.openpty()
        command = [*place.program("movedctl"), "-c", self.daemon.conf, "attach", "--config-dir", self.postfix.conf, "postfix"]
        with subprocess.Popen(command, env=self.postfix.env, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            os.close(theirs)
            shown = b""
            while not shown.endswith(b"[y/N] ") and (more := process.stdout.read1()):
                shown += more
            process.stdout.close()
            os.write(ours, b"y\n")
            said = process.stderr.read().decode()
            self.assertEqual(process.wait(place.PATIENCE), 74, said)
        os.close(ours)
        self.assertIn("movedctl: standard output: Broken pipe\n", said)
        self.assertIn("nothing to change", self.ctl("attach", "--dry-run", "postfix").stdout)

    def test_the_diff_controls_no_terminal(self):
        self.start()
        with (self.postfix.conf / "main.cf").open("a", encoding="utf-8") as file:
            file.write("# \x1b]0;x\x07 \x9b31m \u202e\n")
        command = [*place.program("movedctl"), "-c", self.daemon.conf, "attach", "--dry-run", "--config-dir", self.postfix.conf, "postfix"]
        text = place.on_a_terminal(command, env=self.postfix.env)
        self.assertIn("# ?]0;x? ??31m ???\n", text)
        self.assertIn("\x9b31m", subprocess.run(command, env=self.postfix.env, stdout=subprocess.PIPE, text=True, check=True).stdout)

    def test_the_diff_of_a_dry_run_is_one_that_patch_takes(self):
        self.start()
        files = self.postfix.files()
        shown = self.ctl("attach", "--dry-run", "postfix")
        done = subprocess.run(["patch", "-p1", "-d", "/"], input=shown.stdout, capture_output=True, text=True, timeout=place.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + shown.stdout)
        self.assertEqual(done.stdout.count("patching file"), 2, done.stdout)
        self.postfix.run("postfix", "reload")
        self.hears("gone@old.example", MOVED.format("gone@new.example"))
        self.hears("nobody-at-all@old.example", "550 5.1.1 ")
        self.hears(f"{SERVED['old.example']}@old.example", "250 ")
        self.daemon.stop()
        self.hears("gone@old.example", "451 4.7.1 ")
        self.daemon.start()
        self.attach()
        self.hears("gone@old.example", MOVED.format("gone@new.example"))
        self.detach()
        self.assertEqual(self.postfix.files(), files)

    def test_without_the_daemon_nothing_is_attached(self):
        self.start()
        files = self.postfix.files()
        self.daemon.stop()
        self.assertIn(f"start it: milter-moved -c {self.daemon.conf}", self.attach(status=69))
        self.assertEqual(self.postfix.files(), files)

    def test_sockets_out_of_postfixs_reach_are_not_attached(self):
        self.start()
        files = self.postfix.files()
        group = self.daemon.lookups.stat().st_gid
        folder = self.daemon.lookups.parent
        for path, mend, obstacle in ((folder, lambda: folder.chmod(0o755), "chmod o+x"),
                                     (self.daemon.lookups, lambda: os.chown(self.daemon.lookups, -1, group), "socket_group"),
                                     (self.daemon.address, lambda: os.chown(self.daemon.address, -1, group), "socket_group")):
            if obstacle == "chmod o+x":
                path.chmod(0o750)
            else:
                os.chown(path, -1, 0)
            said = self.attach(status=77)
            self.assertIn(f"movedctl: {path}: {OWNER} may not ", said)
            self.assertIn(obstacle, said)
            mend()
        self.assertEqual(self.postfix.files(), files)
        self.attach()

    def there(self):
        """What attach could leave: files and folders, but for the sockets, which are the daemon's."""
        folders = (self.postfix.conf, self.daemon.folder, self.postfix.folder / "queue/milter-moved")
        return {path for folder in folders for path in (folder, *folder.rglob("*")) if path.exists() and not path.is_socket()}

    def test_a_socket_outside_the_chroot_moves_into_it_in_a_first_step(self):
        self.start(inside=False, daemon={"hits": {"enabled": False}})  # whose folder the daemon makes whenever it comes to it
        there = self.there()
        files, ours = self.postfix.files(), self.daemon.conf.read_text()
        socket = self.postfix.folder / "queue/milter-moved/milter.sock"
        self.assertEqual(self.ctl("attach", "postfix").returncode, 64)  # nobody says yes
        self.assertFalse(socket.parent.exists())
        said = self.attach(status=75)
        name = f"postfix:{self.postfix.conf}"
        self.assertIn(f'+socket = "unix:{socket}"; # {name}\n+lookup_socket = "unix:{socket.with_name("lookup.sock")}"; # {name}\n', said)
        self.assertEqual(self.postfix.files(), files)
        folder = socket.parent.stat()
        self.assertEqual((folder.st_mode & 0o7777, folder.st_uid, folder.st_gid),
                         (0o2755, pwd.getpwnam(USER).pw_uid, grp.getgrnam(Postfix.group).gr_gid))
        self.daemon.stop()
        self.daemon.address, self.daemon.lookups = socket, socket.with_name("lookup.sock")
        self.daemon.start()
        self.attach()
        self.hears("gone@old.example", MOVED.format("gone@new.example"))
        said = self.detach()
        self.assertEqual(self.daemon.conf.read_text(), ours)
        self.assertEqual([path for path in self.there() - there if str(path) not in said], [])
        left = f"left: {socket.parent} (Directory not empty): restart or stop milter-moved, then remove it\n"
        self.assertIn(left, said)
        self.assertEqual(self.detach(), f"Not attached: nothing to change.\n{left}")
        self.daemon.stop()
        self.assertEqual(self.detach(), f"Not attached: nothing to change.\nremoved: {socket.parent}\n")
        self.assertEqual({path.suffix[0:2] for path in self.there() - there}, {".2"})
        self.assertEqual(self.detach(), "Not attached: nothing to change.\n")

    def end(self, socket):
        with contextlib.suppress(OSError, AssertionError):
            os.kill(place.listener(socket), signal.SIGTERM)

    def part(self):
        """What attach sets in our own configuration."""
        return self.daemon.conf.with_name("milter-moved.conf.d") / "attach.conf"

    def etc(self):
        """(a folder, a copy of it in which our configuration is the installed one, with which the units run)"""
        usage = subprocess.run([*place.program("movedctl"), "help"], capture_output=True, text=True, check=True).stdout
        installed = pathlib.Path(re.search(r"^ +(/.*/milter-moved\.conf)$", usage, re.MULTILINE)[1])
        folder, copy = next(above for above in installed.parents if above.exists()), self.folder / "etc"
        if not copy.exists():
            subprocess.run(["cp", "-a", folder, copy], check=True)
            link = copy / installed.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(self.daemon.conf)
        return folder, copy

    def as_if_booted(self, *args, env):
        """movedctl where systemd is booted, and our configuration the installed one: in mounts of its own."""
        apart = place.mounting()
        folder, copy = self.etc()
        script = (f"{{ mount -t tmpfs none /run/systemd || mount -t tmpfs none /run; }} && mkdir -p /run/systemd/system && "
                  f"mount --bind {copy} {folder} && exec \"$@\"")
        command = [*place.program("movedctl"), "-c", str(self.daemon.conf), *map(str, args)]
        return subprocess.run([*apart, "sh", "-c", script, "sh", *command], capture_output=True, text=True,
                              check=False, timeout=place.PATIENCE, env={**os.environ, **env})

    def test_a_link_in_the_place_of_the_socket_folder_is_not_followed(self):
        self.start(inside=False)
        files, settings, victim = self.postfix.files(), self.daemon.conf.read_text(), self.folder / "victim"
        victim.mkdir(mode=0o700)
        (self.postfix.folder / "queue/milter-moved").symlink_to(victim)
        self.assertIn("queue/milter-moved: Not a directory", self.attach(status=73))
        self.assertEqual((victim.stat().st_mode & 0o7777, victim.stat().st_uid), (0o700, os.geteuid()))
        self.assertEqual((self.postfix.files(), self.daemon.conf.read_text()), (files, settings))

    def systemctl(self):
        """A folder for PATH with a systemctl that knows our unit alone: there is no systemd to ask in a test."""
        (self.folder / "bin").mkdir()
        program, again = self.folder / "bin/systemctl", shlex.join(c for c in self.daemon.command() if c != "-f")
        program.write_text(f"""#!/bin/sh
            case "$1" in
            is-active) exec test "$3" = milter-moved ;;
            restart) kill {self.daemon.process.pid} && exec {again} ;;
            *) exit 4 ;;
            esac""")
        program.chmod(0o755)
        return program.parent

    def test_as_a_unit_of_systemd_the_daemon_is_restarted_between_the_two_steps(self):
        self.start(inside=False)
        socket = self.postfix.folder / "queue/milter-moved/milter.sock"
        env = {**self.postfix.env, "PATH": f"{self.systemctl()}:{self.postfix.env['PATH']}"}
        done = self.as_if_booted("attach", "--config-dir", self.postfix.conf, "--dry-run", "postfix", env=env)
        self.assertIn("+  -o { moved_milter = { unix:milter-moved/milter.sock, ", done.stdout)
        self.assertFalse(socket.parent.exists())
        self.assertEqual(self.daemon.ctl("attach", "--config-dir", self.postfix.conf, "--yes", "postfix", env=env).returncode, 75)
        self.part().unlink()
        done = self.as_if_booted("attach", "--config-dir", self.postfix.conf, "--yes", "postfix", env=env)
        self.addCleanup(self.end, socket)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f'socket = "unix:{socket}";', self.part().read_text())
        self.hears("gone@old.example", MOVED.format("gone@new.example"))
        (self.folder / "bin/systemctl").write_text(f"""#!/bin/sh
            case "$1" in is-active) exec test "$3" = milter-moved ;; restart) kill {place.listener(socket)}; while [ -n "$(ls {socket.parent})" ]; do sleep 0.1; done ;; esac""")
        done = self.as_if_booted("detach", "--config-dir", self.postfix.conf, "--yes", "postfix", env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("left: ", done.stdout)
        self.assertFalse(socket.parent.exists())
        self.assertFalse(self.part().parent.exists(), "no empty folder is left")

    def test_a_socket_that_systemd_holds_elsewhere_is_said(self):
        self.start(inside=False)
        files = self.postfix.files()
        script = self.systemctl() / "systemctl"
        script.write_text("#!/bin/sh\nexit 0\n")  # what systemd holds, a restart does not move
        env = {**self.postfix.env, "PATH": f"{script.parent}:{self.postfix.env['PATH']}"}
        done = self.as_if_booted("attach", "--config-dir", self.postfix.conf, "--yes", "postfix", env=env)
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn("milter-moved.socket", done.stderr)
        self.assertEqual(self.postfix.files(), files)

    def test_a_domain_that_is_no_longer_served_is_answered_only_where_that_is_asked_for(self):
        self.start("relay_domains = other.example\nrelay_recipient_maps =\n"
                   "transport_maps = inline:{{other.example=discard:}}\n")
        files = self.postfix.files()
        self.assertIn("--unserved", self.attach())
        self.hears("gone@old.example", MOVED.format("gone@new.example"))
        denied = self.postfix.rcpt("gone@retired.example")
        self.assertIn("Relay access denied", denied)
        self.attach("--unserved")
        self.hears("gone@retired.example", MOVED.format("gone@new.example"))
        self.assertEqual(self.postfix.rcpt("nobody@retired.example"), denied.replace("gone@", "nobody@"))
        self.assertIn("Relay access denied", self.postfix.rcpt("gone@elsewhere.example"))
        self.assertTrue(self.postfix.rcpt("anyone@other.example").startswith("250 "))
        self.daemon.configure(mode="observe")
        self.daemon.reload()
        self.assertEqual(self.postfix.rcpt("gone@retired.example"), denied)
        self.restart(lookup_socket="")
        for recipient in ("gone@retired.example", "gone@elsewhere.example", "anyone@other.example"):
            self.assertTrue(self.postfix.rcpt(recipient).startswith("451 4.3.5 "), recipient)
        self.restart(lookup_socket=f"unix:{self.daemon.lookups}", mode="enforce")
        self.assertEqual(self.postfix.rcpt("gone@retired.example"), MOVED.format("gone@new.example"))
        self.detach()
        self.assertEqual(self.postfix.files(), files)
        self.hears("gone@retired.example", denied)

    def test_no_spelling_of_a_removed_mailbox_is_accepted(self):
        """Postfix asks the map for what it reads in them."""
        self.start("myorigin = old.example\nmydomain = example\nappend_dot_mydomain = yes\n"
                   "transport_maps = inline:{{new.example=discard:}}\n")
        self.daemon.hold(("gone@old.example", "gone@new.example"), ('"two words"@old.example', "gone@new.example"),
                         ("fwd@old.example", "fwd@new.example", "forward"))
        spellings = ("gone", "GONE+x", '"gone"', "old.example!gone", "gone%old.example", "gone%old.example@mx.old.example",
                     "gone@old", "old!gone", "gone@old.example@mx.old.example", '"gone@old.example"@mx.old.example',
                     'old.example!"two words"', "@mx.old.example:gone@old.example", "gone@old.example.")
        self.attach("--raise-limits")
        self.hears("gone@old.example", MOVED.format("gone@new.example"))
        moved = [MOVED.format(f"{name}@new.example") for name in ("gone", "gone+x")]
        with self.postfix.stranger() as talk:
            talk.mail()
            for spelling in spellings:
                self.assertIn(talk.rcpt(spelling), moved, spelling)
            for spelling in ("nobody-at-all", "old.example!nobody-at-all"):
                self.assertTrue(talk.rcpt(spelling).startswith("550 5.1.1 "), spelling)
            self.assertTrue(talk.rcpt("postmaster").startswith("250 "))
        for spelling in ("fwd", "old.example!fwd", "fwd%old.example@mx.old.example"):
            with self.postfix.stranger() as talk:
                talk.mail()
                self.assertTrue(talk.rcpt(spelling).startswith("250 "), spelling)
                self.assertEqual(talk.data("Subject: forwarded\r\n\r\n")[0], 250, spelling)
        place.until(lambda: self.postfix.log().count("to=<fwd@new.example>, ") == 3, "all three are forwarded")
        self.assertNotIn("to=<fwd@old.example>", self.postfix.log())

    def test_an_empty_list_stays_empty_and_the_milter_is_heard(self):
        self.start("local_recipient_maps =\n")
        self.attach()
        self.assertNotIn(b"$moved_listed", b"".join(self.postfix.files().values()))
        self.hears("gone@old.example", MOVED.format("gone@new.example"))
        self.assertTrue(self.postfix.rcpt("anyone@old.example").startswith("250 "))

    def test_an_empty_list_of_aliases_refuses_every_recipient_and_gets_the_map(self):
        self.start("virtual_alias_domains = alias.example\nvirtual_alias_maps =\n")
        self.attach()
        self.hears("gone@alias.example", MOVED.format("gone@new.example"))
        self.assertTrue(self.postfix.rcpt("nobody@alias.example").startswith("550 5.1.1 "))

    def test_where_main_cf_switches_milters_off_no_recipient_becomes_known(self):
        self.start("receive_override_options = no_milters\n")
        self.assertIn("switched off", self.attach(status=78))
        self.assertNotIn(b"moved_listed", self.postfix.files()["master.cf"])
        self.assertTrue(self.postfix.rcpt("gone@old.example").startswith("550 5.1.1 "))

    def test_error_limits_are_raised_only_where_that_is_asked_for(self):
        self.start()
        self.daemon.hold(*[(f"u{i}@old.example", f"u{i}@new.example") for i in range(40)])

        def session():
            with self.postfix.stranger() as talk:
                talk.mail()
                for i in range(40):
                    said = talk.rcpt(f"u{i}@old.example")
                    if not said.startswith("551"):
                        return i, said
            return 40, ""
        said = self.attach()
        self.assertIn("--raise-limits", said)
        self.assertEqual([line for line in said[:said.index("raises them.")].splitlines() if len(line) > 80], [])
        self.hears("u1@old.example", MOVED.format("u1@new.example"))
        count, said = session()
        self.assertEqual((count, said[:9]), (20, "421 4.7.0"))
        self.attach("--raise-limits")
        place.until(lambda: session() == (40, ""), "all 40 are answered")

    def test_observe_refuses_nothing_and_accepts_nothing_that_was_refused(self):
        self.start(CLASSES)
        before = self.replies()
        self.attach("--observe")
        self.assertIn('mode = "observe"', self.part().read_text())
        place.until(lambda: self.daemon.count("configuration read again") == 1, "the daemon reads it")
        place.until(lambda: "reload" in self.postfix.log(), "Postfix reloads")
        self.assertEqual(self.replies(), before)
        place.until(lambda: self.daemon.count("to=<daemon@old.example>") == 0 and self.replies() == before, "as before")
        self.detach()
        place.until(lambda: self.daemon.count("configuration read again") == 2, "the daemon no longer observes")

    def test_every_way_of_being_down(self):
        """The table of movedctl(8): what a removed, a present and an unknown mailbox get."""
        self.start()
        self.attach()
        self.hears("gone@old.example", MOVED.format("gone@new.example"))
        removed, present, unknown = "gone@old.example", "daemon@old.example", "nobody-at-all@old.example"

        known = (MOVED.format("gone@new.example"), "250 2.1.5 Ok", "550 5.1.1 ")

        def expect(why, *replies):
            for recipient, reply in zip((removed, present, unknown), replies):
                self.assertEqual(self.postfix.rcpt(recipient)[:len(reply)], reply, f"{why}: {recipient}")

        def without(path, why, *replies):
            path.rename(self.folder / "away")
            expect(why, *replies)
            (self.folder / "away").rename(path)
            expect(f"{why}, and mended", *known)
        expect("all is well", *known)
        self.daemon.stop()
        expect("the daemon is stopped", *3 * ["451 4.7.1 Service unavailable"])
        self.daemon.start()
        without(self.daemon.address, "no milter socket", *3 * ["451 4.7.1 Service unavailable"])
        self.restart(lookup_socket="")
        expect("no lookup socket", *3 * ["451 4.3.0 "])
        self.restart(lookup_socket=f"unix:{self.daemon.lookups}")
        expect("the lookup socket is there again", *known)
        data = self.daemon.table / "data.mdb"
        data.rename(self.folder / "table")
        place.until(lambda: self.postfix.rcpt(removed).startswith("451 4.3.0 "), "the daemon misses its table")
        expect("no table", *3 * ["451 4.3.0 "])
        self.daemon.configure(on_table_error="accept")
        self.daemon.reload()
        expect("no table, on_table_error = accept", "550 5.1.1 ", *known[1:])

    def test_where_some_clients_have_other_milters_nobody_is_told_of_removed_mailboxes(self):
        self.start("smtpd_milter_maps = inline:{{192.0.2.8=DISABLE}}\n")
        present, unknown = (self.postfix.rcpt(f"{name}@old.example") for name in ("daemon", "nobody-at-all"))
        self.assertIn("smtpd_milter_maps", self.attach())
        self.daemon.hold(("daemon@old.example", "d@new.example"), ("gone@old.example", "gone@new.example"))
        self.hears("daemon@old.example", MOVED.format("d@new.example"))
        for client, expected in (("192.0.2.7", MOVED.format("d@new.example")), ("192.0.2.8", present)):
            with self.postfix.stranger(client) as talk:
                talk.mail()
                self.assertEqual(talk.rcpt("daemon@old.example"), expected)
                self.assertEqual(talk.rcpt("gone@old.example"), unknown.replace("nobody-at-all@", "gone@"))

    def test_domains_in_tables_above_others_and_in_unicode(self):
        patterns = self.folder / "patterns"
        patterns.write_text("/^match\\.example$/ x\n")
        self.start("virtual_alias_domains = bücher.example\nvirtual_alias_maps = inline:{{here@bücher.example=x}}\n"
                   "relay_domains = proxy:inline:{{rel.example=x}}, regexp:{patterns}\n".replace("{patterns}", str(patterns)) +
                   "relay_recipient_maps = inline:{{here@rel.example=x}}\nmydestination = .old.example, old.example\n"
                   "transport_maps = inline:{{rel.example=discard: .rel.example=discard: match.example=discard:}}\n")
        self.daemon.hold(*[(f"gone@{domain}", "gone@new.example") for domain in ("bücher.example", "sub.rel.example",
                         "match.example", "sub.match.example", "sub.old.example")])
        done = self.ctl("attach", "--dry-run", "postfix")
        for line in ("1 domain of class virtual alias", "2 domains of class relay", "2 domains of class none"):
            self.assertIn(line, done.stdout + done.stderr)
        self.attach()
        for domain in ("sub.rel.example", "match.example"):
            self.hears(f"gone@{domain}", MOVED.format("gone@new.example"))

    def test_a_stopped_postfix_is_attached_to(self):
        self.start("virtual_mailbox_domains = proxy:inline:{{virt.example=x}}\n"
                   "virtual_mailbox_maps = inline:{{here@virt.example=x}}\n")
        self.postfix.run("postfix", "stop")
        self.assertIn("1 domain of class virtual mailbox", self.attach())

    def test_tables_of_proxymap_inside_of_another_are_asked_while_postfix_is_stopped(self):
        self.start("virtual_mailbox_domains = unionmap:{{proxy:inline:{{virt.example=x}},proxy:inline:{{a.example=x}}}}\n"
                   "virtual_mailbox_maps = inline:{{here@virt.example=x}}\n")
        self.postfix.run("postfix", "stop")
        self.assertIn("1 domain of class virtual mailbox", self.attach())

    def test_a_table_that_never_answers_has_a_deadline_and_nothing_is_changed(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            table = f"socketmap:inet:127.0.0.1:{silent.getsockname()[1]}:domains"
            self.start(f"virtual_mailbox_domains = {table}\nvirtual_mailbox_maps = inline:{{{{here@virt.example=x}}}}\n", answers=False)
            files = self.postfix.files()
            self.assertRegex(self.attach(status=69), f"movedctl: {table}: '.*/postmap' did not end in 10 s\n")
            self.assertEqual(self.postfix.files(), files)

    def test_what_was_asked_for_once_stays_until_detach(self):
        self.start()
        files = self.postfix.files()
        self.attach("--unserved", "--raise-limits")
        attached = self.postfix.files()
        self.assertIn("Attached already: nothing to change.", self.attach())
        self.assertEqual(self.postfix.files(), attached)
        self.detach()
        self.assertEqual(self.postfix.files(), files)

    def test_a_list_that_changes_in_main_cf_counts_at_once(self):
        self.start("virtual_mailbox_domains = virt.example\nvirtual_mailbox_maps = inline:{{here@virt.example=x}}\n")
        self.attach("--unserved")
        main = self.postfix.conf / "main.cf"
        main.write_text(main.read_text().replace("inline:{here@", "inline:{new@virt.example=x, here@"))
        self.postfix.run("postfix", "reload")
        self.hears("new@virt.example", "250 ")
        self.hears("gone@virt.example", MOVED.format("gone@new.example"))
        done = self.ctl("doctor", "--smtp", f"127.0.0.1:{self.postfix.ports['smtp']}")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("Attached already: nothing to change.", self.attach())

    def test_non_smtpd_milters_are_left_alone(self):
        self.start("non_smtpd_milters = inet:127.0.0.1:9\nmilter_default_action = accept\n")
        self.attach()
        self.assertIn(b"\nnon_smtpd_milters = inet:127.0.0.1:9\n", self.postfix.files()["main.cf"])


ODD_MAIN = """\
# an administrator's own
smtpd_milters = inet:127.0.0.1:9,
\t# one that signs
  { inet:127.0.0.1:10, default_action=accept,
    connect_timeout=1s }

  $more_milters
more_milters = unix:/none/such
virtual_mailbox_domains = $my_domains
my_domains = virt.example,
   bulk.example
virtual_mailbox_maps =
    # first
    inline:{ here@virt.example=x }
\tinline:{
 here@bulk.example=x }
milter_default_action = accept
virtual_mailbox_base = {folder}/spool
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534"""

ODD_MASTER = """\
127.0.0.1:{other} inet n - n - - smtpd
  # its own milters
  -o smtpd_milters=inet:127.0.0.1:9
  -o {{ syslog_name = postfix/other }}
    -o virtual_mailbox_maps=inline:{{here@virt.example=x}}
#  -o smtpd_milters=inet:127.0.0.1:11

127.0.0.1:{filtered} inet n - n - - smtpd
  -o smtpd_milters=
127.0.0.1:{unchecked} inet n - n - - smtpd
  -o receive_override_options=no_milters"""


class OddPostfix(Case):
    def test_what_an_administrator_wrote_survives_byte_for_byte(self):
        other, filtered, unchecked = place.free_ports(3)
        self.start(ODD_MAIN.replace("{ ", "{{ ").replace(" }", " }}").replace("{\n", "{{\n"),
                   services=ODD_MASTER.format(other=other, filtered=filtered, unchecked=unchecked))
        self.daemon.hold(("gone@virt.example", "gone@new.example"), ("gone@bulk.example", "gone@new.example"))
        files = self.postfix.files()
        for name, text in files.items():
            self.assertFalse(text.endswith(b"\n"), name)
        said = self.attach()
        self.assertIn(f"127.0.0.1:{filtered}/inet has its milters switched off", said)
        self.assertIn(f"127.0.0.1:{unchecked}/inet has its milters switched off", said)
        self.hears("gone@virt.example", MOVED.format("gone@new.example"))
        self.hears("gone@bulk.example", MOVED.format("gone@new.example"))
        self.assertTrue(self.postfix.rcpt("here@virt.example").startswith("250 "))
        self.assertTrue(self.postfix.rcpt("here@bulk.example").startswith("250 "))
        self.assertEqual(self.postfix.rcpt("gone@virt.example", other), MOVED.format("gone@new.example"))
        self.assertTrue(self.postfix.rcpt("here@bulk.example", other).startswith("550 5.1.1 "))
        # Where no milter of ours listens, no recipient of ours is known.
        for port in (filtered, unchecked):
            self.assertTrue(self.postfix.rcpt("gone@virt.example", port).startswith("550 5.1.1 "))
        attached = self.postfix.files()
        self.attach()
        self.assertEqual(self.postfix.files(), attached)
        self.detach()
        self.assertEqual(self.postfix.files(), files)

    def test_a_broken_change_is_taken_back(self):
        self.start()
        with open(self.postfix.conf / "main.cf", "a") as main:
            main.write("meta_directory = /none/such\n")  # 'postfix check' refuses it, postconf does not
        files, there = self.postfix.files(), sorted(self.postfix.conf.iterdir())
        self.assertIn("the change was taken back", self.attach(status=69))
        self.assertEqual(self.postfix.files(), files)
        self.assertEqual(sorted(self.postfix.conf.iterdir()), there)
        self.assertIn("the change was taken back", self.attach("--observe", status=69))
        self.assertEqual(self.postfix.files(), files)
        place.until(lambda: self.daemon.count("configuration read again") == 2, "the daemon observes no longer", self.daemon.log)
        self.assertIn("enforce", self.daemon.movedctl("stats"))

    def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(self):
        self.start()
        files, there = self.postfix.files(), sorted(self.postfix.conf.iterdir())
        if subprocess.run(["chattr", "+i", self.postfix.conf / "master.cf"], check=False, capture_output=True).returncode != 0:
            self.skipTest("no immutable files here")
        try:
            self.assertIn(f"movedctl: {self.postfix.conf}/master.cf: ", self.attach(status=77))
        finally:
            subprocess.run(["chattr", "-i", self.postfix.conf / "master.cf"], check=True)
        self.assertEqual(self.postfix.files(), files)
        self.assertEqual(sorted(self.postfix.conf.iterdir()), there)

    def attach_on_terminal(self):
        """Until it asks. (the process, the terminal)"""
        terminal, theirs = os.openpty()
        self.addCleanup(os.close, terminal)
        asks = subprocess.Popen([*place.program("movedctl"), "-c", str(self.daemon.conf), "attach", "--config-dir",
                                 str(self.postfix.conf), "postfix"], stdin=theirs, stdout=theirs, stderr=theirs,
                                env=self.postfix.env)
        os.close(theirs)
        self.addCleanup(asks.wait)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(terminal, 4096)
        return asks, terminal

    def test_no_is_no(self):
        self.start()
        files = self.postfix.files()
        asks, terminal = self.attach_on_terminal()
        os.write(terminal, b"n\n")
        self.assertEqual(asks.wait(place.PATIENCE), 75)
        self.assertIn(b"movedctl: these changes were not made", os.read(terminal, 4096))
        self.assertEqual(self.postfix.files(), files)

    def test_what_was_edited_while_we_asked_is_not_overwritten(self):
        self.start()
        asks, terminal = self.attach_on_terminal()
        with open(self.postfix.conf / "master.cf", "a") as master:
            master.write("# edited\n")
        files, there = self.postfix.files(), sorted(self.postfix.conf.iterdir())
        os.write(terminal, b"y\n")
        self.assertEqual(asks.wait(place.PATIENCE), 75)
        said = b""
        with contextlib.suppress(OSError):  # EIO: it has ended
            while part := os.read(terminal, 4096):
                said += part
        self.assertIn(b"master.cf: has been changed meanwhile", said)
        self.assertEqual(self.postfix.files(), files)
        self.assertEqual(sorted(self.postfix.conf.iterdir()), there)

    def test_an_interrupt_in_the_middle_waits_until_all_is_done(self):
        self.start()
        self.replace_postfix('case "$3" in check) kill -INT $PPID ;; esac')
        self.attach()
        self.hears("gone@old.example", MOVED.format("gone@new.example"))

    def test_what_was_killed_before_postfix_had_read_it_is_completed_by_the_next_run(self):
        self.start()
        before, once = self.postfix.rcpt("gone@old.example"), self.folder / "once"
        self.replace_postfix(f'if [ "$3" = check ] && rm {once}; then kill -KILL $PPID; fi')
        for command, expected in (("attach", MOVED.format("gone@new.example")), ("detach", before)):
            once.touch()
            self.assertEqual(self.ctl(command, "--yes", "postfix").returncode, -signal.SIGKILL)
            self.assertNotEqual(self.postfix.rcpt("gone@old.example"), expected)
            self.assertNotIn("and is reloaded", self.ctl(command, "--dry-run", "postfix").stderr)
            self.assertIn("and is reloaded", self.ctl(command, "--yes", "postfix").stderr)
            self.assertEqual(self.postfix.rcpt("gone@old.example"), expected)
            self.assertEqual(self.ctl(command, "--yes", "postfix").stderr, "")

    def test_what_postconf_cannot_read_is_left_as_it_is(self):
        self.start()
        with open(self.postfix.conf / "main.cf", "a") as main:
            main.write("smtpd_milters = ${broken\n")
        files = self.postfix.files()
        self.attach(status=69)
        self.assertEqual(self.postfix.files(), files)

    def test_a_milter_put_in_by_hand_is_not_put_in_twice(self):
        self.start("smtpd_milters = {{ unix:milter-moved/milter.sock, default_action=tempfail }}\n")
        before = self.postfix.files()["main.cf"]
        for form in (b"unix:milter-moved/milter.sock", b"unix:/milter-moved/milter.sock"):
            with self.subTest(form):
                place.replace(self.postfix.conf / "main.cf", before.replace(b"unix:milter-moved/milter.sock", form))
                files = self.postfix.files()
                self.assertIn("was added by hand, and is left as it is", self.attach())
                self.assertEqual(self.postfix.files()["main.cf"].count(form), 1)
                self.assertNotIn(b"$moved_milter", self.postfix.files()["main.cf"])
                self.hears("gone@old.example", MOVED.format("gone@new.example"))
                done = self.ctl("detach", "--yes", "postfix")
                self.assertIn("was added by hand", done.stderr)
                self.assertEqual((done.returncode, self.postfix.files()), (0, files))


if __name__ == "__main__":
    unittest.main()
