# SPDX-License-Identifier: BSD-2-Clause
"""A Sendmail as Debian sets it up: its own sendmail.mc, submit.mc and makefile, with only what lets it run privately.

Each client address of 127.0.0.0/8 but 127.0.0.1 is a stranger's. What is for mailboxes of the host is delivered to a folder."""

import contextlib
import os
import pathlib
import pwd
import re
import shutil
import signal
import smtplib
import subprocess

from lib import place
from lib.smtp import Talk

# Where the package's own paths lie here, the longest first.
PATHS = (("/usr/share/sendmail", "share"), ("/var/run/sendmail", "run"), ("/var/lib/sendmail", "lib"),
         ("/var/spool/mqueue-client", "client"), ("/var/spool/mqueue", "queue"), ("/etc/mail", "mail"),
         ("/etc/aliases", "mail/aliases"), ("/etc/cron.d", "run"), ("/etc/init.d", "run"), ("/usr/sbin/sensible-mda", "deliver"))

# Accounts that the package would make, and a name service that nobody waits for.
PRIVATE = """\
define(`confTRUSTED_USER', `root')dnl
define(`confDEF_USER_ID', `nobody:nogroup')dnl
define(`confSERVICE_SWITCH_FILE', `{folder}/mail/service.switch')dnl
define(`confTO_IDENT', `0')dnl
define(`confLOG_LEVEL', `14')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `0')dnl
define(`confCONNECTION_RATE_THROTTLE', `0')dnl
define(`confBAD_RCPT_THROTTLE', `0')dnl
FEATURE(`accept_unresolvable_domains')dnl
"""

# An /etc/hosts of its own, so that nothing is asked of a name server.
HOSTS = """\
127.0.0.1 localhost mx.old.example
::1 localhost mx.old.example
127.0.0.2 stranger.client.example
127.0.0.5 refused.client.example
"""

MSP = """\
define(`confRUN_AS_USER', `nobody:nogroup')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {port}')dnl
"""

# Each message into a file of its own: what LOCAL_MAILER_PATH is on Debian wants another package.
DELIVER = """\
#!/bin/sh
exec cat > {folder}/spool/"$2".$$
"""


class StockSendmail:
    """A context. more: lines for sendmail.mc before the mailers; tail: lines behind them; less: what its own lines that go begin with;
    bsd: what sendmail.mc is called where, as on the BSDs, it leaves cf.m4 to m4's command line."""

    def __init__(self, folder, more="", tail="", less=(), domains=("old.example",), bsd=None):
        self.folder = pathlib.Path(folder)
        self.more, self.tail, self.less, self.domains, self.bsd = more, tail, less, domains, bsd
        self.less = (*less, "include(`/") if bsd else less
        self.ports = dict(zip(("smtp", "submission"), place.free_ports(2)))
        self.process = None

    # ---- what the package's scripts do

    def _here(self, text):
        for path, name in PATHS:
            here = f"{self.folder}/{name}"
            text = text.replace(path, here).replace(path.replace("/", "\\/"), here.replace("/", "\\/"))
        return re.sub("smmsp|smmta", "root", text)

    def _unpack(self):
        source, share = self.root / "usr/share/sendmail", self.folder / "share"
        for name in ("mail/m4", "run/mta", "run/msp", "run/stampdir", "lib/host_status", "client", "queue", "spool"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "queue").chmod(0o700)
        for name in ("client", "run/msp"):
            os.chown(self.folder / name, *pwd.getpwnam("nobody")[2:4])
            (self.folder / name).chmod(0o770)
        (self.folder / "spool").chmod(0o1777)
        shutil.copytree(source / "cf", share / "cf")
        for name in ("Parse_conf.pm", "Parse_mc.pm", "parse_mc", "update_mk"):
            shutil.copy2(source / name, share / name)
        for path in [*share.glob("*"), *share.glob("cf/*/*")]:
            if path.is_file():
                path.write_text(self._here(path.read_text(errors="surrogateescape")), errors="surrogateescape")

    def _files(self):
        mail = self.folder / "mail"
        for name in ("dialup", "provider"):
            (mail / f"m4/{name}.m4").touch()
        (mail / "service.switch").write_text((self.root / "etc/mail/service.switch-nodns").read_text())
        (mail / "local-host-names").write_text("\n".join(("localhost", *self.domains)) + "\n")
        (mail / "trusted-users").touch()
        (mail / "aliases").write_text("postmaster: root\n")
        (mail / "sendmail.conf").write_text("HANDS_OFF='No';\n")
        # A client from 127.0.0.1 alone may relay: the others are strangers.
        access = (self.root / "usr/share/sendmail/examples/db/access").read_text()
        (mail / "access").write_text(access.replace("Connect:127\t", "Connect:127.0.0.1\t"))
        deliver = self.folder / "deliver"
        deliver.write_text(DELIVER.format(folder=self.folder))
        deliver.chmod(0o755)

    def _write_mc(self):
        debian = (self.folder / "share/cf/debian/sendmail.mc").read_text()
        debian = debian.replace("Port=smtp", f"Port={self.ports['smtp']}")
        debian = debian.replace("Port=submission", f"Port={self.ports['submission']}")
        for line in self.less:
            assert line in debian
            debian = re.sub(f"^{re.escape(line)}.*\n", "", debian, flags=re.MULTILINE)
        setup = "dnl # Default Mailer setup\n"
        assert setup in debian
        private = PRIVATE.format(folder=self.folder)
        self.mc.write_text(debian.replace(setup, private + self.more + setup) + self.tail)
        submit = (self.folder / "share/cf/debian/submit.mc").read_text()
        msp = private + MSP.format(port=self.ports["smtp"])
        (self.conf / "submit.mc").write_text(submit.replace("FEATURE(`msp'", msp + "FEATURE(`msp'"))

    def _write_commands(self):
        """sendmail and makemap, as they are found in PATH; under a host name with a dot: it sleeps a minute over one without."""
        (self.folder / "bin").mkdir()
        hosts = pathlib.Path("/etc/hosts")
        if not hosts.exists():  # nothing can be mounted there: then a copy of its folder has it
            hosts = hosts.parent
            subprocess.run(["cp", "-a", hosts, self.folder / "hosts"], check=True)
        (self.folder / "hosts" / "hosts" if hosts.is_dir() else self.folder / "hosts").write_text(HOSTS)
        apart = f"{' '.join(place.mounting())} --uts"
        inside = f"mount --bind {self.folder}/hosts {hosts} && "
        for name, more in (("sendmail", ""), ("makemap", f"-C {self.cf}")):
            path = self.folder / "bin" / name
            path.write_text(
                "#!/bin/sh\n"
                f"export LD_LIBRARY_PATH={(self.root / 'lib-path').read_text().strip()}\n"
                f"exec {apart} sh -c '{inside}hostname mx.old.example && exec \"$0\" \"$@\"' "
                f"{self.root}/usr/libexec/sendmail/{name} {more} \"$@\"\n")
            path.chmod(0o755)

    @property
    def conf(self):
        return self.folder / "mail"

    @property
    def mc(self):
        return self.conf / (self.bsd or "sendmail.mc")

    @property
    def cf(self):
        return self.conf / "sendmail.cf"

    def rebuild(self, name="sendmail"):
        mc, share = self.mc if name == "sendmail" else self.conf / f"{name}.mc", self.folder / "share/cf"
        first = [f"-D_CF_DIR_={share}/", share / "m4/cf.m4"] if self.bsd and name == "sendmail" else []
        m4 = subprocess.run(["m4", *first, mc], cwd=self.conf, capture_output=True, text=True, check=True)
        assert "*** ERROR" not in m4.stderr, m4.stderr
        (self.conf / f"{name}.cf").write_text(m4.stdout)

    def map(self, name, *lines):
        """Makes the table NAME of these lines."""
        with open(self.conf / name, "a") as file:
            file.writelines(line + "\n" for line in lines)
        subprocess.run(["makemap", "hash", self.conf / f"{name}.db"], input=(self.conf / name).read_text(),
                       env=self.env, check=True, capture_output=True, text=True)

    def command(self, *args, stdin=""):
        """sendmail(8) with the server's own configuration; what subprocess.run returns."""
        return subprocess.run(["sendmail", "-C", self.cf, *args], input=stdin, env=self.env, capture_output=True,
                              text=True, timeout=place.PATIENCE)

    def ruleset(self, name, address, **macros):
        """What a ruleset makes of the address: sendmail -bt. Macros of more than one letter are written in braces there."""
        lines = [f".D{{{macro}}}{value}" for macro, value in macros.items()] + [f"{name} {address}"]
        shown = self.command("-bt", stdin="\n".join(lines) + "\n").stdout
        return re.findall(rf"^{name[:16]} +returns: (.*)", shown, re.MULTILINE)[-1]

    def makefile(self):
        """The package's own, made by its own scripts."""
        for script in ("parse_mc", "update_mk"):
            subprocess.run([self.folder / "share" / script], cwd=self.conf, env=self.env, check=True,
                           capture_output=True)
        self.cf.unlink(missing_ok=True)
        subprocess.run(["make", "-C", self.conf, self.cf], env=self.env, check=True, capture_output=True)

    # ---- running

    def __enter__(self):
        self.root = place.unpacked("sendmail")
        self.folder.mkdir(exist_ok=True)
        self.env = {**os.environ, "PATH": f"{self.folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin:{self.root}/usr/bin"}
        self._unpack()
        self._write_commands()
        self._files()
        self._write_mc()
        self.rebuild()
        self.rebuild("submit")
        self.map("access")
        self.command("-bi")
        return self

    def start(self):
        """What it logs goes into a file too (-D, -d89.8), for nobody here hears syslog(3)."""
        command = ["sendmail", "-C", self.cf, "-bD", "-D", self.folder / "log", "-d89.8"]
        self.process = place.Process(command, self.folder / "log", env=self.env)
        try:
            for port in self.ports.values():
                place.until(lambda: self._listens(port), "Sendmail listens", self.log)
            place.until(self._is_named, "Sendmail has written its pid file", self.log)
        except BaseException:
            self.stop()
            raise
        return self

    def _listens(self, port):
        if not self.process.lives():
            raise AssertionError(f"Sendmail ended with {self.process.wait()}:\n{self.log()[-3000:]}")
        return place.listens(("127.0.0.1", port))

    def _is_named(self):
        """Its pid file is written after it has begun to listen; attach and doctor look there for it."""
        path = re.search("^O PidFile=(.*)", self.cf.read_text(), re.MULTILINE)[1]
        with contextlib.suppress(FileNotFoundError):
            return pathlib.Path(path).read_text().startswith(f"{self.process.pid}\n")

    def stop(self):
        """One that restarts itself does not hear the first signal."""
        def ends():
            if self.process.lives():
                self.process.kill(signal.SIGTERM)
            return not self.process.lives()
        if self.process:
            place.until(ends, "Sendmail ends")

    def __exit__(self, *_):
        self.stop()

    def log(self):
        return self.process.printed()

    def files(self):
        """What is configured: name -> text, of sendmail.mc, sendmail.cf and what lies beside them but for dated copies."""
        return {path.name: path.read_bytes() for path in self.conf.iterdir()
                if path.is_file() and not re.search(r"\.2\d+-.*Z$", path.name)}

    # ---- mail

    def stranger(self, port=None, source="127.0.0.2"):
        """A session of a client that may not relay."""
        return Talk(port or self.ports["smtp"], source=source)

    def rcpt(self, recipient, port=None, source="127.0.0.2", sender="sender@client.example"):
        """The reply to this recipient, or to MAIL where that is refused."""
        with self.stranger(port, source) as talk:
            said = talk.mail(sender)
            return talk.rcpt(recipient) if said.startswith("250") else said

    def assert_closed(self):
        """No open relay: a stranger's mail to somebody elsewhere is refused. It may be restarting itself."""
        def ask():
            self._listens(self.ports["smtp"])
            with contextlib.suppress(OSError, smtplib.SMTPException):
                return self.rcpt("victim@elsewhere.example")
        said = place.until(ask, "Sendmail answers", self.log)
        if not said.startswith(("4", "5")):
            raise AssertionError(f"an open relay: {said}")

    def submit(self, recipient, subject):
        """sendmail(1) as users call it: through submit.cf to our own port. What it showed of the dialogue."""
        done = subprocess.run(["sendmail", "-C", self.conf / "submit.cf", "-Ac", "-odi", "-v", "-f", "root", recipient],
                              input=f"To: {recipient}\nSubject: {subject}\n\nHello.\n", env=self.env,
                              capture_output=True, text=True, timeout=place.PATIENCE)
        return done.stdout + done.stderr

    def hears(self, recipient, expected):
        """Waits for this reply: Sendmail restarts itself when it is told of a change."""
        def look():
            self._listens(self.ports["smtp"])
            with contextlib.suppress(OSError, smtplib.SMTPException):
                return self.rcpt(recipient).startswith(expected)
        place.until(look, f"'{expected}' for {recipient}")

    def outcome(self, recipient, subject):
        """What becomes of a message by sendmail(1): 'sent' (it waits until it is delivered), or the reply to its recipient."""
        shown = self.submit(recipient, subject)
        replies = re.findall(r"^>>> RCPT To:<[^\n]*\n(?:>>> DATA\n)?(\d[^\n]*)", shown, re.MULTILINE)
        if not replies or not replies[0].startswith("250"):
            return replies[0] if replies else shown
        self.took(subject)
        return "sent"

    def took(self, subject):
        """Waits until the message with this subject is delivered; the file that it is in."""
        def look():
            return next((path for path in (self.folder / "spool").iterdir()
                         if f"Subject: {subject}\n" in path.read_text(errors="replace")), None)
        return place.until(look, f"'{subject}' is delivered", self.log)
