# SPDX-License-Identifier: BSD-2-Clause
"""What doctor says of a table that follows a store."""

import json

from lib import place
from lib.follower import FollowCase


class DoctorFollow(FollowCase):
    def findings(self, host):
        done = host.ctl("doctor", "--json", "--smtp", "127.0.0.1:1")
        return {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}

    def test_the_state_of_the_follower(self):
        host = self.host()
        found = self.findings(host)
        self.assertIn("milter-moved-follow", found["follow"]["mend"])
        self.assertIn("milter-moved-follow", found["table"]["mend"])
        self.store.put(**{f"u{i}": f"u{i}@new.example" for i in range(30)})
        host.follow()
        host.until_state("in step")
        self.assertEqual({"follow", "follow-late", "follow-skipped"} & self.findings(host).keys(), set())
        self.store.sql("INSERT INTO moved (old_address) VALUES ('UPPER@old.example')")
        place.until(lambda: "follow-skipped" in self.findings(host), "the skipped row")
        self.store.sql("TRUNCATE moved")
        host.until_state("held")
        self.assertIn("--accept", self.findings(host)["follow"]["mend"])
