# SPDX-License-Identifier: BSD-2-Clause
"""The server of the new addresses: takes every message and remembers its envelope. Mailboxes called refused… get 550."""

import socketserver
import threading

from lib import place

EXTENSIONS = ("8BITMIME", "DSN", "SMTPUTF8")


class Message:
    """What came in one transaction; sender and recipients as '<al@new.example> NOTIFY=NEVER'."""

    def __init__(self, sender, recipients, text):
        self.sender, self.recipients, self.text = sender, recipients, text


class _Talk(socketserver.StreamRequestHandler):
    def say(self, *lines):
        for line in lines[:-1]:
            self.wfile.write(f"{line[:3]}-{line[4:]}\r\n".encode())
        self.wfile.write(f"{lines[-1]}\r\n".encode())

    def handle(self):
        self.say("220 mx.new.example ESMTP")
        sender, recipients = None, []
        for line in self.rfile:
            line = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            verb = line[:4].upper()
            if verb == "EHLO":
                self.say("250 mx.new.example", *(f"250 {name}" for name in self.server.extensions))
            elif verb == "MAIL":
                sender, recipients = line[len("MAIL FROM:"):], []
                self.say("250 2.1.0 Ok")
            elif verb == "RCPT" and "<refused" in line:
                self.say("550 5.1.1 No such mailbox")
            elif verb == "RCPT":
                recipients.append(line[len("RCPT TO:"):])
                self.say("250 2.1.5 Ok")
            elif verb == "DATA":
                self.say("354 End with a dot")
                text = self.text()
                self.server.took.append(Message(sender, recipients, text))
                self.say("250 2.0.0 Ok")
            elif verb == "QUIT":
                self.say("221 2.0.0 Bye")
                return
            else:
                self.say("250 2.0.0 Ok")

    def text(self):
        lines = []
        for line in self.rfile:
            line = line.decode("utf-8", "surrogateescape").rstrip("\r\n")
            if line == ".":
                break
            lines.append(line)
        return "\n".join(lines) + "\n"


class Sink(socketserver.ThreadingTCPServer):
    """A context: listens on 127.0.0.1:port until it ends."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, extensions=EXTENSIONS):
        super().__init__(("127.0.0.1", 0), _Talk)
        self.port = self.server_address[1]
        self.extensions = extensions
        self.took = []

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def find(self, words):
        """The messages whose text has these words."""
        return [message for message in list(self.took) if words in message.text]

    def message(self, words):
        """Waits for the message whose text has these words; there must be one only."""
        (message,) = place.until(lambda: self.find(words), f"the server of the new addresses takes '{words}'")
        return message
