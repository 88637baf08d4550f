# SPDX-License-Identifier: BSD-2-Clause
"""movedctl-follow(8), From one host to a fleet, as it is written there; and all the while each host is asked for moved mailboxes."""

import os
import re
import shutil
import subprocess
import threading

from lib import place
from lib.follower import NO_ANSWER, FollowCase
from lib.milter import Milter

PAGE = place.SOURCE / "milter/ctl/movedctl-follow.8"
NAMES = [f"u{i}" for i in range(500)]


def commands():
    """The lines of the chapter's block."""
    chapter = PAGE.read_text().split(".Ss From one host to a fleet\n")[1].split("\n.Ss ")[0]
    block = re.search(r"^\.Bd.*\n((?:.*\n)*?)\.Ed$", chapter, re.MULTILINE)[1]
    return block.splitlines()


class Clients(threading.Thread):
    """Asks a host's milter for one moved mailbox after the other, and keeps each answer that is wrong."""

    def __init__(self, host, *also):
        super().__init__(daemon=True)
        self.host, self.also = host, also
        self.wrong, self.right, self.over = set(), 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            with Milter(self.host.address) as session:
                session.begin()
                for name in NAMES[::7]:
                    said = session.rcpt(f"<{name}@old.example>")
                    if said == f"551 5.1.6 User not local; please try <{name}@new.example>":
                        self.right += 1
                    elif said not in self.also:
                        self.wrong.add(said)


class Fleet(FollowCase):
    def asked(self, host, *also):
        clients = Clients(host, *also)

        def check():
            try:
                before = clients.right
                place.until(lambda: clients.right > before, "it is answered to the end")
            finally:
                clients.over.set()
                clients.join()
            self.assertEqual(clients.wrong, set())

        self.addCleanup(check)
        place.until(lambda: clients.right > 0 or clients.also, "it is answered", lambda: str(clients.wrong))
        return clients

    def single(self):
        """A host that has a table of its own, and answers from it."""
        host = self.host("mx1")
        host.source["passfile"] = ""
        host.configure(source=host.source)
        shutil.copy(host.conf, host.folder / "with-source.conf")
        host.configure(source=None)
        host.movedctl("init")
        host.hold(*((f"{name}@old.example", f"{name}@new.example") for name in NAMES))
        host.start()
        editor = host.folder / "editor"
        editor.write_text(f'#!/bin/sh\ncp "{host.folder}/with-source.conf" "{host.conf}"\n')
        editor.chmod(0o755)
        return host

    def follow_page(self, host):
        """Runs the block; returns what each command printed."""
        link = host.folder / "movedctl"
        link.symlink_to(place.program("movedctl")[0])
        environment = {**os.environ, "PATH": f"{host.folder}:{os.environ['PATH']}", "MILTER_MOVED_CONF": str(host.conf)}
        printed = []
        for line in commands():
            done = subprocess.run(["sh", "-c", line], cwd=host.folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
            self.assertEqual(done.returncode, 65 if "# held" in line else 0, f"{line}: {done.stdout}")
            printed.append(done.stdout)
        return printed

    def test_one_host_becomes_a_fleet(self):
        first = self.single()
        self.asked(first)
        printed = "".join(self.follow_page(first))
        self.assertEqual(len(self.store.entries()), len(NAMES))
        self.assertNotIn("if that is meant", printed)  # nothing is held any more
        first.follow()
        first.until_state("in step")

        # The second has a copy before it has ever reached the store, which is down.
        second, roots = self.host("mx2", timeout=2), self.enter(place.folder())
        first.movedctl("backup", roots / "copy")
        shutil.copytree(roots / "copy", roots / "copied")
        second.movedctl("restore", roots / "copied")
        second.start()
        self.asked(second)
        self.store.suspend()
        try:
            second.follow()
            second.until_state("down", NO_ANSWER)
        finally:
            self.store.resume()
        second.until_state("in step")

        # The third has nothing: it defers until it has all.
        third = self.host("mx3")
        third.start()
        self.asked(third, "451 4.3.0 Table of moved mailboxes unavailable")
        third.follow()
        third.until_state("in step")

        # The fourth had a table of its own, which is older.
        fourth = self.host("mx4")
        fourth.configure(source=None)
        fourth.movedctl("init")
        fourth.hold(*((f"{name}@old.example", f"{name}@new.example") for name in NAMES), ("gone@old.example", "gone@new.example"))
        fourth.start()
        self.asked(fourth)
        fourth.configure(source=fourth.source)
        fourth.follow()
        fourth.until_state("in step")

        first.movedctl("add", "late@old.example", "late@new.example")
        for host in (first, second, third, fourth):
            host.until_same(self.store)
