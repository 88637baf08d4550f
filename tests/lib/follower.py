# SPDX-License-Identifier: BSD-2-Clause
"""Hosts whose tables follow a store: PostgreSQL with our schema, and movedctl follow beside a milter-moved."""

import contextlib
import json
import signal
import subprocess
import unittest

from lib import place
from lib.daemon import Daemon
from lib.postgresql import PostgreSQL

NO_ANSWER = "no answer within 2 s (source.timeout)"  # to a host with timeout=2, of a store that stands still


def schema():
    """What movedctl schema pgsql prints."""
    return subprocess.run(place.program("movedctl") + ["schema", "pgsql"], capture_output=True, text=True, check=True).stdout


class Store(PostgreSQL):
    """A server whose database postgres has the schema, with roles that may log in."""

    def __enter__(self):
        super().__enter__()
        if self.standby_of is None:
            self.script(schema())
            self.sql("ALTER ROLE moved_follow LOGIN", "ALTER ROLE moved_admin LOGIN")
        return self

    def put(self, **entries):
        """Local-parts of old.example with their new addresses, in one transaction."""
        for old, new in entries.items():
            self.sql(f"INSERT INTO moved (old_address, new_address) VALUES ('{old}@old.example', '{new}') "
                     "ON CONFLICT (old_address) DO UPDATE SET new_address = excluded.new_address")

    def entries(self):
        """Old and new address of each row."""
        lines = self.sql("SELECT old_address, new_address FROM moved").splitlines()
        return dict(line.split("|") for line in lines)


class Host(Daemon):
    """A daemon whose table follows the store. Its follower is started by follow() and ended with the context."""

    def __init__(self, folder, store, write=True, settings=None, way="unix", **source):
        self.follower = None
        self.source = {"connect": store.connect("moved_follow"), "poll": 100, "timeout": 20, **source}
        if write:
            self.source["write"] = store.connect("moved_admin")
        super().__init__(folder, way, **{"source": self.source, **(settings or {})})

    def follow(self, **how):
        self.follower = place.Process(place.program("movedctl") + ["-c", str(self.conf), "follow"], self.folder / "follow.log", **how)
        return self

    def status(self):
        """The object that follow --status --json prints, with its exit status as "exit"."""
        done = self.ctl("follow", "--status", "--json")
        return {**json.loads(done.stdout or "{}"), "exit": done.returncode, "error": done.stderr}

    def until_state(self, state, reason=""):
        """The status, once it has this state and these words in its reason."""
        def reached():
            status = self.status()
            return status if status.get("state") == state and reason in status.get("reason", "") else None

        return place.until(reached, f"state {state} {reason}", lambda: str(self.status()))

    def has(self):
        """Old and new address of each entry of the table."""
        lines = self.ctl("list").stdout.splitlines()
        return {line.split("\t")[0]: line.split("\t")[1] for line in lines}

    def until_same(self, store, seconds=place.PATIENCE):
        place.until(lambda: self.has() == store.entries(), "the table has what the store has", lambda: str(self.status()), seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.follower:
            self.follower.end(signal.SIGTERM)
        super().__exit__()


class FollowCase(unittest.TestCase):
    """A store for the class; each test begins with an empty one."""

    longMessage = True
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.folder = stack.enter_context(place.folder())
        (cls.folder / "conf").write_text(f'table = "{cls.folder}/none"; source: {{ connect = "host=/nonexistent"; }};')
        done = subprocess.run(place.program("movedctl") + ["-c", cls.folder / "conf", "follow", "--accept", "--here"], capture_output=True, text=True)
        if "built without libpq" in done.stderr:
            place.lacking(done.stderr.strip())
        cls.store = stack.enter_context(Store(cls.folder / "store"))

    def setUp(self):
        self.store.sql("DELETE FROM moved")

    def host(self, name="mx1", **how):
        """A host of this name, which ends with the test."""
        here = self.enter(place.folder())
        return self.enter(Host(here / name, self.store, **how))

    def enter(self, context):
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value
