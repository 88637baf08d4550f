# SPDX-License-Identifier: BSD-2-Clause
"""A Postfix as Debian sets it up: its own main.cf and master.cf, chroot and all, with only what lets it run privately."""

import os
import pathlib
import pwd
import re
import smtplib

from lib import place
from lib.postfix import GROUP, OWNER, Postfix
from lib.smtp import Talk

# What the package's postinst adds to main.cf.debian for 'Internet Site'; {host} stands for the host's name.
DEBIAN = """\
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = mx.old.example
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
mydestination = $myhostname, old.example, localhost.old.example, localhost
relayhost = 
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = all
inet_protocols = all
"""

PRIVATE = """\
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {root}/etc/postfix
sendmail_path = {root}/usr/sbin/sendmail
mail_owner = {owner}
setgid_group = {group}
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH
export_environment = TZ MAIL_CONFIG LANG LD_LIBRARY_PATH
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
mail_spool_directory = {folder}/spool/
smtpd_peername_lookup = no
smtpd_authorized_xclient_hosts = 127.0.0.1
"""


class Stock(Postfix):
    """A context. more: lines for main.cf; services: lines for master.cf."""

    def __init__(self, folder, more="", services="", main=DEBIAN):
        super().__init__(folder, {"smtp": None})
        self.more, self.services, self.main = more, services, main

    def _write(self):
        owner = pwd.getpwnam(OWNER)
        share = self.root / "usr/share/postfix"
        for name in ("conf", "queue", "data", "spool"):
            (self.folder / name).mkdir()
        (self.folder / "spool").chmod(0o1777)
        os.chown(self.folder / "data", owner.pw_uid, owner.pw_gid)
        (self.folder / "conf/aliases").write_text("postmaster: root\n")
        main = (share / "main.cf.debian").read_text() + self.main.replace("hash:/etc", f"lmdb:{self.folder}/conf")
        main += PRIVATE.format(folder=self.folder, root=self.root, owner=OWNER, group=GROUP) + self.more
        master = (share / "master.cf.dist").read_text()
        master = re.sub(r"^smtp( +)inet", rf"127.0.0.1:{self.ports['smtp']}\1inet", master, flags=re.MULTILINE)
        (self.folder / "conf/main.cf").write_text(main)
        (self.folder / "conf/master.cf").write_text(master + self.services)
        self.run("postalias", f"lmdb:{self.folder}/conf/aliases")

    @property
    def conf(self):
        return self.folder / "conf"

    def files(self):
        return {name: (self.conf / name).read_bytes() for name in ("main.cf", "master.cf")}

    def stranger(self, client="192.0.2.7", port=None):
        """A session of a client somewhere else, whatever mynetworks says of us."""
        try:
            talk = Talk(port or self.ports["smtp"])
        except smtplib.SMTPException as error:
            raise AssertionError(f"Postfix does not greet:\n{self.log()[-3000:]}") from error
        talk.say(f"XCLIENT ADDR={client} NAME=client.example")
        talk.say("EHLO client.example")
        return talk

    def rcpt(self, recipient, port=None):
        """The reply to this recipient, or to MAIL where that is refused."""
        with self.stranger(port=port) as talk:
            said = talk.mail()
            return talk.rcpt(recipient) if said.startswith("250") else said

    def assert_closed(self):
        """No open relay: a stranger's mail to somebody elsewhere is refused at each port; where Postfix is stopped nobody takes it."""
        for port in filter(lambda port: place.listens(("127.0.0.1", port)), self.ports.values()):
            said = self.rcpt("victim@elsewhere.example", port)
            if not said.startswith(("4", "5")):
                raise AssertionError(f"an open relay at port {port}: {said}")

    def outcome(self, recipient, subject):
        """What becomes of a message by sendmail(1): 'sent', 'bounced', 'deferred'."""
        self.submit(recipient, subject)
        pattern = re.compile(rf"to=<{re.escape(recipient)}>, .*status=(\w+) ")
        before = getattr(self, "read", 0)

        def look():
            found = pattern.search(self.log()[before:])
            return found and found.group(1)
        said = place.until(look, f"Postfix is done with '{subject}'", self.log)
        self.read = len(self.log())
        return said
