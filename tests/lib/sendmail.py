# SPDX-License-Identifier: BSD-2-Clause
"""A private Sendmail on 127.0.0.1: its own sendmail.cf and queue. It keeps what it accepts in the queue and delivers nothing."""

import pathlib
import re
import subprocess

from lib import place

MC = """\
divert(-1)
include(`{root}/usr/share/sendmail/cf/m4/cf.m4')
divert(0)dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mx.old.example')dnl
define(`confPID_FILE', `{folder}/sendmail.pid')dnl
define(`QUEUE_DIR', `{folder}/queue')dnl
define(`STATUS_FILE', `{folder}/statistics')dnl
define(`HELP_FILE', `')dnl
define(`ALIAS_FILE', `')dnl
define(`confHOST_STATUS_DIRECTORY', `')dnl
define(`confSERVICE_SWITCH_FILE', `{folder}/service.switch')dnl
define(`confDEF_USER_ID', `nobody:nogroup')dnl
define(`confDELIVERY_MODE', `queueonly')dnl
define(`confDONT_BLAME_SENDMAIL', `TrustStickyBit')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confTO_IDENT', `0')dnl
define(`confLOG_LEVEL', `14')dnl
define(`confQUEUE_LA', `0')dnl
define(`confREFUSE_LA', `0')dnl
define(`confCONNECTION_RATE_THROTTLE', `0')dnl
define(`confMAX_DAEMON_CHILDREN', `0')dnl
define(`LOCAL_MAILER_PATH', `/bin/false')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
MODIFY_MAILER_FLAGS(`LOCAL', `-w')dnl
{more}{doors}define(`confINPUT_MAIL_FILTERS', `{first}')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
LOCAL_CONFIG
Cwold.example bulk.example xn--bcher-kva.example
"""


class Sendmail:
    """A context. Doors are ports, each with its own milter, or None: doors={'unix': (milter, {})}."""

    mta = "sendmail"
    group = "root"

    def __init__(self, folder, doors, local_milter=None, more=""):
        self.folder = pathlib.Path(folder)
        self.doors = doors
        self.more = more  # lines for sendmail.mc
        self.ports = dict(zip(doors, place.free_ports(len(doors))))
        self.process = None

    def _write(self):
        doors, first = "", next((door for door, (milter, _) in self.doors.items() if milter), "")
        for door, (milter, _) in self.doors.items():
            if milter:
                doors += f"MAIL_FILTER(`{door}', `S={milter}, F=T, T=C:10s;S:30s;R:30s;E:60s')dnl\n"
            doors += f"DAEMON_OPTIONS(`Name=D{door}, Addr=127.0.0.1, Port={self.ports[door]}, InputMailFilters={door if milter else ''}')dnl\n"
        (self.folder / "queue").mkdir(mode=0o700)
        (self.folder / "statistics").touch()
        (self.folder / "service.switch").write_text("hosts files\naliases files\n")
        (self.folder / "sendmail.mc").write_text(MC.format(root=self.root, folder=self.folder, doors=doors, more=self.more,
                                                           first=first))
        m4 = subprocess.run(["m4", f"-D_CF_DIR_={self.root}/usr/share/sendmail/cf/", self.folder / "sendmail.mc"],
                            capture_output=True, text=True, env=self.env, check=True)
        (self.folder / "sendmail.cf").write_text(m4.stdout)

    def command(self, *args):
        """Under a host name with a dot: it sleeps a minute over one without."""
        named = ["unshare", "--uts", "sh", "-c", 'hostname mx.old.example; exec "$0" "$@"']
        return named + [f"{self.root}/usr/libexec/sendmail/sendmail", "-C", f"{self.folder}/sendmail.cf", *args]

    def __enter__(self):
        self.root = place.unpacked("sendmail")
        self.env = {
            "PATH": f"/usr/sbin:/usr/bin:/sbin:/bin:{self.root}/usr/bin",
            "LD_LIBRARY_PATH": (self.root / "lib-path").read_text().strip(),
        }
        self.folder.mkdir(exist_ok=True)
        self._write()
        self.process = place.Process(self.command("-bD", "-X", f"{self.folder}/traffic"),
                                     self.folder / "log", env=self.env)
        try:
            for port in self.ports.values():
                place.until(lambda: self._listens(port), "Sendmail listens", self.log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def submit(self, recipient, subject):
        """sendmail -bs, as programs on this host talk to it; its replies. One line at a time: it takes no pipelining before EHLO."""
        said = []
        with subprocess.Popen(self.command("-bs"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                              env=self.env) as process:
            said.append(process.stdout.readline())
            for line in ("HELO localhost", "MAIL FROM:<cron@old.example>", f"RCPT TO:<{recipient}>", "DATA",
                         f"Subject: {subject}\n\nHello.\n.", "QUIT"):
                process.stdin.write(line.replace("\n", "\r\n") + "\r\n")
                process.stdin.flush()
                said.append(process.stdout.readline())
        return "".join(said)

    def _listens(self, port):
        if not self.process.lives():
            raise AssertionError(f"Sendmail ended:\n{self.log()[-3000:]}")
        return place.listens(("127.0.0.1", port))

    def __exit__(self, *_):
        self.process.end()

    def log(self):
        return self.process.printed()

    def settle(self):
        """Waits until nothing is on its way."""
        queue = self.folder / "queue"
        try:
            place.until(lambda: not any(queue.iterdir()), "Sendmail's queue is empty")
        except AssertionError as error:
            left = [file.read_text(errors="replace") for file in queue.glob("qf*")]
            raise AssertionError("\n".join([str(error), *left, self.log()])) from None

    def recipients(self, subject):
        """For whom the message is queued: the R lines of its envelope, flags before the colon."""
        return re.findall(r"^R[A-Z]*:<?([^>\n]*)>?$", self.took(subject), re.MULTILINE)

    def took(self, subject):
        """Waits until the message with this subject lies in the queue; returns its envelope and header."""
        def look():
            for file in (self.folder / "queue").glob("qf*"):
                text = file.read_text(errors="replace")
                if f"Subject: {subject}\n" in text:
                    return text
            return None
        return place.until(look, f"Sendmail queues '{subject}'", self.log)
