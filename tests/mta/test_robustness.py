# SPDX-License-Identifier: BSD-2-Clause
"""What goes wrong around the daemon, with real mail servers in front of it: no moved mailbox is ever accepted for that."""

import re
import signal
import socket
import struct
import unittest

from lib import place
from lib.load import Load
from lib.site import SiteCase

NEW = "551 5.1.6 User not local; please try <alice@new.example>"
LATER = re.compile(r"(to MAIL: )?4\d\d ")


class UnderLoad(SiteCase):
    """alice has moved; asked about her from four sides at once while the daemon comes and goes."""

    def setUp(self):
        super().setUp()
        for site in self.every_site:
            site.hold(("alice@old.example", "alice@new.example"))

    def ask(self, site):
        return lambda: site.rcpt("alice@old.example")

    def assert_refused_or_put_off(self, load):
        wrong = {said: times for said, times in load.said.items() if said != NEW and not LATER.match(said)}
        self.assertEqual(wrong, {}, "neither the reply nor a 4xx")

    def test_a_killed_daemon_puts_mail_off_and_answers_when_it_is_back(self):
        for site in self.sites():
            with Load(self.ask(site)) as load:
                for _ in range(3):
                    load.hears(NEW)
                    site.daemon.stop(signal.SIGKILL)
                    load.goes_on()
                    site.daemon.start()
                load.hears(NEW)
            self.assert_refused_or_put_off(load)
            self.assertEqual(site.rcpt("alice@old.example"), NEW)

    def test_a_stop_answers_the_sessions_that_are_open(self):
        for site in self.sites():
            talks = [site.talk() for _ in range(10)]
            for talk in talks:
                talk.mail()
                self.assertEqual(talk.rcpt("alice@old.example"), NEW)
            site.daemon.process.kill(signal.SIGTERM)
            place.until(lambda: site.daemon.count("stopping"), "the daemon begins to stop")
            for talk in talks:
                for _ in range(5):
                    self.assertEqual(talk.rcpt("alice@old.example"), NEW)
                talk.say("QUIT")
                talk.close()
            self.assertEqual(site.daemon.process.wait(), 0)
            site.daemon.start()
            self.assertEqual(site.rcpt("alice@old.example"), NEW)

    def test_a_restart_under_load_accepts_nothing(self):
        for site in self.sites():
            with Load(self.ask(site)) as load:
                for _ in range(2):
                    load.hears(NEW)
                    self.assertEqual(site.daemon.stop(), 0)
                    site.daemon.start()
                load.hears(NEW)
            self.assert_refused_or_put_off(load)

    def test_an_overlapping_restart_on_a_unix_socket_loses_no_reply(self):
        for site in self.sites(ways=("unix",)):
            with Load(self.ask(site)) as load:
                for _ in range(3):
                    old, ready = site.daemon.process, site.daemon.count("ready on")
                    site.daemon.process = site.daemon.launch()
                    place.until(lambda: site.daemon.count("ready on") > ready, "the new daemon is ready")
                    load.goes_on()
                    self.assertEqual(old.end(), 0)
                    load.goes_on()
            self.assertEqual(set(load.said), {NEW})
            self.assertTrue(site.daemon.socket.address.exists())

    def test_a_reload_under_load_drops_nothing_and_is_in_force_at_once(self):
        for site in self.sites():
            held = site.talk()
            held.mail()
            self.assertEqual(held.rcpt("alice@old.example"), NEW)
            expected = {NEW}
            with Load(self.ask(site)) as load:
                for n in range(5):
                    site.daemon.configure(replies={"moved": f"551 5.1.6 Text {n}; please try <${{new}}>"})
                    site.daemon.reload()
                    expected.add(f"551 5.1.6 Text {n}; please try <alice@new.example>")
                    self.assertIn(f"Text {n};", site.rcpt("alice@old.example"))
                    self.assertIn(f"Text {n};", held.rcpt("alice@old.example"))
                    load.goes_on(10)
                site.daemon.configure(replies=None)
                site.daemon.reload()
                self.assertEqual(held.rcpt("alice@old.example"), NEW)
            held.close()
            self.assertEqual(set(load.said) - expected, set())

    def test_a_bad_new_configuration_is_refused_and_the_old_one_stays(self):
        for site in self.sites(ways=("unix",)):
            good = site.daemon.conf.read_text()
            for bad in ('surprise = 1;', 'mode = 7;', 'replies: { moved = "250 2.1.5 ${new}"; };',
                        'replies: { moved = "551 5.1.6 a\\nb ${new}"; };', 'disclosure: {', ''):
                site.daemon.conf.write_text(f"{good}{bad}" if bad else 'table = "/nowhere"; mode =')
                site.daemon.reload("the old one stays in force")
                self.assertEqual(site.rcpt("alice@old.example"), NEW, bad)
            site.daemon.conf.write_text(good)
            site.daemon.reload()
            self.assertEqual(site.rcpt("alice@old.example"), NEW)


class Vanishing(SiteCase):
    """Clients that hang up in the middle."""

    STEPS = ("HELO client.example", "MAIL FROM:<sender@client.example>", "RCPT TO:<here@old.example>",
             "RCPT TO:<alice@old.example>", "DATA", "Subject: cut", "RCPT TO:<al")

    def test_a_client_that_vanishes_at_any_step_does_no_harm(self):
        for site in self.sites():
            site.hold(("alice@old.example", "alice@new.example"))
            for steps in range(len(self.STEPS) + 1):
                for reset in (True, False):
                    with socket.create_connection(("127.0.0.1", site.port), timeout=place.PATIENCE) as client:
                        answers = client.makefile("rb")
                        answers.readline()
                        for line in self.STEPS[:steps]:
                            client.sendall(line.encode() + (b"" if line.endswith("<al") else b"\r\n"))
                            if line[:4] in ("HELO", "MAIL", "RCPT", "DATA") and not line.endswith("<al"):
                                answers.readline()
                        answers.close()
                        if reset:
                            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.assertEqual(site.rcpt("alice@old.example"), NEW)
            self.assertTrue(site.daemon.process.lives())


if __name__ == "__main__":
    unittest.main()
