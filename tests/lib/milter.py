# SPDX-License-Identifier: BSD-2-Clause
"""The mail server's side of the milter protocol (version 6), for what no mail server lets a test do."""

import ipaddress
import socket
import struct

from lib import place

ACTIONS, STEPS = 0x1FF, 0x1FFFFF  # all that libmilter 8.17 knows
NO_STEP = {"C": 0x01, "H": 0x02, "M": 0x04, "R": 0x08, "T": 0x200, "N": 0x40}
NO_REPLY = {"C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000, "T": 0x10000, "N": 0x40000, "B": 0x80000}
WORDS = {"c": "continue", "a": "accept", "d": "discard", "r": "reject", "t": "tempfail", "s": "skip"}
CHANGES = {"+": "add", "2": "add", "-": "delete"}


class Milter:
    """One session. Commands return 'continue' or another word, or the reply as the client of the mail server would read it."""

    def __init__(self, address, timeout=place.PATIENCE):
        family = socket.AF_UNIX if not isinstance(address, tuple) else \
            socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(timeout)
        self.changes = []  # ("add", "<to@new.example>"): what was asked for at the end of the message
        self.steps = 0
        self.sent = self.received = 0  # packets
        try:
            self.socket.connect(address if family != socket.AF_UNIX else str(address))
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, command, data=b""):
        self.sent += 1
        self.socket.sendall(struct.pack(">I", 1 + len(data)) + command.encode() + data)

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise ConnectionError("the milter hung up")
            data += more
        return data

    def receive(self):
        (length,) = struct.unpack(">I", self._exactly(4))
        data = self._exactly(length)
        self.received += 1
        return data[:1].decode(), data[1:]

    def negotiate(self, actions=ACTIONS, steps=STEPS, version=6):
        self.send("O", struct.pack(">III", version, actions, steps))
        command, data = self.receive()
        if command != "O":
            raise ConnectionError(f"the milter answered {command!r} to the negotiation")
        version, self.actions, self.steps = struct.unpack(">III", data[:12])
        self.negotiated = data  # with the lists of macros
        return version, self.actions, self.steps

    def macros(self, command, **values):
        """Names of more than one letter are written {so}."""
        pairs = b"".join(
            (name if len(name) == 1 else "{" + name + "}").encode() + b"\0" + value.encode() + b"\0"
            for name, value in values.items())
        self.send("D", command.encode() + pairs)

    def ask(self, command, data=b""):
        """Sends a command if it was agreed that it is sent, and waits for the answer if it was agreed that there is one."""
        if self.steps & NO_STEP.get(command, 0):
            return "continue"
        self.send(command, data)
        if self.steps & NO_REPLY.get(command, 0):
            return "continue"
        return self.answer()

    def answer(self):
        while True:
            command, data = self.receive()
            if command == "y":
                return data.rstrip(b"\0").decode().replace("%%", "%")
            if command in WORDS:
                return WORDS[command]
            if command in CHANGES:
                self.changes.append((CHANGES[command], data.split(b"\0")[0].decode()))
            elif command != "p":
                raise ConnectionError(f"the milter sent {command!r}")

    def connect(self, client="192.0.2.7", port=25000, host="client.example"):
        """client: an IP address; None for a session of which the mail server knows no address."""
        if client is None:
            data = b"U"
        else:
            family = b"4" if ipaddress.ip_address(client).version == 4 else b"6"
            data = family + struct.pack(">H", port) + client.encode() + b"\0"
        return self.ask("C", host.encode() + b"\0" + data)

    def helo(self, name="client.example"):
        return self.ask("H", name.encode() + b"\0")

    def _path(self, command, path, parameters):
        words = [path.encode() if isinstance(path, str) else path] + [word.encode() for word in parameters]
        return self.ask(command, b"\0".join(words) + b"\0")

    def mail(self, sender="<sender@client.example>", *parameters):
        return self._path("M", sender, parameters)

    def rcpt(self, recipient, *parameters):
        return self._path("R", recipient, parameters)

    def data(self):
        """From DATA to the end of an empty message; what is answered there."""
        self.changes = []
        for command in "TN":
            said = self.ask(command)
            if said != "continue":
                return said
        self.send("E")
        return self.answer()

    def abort(self):
        self.send("A")

    def quit(self):
        self.send("Q")

    def begin(self, client="192.0.2.7", *parameters, auth=None):
        """As far as the first RCPT."""
        self.negotiate()
        self.connect(client)
        self.helo()
        self.start_mail(*parameters, auth=auth)
        return self

    def start_mail(self, *parameters, auth=None, queue_id="4XkQ2z1"):
        self.macros("M", i=queue_id, **({"auth_authen": auth, "auth_type": "PLAIN"} if auth else {}))
        return self.mail("<sender@client.example>", *parameters)


def ask(address, recipient, client="192.0.2.7", *parameters, **who):
    """One recipient in a session of its own."""
    with Milter(address) as milter:
        said = milter.begin(client, *parameters, **who).rcpt(recipient)
        milter.quit()
    return said
