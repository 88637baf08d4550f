# SPDX-License-Identifier: BSD-2-Clause
"""What movedctl doctor gives as the mend of each finding, carried out as it stands there: doctor is then content."""

import contextlib
import json
import os
import pathlib
import pwd
import re
import signal
import socket
import struct
import subprocess
import threading
import unittest

from lib import place
from lib.daemon import USER, Daemon, listening
from lib.stock import Stock
from mta.test_attach_postfix import CLASSES, SERVED, place_in_queue

GONE = "gone@old.example"
LOOKUPS = "socketmap:unix:milter-moved/lookup.sock"
UNLISTED = "proxy:unix:passwd.byname $alias_maps"
US = "unix:milter-moved/milter.sock"


class Mends(unittest.TestCase):
    """What the cases share: self.server, self.daemon."""

    maxDiff = None

    def setUp(self):
        self.asks = {}
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(place.folder())
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        for name in ("movedctl", "milter-moved"):
            (self.bin / name).symlink_to(place.program(name)[0])

    def env(self):
        env = {**os.environ, **self.server.env}
        return {**env, "PATH": f"{self.bin}:{env['PATH']}"}

    def doctor(self, *args, port=None):
        """Its report. No fault is in it where each recipient got what it should: but Postfix sees a reload late, and doctor reads
        the files at once."""
        report = {}

        def agrees():
            report.update(self.examine(*args, port=port))
            well = all(asked["well"] for asked in report["asked"])
            return not (report["asked"] and well and [f for f in report["findings"] if f["weight"] == "fault"])
        place.until(agrees, "the findings agree with the replies", lambda: json.dumps(report))
        report["of"] = {finding["name"]: finding for finding in report["findings"]}
        return report

    def examine(self, *args, port=None):
        """As self.asks has it, where a mend is to ask in another way: the port, the mail server's configuration, the user."""
        asks = {"port": port or self.server.ports["smtp"], "conf": self.server.conf, "user": {}, **self.asks}
        command = [*place.program("movedctl"), "-c", self.daemon.conf, "doctor", "--json", "--config-dir", asks["conf"], "--smtp",
                   f"127.0.0.1:{asks['port']}", *args]
        done = subprocess.run([str(word) for word in command], env=self.env(), capture_output=True, text=True, check=False,
                              timeout=place.PATIENCE, **asks["user"])
        self.assertEqual(done.stderr, "")
        return json.loads(done.stdout)

    def shell(self, command):
        """As root types it at a terminal, and says yes."""
        ours, theirs = os.openpty()
        try:
            os.write(ours, b"y\ny\n")
            with subprocess.Popen(["sh", "-c", command], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  env=self.env(), text=True, start_new_session=True) as done:
                self.ended(command)
                printed = done.communicate(timeout=place.PATIENCE)[0]
        finally:
            os.close(ours)
            os.close(theirs)
        # Without systemd attach cannot restart the daemon: the next lines do.
        self.assertIn(done.returncode, (0, 75) if " attach " in command else (0,), f"{command}\n{printed}")

    def ended(self, command):
        """A daemon that the command ends is a child of ours, and there until we have seen that."""
        if command.startswith("kill ") and "-HUP" not in command:
            self.daemon.process.wait()
        if "; milter-moved" in command or command.startswith("milter-moved"):
            self.stack.callback(self.end_daemon)

    def end_daemon(self):
        """The one that a mend has started."""
        with socket.socket(socket.AF_UNIX) as talk, contextlib.suppress(OSError):
            talk.connect(str(self.daemon.address))
            pid = struct.unpack("3i", talk.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
            os.kill(pid, signal.SIGTERM)
            place.until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the daemon ends")

    def edit(self, line):
        """'In FILE set KEY = VALUE;': the editor's part."""
        found = re.fullmatch(r"(?:.* )?[Ii]n (\S+) set (.*;)", line)
        if not found:
            return
        path, settings = pathlib.Path(found[1]), found[2]
        text = path.read_text()
        for key, setting in re.findall(r"((\w+) = [^;]*;)", settings):
            text = re.sub(rf"^{setting} = .*\n", "", text, flags=re.MULTILINE) + key + "\n"
        path.write_text(text)

    def carry_out(self, mend, by_hand=None):
        """Its commands, and what it leaves to an editor: by_hand, if that is more than to set a key, says whether it did."""
        for line in mend.splitlines():
            if by_hand and by_hand(line):
                continue
            if line.startswith("$ "):
                self.shell(line[2:])
            else:
                self.edit(line)

    def mends(self, name, *args, by_hand=None, port=None):
        """The finding is there, its mend is carried out, and then it is gone."""
        finding = place.until(lambda: self.doctor(*args, port=port)["of"].get(name), f"{name} is found")
        self.assertTrue(finding["mend"], name)
        self.carry_out(finding["mend"], by_hand)
        last = {}

        def gone():
            last.update(self.doctor(*args, port=port))
            return name not in last["of"]
        place.until(gone, f"{name} is gone after '{finding['mend']}': {last}")
        return last

    def content(self, name, *args, **how):
        """And nothing else is wrong."""
        self.mends(name, *args, **how)
        place.until(lambda: not [finding for finding in self.doctor(*args)["findings"]
                                 if finding["weight"] not in ("note", "not seen")], f"all is well after {name}")


# The finding; what leads to it, as commands on a Postfix to which milter-moved is attached; {s} is the service, {q} the queue folder.
POSTFIX = (
    ("listed-without-milter", "postconf -e 'smtpd_milters ='"),
    ("milters-off", "postconf -P '{s}/smtpd_milters='"),
    ("milters-off", "postconf -P '{s}/receive_override_options=no_milters'"),
    ("not-attached", "movedctl -c {c} detach --yes --config-dir {d} postfix"),
    ("socket-elsewhere", "postconf -P '{s}/smtpd_milters={{unix:milter-moved/old.sock,default_action=tempfail}}'"),
    ("socket-elsewhere", "postconf -P '{s}/moved_milter={{unix:milter-moved/old.sock,default_action=tempfail}}'"),
    ("socket-access", "chmod 0600 {q}/milter.sock"),
    ("socket-access", "chmod 0700 {q}"),
    ("lookup-access", "chmod 0600 {q}/lookup.sock"),
    ("default-action", "postconf -e 'smtpd_milters = {{ unix:milter-moved/milter.sock, default_action=accept }}'"),
    ("unserved", "movedctl -c {c} add gone@retired.example gone@new.example"),
    ("listed-missing", f"postconf -e 'local_recipient_maps = {UNLISTED}' 'virtual_alias_maps = inline:{{{{x@alias.example=y}}}}'"),
    ("listed-alone", "postconf -P '{s}/local_recipient_maps=$moved_listed'"),
    ("listed-for-all", f"postconf -e 'virtual_mailbox_maps = inline:{{{{here@virt.example=virt/}}}} {LOOKUPS}:listed'"),
    ("lookup-elsewhere", "postconf -P '{s}/moved_listed=socketmap:unix:none/lookup.sock:listed'"),
    ("soft-bounce", "postconf -e 'soft_bounce = yes'"),
    ("soft-bounce", "postconf -P '{s}/soft_bounce=yes'"),
    ("recipients-verified", "postconf -e 'address_verify_poll_delay = 1' 'smtpd_recipient_restrictions = "
     "permit_sasl_authenticated, reject_unverified_recipient, reject_unauth_destination'"),
    ("non-smtpd-milters", f"postconf -e 'non_smtpd_milters = inet:127.0.0.1:9, {US}'"),
    ("non-smtpd-milters", f"postconf -e 'smtpd_milters = {US}' 'non_smtpd_milters = $smtpd_milters'"),
    ("relocated-maps", f"postconf -e 'relocated_maps = {LOOKUPS}:relocated'"),
    ("reject-footer", "postconf -e 'smtpd_reject_footer = call us'"),
    ("reject-footer", "postconf -P '{s}/smtpd_reject_footer=call'"),
    ("error-limits", "postconf -e 'smtpd_hard_error_limit = 2' 'smtpd_soft_error_limit = 1'"),
    ("milter-maps", "postconf -e 'smtpd_milter_maps = static:DISABLE'"),
    ("open-relay", "postconf -e 'smtpd_relay_restrictions = check_client_access static:OK, reject_unauth_destination' 'smtpd_recipient_restrictions = permit_mynetworks'"),
    ("open-relay", "postconf -P '{s}/smtpd_relay_restrictions=check_client_access,static:OK,reject_unauth_destination'"),
    ("open-relay", "postconf -e 'mynetworks = 127.0.0.0/8 198.51.100.0/24'"),
    ("empty-pipemap", "movedctl -c {c} detach --yes --config-dir {d} postfix; postconf -e 'smtpd_recipient_restrictions = permit_mynetworks, "
     "check_recipient_access pipemap:{{$moved_listed, static:OK}}, reject_unauth_destination'"),
    ("tls-wanted", "postconf -e 'smtpd_tls_security_level = encrypt'"),
)


class PostfixMends(Mends):
    def setUp(self):
        super().setUp()
        self.server = self.stack.enter_context(Stock(self.folder / "p", CLASSES.format(folder=self.folder / "p")))
        self.daemon = Daemon(self.folder / "d", group=Stock.group)
        place_in_queue(self.daemon, self.server)
        self.stack.enter_context(self.daemon)
        self.hold()
        self.words = {"s": f"127.0.0.1:{self.server.ports['smtp']}/inet", "c": self.daemon.conf, "d": self.server.conf,
                      "q": self.server.folder / "queue/milter-moved"}
        self.attach()

    def hold(self):
        self.daemon.hold(*[(f"gone@{domain}", "gone@new.example") for domain in SERVED])

    def run_(self, command):
        self.shell(command.format(**self.words))

    def attach(self):
        self.run_("movedctl -c {c} attach --config-dir {d} postfix")

    def hears(self, words, recipient=GONE):
        place.until(lambda: self.server.rcpt(recipient).startswith(words), f"'{words}' for {recipient}")

    def begin_again(self):
        """As it was, whatever a row and its mend have done."""
        for name, text in self.files.items():
            place.replace(self.server.conf / name, text)
        self.server.run("postfix", "reload")
        self.hold()
        self.hears("551 ")


class EachRow:
    def test_each_mend_of_what_is_wrong_with_its_configuration(self):
        self.hears("551 ")
        self.files = self.server.files()
        for name, command in self.rows:
            with self.subTest(name, of=command):
                self.run_(command)
                self.server.run("postfix", "reload")
                # Each probe of a mailbox takes seconds.
                self.mends(name, *(("--domain", "old.example") if name == "recipients-verified" else ()))
                self.server.assert_closed()
            self.begin_again()


class FirstRows(EachRow, PostfixMends):
    rows = POSTFIX[:len(POSTFIX) // 3]


class SecondRows(EachRow, PostfixMends):
    rows = POSTFIX[len(POSTFIX) // 3:len(POSTFIX) * 2 // 3]


class ThirdRows(EachRow, PostfixMends):
    rows = POSTFIX[len(POSTFIX) * 2 // 3:]


class OfTheDaemon(PostfixMends):
    def test_the_daemon_is_down(self):
        self.daemon.stop()
        self.content("daemon-down")

    def test_the_table_of_root(self):
        self.daemon.stop()
        for path in (self.daemon.table, *self.daemon.table.iterdir()):
            os.chown(path, 0, 0)
            path.chmod(0o700)
        self.daemon.start()
        self.content("daemon-table")

    def test_a_table_that_is_missing(self):
        (self.daemon.table / "data.mdb").unlink()
        (self.daemon.table / "lock.mdb").unlink()
        place.until(lambda: self.server.rcpt(GONE).startswith("451 4.3.0 "), "the daemon misses it")
        self.assertIn("table-empty", self.mends("table")["of"])

    def test_a_table_that_is_damaged(self):
        copy = self.folder / "copy"
        self.daemon.movedctl("backup", copy)
        os.truncate(self.daemon.table / "data.mdb", 5000)

        def restore(line):
            if line.endswith(" restore DIR"):
                self.shell(line[2:].replace("DIR", str(copy)))
                return True
        self.content("table", by_hand=restore)

    def test_what_the_daemon_has_not_read(self):
        self.daemon.configure(mode="observe")
        self.mends("not-reloaded")
        self.content("observing")
        self.daemon.configure(replies={"moved": "551 5.1.6 Has moved; please try <${new}>"})
        self.content("other-words")

    def test_a_daemon_with_another_table(self):
        self.daemon.stop()
        self.daemon.configure(table=str(self.folder / "other"))
        self.daemon.movedctl("init")
        self.daemon.start()
        self.daemon.configure(table=str(self.daemon.table))
        self.content("daemon-differs")

    def test_a_daemon_of_another_version(self):
        self.daemon.stop()
        other, version = self.folder / "milter-moved", self.version().encode()
        program = pathlib.Path(place.program("milter-moved")[-1]).read_bytes()
        other.write_bytes(program.replace(version, version[:-1] + b"x"))
        other.chmod(0o755)
        self.daemon.command = lambda: [str(other), "-f", "-c", str(self.daemon.conf)]
        self.daemon.start()
        self.content("daemon-version")

    def version(self):
        return self.daemon.movedctl("--version").split()[1]

    def test_a_table_that_is_empty(self):
        self.daemon.movedctl("del", *(f"gone@{domain}" for domain in SERVED))

        def add(line):
            return line.endswith(" add OLD NEW") and not self.shell(line[2:].replace("OLD NEW", f"{GONE} gone@new.example"))
        self.content("table-empty", by_hand=add)


class AroundIt(PostfixMends):
    def test_a_map_that_proxymap_may_not_open(self):
        """Nobody connects before it is mended: smtpd ends at such a map, and Postfix then waits a minute."""
        self.run_(f"postconf -e 'local_recipient_maps = {UNLISTED} proxy:socketmap:unix:{{q}}/lookup.sock:listed' "
                  "'proxy_read_maps = proxy:unix:passwd.byname'")
        self.mends("proxy-read-maps", port=place.free_ports(1)[0])
        self.hears("551 ")
        place.until(lambda: self.doctor()["status"] == 0, "all is well")

    def test_as_another_client(self):
        self.run_("postconf -e smtpd_authorized_xclient_hosts=; postfix reload")
        self.mends("no-xclient", "--as", "192.0.2.7")

    def test_no_lookup_socket(self):
        lookups = self.daemon.lookups
        self.daemon.configure(lookup_socket="")

        def edit(line):
            if "set lookup_socket" in line:
                self.assertIn(f"In {self.daemon.conf} set ", line)
                self.daemon.configure(lookup_socket=f"unix:{lookups}")
                return True
        self.content("no-lookups", by_hand=edit)

    def test_a_session_that_is_ended(self):
        """Postfix hangs up after a 421, access(5)."""
        self.run_("postconf -e 'smtpd_recipient_restrictions=check_recipient_access static:{{421 4.7.0 Too many recipients}}'; postfix reload")

        def edit(line):
            if "raise that limit" in line:
                self.run_("postconf -X smtpd_recipient_restrictions; postfix reload")
        self.content("session-ended", by_hand=edit)

    def test_a_limit(self):
        self.daemon.movedctl("add", "gone2@old.example", "gone2@new.example")
        self.daemon.configure(disclosure={"limit": 1, "trusted_networks": []})
        self.daemon.reload()

        def edit(line):
            if "trusted_networks" in line:
                self.daemon.configure(disclosure={"limit": 1, "trusted_networks": ["127.0.0.1"]})
        self.content("over-limit", by_hand=edit)

    def test_a_socket_of_another_program(self):
        lookups = self.daemon.lookups
        other = self.folder / "other.sock"
        with listening(other) as listener:
            threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
            self.daemon.configure(lookup_socket=f"unix:{other}")

            def edit(line):
                if "lookup_socket to a socket of its own" in line:
                    self.daemon.configure(lookup_socket=f"unix:{lookups}")
                    return True
            self.content("daemon-other", by_hand=edit)

    def test_what_is_left_behind(self):
        for option in ("moved_milter", "moved_listed"):
            self.run_(f"postconf -PX '{{s}}/{option}'")
        self.mends("left-behind")
        self.hold()
        self.content("not-attached")

    def test_what_is_left_behind_by_hand(self):
        self.run_("movedctl -c {c} detach --yes --config-dir {d} postfix")
        with open(self.server.conf / "main.cf", "a") as main:
            main.write(f"smtpd_data_restrictions = check_recipient_access {LOOKUPS}:refused\n")

        def edit(line):
            if line.startswith("Take it out there"):
                self.run_("postconf -X smtpd_data_restrictions")
                return True
        report = self.doctor()
        self.assertIn("main.cf:", report["of"]["left-behind"]["why"])
        self.mends("left-behind", by_hand=edit)

    def test_another_milter_and_another_table_that_do_not_answer(self):
        for name, break_it, mend in (
                ("other-milter", "postconf -e 'smtpd_milters = inet:127.0.0.1:9 $moved_milter'", "postconf -e 'smtpd_milters = $moved_milter'"),
                ("lookup-failed", f"postconf -e 'local_recipient_maps = socketmap:unix:none:x {UNLISTED} $moved_listed' 'virtual_alias_maps ='",
                 f"postconf -e 'local_recipient_maps = {UNLISTED} $moved_listed' 'virtual_alias_maps = $moved_listed'"),
                ("relocated-answers", "postconf -e 'relocated_maps = inline:{{gone@old.example=gone@elsewhere.example}}'; "
                 "postconf -P '{s}/smtpd_milters=' '{s}/moved_listed='", "postconf -X relocated_maps")):
            self.run_(break_it + "; postconf -e milter_default_action=tempfail; postfix reload")
            self.hears(("4", "550 5.1.6"))
            self.mends(name, "--domain", "old.example", by_hand=lambda line, mend=mend: not line.startswith("$") and not self.run_(mend))


class InAnotherWay(PostfixMends):
    """Where the mend is to ask another port, as another user, or with another configuration; or to change another program."""

    def ask(self, words, **how):
        """The part of a person: where the mend has these words, to ask so from then on."""
        def by_hand(line):
            if words in line:
                self.asks = how
            return words in line
        return by_hand

    def set(self, words, *commands):
        """Where the mend has these words, these changes, which they leave to a person."""
        def by_hand(line):
            if words in line:
                for command in (*commands, "postfix reload"):
                    self.run_(command)
            return words in line
        return by_hand

    def add_door(self, options):
        port, = place.free_ports(1)
        with open(self.server.conf / "master.cf", "a") as master:
            master.write(f"127.0.0.1:{port} inet n - y - - smtpd\n{options}")
        self.run_("postfix reload")
        place.until(lambda: place.listens(("127.0.0.1", port)), "the door is open", self.server.log)
        return port

    def test_the_mail_server_is_down(self):
        self.run_("postfix stop")
        self.content("server-down", by_hand=lambda line: line.startswith("Start it; ") and not self.run_("postfix start"))
        self.asks = {"port": place.free_ports(1)[0]}
        self.content("server-down", by_hand=self.ask("ask it where it listens: --smtp HOST:PORT"))

    def test_a_port_for_those_who_log_in(self):
        self.asks = {"port": self.add_door("  -o {smtpd_recipient_restrictions=check_recipient_access static:{530 5.7.0 Authentication required}}\n")}
        self.content("login-wanted", by_hand=self.ask("Ask the port that accepts mail from anyone: --smtp HOST:25"))

    def test_a_configuration_that_is_not_there(self):
        self.asks = {"conf": "/none"}
        self.content("no-configuration", by_hand=self.ask("with --config-dir if it is not in the usual folder"))

    def test_the_configuration_of_another_server(self):
        other = self.stack.enter_context(Stock(self.folder / "o", CLASSES.format(folder=self.folder / "o")))
        self.asks = {"port": other.ports["smtp"]}
        self.mends("other-configuration", by_hand=self.ask("with --config-dir if it is not in the usual folder", port=other.ports["smtp"], conf=other.conf))

    def test_a_user_who_may_not_see(self):
        table = self.daemon.table.stat().st_gid
        self.asks = {"user": {"user": "daemon", "group": "daemon", "extra_groups": [table]}}
        self.content("daemon-unknown", by_hand=self.ask("Run movedctl doctor as root"))
        self.run_("postconf -e smtpd_helo_restrictions=no_such_restriction; postfix reload")
        self.asks = {"user": {"user": "daemon", "group": "daemon", "extra_groups": [table]}}
        self.mends("daemon-unseen", by_hand=self.ask("Run movedctl doctor as root"))
        self.content("deferred", by_hand=self.set("Its log tells which", "postconf -X smtpd_helo_restrictions"))
        self.assertIn("no_such_restriction", self.server.log())

    def on_its_host(self, line):
        if line.startswith("$ ") and " /none" in line:
            self.shell(line[2:].replace("/none", str(self.server.conf)))
        return line.startswith("$ ")

    def test_a_server_of_which_only_the_replies_are_known(self):
        self.run_("movedctl -c {c} detach --yes --config-dir {d} postfix")
        self.asks = {"conf": "/none"}
        self.content("unknown-first", by_hand=self.on_its_host)
        self.run_("movedctl -c {c} detach --yes --config-dir {d} postfix")
        self.daemon.hold(("daemon@old.example", "d@new.example"))
        self.content("not-heard", by_hand=self.on_its_host)

    def test_greylisting(self):
        self.run_("postconf -e 'smtpd_recipient_restrictions = check_recipient_access static:{{450 4.2.0 Come again}}'; postfix reload")
        self.content("greylisted", by_hand=self.set("Let 127.0.0.1 pass there", "postconf -e 'smtpd_recipient_restrictions = permit_mynetworks, "
                                                    "check_recipient_access static:{{450 4.2.0 Come again}}'"))

    def test_a_restriction_of_somebody_else(self):
        restriction = "check_recipient_access inline:{{{{gone@old.example = 554 5.7.1 Not today}}}}, permit_mynetworks, reject_unauth_destination"
        self.run_(f"postconf -e 'smtpd_recipient_restrictions = {restriction}'; postfix reload")
        words = f"before it put 'check_recipient_access {LOOKUPS}:refused', and reload"
        self.content("restricted", by_hand=self.set(words, f"postconf -e 'smtpd_recipient_restrictions = check_recipient_access {LOOKUPS}:refused, {restriction}'"))

    def test_another_milter_before_ours(self):
        second = self.server.folder / "queue/second"
        second.mkdir()
        os.chown(second, *pwd.getpwnam(USER)[2:4])
        other = Daemon(self.folder / "o", group=Stock.group, socket=f"unix:{second}/milter.sock", lookup_socket="", replies={"moved": "554 5.7.1 Go to ${new}"})
        other.address = second / "milter.sock"
        self.stack.enter_context(other)
        other.hold(*[(f"gone@{domain}", "gone@new.example") for domain in SERVED])
        self.run_("postconf -e 'smtpd_milters = unix:second/milter.sock $moved_milter'; postfix reload")
        self.content("another-answered", by_hand=self.set("Put milter-moved before the other milters, and reload",
                                                          "postconf -e 'smtpd_milters = $moved_milter unix:second/milter.sock'"))


class OutsideTheChroot(PostfixMends):
    def attach(self):
        self.daemon.stop()
        self.daemon.address = self.daemon.socket.address = self.daemon.folder / "milter.sock"
        self.daemon.lookups = self.daemon.folder / "lookup.sock"
        self.daemon.configure(socket=f"unix:{self.daemon.address}", lookup_socket=f"unix:{self.daemon.lookups}")
        self.daemon.start()

    def test_the_socket_is_not_in_the_chroot(self):
        self.run_(f"postconf -e 'smtpd_milters = {{{{ unix:{self.daemon.address}, default_action=tempfail }}}}'; postfix reload")
        self.hears("451 ", "daemon@old.example")
        self.daemon.address = self.server.folder / "queue/milter-moved/milter.sock"
        self.content("socket-out-of-chroot")


class WithoutAChroot(OutsideTheChroot):
    """smtpd opens the sockets where they are: a map of proxymap that proxy_read_maps does not have would end it."""

    test_the_socket_is_not_in_the_chroot = None

    def test_a_port_of_its_own_that_verifies_recipients(self):
        self.run_("postconf -F '*/*/chroot=n'; postfix reload; movedctl -c {c} attach --config-dir {d} postfix")
        self.run_("postconf -e address_verify_poll_delay=1; postconf -P '{s}/smtpd_recipient_restrictions=permit_sasl_authenticated,"
                  "reject_unverified_recipient,reject_unauth_destination'; postfix reload")
        self.mends("recipients-verified", "--domain", "old.example")
        self.hears("551 ")


# Those that no test carries out, and why.
ELSEWHERE = {"selinux": "it needs a kernel with SELinux and its programs"}
NO_MEND = {"catch-all", "relays-for-us"}


class EachSymptom(unittest.TestCase):
    def test_has_a_test_of_its_mend(self):
        here = pathlib.Path(__file__)
        tested = {of: set(re.findall(r'(?:mends|content)\((?:host, )?"([a-z-]+)"|^ +\("([a-z-]+)", ', (here.parent / name).read_text(), re.MULTILINE))
                  for of, name in (("postfix", here.name), ("sendmail", "test_doctor_sendmail_mends.py"), ("follow", "../follow/test_doctor_follow.py"))}
        tested = {of: {a or b for a, b in names} for of, names in tested.items()}
        symptom = r'^    \{"([a-z-]+)", (?:NOTE|RISK|FAULT|DOWN)|exam_note\(\s*exam,\s+"([a-z-]+)"'
        every = set()
        for path in (place.SOURCE / "milter/doctor").glob("*.c"):
            names = {a or b for a, b in re.findall(symptom, path.read_text(), re.MULTILINE)}
            every |= names
            on = path.name.partition("_symptoms")[0]
            self.assertEqual(names - tested.get(on, set().union(*tested.values())) - set(ELSEWHERE) - NO_MEND, set(), path.name)
            for row in re.findall(rf'^    \\{{"(?:{"|".join(NO_MEND)})", .*?\\}},$', path.read_text(), re.MULTILINE | re.DOTALL):
                self.assertRegex(row, r'"\s+""\}},$')
        self.assertEqual((set(ELSEWHERE) | NO_MEND) - every, set())


if __name__ == "__main__":
    unittest.main()
