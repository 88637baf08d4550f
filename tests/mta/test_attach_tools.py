# SPDX-License-Identifier: BSD-2-Clause
"""movedctl attach postfix beside what else writes main.cf and master.cf: postconf, templates, packages, older versions of us."""

import os
import re
import subprocess
import unittest

from lib import place
from lib.stock import Stock
from mta.test_attach_postfix import MOVED, Case

VIRTUAL = """\
virtual_mailbox_domains = virt.example
virtual_mailbox_base = {folder}/spool
virtual_mailbox_maps = inline:{{here@virt.example=virt/}}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
transport_maps = inline:{{retired.example=discard: elsewhere.example=discard:}}
"""
MAPS = "virtual_mailbox_maps = inline:{here@virt.example=virt/, new@virt.example=virt/}"
PRESENT, UNKNOWN, REMOVED = "here@virt.example", "nobody@virt.example", "gone@virt.example"
RETIRED = "gone@retired.example"


class Tools(Case):
    def begin(self, more="", **how):
        """A Postfix with a virtual domain, and a daemon that has run for long: the map listed says no without a session."""
        self.start(VIRTUAL + more, **how)
        self.daemon.stop()
        self.daemon.runs_for_an_hour().start()

    def service(self):
        return f"127.0.0.1:{self.postfix.ports['smtp']}/inet"

    def write(self, name, text):
        """As if a while ago: Postfix's programs wait until a file is two seconds old."""
        path = self.postfix.conf / name
        place.replace(path, text)
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 60))

    def doctor(self):
        done = self.ctl("doctor", "--smtp", f"127.0.0.1:{self.postfix.ports['smtp']}")
        return done.returncode, done.stdout + done.stderr

    def settled(self, removed, retired):
        self.postfix.run("postfix", "reload")
        self.hears(REMOVED, removed)
        self.hears(RETIRED, retired)
        self.hears(PRESENT, "250 ")
        self.hears(UNKNOWN, "550 5.1.1 ")


KNOWN, NOT_KNOWN, DENIED = MOVED.format("gone@new.example"), "550 5.1.1 ", "4"

# What a tool does; what a removed mailbox and one of a domain that is no longer served then get; what doctor says, "" for all is well.
TOOLS = (
    ("postconf -e smtpd_milters", lambda t: t.postfix.run("postconf", "-e", "smtpd_milters ="), NOT_KNOWN, DENIED, "listed-without-milter"),
    ("postconf -e of a map list", lambda t: t.postfix.run("postconf", "-e", MAPS), NOT_KNOWN, KNOWN, "listed-missing"),
    ("postconf -P", lambda t: t.postfix.run("postconf", "-P", f"{t.service()}/smtpd_client_restrictions=permit_mynetworks"), KNOWN, KNOWN, ""),
    ("postconf -F", lambda t: t.postfix.run("postconf", "-F", f"{t.service()}/chroot=n"), KNOWN, KNOWN, ""),
    ("postconf -M", lambda t: t.postfix.run("postconf", "-M", f"{t.service()}={t.service().split('/')[0]} inet n - y - - smtpd"), NOT_KNOWN, DENIED, "not-attached"),
    ("main.cf cut at its end", lambda t: t.write("main.cf", t.postfix.files()["main.cf"].split(b"# milter-moved")[0]), KNOWN, KNOWN, "listed-missing"),
    ("main.cf from a template", lambda t: t.write("main.cf", t.before["main.cf"]), NOT_KNOWN, DENIED, "not-attached"),
    ("master.cf from a template", lambda t: t.write("master.cf", t.before["master.cf"]), NOT_KNOWN, DENIED, "not-attached"),
    ("master.cf rewritten, without comments", lambda t: t.write("master.cf", t.postfix.run("postconf", "-M").stdout), KNOWN, KNOWN, ""),
)


class AfterEachTool(Tools):
    def test_no_outage_no_relay_no_mail_for_a_removed_mailbox(self):
        self.begin("smtpd_milters =\nnon_smtpd_milters = $smtpd_milters\n")
        self.before = self.postfix.files()
        for why, tool, removed, retired, finding in TOOLS:
            with self.subTest(why):
                self.write("main.cf", self.before["main.cf"])
                self.write("master.cf", self.before["master.cf"])
                self.attach("--unserved")
                self.settled(KNOWN, KNOWN)
                tool(self)
                self.settled(removed, retired)
                status, said = self.doctor()
                self.assertEqual(status, 1 if finding else 0, said)
                self.assertIn(finding, said)
                self.attach("--unserved")
                self.settled(KNOWN, KNOWN)
                status, said = self.doctor()
                self.assertEqual(status, 0, said)
                self.detach()
                for name, text in self.postfix.files().items():
                    self.assertNotIn(b"moved_", text, name)
                self.settled(NOT_KNOWN, DENIED)

    def test_detach_brings_back_what_a_tool_made_of_a_file(self):
        """Each tool before attach, and after it: detach leaves the same."""
        self.begin("smtpd_milters =\n")
        self.before = self.postfix.files()
        for why, tool, *_ in TOOLS[:5]:
            with self.subTest(why):
                tool(self)
                alone = self.postfix.files()
                self.write("main.cf", self.before["main.cf"])
                self.write("master.cf", self.before["master.cf"])
                self.attach("--unserved", "--raise-limits")
                tool(self)
                self.detach()
                self.assertEqual(self.postfix.files(), alone)
                self.write("main.cf", self.before["main.cf"])
                self.write("master.cf", self.before["master.cf"])


class AfterAnUpgrade(Tools):
    """What a package does when it is upgraded: Postfix's own post-install edits both files, here those of an older version."""

    def older(self):
        self.write("master.cf", re.sub(rb"^(?:retry|scache|proxywrite|anvil|discard) .*\n", b"", self.postfix.files()["master.cf"], flags=re.M))
        return self.postfix.files()

    def upgrade(self):
        sbin = self.postfix.root / "usr/lib/postfix/sbin"
        names = ("command_directory", "daemon_directory", "shlib_directory", "meta_directory", "queue_directory", "data_directory",
                 "mail_owner", "setgid_group", "sendmail_path")
        settings = [f"{name}={self.postfix.run('postconf', '-h', name).stdout.strip()}" for name in names]
        done = subprocess.run(["sh", sbin / "post-install", f"config_directory={self.postfix.conf}", *settings, "upgrade-configuration"],
                              env={**os.environ, **self.postfix.env}, capture_output=True, text=True, timeout=place.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(b"\nproxywrite", self.postfix.files()["master.cf"], done.stdout)
        for name, text in self.postfix.files().items():
            self.write(name, text)

    def test_all_is_as_it_was_and_detach_leaves_what_the_package_made(self):
        self.begin("smtpd_milters =\n")
        older = self.older()
        self.upgrade()
        alone = self.postfix.files()
        self.assertNotEqual(alone["master.cf"], older["master.cf"])
        for name, text in older.items():
            self.write(name, text)
        self.attach("--unserved")
        self.settled(KNOWN, KNOWN)
        self.upgrade()
        self.settled(KNOWN, KNOWN)
        self.assertEqual(self.doctor()[0], 0, self.doctor()[1])
        self.assertIn("nothing to change", self.attach("--unserved"))
        self.detach()
        self.assertEqual(self.postfix.files(), alone)
        self.settled(NOT_KNOWN, DENIED)


class AnOlderAttach(Tools):
    def test_is_said_and_nothing_is_changed(self):
        self.begin()
        for name in ("main.cf", "master.cf"):
            before = self.postfix.files()
            self.write(name, before[name] + b"# milter-moved begin: by movedctl attach, to be taken out by movedctl detach\n")
            files = self.postfix.files()
            for command in ("attach", "detach"):
                done = self.ctl(command, "--yes", "postfix")
                self.assertEqual(done.returncode, 78, done.stderr)
                number = before[name].count(b"\n") + 1
                self.assertIn(f"{name}:{number}: 'milter-moved begin' is of an older movedctl: put back the copy", done.stderr)
            self.assertEqual(self.postfix.files(), files)
            self.write(name, before[name])


class WhatIsNotOurs(Tools):
    def test_detach_refuses_while_a_name_of_ours_stands_elsewhere(self):
        self.begin("smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination\n")
        self.attach()
        for wrong in ("pipemap:{$moved_listed, static:OK}", "socketmap:unix:milter-moved/lookup.sock:refused"):
            attached = self.postfix.files()
            self.postfix.run("postconf", "-e", f"smtpd_recipient_restrictions = permit_mynetworks, check_recipient_access {wrong}, reject_unauth_destination")
            files = self.postfix.files()
            done = self.ctl("detach", "--yes", "postfix")
            self.assertEqual(done.returncode, 78, done.stderr)
            number = files["main.cf"].decode().split(wrong)[0].count("\n") + 1
            self.assertIn(f"main.cf:{number}: ", done.stderr)
            self.assertEqual(self.postfix.files(), files)
            self.assert_closed()
            self.write("main.cf", attached["main.cf"])
        self.detach()

    def test_a_parameter_of_our_name_that_somebody_else_has_set_is_not_taken_over(self):
        self.begin(answers=False)
        before = self.postfix.files()
        for line in ("moved_milter = inet:127.0.0.1:9\n", "moved_unserved = reject\n"):
            self.write("main.cf", line.encode() + before["main.cf"])
            files = self.postfix.files()
            for command in ("attach", "detach"):
                done = self.ctl(command, "--yes", "postfix")
                self.assertEqual(done.returncode, 78, done.stdout)
                self.assertEqual(done.stderr, f"movedctl: {self.postfix.conf}/main.cf:1: '{line.split()[0]}' stands where attach did not put it: "
                                              "take it out, then run this again\n")
            self.assertEqual(self.postfix.files(), files)

    def test_detach_needs_no_configuration_of_ours(self):
        """But the file that is named has to be there."""
        self.begin(answers=False)
        before = self.postfix.files()
        good = self.daemon.conf.read_text()
        for broken in ("socket = ;\n", "table = 7;\n", 'no_such_key = "x";\n'):
            self.attach("--unserved")
            self.daemon.conf.write_text(good + broken)
            self.assertEqual(self.ctl("attach", "--yes", "postfix").returncode, 78)
            attached = self.postfix.files()
            self.postfix.run("postconf", "-e", "smtpd_data_restrictions = check_recipient_access socketmap:unix:milter-moved/lookup.sock:refused")
            done = self.ctl("detach", "--yes", "postfix")
            self.assertEqual(done.returncode, 78)
            self.assertIn("'milter-moved/lookup.sock' stands where attach did not put it", done.stderr)
            for name, text in attached.items():
                self.write(name, text)
            done = self.ctl("detach", "--yes", "postfix")
            self.assertEqual((done.returncode, self.postfix.files()), (0, before), done.stderr)
            self.assertRegex(done.stderr, f"^movedctl: warning: {self.daemon.conf}:[0-9]+: .*; detach goes on with the defaults\n")
            self.daemon.conf.write_text(good)
        self.daemon.conf.unlink()
        self.assertEqual(self.ctl("detach", "--yes", "postfix").returncode, 66)
        self.daemon.conf.write_text(good)

    def test_instances_share_one_daemon(self):
        """Only one of them can be chrooted to where the sockets are; each keeps what it needs when the other is detached."""
        self.start(VIRTUAL, inside=False)
        first = self.postfix
        second = self.stack.enter_context(Stock(self.folder / "q", VIRTUAL.format(folder=self.folder / "q")))
        folder = first.folder / "queue/milter-moved"
        self.attach(status=75)
        self.daemon.stop()
        self.daemon.address, self.daemon.lookups = folder / "milter.sock", folder / "lookup.sock"
        self.daemon.start()
        self.attach()
        self.hears(REMOVED, KNOWN)

        self.postfix = second
        before = second.files()
        self.assertRegex(self.attach(status=78), f'attach.conf: socket = "unix:{folder}/milter.sock" is set for postfix:{first.conf}: .* chroot')
        self.assertEqual(second.files(), before)
        second.run("postconf", "-F", "*/*/chroot=n")
        second.run("postfix", "reload")
        before = second.files()
        self.attach()
        self.hears(REMOVED, KNOWN)
        for one, other in ((first, second), (second, first)):
            self.postfix = one
            self.detach()
            one.run("postfix", "reload")
            self.daemon.stop()
            self.daemon.start()
            self.postfix = other
            self.hears(REMOVED, KNOWN)
            self.postfix = one
            self.attach()
        self.postfix = second
        self.detach()
        self.assertEqual(second.files(), before)

    def test_a_port_for_what_was_accepted_before_is_left_alone(self):
        port, = place.free_ports(1)
        self.begin(services=f"127.0.0.1:{port} inet n - n - - smtpd\n  -o receive_override_options=no_header_body_checks,no_unknown_recipient_checks\n")
        before = self.postfix.rcpt(REMOVED, port)
        self.assertIn(f"127.0.0.1:{port}/inet has no_unknown_recipient_checks in master.cf, and is left alone", self.attach())
        self.hears(REMOVED, KNOWN)
        self.assertEqual(self.postfix.rcpt(REMOVED, port), before)
        self.daemon.stop()
        self.assertEqual(self.postfix.rcpt(PRESENT, port)[:4], "250 ")

    def test_a_port_behind_a_content_filter_is_left_alone(self):
        """Its client is the filter, which may know what the sender may not."""
        self.begin("content_filter = scan:[127.0.0.1]:9\n", answers=False)
        services = (("127.0.0.1:10025", "content_filter="), ("[::1]:10026", "smtpd_proxy_filter="), ("192.0.2.1:587", "content_filter="))
        self.write("master.cf", self.postfix.files()["master.cf"].decode() + "".join(
            f"{name} inet n - n - - smtpd\n  -o {option}\n" for name, option in services))
        done = self.ctl("attach", "--dry-run", "postfix")
        self.assertIn("127.0.0.1:10025/inet has its content filter switched off in master.cf, and is left alone", done.stdout)
        self.assertEqual(done.stdout.count("left alone"), 1)
        self.assertEqual(done.stdout.count("+  -o { moved_milter"), 3)
        self.postfix.run("postconf", "-P", f"{self.service()}/smtpd_proxy_filter=127.0.0.1:9")
        done = self.ctl("attach", "--dry-run", "postfix")
        self.assertIn("[::1]:10026/inet has its content filter switched off in master.cf, and is left alone", done.stdout)
        self.assertEqual(done.stdout.count("+  -o { moved_milter"), 2)

    def test_a_host_whose_every_smtpd_is_left_alone_is_told_so(self):
        self.begin("receive_override_options = no_milters\n", answers=False)
        self.assertIn("nothing is attached: 127.0.0.1:", self.attach(status=78))

    def test_mail_of_the_host_itself_waits_for_nobody(self):
        self.begin("non_smtpd_milters = $smtpd_milters\n")
        self.attach()
        self.hears(REMOVED, KNOWN)
        self.daemon.stop()
        self.assertEqual(self.postfix.outcome(PRESENT, "while it is down"), "sent")

    def test_a_host_without_an_smtpd_is_told_so(self):
        self.begin(answers=False)
        master = self.postfix.files()["master.cf"].decode()
        self.write("master.cf", re.sub(r"^.* smtpd$\n", "", master, flags=re.M))
        files = self.postfix.files()
        self.assertIn("no smtpd takes mail here", self.attach(status=78))
        self.assertEqual(self.postfix.files(), files)

    def test_a_daemon_without_its_table_is_not_attached(self):
        self.begin()
        self.restart(table="/none/such")
        self.daemon.configure(table=str(self.daemon.table))
        files = self.postfix.files()
        self.assertIn("milter-moved cannot read its table", self.attach(status=69))
        self.assertEqual(self.postfix.files(), files)

    def test_a_main_cf_that_is_a_mount_point_is_written_over(self):
        self.begin()
        before = self.postfix.files()
        script = 'mount --bind "$1" "$1" && shift && exec "$@"'
        for command, words in (("attach", b"$moved_listed"), ("detach", before["main.cf"])):
            done = subprocess.run([*place.mounting(), "sh", "-c", script, "sh", self.postfix.conf / "main.cf", *place.program("movedctl"), "-c",
                                   self.daemon.conf, command, "--yes", "--config-dir", self.postfix.conf, "postfix"],
                                  capture_output=True, text=True, check=False, timeout=place.PATIENCE, env={**os.environ, **self.postfix.env})
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(words, self.postfix.files()["main.cf"])
        self.assertEqual(self.postfix.files(), before)

    def test_another_delimiter_than_ours_is_said_and_opens_nothing(self):
        self.begin("recipient_delimiter = -\nsmtpd_reject_unlisted_sender = yes\nsmtpd_recipient_restrictions = reject_unauth_destination\n")
        said = self.attach("--unserved")
        self.assertIn('recipient_delimiter = -, and delimiters = "+"', said)
        self.assertIn("accepted as a sender", said)
        self.assertNotIn("accepted as a sender", self.attach())
        self.hears(REMOVED, KNOWN)
        self.hears(RETIRED, KNOWN)
        for recipient in ("gone-list@virt.example", "gone-list@retired.example"):
            self.assertRegex(self.postfix.rcpt(recipient), "^[45]", recipient)

    def test_detach_from_whatever_is_here(self):
        self.begin()
        before = self.postfix.files()
        self.attach()
        for _ in range(2):
            done = self.ctl("detach", "--yes", "--all")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.postfix.files(), before)
        self.assertEqual(self.daemon.ctl("detach", "--yes", "--all", "--config-dir", self.folder).returncode, 0)
        self.assertEqual(self.daemon.ctl("detach", "--yes").returncode, 64)


# What is set in main.cf, and what attach says of it, once.
SAID = (
    ("smtpd_recipient_restrictions = permit_mynetworks, reject_unverified_recipient, reject_unauth_destination\n", "a removed one gets its answer, not 551"),
    ("smtpd_sender_restrictions = reject_unlisted_sender, permit_mynetworks\n", "accepted as a sender"),
    ("smtpd_reject_unlisted_sender = yes\nsmtpd_sender_restrictions = reject_unlisted_sender\n", "accepted as a sender"),
    ("smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination, check_policy_service inet:127.0.0.1:10023\n", "one that greylists answers 450"),
    ("smtpd_restriction_classes = full\nfull = check_policy_service unix:private/quota-status\n", "one that looks at quotas may refuse"),
    ("smtpd_end_of_data_restrictions = check_policy_service { unix:private/quota-status, timeout=5s }\n", "one that looks at quotas may refuse"),
    ("recipient_delimiter = +-\n", 'recipient_delimiter = +-, and delimiters = "+"'),
    ("multi_instance_enable = yes\nmulti_instance_directories = /none/postfix-out\n", "the other instances are left alone; attach --config-dir for each that takes mail: /none/postfix-out"),
    ("smtpd_milter_maps = cidr:{{192.0.2.8/32 DISABLE}}\n", "remove smtpd_milter_maps and run attach again"),
    ("smtpd_milters = unix:milter-moved/milter.sock\n", "was added by hand, and is left as it is"),
)


class WhatIsSaid(Tools):
    def said(self, main, *args):
        self.write("main.cf", self.before["main.cf"] + main.encode())
        done = self.ctl("attach", "--dry-run", *args, "postfix")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout + done.stderr

    def test_once_where_it_applies_and_not_where_nothing_has_changed(self):
        self.begin(answers=False)
        self.before = self.postfix.files()
        for main, words in SAID:
            with self.subTest(main):
                self.assertEqual(self.said(main).count(words), 1)
                others = {other for _, other in SAID} - {words}
                self.assertEqual([other for other in others if other in self.said(main) and "policy" not in main], [])
        self.said("".join(main for main, _ in SAID[2:]))
        self.attach()
        self.assertEqual(self.attach(), "Attached already: nothing to change.\n")

    def test_a_long_list_is_not_shown_again_and_comes_back_byte_for_byte(self):
        self.begin(answers=False)
        before, long = self.postfix.files(), b"more =\nlocal_recipient_maps = $alias_maps" + 9 * b" inline:{a=b}"
        for tail, whole in ((b"\n# a comment\n", True), (b"  \nlast_one = x\n", True), (b"\n\t$more\n", True), (b"", False), (b"\n\t$more", True)):
            with self.subTest(tail):
                files = {**before, "main.cf": before["main.cf"] + long + tail}
                self.write("main.cf", files["main.cf"])
                self.write("master.cf", before["master.cf"])
                said = self.attach()
                self.assertEqual("\n-local_recipient_maps" not in said, whole, said)
                self.assertIn("$moved_listed", self.postfix.run("postconf", "-h", "local_recipient_maps").stdout)
                self.detach()
                self.assertEqual(self.postfix.files(), files)

    def test_lists_of_domains_in_files_as_postfix_reads_them(self):
        domains, more, itself = (self.folder / name for name in ("domains", "more", "itself"))
        domains.write_text("# virt.example retired.example\n\t# retired.example\nother.example, virt.example\n")
        more.write_text("virt.example\n")
        itself.write_text(f"other.example\n{itself}\n")
        self.begin(answers=False)
        before = self.postfix.files()
        self.before = {"main.cf": before["main.cf"].replace(b"virtual_mailbox_domains = virt.example", b"virtual_mailbox_domains = $these")}
        self.daemon.hold(*[(f"gone@{domain}", "gone@new.example") for domain in ("virt.example", "other.example", "retired.example")])
        for these, served in ((domains, 2), (f"!{more}, {domains}", 1), (f"!!{domains}", 2), (f"!{domains}, regexp:{{{{/example/ x}}}}", 1)):
            with self.subTest(str(these)):
                said = self.said(f"these = {these}\n")
                self.assertIn(f"{served} domain{'s' * (served > 1)} of class virtual mailbox", said)
        self.write("main.cf", self.before["main.cf"] + f"these = {itself}\n".encode())
        done = self.ctl("attach", "--dry-run", "postfix")
        self.assertEqual((done.returncode, done.stderr), (78, f"movedctl: {itself}: is a list that names itself: take that out\n"))


# Where the refusal to relay stands.
REFUSALS = {
    "relay, as Postfix has it": "",
    "recipient": "smtpd_relay_restrictions =\nsmtpd_recipient_restrictions = permit_mynetworks,\n  reject_unverified_sender, reject_unauth_destination\n",
    "client": "smtpd_relay_restrictions =\nsmtpd_client_restrictions = permit_mynetworks, reject_unauth_destination\nsmtpd_recipient_restrictions = reject_unauth_destination\n",
    "sender, helo": "smtpd_relay_restrictions = permit_mynetworks reject_unauth_destination\nsmtpd_helo_restrictions = reject_unauth_destination\nsmtpd_sender_restrictions = reject_unauth_destination\n",
    "a class": "smtpd_restriction_classes = gate\ngate = permit_mynetworks, reject_unauth_destination\nsmtpd_relay_restrictions = gate\n",
    "without permit_mynetworks": "smtpd_relay_restrictions = reject_unauth_destination\n",
    "what is not refused passes": "smtpd_relay_restrictions = permit_mynetworks, permit_auth_destination, reject\n",
}

# The words elsewhere: where attach puts nothing before them.
NO_REFUSAL = (
    "smtpd_client_restrictions = check_client_access inline:{{198.51.100.9=reject_unauth_destination}}, check_helo_access static:{{permit_mynetworks, permit_auth_destination}}\n",
    "smtpd_helo_restrictions = warn_if_reject reject_unauth_destination, warn_if_reject,\n  defer_unauth_destination\n",
)


class NoLongerServed(Tools):
    def test_wherever_the_refusal_stands(self):
        for where, more in REFUSALS.items():
            with self.subTest(where):
                self.begin(more.replace("reject_unverified_sender, ", ""))
                before = self.postfix.files()
                self.attach("--unserved")
                self.settled(KNOWN, KNOWN)
                denied = "rejected: Access denied" if "permit_auth_destination" in more else "Relay access denied"
                self.assertRegex(self.postfix.rcpt("nobody@retired.example"), denied)
                self.detach()
                self.assertEqual(self.postfix.files(), before)
            self.doCleanups()
            self.setUp()

    def test_nothing_is_put_into_a_table_nor_behind_warn_if_reject(self):
        """Postfix defers all mail for a table that it cannot read, and warns of the next restriction alone."""
        self.begin("".join(NO_REFUSAL))
        before = self.postfix.files()
        self.attach("--unserved")
        for line in NO_REFUSAL:
            self.assertIn(line.format().encode(), self.postfix.files()["main.cf"])
        self.settled(KNOWN, KNOWN)
        self.detach()
        self.assertEqual(self.postfix.files(), before)

    def test_where_nothing_refuses_it_is_said_and_nothing_is_changed(self):
        self.begin()
        before = self.postfix.files()
        before["main.cf"] = re.sub(rb"(?m)^smtpd_relay_restrictions = .*", b"smtpd_relay_restrictions = permit_mynetworks, reject", before["main.cf"])
        self.write("main.cf", before["main.cf"])
        self.assertIn("/main.cf: --unserved has no effect: no list of restrictions has reject_unauth_destination", self.attach("--unserved", status=78))
        self.assertEqual(self.postfix.files(), before)

    def test_without_the_lookup_socket_strangers_are_deferred(self):
        """No table of Postfix has another answer in place of one that fails."""
        self.begin()
        self.attach("--unserved")
        self.settled(KNOWN, KNOWN)
        self.restart(lookup_socket="")
        for recipient in (PRESENT, UNKNOWN, REMOVED, RETIRED, "victim@elsewhere.example"):
            self.assertRegex(self.postfix.rcpt(recipient), "^451 4[.]3[.][05] ", recipient)
        self.restart(lookup_socket=f"unix:{self.daemon.lookups}")
        self.settled(KNOWN, KNOWN)

    def test_what_would_only_be_forwarded_is_not_let_in(self):
        self.begin()
        self.daemon.hold((RETIRED, "gone@new.example"), ("fwd@retired.example", "fwd@new.example", "forward"))
        self.attach("--unserved")
        self.hears(RETIRED, KNOWN)
        self.assertRegex(self.postfix.rcpt("fwd@retired.example"), "Relay access denied")
        done = self.ctl("lint", "--mta", "postfix")
        self.assertEqual((done.returncode, done.stdout), (1, "fwd@retired.example: warning: is to be forwarded, but Postfix accepts no "
                                                             "mail for retired.example: accept mail for it, or write reject\n"))
        self.daemon.hold((RETIRED, "gone@new.example"), (REMOVED, "gone@new.example", "forward"))
        self.assertEqual(self.ctl("lint", "--mta", "postfix").returncode, 0)
        self.assertEqual(self.ctl("lint", "--mta", "exim").returncode, 64)


if __name__ == "__main__":
    unittest.main()
