# SPDX-License-Identifier: BSD-2-Clause
"""Changes made with movedctl on a host that follows a store go to the store and come back."""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
from unittest import mock

from lib import place
from lib.follower import FollowCase, Store, schema


class Writing(FollowCase):
    def setUp(self):
        super().setUp()
        self.store.put(al="al@new.example", bo="bo@new.example")
        self.mx = self.host().follow()
        self.mx.until_state("in step")

    def change(self, *args, stdin=""):
        """Changes the store from this host. movedctl says where that is not in force here within 2 s: a machine may be slower."""
        done = self.mx.ctl(*args, stdin=stdin)
        self.assertEqual(done.returncode, 0, done.stderr)
        if "this host not yet" in done.stderr:
            self.mx.until_same(self.store)
        return done.stdout

    def refuses(self, status, words, *args, host=None, stdin=""):
        before = self.store.entries()
        done = (host or self.mx).ctl(*args, stdin=stdin)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertRegex(done.stderr, words)
        self.assertEqual(self.store.entries(), before)
        return done.stderr

    def test_what_add_and_del_do_is_in_force_when_they_end(self):
        self.change("add", "Cy@old.example", "cy@new.example", "--note", "it's 5 \\ 6", "--until", "2099-01-02")
        self.assertEqual(json.loads(self.mx.movedctl("get", "--json", "cy@old.example"))["note"], "it's 5 \\ 6")
        self.assertEqual(self.store.sql("SELECT old_address, new_address, action, valid_until AT TIME ZONE 'UTC', note FROM moved "
                                        "WHERE old_address LIKE 'cy%'"),
                         "cy@old.example|cy@new.example|reject|2099-01-02 00:00:00|it's 5 \\ 6")
        self.change("del", "AL@old.example", "cy@OLD.example", "al@old.example")
        self.assertEqual(self.mx.has(), {"bo@old.example": "bo@new.example"})
        self.assertEqual(self.store.entries(), self.mx.has())

    def test_add_without_replace_keeps_what_is_there(self):
        said = self.refuses(65, "already", "add", "al@old.example", "x@new.example")
        self.assertEqual(said, "movedctl: store: 'al@old.example' already has an entry: see movedctl get, or use --replace\n")
        self.change("add", "--replace", "al@old.example", "x@new.example")
        self.assertEqual(self.mx.has()["al@old.example"], "x@new.example")
        self.assertEqual(self.store.entries(), self.mx.has())

    def test_del_is_all_or_nothing(self):
        self.refuses(1, "no entry 'zz@old.example'", "del", "al@old.example", "zz@old.example")

    def test_our_own_parser_judges_first(self):
        self.refuses(65, "old", "add", "no-domain", "x@new.example")
        self.store.suspend()
        self.addCleanup(self.store.resume)
        self.assertEqual(self.mx.ctl("add", "no-domain", "x@new.example").returncode, 65)

    def test_a_check_of_the_store_refuses(self):
        self.store.sql("ALTER TABLE moved ADD CONSTRAINT \"only the helpdesk moves people\" CHECK (note IS NOT NULL) NOT VALID")
        self.addCleanup(self.store.sql, "ALTER TABLE moved DROP CONSTRAINT \"only the helpdesk moves people\"")
        self.refuses(65, "only the helpdesk moves people", "add", "cy@old.example", "cy@new.example")

    def test_an_import_is_one_transaction(self):
        before = self.store.sql("SELECT max(version) FROM moved_version")
        rows = "old,new\n" + "".join(f"u{i}@old.example,u{i}@new.example\n" for i in range(2000)) + "al@old.example,x@new.example\n"
        self.assertEqual(self.change("import", "-", stdin=rows), "2000 added, 1 changed, 0 removed, 0 unchanged\n")
        self.assertEqual(int(self.store.sql("SELECT max(version) FROM moved_version")), int(before) + 1)
        self.assertEqual(self.store.entries(), self.mx.has())
        self.refuses(65, "1 bad line", "import", "-", stdin=rows + "no-domain,x@new.example\n")
        self.refuses(65, "--max-remove", "import", "--replace-all", "-", stdin="old,new\nal@old.example,\n")

    def test_a_store_that_works_on_a_large_import_is_waited_for(self):
        """For longer than source.timeout: it has more to do than for a single entry."""
        self.store.script("CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN NULL; END $$;"
                          "CREATE TRIGGER dawdles AFTER INSERT ON moved FOR EACH STATEMENT EXECUTE FUNCTION dawdle();")
        self.addCleanup(self.store.sql, "DROP FUNCTION dawdle CASCADE")
        self.mx.configure(source={**self.mx.source, "timeout": 1})
        self.refuses(69, r"no answer within 1 s \(source.timeout\)", "add", "cy@old.example", "cy@new.example")
        rows = "old,new\n" + "".join(f"u{i}@old.example,u{i}@new.example\n" for i in range(30000))
        self.assertEqual(self.change("import", "-", stdin=rows), "30000 added, 0 changed, 0 removed, 0 unchanged\n")

    def test_an_import_that_removes_much_is_held_until_it_is_accepted(self):
        rows = "old,new\n" + "".join(f"u{i}@old.example,u{i}@new.example\n" for i in range(50))
        self.change("import", "-", stdin=rows)
        done = self.mx.ctl("import", "--replace-all", "--max-remove", "100", "-", stdin="old,new\nal@old.example,x@new.example\n")
        self.assertEqual((done.returncode, done.stdout), (0, "0 added, 1 changed, 51 removed, 0 unchanged\n"))
        self.assertRegex(done.stderr, "movedctl follow --(accept|status)")
        self.mx.until_state("held")
        self.assertEqual(self.store.entries(), {"al@old.example": "x@new.example"})
        self.mx.movedctl("follow", "--accept")
        self.mx.until_same(self.store)

    def test_a_dry_run_writes_nothing(self):
        self.assertIn("+ cy@old.example", self.change("import", "--dry-run", "-", stdin="old,new\ncy@old.example,cy@new.example\n"))
        self.assertNotIn("cy@old.example", self.store.entries())

    def test_undo_takes_back_the_last_change_made_on_this_host(self):
        self.change("add", "cy@old.example", "cy@new.example")
        self.store.put(dy="dy@new.example")  # by somebody else, later
        self.mx.until_same(self.store)
        self.assertIn("made on this host", self.change("undo"))
        self.assertNotIn("cy@old.example", self.mx.has())
        self.assertIn("dy@old.example", self.mx.has())
        self.assertEqual(self.store.entries(), self.mx.has())
        self.change("undo")  # a change of this host too
        self.assertEqual(self.mx.has()["cy@old.example"], "cy@new.example")
        self.assertEqual(self.store.entries(), self.mx.has())

    def test_undo_does_not_pass_over_a_change_of_this_host_that_is_held(self):
        """The change before it is not the last one, and would go beside it."""
        rows = "old,new\n" + "".join(f"u{i}@old.example,u{i}@new.example\n" for i in range(50))
        self.change("add", "cy@old.example", "cy@new.example")
        self.change("import", "-", stdin=rows)
        self.mx.movedctl("import", "--replace-all", "--max-remove", "100", "-", stdin="old,new\nu1@old.example,u1@new.example\n")
        self.mx.until_state("held")
        for dry in ((), ("--dry-run",)):
            self.refuses(75, "not yet in force here", "undo", *dry)
        self.assertEqual(self.store.entries(), {"u1@old.example": "u1@new.example"})
        self.mx.movedctl("follow", "--accept")
        self.mx.until_same(self.store)

    def test_undo_of_the_first_change_of_this_host_before_it_is_in_force(self):
        self.mx.follower.end()
        self.mx.movedctl("add", "cy@old.example", "cy@new.example")
        self.refuses(75, "not yet in force here", "undo")

    def test_undo_on_a_host_with_a_long_name(self):
        """It is cut where the log of changes has a user, and known again all the same."""
        named = ["unshare", "--uts", "sh", "-c", f'hostname {"h" * 64}; exec "$@"', "sh"]
        if subprocess.run([*named, "true"], capture_output=True).returncode != 0:
            place.lacking("no host names of its own here")
        with mock.patch.dict(os.environ, MOVEDCTL=shlex.join(named + place.program("movedctl"))):
            host = self.host("long")
            host.movedctl("follow", "--once")
            for name in ("cy", "dy"):
                host.movedctl("add", f"{name}@old.example", f"{name}@new.example")
            host.movedctl("follow", "--once")
            host.movedctl("undo")
        self.assertIn("cy@old.example", self.store.entries())
        self.assertNotIn("dy@old.example", self.store.entries())

    def test_undo_does_not_pass_over_a_comparison_of_all_rows(self):
        """An import that is too large to be noted row by row comes that way."""
        self.change("add", "cy@old.example", "cy@new.example")
        self.store.sql("BEGIN; INSERT INTO moved SELECT 'u' || i || '@old.example' FROM generate_series(1, 100001) i; "
                       "DELETE FROM moved WHERE old_address LIKE 'u%' AND old_address <> 'u7@old.example'; COMMIT")
        self.mx.until_same(self.store)
        self.refuses(65, "all rows", "undo")
        self.change("undo", "2")
        self.assertNotIn("cy@old.example", self.mx.has())

    def test_undo_of_what_has_been_changed_since_is_refused(self):
        self.change("add", "cy@old.example", "cy@new.example")
        self.store.put(cy="other@new.example")
        self.mx.until_same(self.store)
        self.refuses(65, "cy@old.example", "undo")

    def test_the_log_names_who_and_with_what(self):
        self.change("add", "cy@old.example", "cy@new.example")
        (change, *_) = json.loads(self.mx.movedctl("log", "--json"))
        self.assertRegex(change["user"], "^[^@]+@.+")
        self.assertEqual(change["command"], "movedctl add cy@old.example cy@new.example")
        self.store.put(dy="dy@new.example")
        self.mx.until_same(self.store)
        (change, *_) = json.loads(self.mx.movedctl("log", "--json"))
        self.assertEqual((change["user"], change["command"]), ("postgres", "psql"))

    def test_without_write_the_sql_is_printed(self):
        reader = self.host(write=False)
        reader.movedctl("follow", "--once")
        sql = self.refuses(77, "source.write", "add", "cy@old.example", "cy@new.example", "--note", "it's", host=reader)
        self.store.sql(*sql.splitlines()[:-1], user="moved_admin")
        self.assertEqual(self.store.sql("SELECT note FROM moved WHERE old_address = 'cy@old.example'"), "it's")
        note = "C:\\a it's \u009b2J\u202e"  # controls a terminal
        sql = self.refuses(77, "source.write", "add", "cz@old.example", "cz@new.example", "--note", note, host=reader)
        self.assertTrue(all(sign.isprintable() or sign == "\n" for sign in sql), sql)
        self.store.sql(*sql.splitlines()[:-1], user="moved_admin")
        self.assertEqual(self.store.sql("SELECT note FROM moved WHERE old_address = 'cz@old.example'"), note)
        sql = self.refuses(77, "source.write", "del", "cy@old.example", host=reader)
        self.store.sql(*sql.splitlines()[:-1], user="moved_admin")
        self.assertNotIn("cy@old.example", self.store.entries())
        sql = self.refuses(77, "source.write", "import", "-", host=reader, stdin="old,new\nal@old.example,x@new.example\n")
        self.store.sql(*sql.splitlines()[:-1], user="moved_admin")
        self.assertEqual(self.store.entries()["al@old.example"], "x@new.example")

    def test_without_write_and_with_nothing_to_change_there_is_no_sql(self):
        reader = self.host(write=False)
        reader.movedctl("follow", "--once")
        said = self.refuses(77, "source.write", "import", "-", host=reader, stdin="old,new\nal@old.example,al@new.example\n")
        self.assertEqual(said, "movedctl: nothing was changed: this host may not write to the store: set source.write\n")

    def test_the_versions_of_another_store_are_others(self):
        """A new database begins again at 1: its 2 is not in force here because the table has a 9 of the one before."""
        self.store.sql("CREATE DATABASE another")
        self.addCleanup(self.store.sql, "DROP DATABASE another WITH (FORCE)")
        self.store.script(schema(), database="another")
        other = self.host("mx2")
        other.movedctl("follow", "--once")
        other.configure(source={**other.source, "connect": self.store.connect("moved_follow", "another"),
                                "write": self.store.connect("moved_admin", "another")})
        done = other.ctl("add", "cy@old.example", "cy@new.example")
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertIn("this host not yet", done.stderr)

    def test_a_link_that_may_not_write(self):
        for status, words, write in ((77, "permission denied", self.store.connect("moved_follow")),
                                     (78, "verify-full", "host=192.0.2.1 dbname=mail"),
                                     (78, "definition of service \"nowhere\" not found", "service=nowhere")):
            self.mx.configure(source={**self.mx.source, "write": write})
            self.refuses(status, words, "add", "cy@old.example", "cy@new.example")

    def test_a_store_that_is_down(self):
        self.store.stop(signal.SIGQUIT)
        try:
            self.assertEqual(self.mx.ctl("add", "cy@old.example", "cy@new.example").returncode, 69)
        finally:
            self.store.start()
        self.mx.until_state("in step")
        self.mx.configure(source={**self.mx.source, "timeout": 2})
        self.store.suspend()
        try:
            self.assertEqual(self.mx.ctl("add", "cy@old.example", "cy@new.example").returncode, 69)
        finally:
            self.store.resume()
        self.mx.until_state("in step")
        self.assertNotIn("cy@old.example", self.store.entries())

    def test_init_and_restore_are_refused(self):
        self.mx.movedctl("backup", self.mx.folder / "copy")
        self.refuses(77, "follows a store", "restore", self.mx.folder / "copy")
        self.refuses(77, "follows a store", "init")

    def test_a_standby_is_passed_over(self):
        standby = self.enter(Store(self.enter(place.folder()) / "standby", standby_of=self.store))
        self.mx.configure(source={**self.mx.source, "write": f"host={standby.folder},{self.store.folder} port={standby.port},{self.store.port} "
                                                             "user=moved_admin dbname=postgres"})
        self.change("add", "cy@old.example", "cy@new.example")
        self.assertIn("cy@old.example", self.store.entries())
        self.mx.configure(source={**self.mx.source, "write": standby.connect("moved_admin")})
        self.refuses(69, "read-only", "add", "dy@old.example", "dy@new.example")

    def test_another_table_is_not_the_one_that_follows(self):
        other = self.mx.folder / "other"
        for args in (("init",), ("add", "cy@old.example", "cy@new.example"), ("get", "cy@old.example")):
            self.mx.movedctl("-d", other, *args)
        self.assertNotIn("cy@old.example", self.store.entries())

    def test_a_backup_seeds_another_host(self):
        self.mx.movedctl("backup", self.mx.folder / "copy")
        other = self.host("mx2")
        other.movedctl("restore", self.mx.folder / "copy")
        self.assertEqual(other.has(), self.mx.has())
        self.store.put(cy="cy@new.example")
        other.movedctl("follow", "--once")
        other.until_same(self.store)

    def test_a_table_that_follows_and_settings_that_do_not(self):
        self.mx.movedctl("backup", self.mx.folder / "copy")
        other = self.host("mx3", settings={"source": None})
        other.movedctl("restore", self.mx.folder / "copy")
        self.refuses(78, "--detach", "add", "cy@old.example", "cy@new.example", host=other)
        other.movedctl("follow", "--detach")
        other.movedctl("add", "cy@old.example", "cy@new.example")
        self.assertNotIn("cy@old.example", self.store.entries())


class Replaced(FollowCase):
    def locks(self, pid, path):
        """Whether the process holds LMDB's lock on the file, without which the next program takes itself to be the first."""
        inode = str(path.stat().st_ino)
        lines = [line.split() for line in pathlib.Path("/proc/locks").read_text().splitlines()]
        return any(words[1] == "POSIX" and words[4] == str(pid) and words[5].split(":")[-1] == inode for words in lines)

    def uses(self, pid, path):
        """Whether the process has this file open."""
        with contextlib.suppress(OSError):
            return any(os.path.samestat(os.stat(fd), path.stat()) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir())
        return False

    def test_a_table_that_is_replaced_is_locked_again(self):
        self.store.put(al="al@new.example")
        mx = self.host().follow()
        mx.until_state("in step")
        pid, data, lock = mx.follower.pid, mx.table / "data.mdb", mx.table / "lock.mdb"
        place.until(lambda: self.locks(pid, lock), "the follower has its lock")
        old = data.stat().st_ino
        mx.movedctl("backup", mx.folder / "copy")
        shutil.copy2(mx.folder / "copy/data.mdb", mx.table / "new.mdb")
        shutil.chown(mx.table / "new.mdb", *data.stat()[4:6])
        (mx.table / "new.mdb").rename(data)
        self.assertNotEqual(data.stat().st_ino, old)
        place.until(lambda: self.uses(pid, data), "the follower has the new file", mx.follower.printed)
        self.store.put(bo="bo@new.example")
        mx.until_same(self.store)
        self.assertTrue(self.locks(pid, lock))
