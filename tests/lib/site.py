# SPDX-License-Identifier: BSD-2-Clause
"""Sites: each a mail server that asks a milter-moved of ours with a table of its own, over one of the three kinds of socket."""

import contextlib
import unittest

from lib import place
from lib.daemon import Daemon
from lib.postfix import Postfix
from lib.sendmail import Sendmail
from lib.smtp import Talk

WAYS = ("unix", "inet", "inet6")


class Site:
    """One door of a mail server with the daemon behind it."""

    def __init__(self, server, way, daemon):
        self.server, self.way, self.daemon = server, way, daemon
        self.port = server.ports[way]
        self.movedctl, self.hold = daemon.movedctl, daemon.hold

    def __str__(self):
        return f"{type(self.server).__name__} over {self.way}"

    def talk(self):
        return Talk(self.port)

    def rcpt(self, recipient, *parameters):
        """The reply to this recipient in a session of its own."""
        with self.talk() as talk:
            said = talk.mail("sender@client.example", *parameters)
            return talk.rcpt(recipient) if said.startswith("250") else f"to MAIL: {said}"


class SiteCase(unittest.TestCase):
    """Starts the servers once for the class; every test begins with empty tables."""

    mtas = (Postfix, Sendmail)
    ways = WAYS
    settings = {}     # of every daemon
    more_doors = {}   # of Postfix, to the first way's daemon: name -> settings of that smtpd
    longMessage = True
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        if "inet6" in cls.ways and not place.has_ipv6():
            if place.in_ci():
                place.lacking("no ::1 to listen on")
            cls.ways = tuple(way for way in cls.ways if way != "inet6")
        cls.folder = stack.enter_context(place.folder())
        cls.every_site = [site for mta in cls.mtas for site in cls._start(stack, mta)]

    @classmethod
    def _start(cls, stack, mta):
        daemons, doors = {}, {}
        for way in cls.ways:
            daemon = Daemon(cls.folder / f"{mta.mta}-{way}", way, mta.group, **cls.settings)
            daemons[way] = stack.enter_context(daemon)
            doors[way] = (getattr(daemon.socket, mta.mta), {})
        first = cls.ways[0]
        if mta is Postfix:
            doors.update({name: (doors[first][0], settings) for name, settings in cls.more_doors.items()})
        server = stack.enter_context(mta(cls.folder / mta.mta, doors, local_milter=doors[first][0], **cls.more(mta)))
        return [Site(server, way, daemon) for way, daemon in daemons.items()]

    @classmethod
    def more(cls, mta):
        """What else this mail server is made with."""
        return {}

    def setUp(self):
        self.here = None
        for site in self.every_site:
            if not site.daemon.process.lives():
                self.fail(f"milter-moved of {site} has ended:\n{site.daemon.log()[-3000:]}")
            site.hold()

    def sites(self, *mtas, ways=WAYS):
        """Each site of these mail servers; what fails is reported with its name."""
        for site in self.every_site:
            if isinstance(site.server, mtas or (Postfix, Sendmail)) and site.way in ways:
                self.here = site
                yield site
        self.here = None

    def _formatMessage(self, msg, standardMsg):
        text = super()._formatMessage(msg, standardMsg)
        return f"{self.here}: {text}" if self.here else text
