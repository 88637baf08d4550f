# SPDX-License-Identifier: BSD-2-Clause
"""Many writers at once, whose transactions commit in another order than they write in: nothing is lost, and nothing comes back."""

import os
import random
import threading
import time

from lib import place
from lib.follower import FollowCase, Host, Store
from lib.postgresql import wait_for_lag

WRITERS = 12
SECONDS = float(os.environ.get("FOLLOW_SECONDS", "4"))


class Order(FollowCase):
    def write(self, number, until, done):
        """Each writer has keys of its own, and touches one that all share. It holds its transactions open for a while."""
        chance = random.Random(number)
        with self.store.open() as session:
            while time.monotonic() < until or done[number] == 0:
                session.sql("BEGIN" + chance.choice(["", "", " ISOLATION LEVEL REPEATABLE READ"]))
                for _ in range(chance.randrange(1, 4)):
                    old = f"w{number}-{chance.randrange(40)}@old.example"
                    new = f"'{chance.randrange(1000)}@new.example'"
                    session.sql(chance.choice([
                        f"INSERT INTO moved (old_address, new_address) VALUES ('{old}', {new}) "
                        f"ON CONFLICT (old_address) DO UPDATE SET new_address = {new}",
                        f"DELETE FROM moved WHERE old_address = '{old}'",
                        f"SAVEPOINT s; DELETE FROM moved WHERE old_address LIKE 'w{number}-%'; ROLLBACK TO s",
                        f"SAVEPOINT t; UPDATE moved SET new_address = {new} WHERE old_address = '{old}'; RELEASE t",
                        f"UPDATE moved SET old_address = 'r{number}-{chance.randrange(9)}@old.example' WHERE old_address = '{old}' "
                        f"AND NOT EXISTS (SELECT FROM moved WHERE old_address LIKE 'r{number}-%')"]))
                if chance.random() < 0.02:
                    session.sql("SET CONSTRAINTS ALL IMMEDIATE")
                if chance.random() < 0.1:
                    session.sql("INSERT INTO moved (old_address, new_address) VALUES ('shared@old.example', 'n@new.example') "
                                "ON CONFLICT (old_address) DO UPDATE SET note = 'x'")
                time.sleep(chance.random() * 0.03)
                session.sql(chance.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]))
                done[number] += 1

    def test_followers_of_a_primary_and_of_its_standby_end_with_what_the_store_has(self):
        standby = self.enter(Store(self.folder / "standby", standby_of=self.store))
        self.store.put(al="al@new.example")
        # A host that comes late finds more gone than the guard would believe.
        every = {"max_remove": 100}
        hosts = [self.host("polls", poll=50, **every).follow(), self.host("listens", poll=60000, **every).follow(),
                 self.enter(Host(self.enter(place.folder()) / "far", standby, write=False, poll=50, **every)).follow()]
        foreign = self.enter(self.store.open())
        foreign.sql("BEGIN; SELECT pg_current_xact_id()")
        until = time.monotonic() + SECONDS
        done = [0] * WRITERS
        writers = [threading.Thread(target=self.write, args=(number, until, done)) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        self.assertGreater(min(done), 0)
        wait_for_lag(self.store, standby)
        for host in hosts:
            host.until_same(self.store)
        # Each host took what had changed: all rows were compared once, at its beginning.
        for host in hosts:
            self.assertNotIn("comparing", (host.folder / "follow.log").read_text())
        print(f"{sum(done)} transactions", end=" ", flush=True)
