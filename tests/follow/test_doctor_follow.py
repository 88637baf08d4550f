# SPDX-License-Identifier: BSD-2-Clause
"""What doctor says of a table that follows a store."""

import json
import re

from lib import place
from lib.follower import FollowCase


class DoctorFollow(FollowCase):
    def findings(self, host):
        done = host.ctl("doctor", "--json", "--smtp", "127.0.0.1:1")
        return {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}

    def mends(self, host, name, words, *by_hand):
        """The finding is there and its mend has the words; what it leaves to a person is done, its command is run, and it is gone."""
        finding = place.until(lambda: self.findings(host).get(name), name)
        self.assertIn(words, finding["mend"])
        for step in by_hand:
            step()
        for command in re.findall(r"^\$ movedctl -c \S+ follow (--.*)", finding["mend"], re.MULTILINE):
            done = host.ctl("follow", command)
            self.assertIn(done.returncode, (0,) if command == "--accept" else (0, 1, 65, 75), done.stderr)
        place.until(lambda: name not in self.findings(host), f"{name} is gone")

    def test_the_state_of_the_follower(self):
        host = self.host()
        self.assertIn(f"movedctl follow makes it.\nRun it as a service, movedctl-follow(8):\n$ movedctl -c {host.conf} follow", self.findings(host)["table"]["mend"])
        self.store.put(**{f"u{i}": f"u{i}@new.example" for i in range(30)})
        self.mends(host, "follow", f"$ movedctl -c {host.conf} follow", host.follow)
        host.until_state("in step")
        self.assertEqual({"follow", "follow-late", "follow-skipped"} & self.findings(host).keys(), set())
        self.store.sql("INSERT INTO moved (old_address) VALUES ('UPPER@old.example')")
        self.mends(host, "follow-skipped", "Correct them in the store", lambda: self.store.sql("UPDATE moved SET old_address = 'upper@old.example' WHERE old_address = 'UPPER@old.example'"))
        self.store.stop()
        self.mends(host, "follow-late", "It goes on by itself", self.store.start)
        self.store.sql("TRUNCATE moved")
        host.until_state("held")
        self.mends(host, "follow", "if they are meant to be gone:\n$ ")
        host.until_state("in step")
