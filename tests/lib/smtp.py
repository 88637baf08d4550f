# SPDX-License-Identifier: BSD-2-Clause
"""An SMTP client that shows each reply exactly as it came."""

import smtplib
import threading
import time

from lib import place


class Talk(smtplib.SMTP):
    """A session with the server at 127.0.0.1:port, from the address source. Each line said returns its reply: '250 2.1.0 Ok', lines separated by '\\n'."""

    def __init__(self, port, hello=True, timeout=60, source="127.0.0.1"):
        super().__init__("127.0.0.1", port, local_hostname="client.example", timeout=timeout, source_address=(source, 0))
        self.command_encoding = "utf-8"
        if hello:
            self.say("EHLO client.example")

    def reply(self):
        code, text = self.getreply()
        return f"{code} {text.decode('utf-8', 'backslashreplace')}"

    def say(self, line):
        self.putcmd(line)
        return self.reply()

    def say_all(self, *lines):
        """Pipelining (RFC 2920): all lines in one write, then all replies."""
        self.send("".join(line + "\r\n" for line in lines))
        return [self.reply() for _ in lines]

    def mail(self, sender="sender@client.example", *parameters):
        return self.say(" ".join((f"MAIL FROM:<{sender}>",) + parameters))

    def rcpt(self, recipient):
        return self.say(f"RCPT TO:<{recipient}>")

    def text(self, subject):
        """What follows a 354, to the final dot; its reply. (putcmd takes no line breaks.)"""
        self.send(f"From: <sender@client.example>\r\nSubject: {subject}\r\n\r\nHello.\r\n.\r\n")
        return self.reply()

    def message(self, subject="a message"):
        """DATA to the final dot; the last reply."""
        said = self.say("DATA")
        return self.text(subject) if said.startswith("354") else said


class Sender(threading.Thread):
    """Asks a mail server for these mailboxes in turn while the context is open, and keeps each answer that is not the one given here."""

    def __init__(self, port, answers):
        super().__init__(daemon=True)
        self.port, self.answers = port, answers
        self.wrong, self.asked, self.slowest, self.over = [], 0, 0.0, threading.Event()

    def ask(self, talk, recipient, answer):
        began = time.monotonic()
        talk.mail()
        said = talk.rcpt(recipient)
        talk.say("RSET")
        self.slowest = max(self.slowest, time.monotonic() - began)
        if said != answer:
            self.wrong.append(f"{recipient}: {said}")

    def session(self):
        """One of 100 rounds: a mail server ends a session that asks for too much."""
        with Talk(self.port) as talk:
            for _ in range(100):
                for recipient, answer in self.answers.items():
                    self.ask(talk, recipient, answer)
                self.asked += 1
                if self.over.wait(0.002):
                    break

    def run(self):
        try:
            while not self.over.is_set():
                self.session()
        except (OSError, smtplib.SMTPException) as error:  # a server that hung up has not answered
            self.wrong.append(repr(error))

    def goes_on(self):
        """Waits for further answers: they come now, whatever is the matter with anything else. None so far was wrong."""
        before = self.asked
        place.until(lambda: self.wrong or self.asked >= before + 3, "mail is answered")
        if self.wrong:
            raise AssertionError(f"after {self.asked} rounds: {self.wrong[:5]}")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *failure):
        if failure[0] is None:
            self.goes_on()
        self.over.set()
        self.join()
