# SPDX-License-Identifier: BSD-2-Clause
"""The lookup socket: what the maps say, to Postfix and on the socket itself, and what clients can do to each other."""

import contextlib
import fcntl
import json
import re
import resource
import select
import signal
import socket
import sys
import termios
import time
import unittest

from lib import classes, place
from lib.daemon import Daemon, handed_over, listening
from lib.load import Load
from lib.milter import Milter
from lib.postfix import Postfix
from lib.socketmap import Socketmap, frame

MOVED = "551 5.1.6 User not local; please try <{}>"


def unread(client):
    """The octets that wait for this client."""
    return int.from_bytes(fcntl.ioctl(client.socket, termios.FIONREAD, bytes(4)), sys.byteorder)


class Lookups(unittest.TestCase):
    settings = {}

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.folder = self.stack.enter_context(place.folder())
        self.daemon = self.stack.enter_context(Daemon(self.folder / "d", **self.settings))
        self.daemon.hold(("alice@old.example", "alice@new.example"), ("@bulk.example", "@new.example"))

        self.session = self.stack.enter_context(self.daemon.session())

    def client(self, **how):
        return self.stack.enter_context(Socketmap(self.daemon.lookups, **how))

    def test_each_map_says_what_the_milter_would(self):
        client = self.client()
        self.assertEqual(client.ask("listed Alice+x@OLD.example"), "OK alice+x@old.example")
        self.assertEqual(client.ask("listed nobody@old.example"), "NOTFOUND ")
        self.assertEqual(client.ask("listed alice"), "NOTFOUND ")
        self.assertEqual(client.ask("relocated bob@bulk.example"), "OK bob@new.example")
        self.assertEqual(client.ask("reply 192.0.2.7 0 0 alice@old.example"), "OK moved alice@new.example")
        self.assertEqual(client.ask("reply 192.0.2.7 0 0 <alice@old.example> eva@client.example"), "OK moved alice@new.example")
        self.assertEqual(client.ask("reply 0 0 0 alice@old.example"), "NOTFOUND ")

    def test_listed_says_yes_only_while_a_milter_session_is_open(self):
        client = self.client()
        self.assertEqual(client.ask("listed alice@old.example"), "OK alice@old.example")
        with Milter(self.daemon.address):  # one that is not negotiated is none
            self.session.close()
            place.until(lambda: not client.ask("listed alice@old.example").startswith("OK "), "the session is over")
            self.assertRegex(client.ask("listed alice@old.example"), "^TEMP milter-moved has just started")
        self.assertEqual(client.ask("listed nobody@old.example"), "NOTFOUND ")
        self.assertEqual(client.ask("relocated alice@old.example"), "OK alice@new.example")
        self.assertEqual(client.ask("reply 192.0.2.7 0 0 alice@old.example"), "OK moved alice@new.example")
        with self.daemon.session():
            self.assertEqual(client.ask("listed alice@old.example"), "OK alice@old.example")

    def test_a_key_of_any_length_is_answered_with_the_address_alone(self):
        client = self.client()
        for length in range(900, 1600, 25):
            self.assertEqual(client.ask(f"listed @{'a' * length}:alice@old.example"), "OK alice@old.example")

    def test_an_answer_that_a_sender_reads_is_logged(self):
        self.client().ask("reply 192.0.2.7 0 0 alice@old.example")
        line = "to=<alice@old.example>, client=unknown[192.0.2.7], map=reply, entry=alice@old.example, reply=551 5.1.6"
        place.until(lambda: self.daemon.count(line) == 1, "the line in the log", self.daemon.log)

    def test_a_new_entry_is_found_by_the_next_look_up(self):
        client = self.client()
        self.assertEqual(client.ask("listed carol@old.example"), "NOTFOUND ")
        self.daemon.movedctl("add", "carol@old.example", "carol@new.example")
        self.assertEqual(client.ask("listed carol@old.example"), "OK carol@old.example")

    def test_requests_in_pieces_and_in_one(self):
        client = self.client()
        request = frame("listed alice@old.example")
        for octet in request:
            client.send(bytes([octet]))
        self.assertEqual(client.receive(), "OK alice@old.example")
        client.send(request * 3000 + request[:10])
        for _ in range(3000):
            self.assertEqual(client.receive(), "OK alice@old.example")
        client.send(request[10:])
        self.assertEqual(client.receive(), "OK alice@old.example")

    def test_requests_without_end_before_the_first_answer_is_read(self):
        """Short ones with long answers, and the other way round: what fits in no buffer waits for the client."""
        self.daemon.movedctl("add", "m@old.example", f"{'m' * 60}@{'.'.join(['m' * 60] * 3)}")
        client = self.client()
        for request in (b"listed alice@old.example", b"relocated m@old.example", b"listed @" + b"a" * 900 + b":alice@old.example"):
            one, sent = frame(request), 0
            expected = client.ask(request)
            self.assertRegex(expected, "^OK ")
            client.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    sent += client.socket.send((one * 300)[sent % len(one):])
            client.socket.settimeout(place.PATIENCE)
            for _ in range(sent // len(one)):
                self.assertEqual(client.receive(), expected)
            client.send(one[sent % len(one):])
            self.assertEqual(client.receive(), expected)

    def test_an_answer_that_the_socket_takes_in_parts(self):
        self.session.close()
        self.daemon.stop()
        self.daemon.env = {**place.preloading("calls", self.folder), "CALLS_FAIL": "send", "CALLS_AT": "1"}
        self.daemon.start()
        client = self.client()
        client.send(frame("relocated alice@old.example") + frame("relocated bob@bulk.example"))
        self.assertEqual([client.receive(), client.receive()], ["OK alice@new.example", "OK bob@new.example"])

    def test_a_request_too_long_for_an_address_is_not_found_and_the_next_one_is_answered(self):
        client = self.client()
        for length in (1990, 2048, 5000, 99_990):
            client.send(frame("listed " + "a" * length) + frame("listed alice@old.example"))
            self.assertEqual(client.receive(), "NOTFOUND ")
            self.assertEqual(client.receive(), "OK alice@old.example")

    def test_what_is_no_request_ends_that_connection_alone(self):
        other = self.client()
        for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"100001:", b"5:abcdeX", b"x", b"\0" * 100, b"-1:,"):
            client = self.client()
            client.send(nonsense)
            self.assertTrue(client.is_closed(), nonsense)
            self.assertEqual(other.ask("listed alice@old.example"), "OK alice@old.example")
        self.assertTrue(self.daemon.process.lives())

    def test_an_unknown_map_is_no_answer_and_is_logged(self):
        self.assertTrue(self.client().ask("liste alice@old.example").startswith("TEMP no such map"))
        place.until(lambda: self.daemon.count("'liste alice@old.example'") == 1, "the name in the log")

    def test_half_a_request_and_answers_nobody_takes_are_given_up_and_silence_between_requests_is_not(self):
        half, greedy, silent = self.client(), self.client(), self.client()
        half.send(b"24:listed ali")
        before = -1
        while (waiting := unread(greedy)) > before:  # until one of its answers fits into no buffer
            before = waiting
            greedy.send(frame("listed alice@old.example"))
            for _ in range(2):  # the second is answered after it
                silent.ask("listed alice@old.example")
        with Load(lambda: self.client().ask("listed alice@old.example")) as load:
            load.goes_on(50)
        self.assertTrue(half.is_closed())
        hung_up = select.poll()
        hung_up.register(greedy.socket, 0)
        self.assertEqual(hung_up.poll(1000 * place.PATIENCE), [(greedy.socket.fileno(), select.POLLHUP)])
        self.assertEqual(silent.ask("listed alice@old.example"), "OK alice@old.example")

    def test_so_many_connections_as_a_large_mail_server_opens(self):
        clients = [self.client() for _ in range(600)]
        for _ in range(3):
            for client in clients:
                client.send(frame("listed alice@old.example"))
            for client in clients:
                self.assertEqual(client.receive(), "OK alice@old.example")
        for client in clients[:300]:
            client.socket.close()
        self.assertEqual(clients[-1].ask("listed alice@old.example"), "OK alice@old.example")

    def test_above_4096_connections_the_one_that_was_silent_longest_is_closed(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 5000:
            place.lacking("no process may open 5000 files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 5000), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        clients = [self.client() for _ in range(2)]
        for client in reversed(clients):
            client.ask("listed alice@old.example")
        for _ in range(4095):
            clients.append(self.client())
            clients[-1].ask("listed alice@old.example")
        self.assertTrue(clients[1].is_closed())
        for client in (clients[0], clients[2], clients[-1]):
            self.assertEqual(client.ask("listed alice@old.example"), "OK alice@old.example")

    def test_clients_that_vanish_at_every_moment(self):
        request = frame("listed alice@old.example")
        for length in range(len(request) + 1):
            with Socketmap(self.daemon.lookups) as client:
                client.send(request[:length])
        self.assertEqual(self.client().ask("listed alice@old.example"), "OK alice@old.example")

    def test_a_reload_and_a_table_that_cannot_be_read(self):
        client = self.client()
        (self.daemon.table / "data.mdb").rename(self.folder / "away")
        place.until(lambda: client.ask("listed alice@old.example").startswith("TEMP "), "TEMP")
        self.assertEqual(client.ask("listed alice"), "NOTFOUND ")
        self.daemon.configure(on_table_error="accept")
        self.daemon.reload()
        self.assertEqual(client.ask("listed alice@old.example"), "NOTFOUND ")
        (self.folder / "away").rename(self.daemon.table / "data.mdb")
        place.until(lambda: client.ask("listed alice@old.example") == "OK alice@old.example", "OK")

    def test_in_observe_mode_nothing_is_found_and_the_log_says_what_would_have_been(self):
        self.daemon.configure(mode="observe")
        self.daemon.reload()
        client = self.client()
        for request in ("listed alice@old.example", "relocated alice@old.example",
                        "reply 192.0.2.7 0 0 alice@old.example"):
            self.assertEqual(client.ask(request), "NOTFOUND ")
        place.until(lambda: self.daemon.count("map=reply, entry=alice@old.example, observed reply=551") == 1,
                    "the line in the log", self.daemon.log)

    def test_an_open_connection_is_served_while_sessions_are_drained_and_holds_the_end_up_no_longer(self):
        client = self.client()
        client.ask("listed alice@old.example")
        self.session.close()
        self.assertEqual(self.daemon.stop(signal.SIGTERM), 0)
        self.assertTrue(client.is_closed())
        self.assertFalse(self.daemon.lookups.exists())

    def test_while_sessions_are_drained_a_new_connection_is_served(self):
        self.daemon.process.kill(signal.SIGTERM)
        self.daemon.logged("stopping")
        end = time.monotonic() + 0.5  # more than the daemon takes until nobody can connect to the milter
        while time.monotonic() < end:
            with Socketmap(self.daemon.lookups) as client:
                self.assertEqual(client.ask("listed alice@old.example"), "OK alice@old.example")
        self.session.close()
        self.assertEqual(self.daemon.process.wait(), 0)

    def test_a_restart_that_overlaps_leaves_the_new_socket(self):
        other = self.daemon.launch()
        self.addCleanup(other.end)
        place.until(lambda: self.daemon.count("ready on") == 2, "both are ready", self.daemon.log)
        self.session.close()
        self.daemon.stop()
        self.stack.enter_context(self.daemon.session())
        self.assertEqual(self.client().ask("listed alice@old.example"), "OK alice@old.example")

    def test_sockets_handed_over_by_systemd_are_told_apart_by_their_path(self):
        self.session.close()
        self.daemon.stop()
        with listening(self.folder / "m.sock") as milter, listening(self.daemon.lookups) as lookups:
            for listeners in ([milter, lookups], [lookups, milter]):
                process = handed_over(listeners, self.daemon.command(), self.folder / "handed.log")
                self.addCleanup(process.end)
                self.assertEqual(self.client().ask("relocated alice@old.example"), "OK alice@new.example")
                self.assertEqual(process.end(), 0)
                self.assertTrue(self.daemon.lookups.exists())


class WithoutSocket(unittest.TestCase):
    def test_no_lookup_socket_where_none_is_wanted(self):
        with place.folder() as folder, Daemon(folder / "d", lookup_socket="") as daemon:
            self.assertFalse(daemon.lookups.exists())

    def test_one_that_is_wanted_and_cannot_be_made_is_an_error(self):
        with place.folder() as folder:
            daemon = Daemon(folder / "d")
            daemon.movedctl("init")
            daemon.lookups.write_text("precious")
            self.assertEqual(daemon.launch().wait(), 73)
            self.assertIn("lookup_socket: ", daemon.log())
            self.assertEqual(daemon.lookups.read_text(), "precious")
            self.assertFalse(daemon.address.exists())


class ThroughPostfix(unittest.TestCase):
    """Mailboxes that Postfix itself no longer knows; each address class that has a list of mailboxes."""

    def test_a_removed_mailbox_is_answered_with_551_and_an_unknown_one_is_unknown(self):
        with place.folder() as folder, Daemon(folder / "d", group=Postfix.group) as daemon:
            daemon.hold(("alice@old.example", "alice@new.example"), ('"two words"@old.example', "two@new.example"))
            doors, services = classes.doors(daemon)
            with Postfix(folder / "postfix", doors, more_services=services) as postfix:
                for door in doors:
                    with self.subTest(door), postfix.talk(door) as talk:
                        talk.mail()
                        self.assertEqual(talk.rcpt("Alice+x@OLD.example"), MOVED.format("alice+x@new.example"))
                        self.assertEqual(talk.rcpt('"two words"@old.example'), MOVED.format("two@new.example"))
                        self.assertTrue(talk.rcpt("here@old.example").startswith("250 2.1.5 "))
                        self.assertTrue(talk.rcpt("nobody@old.example").startswith("550 5.1.1 "))
                daemon.configure(mode="observe")
                daemon.reload()
                for door in doors:
                    with self.subTest(f"{door}, observing"), postfix.talk(door) as talk:
                        talk.mail()
                        self.assertTrue(talk.rcpt("alice@old.example").startswith("550 5.1.1 "))

    def test_a_server_whose_milters_were_replaced_refuses_in_its_own_words(self):
        with place.folder() as folder, Daemon(folder / "d", group=Postfix.group).runs_for_an_hour() as daemon:
            daemon.hold(("alice@old.example", "alice@new.example"))
            doors, services = classes.doors(daemon)
            doors.update({f"{name} alone": (milter, {**settings, "smtpd_milters": ""}) for name, (milter, settings) in doors.items()})
            with Postfix(folder / "postfix", doors, more_services=services) as postfix:
                for door in doors:
                    with self.subTest(door), postfix.talk(door) as talk:
                        talk.mail()
                        self.assertTrue(talk.rcpt("alice@old.example").startswith("550 5.1.1 " if "alone" in door else "551 5.1.6 "))
                    place.until(lambda: json.loads(daemon.movedctl("stats", "--json"))["sessions_open"] == 0, "the session is over")

    def test_a_restart_between_mail_and_rcpt_defers(self):
        with place.folder() as folder, Daemon(folder / "d", group=Postfix.group) as daemon:
            daemon.hold(("alice@old.example", "alice@new.example"))
            doors, services = classes.doors(daemon)
            with Postfix(folder / "postfix", doors, more_services=services) as postfix, contextlib.ExitStack() as stack:
                talks = {door: stack.enter_context(postfix.talk(door)) for door in doors}
                for talk in talks.values():
                    talk.mail()
                daemon.stop(signal.SIGKILL)
                daemon.start()
                for door, talk in talks.items():
                    self.assertRegex(talk.rcpt("alice@old.example"), "^4[0-9][0-9] 4", door)

    def test_an_address_with_percent_signs_is_shown_as_it_is(self):
        with place.folder() as folder, Daemon(folder / "d", group=Postfix.group) as daemon:
            names = ("a%0b", "%1", "%%", "a%b", "a%")
            daemon.hold(*((f"m{n}@old.example", f"{name}@new.example") for n, name in enumerate(names)),
                        *((f"{name}@old.example", f"{name}@new.example") for name in names))
            doors, services = classes.doors(daemon)
            doors = {"virtual": doors["virtual"],
                     "relocated": (doors["virtual"][0], {"smtpd_milters": "", "rewrite_service_name": "rewrite-relocated"})}
            services += f"rewrite-relocated unix - - n - - trivial-rewrite\n  -o relocated_maps=socketmap:unix:{daemon.lookups}:relocated\n"
            # Else a%b@old.example is a@b to it, or relayed.
            with Postfix(folder / "postfix", doors, more_services=services, more="allow_percent_hack = no\nallow_untrusted_routing = yes\n") as postfix, \
                    daemon.session(), Socketmap(daemon.lookups) as client:
                for n, name in enumerate(names):
                    for mailbox in (f"m{n}", name):
                        with postfix.talk("virtual") as talk:
                            talk.mail()
                            self.assertEqual(talk.rcpt(f"{mailbox}@old.example"), MOVED.format(f"{name}@new.example"))
                        with postfix.talk("relocated") as talk:
                            talk.mail()
                            self.assertRegex(talk.rcpt(f"{mailbox}@old.example"), f" User has moved to {re.escape(name)}@new.example$")
                        self.assertEqual(client.ask(f"listed {mailbox}@old.example"), f"OK {mailbox}@old.example")

    def test_postmap_asks_it_too(self):
        with place.folder() as folder, Daemon(folder / "d", group=Postfix.group) as daemon:
            daemon.hold(("alice@old.example", "alice@new.example"))
            with Postfix(folder / "postfix", {"unix": (daemon.socket.postfix, {})}) as postfix:
                done = postfix.run("postmap", "-q", "-", f"socketmap:unix:{daemon.lookups}:relocated",
                                   stdin="alice@old.example\nbob@old.example\n")
                self.assertEqual(done.stdout, "alice@old.example\talice@new.example\n")


if __name__ == "__main__":
    unittest.main()
