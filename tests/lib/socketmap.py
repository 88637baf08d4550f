# SPDX-License-Identifier: BSD-2-Clause
"""A client of the lookup socket: the socketmap protocol, as Postfix and Sendmail speak it."""

import socket

from lib import place


class Socketmap:
    """A connection, and a context. ask('listed alice@old.example') returns 'OK alice@old.example'."""

    def __init__(self, path, timeout=place.PATIENCE):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.rest = b""
        self.socket.connect(str(path))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """The next answer."""
        while True:
            head, colon, rest = self.rest.partition(b":")
            if colon and len(rest) > int(head):
                payload, end, self.rest = rest[:int(head)], rest[int(head):int(head) + 1], rest[int(head) + 1:]
                if end != b",":
                    raise AssertionError(f"no netstring: {self.rest!r}")
                return payload.decode()
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("the server hung up")
            self.rest += more

    def ask(self, request):
        self.send(frame(request))
        return self.receive()

    def is_closed(self):
        """Waits until the server hangs up."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True


def frame(request):
    data = request.encode() if isinstance(request, str) else request
    return b"%d:%s," % (len(data), data)
