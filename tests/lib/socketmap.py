# SPDX-License-Identifier: BSD-2-Clause
"""The socketmap protocol, as Postfix and Sendmail speak it: a client of the lookup socket, and a server of other tables."""

import contextlib
import pathlib
import socket
import socketserver
import threading

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


class _Talk(socketserver.StreamRequestHandler):
    def handle(self):
        with contextlib.suppress(ConnectionError):
            while length := b"".join(iter(lambda: self.rfile.read(1).strip(b":"), b"")):
                name, _, key = self.rfile.read(int(length)).decode().partition(" ")
                self.rfile.read(1)
                value = self.server.tables.get(name, {}).get(key)
                said = f"OK {value}" if value else "NOTFOUND "
                self.wfile.write(f"{len(said)}:{said},".encode())


@contextlib.contextmanager
def serving(path, tables):
    """Answers at this path from a dict of dicts, {table: {key: value}}."""
    with socketserver.ThreadingUnixStreamServer(str(path), _Talk) as server:
        server.daemon_threads, server.block_on_close, server.tables = True, False, tables
        pathlib.Path(path).chmod(0o666)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
