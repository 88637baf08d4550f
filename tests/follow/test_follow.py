# SPDX-License-Identifier: BSD-2-Clause
"""movedctl follow: what it takes over, what it will not believe, and how it says so."""

import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import unittest

from cli.test_import import WriterLock
from lib import place
from lib.follower import FollowCase, Store, schema
from lib.postgresql import Pool, PostgreSQL, wait_for_lag

ROWS = "INSERT INTO moved (old_address, new_address) SELECT 'u' || i || '@old.example', 'u' || i || '@new.example' FROM generate_series({}, {}) i"


def untold(store, statement):
    """A change of which no version tells: the owner of the table has its triggers disabled."""
    store.script(f"BEGIN; ALTER TABLE moved DISABLE TRIGGER ALL; {statement}; COMMIT;" + schema())


class Steps(FollowCase):
    def once(self, host, *args):
        done = host.ctl("follow", *(args or ("--once",)))
        for line in done.stderr.splitlines():
            self.assertRegex(line, "^movedctl: ")
        return done.returncode

    def test_all_fields_come_as_they_are(self):
        self.store.sql("INSERT INTO moved VALUES "
                       "('al@old.example', 'al@new.example', 'forward', '2026-01-01', '2099-12-01 02:03:04+02', '2099-06-01', 'trusted', E'it''s 5 \\\\ 6 \\u00fc'), "
                       "('@old.example', '@new.example', NULL, NULL, NULL, NULL, NULL, NULL), "
                       "('@.old.example', NULL, NULL, NULL, NULL, NULL, NULL, NULL), ('bo@old.example', '', 'stay', NULL, NULL, NULL, '', '')")
        host = self.host()
        self.assertEqual(self.once(host), 0)
        whole = json.loads(host.movedctl("list", "--json"))
        self.assertIn({"old": "al@old.example", "new": "al@new.example", "action": "forward", "from": "2026-01-01T00:00:00Z",
                       "until": "2099-12-01T00:03:04Z", "forward_until": "2099-06-01T00:00:00Z", "disclose": "trusted",
                       "note": "it's 5 \\ 6 ü"}, whole)
        self.assertEqual([entry["old"] for entry in whole], ["@.old.example", "@old.example", "al@old.example", "bo@old.example"])
        other = self.host("other")
        self.store.sql("CREATE TABLE kept AS SELECT * FROM moved", "DELETE FROM moved")
        self.assertEqual(self.once(other), 0)
        self.store.sql("INSERT INTO moved SELECT * FROM kept", "DROP TABLE kept")
        self.assertEqual(self.once(other), 0)
        self.assertEqual(json.loads(other.movedctl("list", "--json")), whole)

    def test_a_delta_brings_what_has_changed_and_nothing_else(self):
        self.store.sql(ROWS.format(1, 50))
        host = self.host()
        self.assertEqual(self.once(host), 0)
        self.store.sql("UPDATE moved SET new_address = 'x@new.example' WHERE old_address = 'u7@old.example'",
                       "DELETE FROM moved WHERE old_address = 'u8@old.example'",
                       "UPDATE moved SET old_address = 'v9@old.example' WHERE old_address = 'u9@old.example'")
        self.assertEqual(self.once(host), 0)
        self.assertEqual(host.has(), self.store.entries())
        change = json.loads(host.movedctl("log", "--json"))[0]
        self.assertEqual((change["added"], change["changed"], change["removed"], change["user"], change["command"]),
                         (1, 1, 2, "postgres", "psql"))
        self.assertEqual(self.once(host), 0)
        self.assertEqual(len(json.loads(host.movedctl("log", "--json"))), 2)

    def test_an_empty_table_of_before_cannot_be_read_until_it_is_synced(self):
        host = self.host()
        host.configure(source=None)
        host.movedctl("init")
        host.configure(source={**host.source, "connect": f"host={self.folder}/none"})
        self.assertEqual(host.ctl("follow", "--once").returncode, 69)
        done = host.ctl("list")
        self.assertEqual(done.returncode, 66)
        self.assertIn("never synced", done.stderr)

    def test_never_synced_cannot_be_read(self):
        with PostgreSQL(self.folder / "bare") as bare:
            host = self.host(connect=bare.connect())
            self.assertEqual(host.status()["exit"], 66)
            self.assertEqual(self.once(host), 78)
        self.assertEqual(self.once(host), 69)
        self.assertEqual((host.status()["state"], host.status()["exit"]), ("never", 66))
        self.assertNotEqual(host.ctl("list").returncode, 0)

    def test_a_table_of_before_goes_on_and_is_guarded(self):
        host = self.host()
        host.configure(source=None)
        host.movedctl("init")
        host.hold(*((f"w{i}@old.example", "w@new.example") for i in range(30)))
        host.configure(source=host.source)
        self.store.sql(ROWS.format(1, 5))
        self.assertIn("in force", host.status()["reason"])
        self.assertEqual(self.once(host), 65)
        self.assertEqual(len(host.has()), 30)
        self.assertEqual((host.status()["state"], host.status()["held"]), ("held", 30))
        self.assertIn("not in the store: load them into it", host.status()["reason"])
        self.assertEqual(self.once(host, "--accept", "--here"), 0)
        self.assertEqual(host.has(), self.store.entries())

    def test_resync_mends_a_table_that_differs(self):
        self.store.sql(ROWS.format(1, 5))
        host = self.host()
        self.once(host)
        untold(self.store, "UPDATE moved SET new_address = 'other@new.example' WHERE old_address = 'u1@old.example'")
        self.assertEqual(self.once(host), 0)
        self.assertNotEqual(host.has(), self.store.entries())
        self.assertEqual(self.once(host, "--resync"), 0)
        self.assertEqual(host.has(), self.store.entries())

    def test_whoever_may_read_the_table_may_read_the_state(self):
        host = self.host()
        command = [*place.program("movedctl"), "-c", host.conf, "follow", "--once"]
        subprocess.run(["sh", "-c", 'umask 077; exec "$@"', "sh", *command], check=True, capture_output=True)
        for name in ("data.mdb", "follow.json"):
            self.assertEqual((host.table / name).stat().st_mode & 0o047, 0o040, name)

    def test_detach_gives_the_table_back(self):
        self.store.sql(ROWS.format(1, 5))
        host = self.host()
        self.once(host)
        done = host.ctl("follow", "--detach")
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertRegex(done.stderr, r"\Amovedctl: warning: source\.connect is still set: remove it.*\n\Z")
        self.assertEqual(len(host.has()), 5)
        self.assertIn("in force", host.status()["reason"])
        host.configure(source=None)
        host.movedctl("add", "z@old.example", "z@new.example")
        self.assertEqual(len(host.has()), 6)


class TwoAtOnce(FollowCase):
    def waits_for_the_lock(self, process):
        """It is in futex(2)."""
        words = pathlib.Path(f"/proc/{process.pid}/syscall").read_text().split()
        return words[0] == {"x86_64": "202", "aarch64": "98"}.get(os.uname().machine)

    def test_what_another_has_taken_over_meanwhile_is_not_written_over(self):
        self.store.put(al="al@new.example")
        mx = self.host()
        self.assertEqual(mx.ctl("follow", "--once").returncode, 0)
        self.store.put(bo="bo@new.example")
        with WriterLock(mx.table) as other:
            process = subprocess.Popen(place.program("movedctl") + ["-c", str(mx.conf), "follow", "--once"], stderr=subprocess.PIPE, text=True)
            with process:
                self.addCleanup(process.kill)
                place.until(lambda: self.waits_for_the_lock(process), "it has read the store")
                other.change(b"\0mark", struct.pack("<q", 99) + b"nonce\0pgsql")
                self.assertIn("another process has followed the store meanwhile", process.communicate(timeout=place.PATIENCE)[1])
        self.assertEqual((process.returncode, mx.has()), (75, {"al@old.example": "al@new.example"}))


class Guard(FollowCase):
    def setUp(self):
        super().setUp()
        self.store.sql(ROWS.format(1, 100))
        self.mx = self.host()
        self.once(0)

    def once(self, status, *args):
        done = self.mx.ctl("follow", *(args or ("--once",)))
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual("held: " in done.stderr, status == 65, done.stderr)

    def test_what_the_store_has_lost_is_held_until_it_is_back(self):
        for statement in ("TRUNCATE moved", "DELETE FROM moved", "DELETE FROM moved WHERE old_address > 'u2'"):
            with self.subTest(statement=statement):
                self.store.sql(statement)
                self.once(65)
                self.once(65)
                self.assertEqual(len(self.mx.has()), 100)
                self.assertEqual((self.mx.status()["state"], self.mx.status()["exit"]), ("held", 65))
                self.store.sql(ROWS.format(1, 100) + " ON CONFLICT DO NOTHING")
                self.once(0)
                self.assertEqual((self.mx.status()["state"], self.mx.status()["held"]), ("in step", 0))

    def test_few_may_always_go(self):
        self.store.sql("DELETE FROM moved WHERE old_address IN (SELECT old_address FROM moved LIMIT 20)")
        self.once(0)
        self.assertEqual(len(self.mx.has()), 80)

    def test_an_acceptance_is_for_all_hosts_and_for_what_was_gone_then(self):
        other = self.host("other")
        self.assertEqual(other.ctl("follow", "--once").returncode, 0)
        self.mx.ctl("follow", "--accept")  # before anything is gone: it says nothing about later
        self.store.sql("TRUNCATE moved")
        self.once(65)
        self.once(0, "--accept")
        self.once(0)
        self.assertEqual(self.mx.has(), {})
        self.assertEqual(other.ctl("follow", "--once").returncode, 0)
        self.assertEqual(other.has(), {})
        self.store.sql(ROWS.format(1, 100))
        self.once(0)
        self.store.sql("DELETE FROM moved")
        self.once(65)

    def test_what_goes_after_an_acceptance_is_held(self):
        self.store.sql("DELETE FROM moved WHERE old_address > 'u5'")
        self.once(65)
        self.once(0, "--accept")
        self.store.sql("TRUNCATE moved")
        self.once(65)
        self.assertEqual(len(self.mx.has()), 100)

    def test_what_a_comparison_holds_is_held_until_it_is_back_or_accepted(self):
        """No version tells of it: what each step finds says no more than that the store has not changed."""
        back = ROWS.format(1, 100)
        for how, mend in (("back", lambda: self.store.sql(back)), ("back untold", lambda: untold(self.store, back)),
                          ("accepted", lambda: self.once(0, "--accept")), ("accepted here", lambda: self.once(0, "--accept", "--here"))):
            with self.subTest(how=how):
                untold(self.store, "DELETE FROM moved")
                for args in ((), ("--resync",), (), ("--resync",)):
                    self.once(65 if "--resync" in args or self.mx.status()["state"] == "held" else 0, *args)
                self.assertEqual(len(self.mx.has()), 100)
                self.assertEqual((self.mx.status()["state"], self.mx.status()["held"]), ("held", 100))
                mend()
                self.once(0, "--resync" if how == "back untold" else "--once")
                self.assertEqual(self.mx.has(), self.store.entries())
                self.store.sql(back + " ON CONFLICT DO NOTHING")
                self.once(0)

    def test_the_service_holds_what_its_comparison_holds(self):
        """It reads all rows once, and not with each poll; and what is done by hand beside it counts for it too."""
        state = self.mx.table / "follow.json"
        for how in ("--resync", "reconcile"):
            with self.subTest(how=how):
                untold(self.store, "DELETE FROM moved")
                if how == "reconcile":  # it is due
                    place.replace(state, json.dumps({**json.loads(state.read_text()), "compared": 1}))
                self.mx.follow()
                if how == "--resync":
                    self.once(65, how)
                contact = self.mx.until_state("held")["contact"]
                place.until(lambda: self.mx.status()["contact"] > contact, "it asks again")
                self.mx.until_state("held")
                self.assertEqual(self.mx.follower.printed().count("comparing"), 1)
                self.once(0, "--accept", *(("--here",) if how == "reconcile" else ()))
                self.mx.until_state("in step")
                self.assertEqual(self.mx.has(), {})
                self.mx.follower.end(signal.SIGTERM)
                self.mx.follower.log.unlink()
                self.store.sql(ROWS.format(1, 100))
                self.once(0)

    def restore_older_backup(self):
        """Of 100 rows, in place of a store of 200."""
        dump = self.store.run("pg_dump", "-d", self.store.connect())
        self.store.sql(ROWS.format(101, 200))
        self.once(0)
        self.store.sql("CREATE DATABASE restored")
        self.addCleanup(self.store.sql, "DROP DATABASE restored WITH (FORCE)")
        self.store.script(dump, database="restored")
        self.mx.source = {**self.mx.source, "connect": self.store.connect("moved_follow", "restored"),
                          "write": self.store.connect("moved_admin", "restored")}
        self.mx.configure(source=self.mx.source)
        self.once(65)
        self.assertEqual(len(self.mx.has()), 200)

    def test_an_older_backup_is_compared_and_guarded(self):
        self.restore_older_backup()
        self.once(0, "--accept")
        self.once(0)
        self.assertEqual(len(self.mx.has()), 100)

    def test_an_acceptance_counts_since_the_older_backup_was_held(self):
        self.restore_older_backup()
        self.store.sql("SELECT moved_accept()", database="restored")
        self.store.sql("DELETE FROM moved", database="restored")
        self.once(65)
        self.store.sql(ROWS.format(1, 100), database="restored")
        self.once(0)
        self.assertEqual(len(self.mx.has()), 100)


class BadRows(FollowCase):
    BAD = {"Mixed@old.example": "'mixed@old.example'", "u\u0308@old.example": "'\u00fc@old.example'", "li\nne@old.example": "",
           "x" * 300 + "@old.example": "", "nodomain": "", "a@Old.Example": "'a@old.example'", "@@": "", "*": "", " b@old.example": "",
           "\U0001f600@b\u00fccher.example": "xn--"}

    def test_they_are_skipped_and_named_and_hold_nothing_up(self):
        for whole in (True, False):
            with self.subTest(whole=whole):
                self.store.sql("DELETE FROM moved")
                host = self.host(f"mx{whole}")
                if not whole:
                    self.assertEqual(host.ctl("follow", "--once").returncode, 0)
                self.store.sql(ROWS.format(1, 3))
                for old in self.BAD:
                    self.store.script("INSERT INTO moved (old_address, new_address) VALUES ($$" + old + "$$, 'n@new.example');")
                self.store.sql("INSERT INTO moved (old_address, new_address) VALUES ('c@old.example', 'no-domain')",
                               "INSERT INTO moved (old_address, valid_from) VALUES ('d@old.example', '0044-03-15 BC')",
                               "INSERT INTO moved (old_address, valid_from, valid_until) VALUES ('e@old.example', '-infinity', 'infinity')",
                               "INSERT INTO moved (old_address, valid_until) VALUES ('f@old.example', '20000-01-01')")
                done = host.ctl("follow", "--once")
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertEqual(set(host.has()), {"u1@old.example", "u2@old.example", "u3@old.example", "e@old.example"})
                status = host.status()
                why = {row["old"]: row["why"] for row in status["skipped"]}
                self.assertEqual(set(why), {*self.BAD, "c@old.example", "d@old.example", "f@old.example"})
                for old, words in self.BAD.items():
                    self.assertIn(words, why[old])
                self.assertEqual((status["state"], status["exit"]), ("in step", 1))
                self.assertIn("\n  li?ne@old.example: ", host.ctl("follow", "--status").stdout)
                self.assertEqual(json.loads(host.movedctl("get", "--json", "e@old.example"))["until"], "")
                self.assertNotIn("skipped", host.ctl("follow", "--once").stderr)  # said once

    def test_a_twin_that_is_deleted_takes_nothing_with_it(self):
        self.store.sql("INSERT INTO moved (old_address, new_address) VALUES ('al@old.example', 'a@new.example'), ('Al@old.example', 'b@new.example')")
        host = self.host()
        self.assertEqual(host.ctl("follow", "--once").returncode, 1)
        self.store.sql("DELETE FROM moved WHERE old_address = 'Al@old.example'")
        self.assertEqual(host.ctl("follow", "--once").returncode, 0)
        self.assertEqual(host.has(), {"al@old.example": "a@new.example"})

    def test_an_entry_whose_row_becomes_bad_stays(self):
        self.store.put(al="a@new.example")
        host = self.host()
        host.ctl("follow", "--once")
        self.store.sql("UPDATE moved SET new_address = 'nonsense'")
        for how in ("--once", "--resync"):
            self.assertEqual(host.ctl("follow", how).returncode, 1)
            self.assertEqual(host.has(), {"al@old.example": "a@new.example"})
            (row,) = host.status()["skipped"]
            self.assertEqual(row["old"], "al@old.example")
            self.assertRegex(row["why"], "^its entry stays as it was: new: ")
        self.store.put(al="b@new.example")
        self.assertEqual(host.ctl("follow", "--once").returncode, 0)
        self.assertEqual(host.has(), {"al@old.example": "b@new.example"})

    def test_a_database_without_an_encoding(self):
        """What is no UTF-8 in it is a bad row, and ends no statement."""
        self.store.sql("CREATE DATABASE octets ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
        self.addCleanup(self.store.sql, "DROP DATABASE octets WITH (FORCE)")
        self.store.script(schema(), database="octets")
        host = self.host(connect=self.store.connect("moved_follow", "octets"), write=False)
        rows = {"a@old.example": "a@new.example", "j\u00f6rg@old.example": "j\u00f6rg@new.example"}
        for how in ("whole", "delta"):
            self.store.sql("DELETE FROM moved", *(f"INSERT INTO moved (old_address, new_address) VALUES ('{old}', '{new}')" for old, new in rows.items()),
                           f"SET application_name = E'{how} \\xfe'; INSERT INTO moved (old_address, note) VALUES (E'b\\xff@old.example', 'n'), ('c@old.example', E'n\\xfc')",
                           database="octets")
            done = host.ctl("follow", "--once")
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertEqual(host.has(), rows)
            self.assertEqual({row["old"] for row in host.status()["skipped"]}, {"b\\xff@old.example", "c@old.example"})
            json.loads(host.movedctl("log", "--json"))
        self.store.sql("DELETE FROM moved WHERE note IS NOT NULL", database="octets")
        self.assertEqual(host.ctl("follow", "--once").returncode, 0)


class Service(FollowCase):
    def test_states_as_the_store_stops_and_comes_back(self):
        self.store.put(al="al@new.example")
        host = self.host(max_lag=3600, timeout=2).follow()
        self.assertEqual(host.until_state("in step")["exit"], 0)
        for how in ("suspend", "stop"):
            with self.subTest(how=how):
                before = host.has()
                getattr(self.store, how)()
                try:
                    place.until(lambda: host.status()["state"] == "down", "down")
                    self.assertEqual(host.status()["exit"], 75)  # shorter than max_lag
                    host.configure(source={**host.source, "max_lag": 1})
                    place.until(lambda: host.status()["exit"] == 69, "longer than max_lag")
                    self.assertEqual(host.has(), before)
                    host.configure(source=host.source)
                finally:
                    self.store.resume() if how == "suspend" else self.store.start()
                self.store.put(al=f"{how}@new.example")
                host.until_same(self.store)
                host.until_state("in step")

    def test_a_store_that_stops_is_seen_within_the_timeout(self):
        """The time between two questions is part of it."""
        host = self.host(poll=1500, timeout=4)
        waits = host.folder / "waits"
        host.follow(env={**os.environ, **place.preloading("waits", host.folder), "WAITS_LOG": str(waits)})
        host.until_state("in step")
        begun = len(waits.read_text().splitlines())
        place.until(lambda: len(waits.read_text().splitlines()) > begun + 6, "it asks again, and again")
        self.assertLessEqual(max(map(int, waits.read_text().splitlines()[begun + 1:])), 4000 - 1500)
        self.store.suspend()
        self.addCleanup(self.store.resume)
        host.until_state("down")

    def test_a_change_comes_by_polling_and_by_notification(self):
        for poll in (50, 60000):
            with self.subTest(poll=poll):
                host = self.host(f"mx{poll}", poll=poll).follow()
                host.until_state("in step")
                for i in range(5):
                    self.store.put(al=f"al{i}-{poll}@new.example")
                    host.until_same(self.store)

    def test_it_ends_where_somebody_has_to_mend_it(self):
        host = self.host().follow()
        host.until_state("in step")
        self.store.sql("REVOKE SELECT ON moved_version FROM moved_follow")
        self.addCleanup(self.store.sql, "GRANT SELECT ON moved_version TO moved_follow")
        self.assertEqual(host.follower.wait(), 77)
        self.assertEqual((host.status()["state"], host.status()["exit"]), ("refused", 78))

    def test_a_table_that_cannot_be_read_yet_is_waited_for(self):
        self.store.put(al="al@new.example")
        host = self.host()
        self.assertEqual(host.ctl("follow", "--once").returncode, 0)
        data, whole = host.table / "data.mdb", host.table / "whole.mdb"
        shutil.copy2(data, whole)
        shutil.chown(whole, *data.stat()[4:6])
        data.write_bytes(b"no table" * 1000)
        host.follow()
        place.until(lambda: "data.mdb" in host.follower.printed(), "it says what is wrong")
        self.assertTrue(host.follower.lives())
        whole.rename(data)  # at once: it may be opened at any moment
        self.store.put(al="later@new.example")
        host.until_same(self.store)

    def test_a_pool_of_transactions_is_polled(self):
        pool = self.enter(Pool(self.folder / "pool", self.store))
        host = self.host(connect=pool.connect("moved_follow")).follow()
        self.store.put(al="pool@new.example")
        host.until_same(self.store)
        host.until_state("in step")
        self.store.put(al="pool2@new.example")
        host.until_same(self.store)


class Replicas(FollowCase):
    def test_a_replica_that_lags_is_waited_for_and_one_that_forgot_is_compared(self):
        with Store(self.folder / "s", standby_of=self.store) as standby:
            self.store.put(al="al@new.example")
            wait_for_lag(self.store, standby)
            host = self.host(connect=standby.connect("moved_follow"))
            self.assertEqual(host.ctl("follow", "--once").returncode, 0)
            standby.pause_replay()
            self.store.put(bo="bo@new.example")
            host.source["connect"] = self.store.connect("moved_follow")
            host.configure(source=host.source)
            self.assertEqual(host.ctl("follow", "--once").returncode, 0)
            host.source["connect"] = standby.connect("moved_follow")
            host.configure(source=host.source)
            self.assertEqual(host.ctl("follow", "--once").returncode, 75)
            self.assertEqual((host.status()["state"], host.status()["exit"]), ("behind", 75))
            self.assertEqual(len(host.has()), 2)
            standby.sql("SELECT pg_wal_replay_resume()")
            wait_for_lag(self.store, standby)
            self.assertEqual(host.ctl("follow", "--once").returncode, 0)
            standby.stop(signal.SIGQUIT)
            self.store.put(cy="cy@new.example")  # which the standby never hears of
            host.source["connect"] = self.store.connect("moved_follow")
            host.configure(source=host.source)
            self.assertEqual(host.ctl("follow", "--once").returncode, 0)
            (standby.data / "standby.signal").unlink()
            standby.start()
            self.assertNotIn("cy@old.example", standby.entries())
            standby.sql("INSERT INTO moved (old_address, new_address) VALUES ('dy@old.example', 'dy@new.example')")
            host.source["connect"] = standby.connect("moved_follow")
            host.configure(source=host.source)
            self.assertEqual(host.ctl("follow", "--once").returncode, 0)
            self.assertEqual(host.has(), standby.entries())

    def test_the_second_host_is_asked_where_the_first_hangs(self):
        with Store(self.folder / "second") as second:
            second.put(al="al@new.example")
            host = self.host(connect=f"host={self.store.folder},{second.folder} port={self.store.port},{second.port} user=moved_follow dbname=postgres", timeout=5)
            self.store.suspend()
            self.addCleanup(self.store.resume)
            self.assertEqual(host.ctl("follow", "--once").returncode, 0)
            self.assertEqual(host.has(), second.entries())


class Refusals(FollowCase):
    def test_no_password_is_shown(self):
        down = place.free_ports(1)[0]
        for connect in (f"host=127.0.0.1 port={down} password=hush-hush", f"postgresql://u:hush-hush@127.0.0.1:{down}/x",
                        "host=/tmp password=a hush-hush", "postgresql://u:hush-hush@[::1/x", "host=192.0.2.1 password='hush-hush'",
                        self.store.connect("moved_follow", password="hush-hush")):
            host = self.host()
            host.configure(source={"connect": connect, "write": connect})
            for args in (("config",), ("config", "-n", "--json"), ("follow", "--once"), ("follow", "--status"), ("follow", "--accept"),
                         ("add", "a@old.example", "a@new.example"), ("doctor", "--smtp", "127.0.0.1:1")):
                done = host.ctl(*args)
                self.assertNotIn("hush-hush", done.stdout + done.stderr, args)

    def test_options_that_do_not_go_together(self):
        host = self.host()
        for args in (("--once", "--resync"), ("--here",), ("--json",), ("--once", "--status"), ("more",)):
            self.assertEqual(host.ctl("follow", *args).returncode, 64, args)
        host.configure(source=None)
        self.assertEqual(host.ctl("follow", "--once").returncode, 78)

    def test_without_the_right_to_write_nobody_accepts(self):
        host = self.host(write=False)
        done = host.ctl("follow", "--accept")
        self.assertEqual(done.returncode, 77)
        self.assertIn("source.write", done.stderr)


if __name__ == "__main__":
    unittest.main()
