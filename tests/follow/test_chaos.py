# SPDX-License-Identifier: BSD-2-Clause
"""Whatever becomes of the follower and of the store: mail is answered, and in the end the table has what the store has."""

import os
import random
import shutil
import signal
import subprocess
import threading
import time

from lib import place
from lib.follower import NO_ANSWER, FollowCase, Host, Store
from lib.postfix import NO_DELAY, Postfix
from lib.smtp import Sender, Talk
from lib.socketmap import Socketmap

KILLS = int(os.environ.get("FOLLOW_KILLS", "100"))
WRITERS = 8
NAMES = 300


class Writer(threading.Thread):
    """Changes entries at random until it is told to stop: in transactions of several, some of which are rolled back."""

    def __init__(self, store, seed):
        super().__init__(daemon=True)
        self.store, self.random, self.over = store, random.Random(seed), threading.Event()
        self.start()

    def change(self):
        name = f"u{self.random.randrange(NAMES)}@old.example"
        if self.random.random() < 0.3:
            return f"DELETE FROM moved WHERE old_address = '{name}'"
        return (f"INSERT INTO moved (old_address, new_address) VALUES ('{name}', 'n{self.random.randrange(10**9)}@new.example') "
                "ON CONFLICT (old_address) DO UPDATE SET new_address = excluded.new_address")

    def run(self):
        with self.store.open() as session:
            while not self.over.is_set():
                session.sql("BEGIN")
                for _ in range(self.random.randrange(1, 4)):
                    session.sql(self.change())  # a deadlock rolls it back, which is as good
                session.sql(self.random.choice(("COMMIT", "COMMIT", "COMMIT", "ROLLBACK")))

    def end(self):
        self.over.set()
        self.join()


class Kills(FollowCase):
    def test_a_follower_that_is_killed_at_any_moment(self):
        rng = random.Random(7)
        self.store.put(al="al@new.example")
        host = self.host(poll=50, max_remove=100)
        host.movedctl("follow", "--once")
        writers = [Writer(self.store, seed) for seed in range(WRITERS)]
        try:
            for _ in range(KILLS):
                host.follow()
                time.sleep(rng.random() * 0.15)  # any moment
                host.follower.kill(signal.SIGKILL)
                host.follower.wait()
                self.assertEqual(host.has().get("al@old.example"), "al@new.example")
        finally:
            for writer in writers:
                writer.end()
        host.follow()
        host.until_state("in step")
        place.until(lambda: host.status()["version"] == int(self.store.sql("SELECT max(version) FROM moved_version")), "the last version")
        there, here = self.store.entries(), host.has()
        self.assertEqual(sorted(there.keys() - here.keys()), [], "missing")
        self.assertEqual(sorted(here.keys() - there.keys()), [], "resurrected")
        self.assertEqual({old for old in there if there[old] != here[old]}, set(), "wrong")
        self.assertGreater(len(there), NAMES // 3)


class MailGoesOn(FollowCase):
    """A mail server whose table follows the store, with a sender who never stops."""

    ANSWER = "551 5.1.6 User not local; please try <al@new.example>"
    ANSWERS = {"al@old.example": ANSWER, "nobody@old.example": "250 2.1.5 Ok"}

    def setUp(self):
        super().setUp()
        self.store.put(al="al@new.example")

    def server(self, store=None, **source):
        here = self.enter(place.folder())
        host = self.enter(Host(here / "mx1", store or self.store, way="inet", **source))
        host.follow()
        host.until_state("in step")
        host.start()
        postfix = self.enter(Postfix(here / "postfix", {"inet": (host.socket.postfix, {})}, more=NO_DELAY))
        return host, postfix.ports["inet"]

    def comes_back(self, host, name):
        """A change of the store is in force here."""
        self.store.put(**{name: "back@new.example"})
        place.until(lambda: f"{name}@old.example" in host.has(), "the change is in force")
        host.until_state("in step")

    def test_a_store_that_stops_and_one_that_crashes(self):
        host, port = self.server(timeout=2, max_lag=3600)
        with Sender(port, self.ANSWERS) as sender:
            self.store.suspend()
            try:
                self.assertEqual(host.until_state("down", NO_ANSWER)["exit"], 75)
                sender.goes_on()
            finally:
                self.store.resume()
            self.comes_back(host, "stopped")
            for how in (signal.SIGQUIT, signal.SIGINT):  # a crash, a restart
                self.store.stop(how)
                try:
                    host.until_state("down")
                    sender.goes_on()
                finally:
                    self.store.start()
                self.comes_back(host, f"ended{int(how)}")

    def test_a_store_that_loses_its_rows(self):
        self.store.put(**{f"u{i}": f"u{i}@new.example" for i in range(30)})
        host, port = self.server()
        for loss in ("TRUNCATE moved", "DELETE FROM moved"):
            rows = self.store.entries()
            with Sender(port, self.ANSWERS) as sender:
                self.store.sql(loss)
                host.until_state("held")
                self.assertEqual(host.has(), rows)
                sender.goes_on()
                self.store.sql("INSERT INTO moved (old_address, new_address) VALUES "
                               + ", ".join(f"('{old}', '{new}')" for old, new in rows.items()))
                host.until_state("in step")  # by itself
                self.assertEqual(host.has(), rows)
        self.store.sql("TRUNCATE moved")
        host.until_state("held")
        host.movedctl("follow", "--accept")
        place.until(lambda: host.has() == {}, "what was accepted is in force")

    def test_a_failover_that_loses_commits(self):
        """The standby was behind: it gives the numbers of the versions that it has lost again."""
        folder = self.enter(place.folder())
        primary = self.enter(Store(folder / "one"))
        primary.put(al="al@new.example")
        standby = self.enter(Store(folder / "two", standby_of=primary))
        both = f"host={primary.folder},{standby.folder} port={primary.port},{standby.port} user=moved_follow dbname=postgres"
        host, port = self.server(primary, connect=both)
        with Sender(port, self.ANSWERS) as sender:
            standby.sql("ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
            place.until(lambda: standby.sql("SELECT count(*) FROM pg_stat_wal_receiver") == "0", "the standby receives nothing")
            primary.put(lost1="x@new.example", lost2="x@new.example")
            host.until_same(primary)
            primary.stop(signal.SIGQUIT)
            host.until_state("behind")
            sender.goes_on()
            standby.promote()
            standby.put(kept1="y@new.example", kept2="y@new.example", kept3="y@new.example")
            host.until_same(standby)
            self.assertNotIn("lost1@old.example", host.has())
            host.until_state("in step")

    def test_a_store_from_an_older_backup(self):
        folder = self.enter(place.folder())
        store = self.enter(Store(folder / "one"))
        store.put(al="al@new.example", bo="bo@new.example")
        host, port = self.server(store)
        with Sender(port, self.ANSWERS) as sender:
            store.stop()
            subprocess.run(["cp", "-a", store.data, folder / "older"], check=True)
            store.start()
            store.put(later1="x@new.example", later2="x@new.example")
            host.until_same(store)
            store.stop()
            host.until_state("down")
            sender.goes_on()
            shutil.rmtree(store.data)
            subprocess.run(["cp", "-a", folder / "older", store.data], check=True)
            store.start()
            store.put(other1="y@new.example", other2="y@new.example")
            host.until_same(store)
            self.assertNotIn("later1@old.example", host.has())

    def test_a_store_that_is_an_empty_one(self):
        """The database was recreated and is still empty. The host keeps its entries until the rows are back or the loss is accepted."""
        folder = self.enter(place.folder())
        store = self.enter(Store(folder / "one"))
        store.put(al="al@new.example", bo="bo@new.example")
        host, port = self.server(store)
        rows = store.entries()
        with Sender(port, self.ANSWERS) as sender:
            for way in ("loaded", "accepted"):
                with Store(folder / way) as empty:
                    empty.stop()
                    store.stop()
                    shutil.rmtree(store.data)
                    subprocess.run(["cp", "-a", empty.data, store.data], check=True)
                    store.start()
                host.until_state("held")
                sender.goes_on()
                self.assertEqual(host.has(), rows)
                if way == "loaded":
                    store.put(al="al@new.example", bo="bo@new.example", cy="cy@new.example")
                    host.until_same(store)
                    host.until_state("in step")
                    rows = store.entries()
        host.movedctl("follow", "--accept")
        place.until(lambda: host.has() == {}, "what was accepted is in force", lambda: str(host.status()))
        store.put(al="al@new.example")
        host.until_same(store)

    def test_a_host_that_was_never_synced(self):
        """451, and not 'has not moved'; then it answers."""
        here = self.enter(place.folder())
        host = self.enter(Host(here / "mx1", self.store, way="inet", timeout=2))
        self.store.suspend()
        try:
            host.follow()
            host.until_state("never", NO_ANSWER)
            host.start()
            postfix = self.enter(Postfix(here / "postfix", {"inet": (host.socket.postfix, {})}))
            with Talk(postfix.ports["inet"]) as talk:
                talk.mail()
                for recipient in ("al@old.example", "nobody@old.example"):
                    self.assertEqual(talk.rcpt(recipient), "451 4.3.0 Table of moved mailboxes unavailable")
            with Socketmap(host.lookups) as maps:
                for name in ("listed", "refused", "relocated"):
                    self.assertRegex(maps.ask(f"{name} al@old.example"), "^TEMP ", name)
            self.assertEqual(host.ctl("get", "al@old.example").returncode, 66)
            self.assertEqual(host.status()["exit"], 66)
            self.assertIn("451 4.3.0", host.ctl("test", "al@old.example").stdout)
        finally:
            self.store.resume()
        host.until_state("in step")

        def rcpt():
            with Talk(postfix.ports["inet"]) as talk:
                talk.mail()
                return talk.rcpt("al@old.example")

        place.until(lambda: rcpt() == self.ANSWER, "the daemon answers from the table")
