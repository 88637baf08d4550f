# SPDX-License-Identifier: BSD-2-Clause
"""A private Postfix on 127.0.0.1: its own configuration, queue and data folders, accounts that every Debian has."""

import contextlib
import os
import pathlib
import pwd
import re
import signal
import subprocess

from lib import place
from lib.smtp import Talk

# Postfix wants an account and a group that nothing else of it uses; these come with every Debian and have no other use here.
OWNER, GROUP = "irc", "uucp"

MAIN = """\
compatibility_level = 3.6
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
inet_interfaces = 127.0.0.1
inet_protocols = all
mynetworks = 127.0.0.0/8
myhostname = mx.old.example
myorigin = old.example
mydestination =
virtual_mailbox_domains = old.example, bulk.example, xn--bcher-kva.example, bücher.example
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
default_transport = error:5.4.4 nothing leaves this machine
alias_maps =
alias_database =
smtputf8_enable = yes
smtpd_recipient_restrictions = reject_unauth_destination
smtpd_relay_restrictions =
smtpd_authorized_xclient_hosts = 127.0.0.1
append_dot_mydomain = no
smtpd_peername_lookup = no
smtpd_tls_security_level = none
milter_default_action = accept
"""

MASTER = """\
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
showq     unix  n - n - - showq
postlog   unix-dgram n - n - 1 postlogd
"""

# Out of the way: a test that is not about them asks for many moved mailboxes in one session.
NO_LIMITS = {"smtpd_soft_error_limit": "10000", "smtpd_hard_error_limit": "10001"}

# For main.cf: else each recipient takes a second once 100 messages have been begun and given up.
NO_DELAY = "in_flow_delay = 0s\n"


class Postfix:
    """A context. Doors are smtpd services, each with its own port and milter: doors={'unix': (milter, settings)}."""

    mta = "postfix"
    group = OWNER  # smtpd runs as the owner, in the owner's group, and that one has to open the milter socket

    def __init__(self, folder, doors, local_milter=None, more_services="", more="", sasl=None):
        self.folder = pathlib.Path(folder)
        self.doors = doors
        self.local_milter = local_milter
        self.more_services = more_services  # lines for master.cf
        self.sasl = sasl  # the folder that sasl.accounts made
        self.more = more  # and for main.cf, instead of those that are there
        self.ports = dict(zip(doors, place.free_ports(len(doors))))

    def _write(self):
        owner, nobody = pwd.getpwnam(OWNER), pwd.getpwnam("nobody")
        main = MAIN.format(folder=self.folder, root=self.root, owner=OWNER, group=GROUP, uid=nobody.pw_uid,
                           gid=nobody.pw_gid)
        if self.local_milter:
            main += f"non_smtpd_milters = {self.local_milter}\n"
        # Never the same name twice: postlogd would warn itself of it, and wait for itself to read that.
        ours = {line.split(" = ")[0] for line in self.more.splitlines()}
        main = "".join(line + "\n" for line in main.splitlines() if line.split(" =")[0] not in ours) + self.more
        master = MASTER + self.more_services
        for door, (milter, settings) in self.doors.items():
            master += f"127.0.0.1:{self.ports[door]} inet n - n - 200 smtpd\n"
            milter = f"{{ {milter}, default_action=tempfail, connect_timeout=10s }}"
            for name, value in {"smtpd_milters": milter, **NO_LIMITS, **settings}.items():
                master += f"  -o {{ {name} = {value} }}\n"
        for name in ("conf", "queue", "data", "mail"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "data", owner.pw_uid, owner.pw_gid)
        os.chown(self.folder / "mail", nobody.pw_uid, nobody.pw_gid)
        (self.folder / "conf/main.cf").write_text(main)
        if self.sasl:
            (self.folder / "conf/sasl").symlink_to(self.sasl)  # where Debian's looks
        (self.folder / "conf/master.cf").write_text(master)

    def run(self, program, *args, stdin=""):
        """Runs one of Postfix's commands on this instance."""
        return subprocess.run([self.root / "usr/sbin" / program, *args], input=stdin, capture_output=True,
                              text=True, env=self.env, timeout=place.PATIENCE)

    def __enter__(self):
        self.root = place.unpacked("postfix")
        self.env = {
            "PATH": f"{self.root}/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LD_LIBRARY_PATH": (self.root / "lib-path").read_text().strip(),
            "MAIL_CONFIG": f"{self.folder}/conf",
        }
        self.folder.mkdir(exist_ok=True)
        self._write()
        try:
            done = self.run("postfix", "-c", f"{self.folder}/conf", "start")
            if done.returncode != 0:
                raise AssertionError(f"postfix start: {done.stdout}{done.stderr}{self.log()}")
            for port in self.ports.values():
                place.until(lambda: place.listens(("127.0.0.1", port)), "Postfix listens", self.log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        """Master leads a session of its own, and knows who its parts are."""
        with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
            pid = int((self.folder / "queue/pid/master.pid").read_text())
            os.kill(pid, signal.SIGTERM)
            place.until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "Postfix's master ends")

    def log(self):
        path = self.folder / "postfix.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def submit(self, recipient, subject):
        """sendmail(1)."""
        done = self.run("sendmail", "-f", "cron@old.example", recipient, stdin=f"Subject: {subject}\n\nHello.\n")
        if done.returncode != 0:
            raise AssertionError(f"sendmail: {done.stderr}")

    def settle(self):
        """Waits until nothing is on its way."""
        place.until(lambda: not any(file.is_file() for name in ("maildrop", "incoming", "active", "deferred", "bounce", "defer")
                                    for file in (self.folder / "queue" / name).rglob("*")),
                    "Postfix's queue is empty", self.log)

    def talk(self, door):
        return Talk(self.ports[door])

    def recipients(self, subject):
        """To whom the message was delivered."""
        return re.findall(r"^Delivered-To: (.*)$", self.took(subject), re.MULTILINE)

    def took(self, subject):
        """Waits until the message with this subject lies in the mailbox; returns it."""
        def look():
            for file in (self.folder / "mail/all/new").glob("*"):
                text = file.read_text(errors="replace")
                if f"Subject: {subject}\n" in text:
                    return text
            return None
        return place.until(look, f"Postfix delivers '{subject}'", self.log)
