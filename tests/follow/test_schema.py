# SPDX-License-Identifier: BSD-2-Clause
"""The SQL of movedctl schema pgsql on a real PostgreSQL: each way to change the table is noted, once its transaction commits."""

import subprocess
import unittest

from lib import place
from lib.postgresql import PostgreSQL, binaries

ROW = "INSERT INTO moved (old_address, new_address) VALUES ('{}', 'n@new.example')"


def schema():
    return subprocess.run(place.program("movedctl") + ["schema", "pgsql"], capture_output=True, text=True, check=True,
                          env={"MILTER_MOVED_CONF": ""}).stdout


class SchemaCase(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        folder = place.folder()
        cls.folder = folder.__enter__()
        cls.addClassCleanup(folder.__exit__, None, None, None)
        cls.server = PostgreSQL(cls.folder / "p")
        cls.server.__enter__()
        cls.addClassCleanup(cls.server.__exit__)
        cls.server.script(schema())
        cls.server.sql("ALTER ROLE moved_admin LOGIN", "ALTER ROLE moved_follow LOGIN")

    def setUp(self):
        self.server.sql("DELETE FROM moved")
        self.before = self.newest()

    def newest(self):
        return int(self.server.sql("SELECT max(version) FROM moved_version"))

    def noted(self):
        """What each version since the beginning of the test changed: one list a version."""
        rows = self.server.sql(
            "SELECT v.version, k.kind, k.old_address FROM moved_version v JOIN moved_key k USING (began, transaction) "
            f"WHERE v.version > {self.before} AND k.kind <> 't' ORDER BY v.version, k.kind, k.old_address").splitlines()
        versions = {}
        for row in rows:
            version, kind, old = row.split("|")
            versions.setdefault(version, []).append(old if kind == "k" else {"w": "ALL", "a": "ACCEPTED"}[kind])
        return list(versions.values())


class Notes(SchemaCase):
    def test_each_statement_notes_the_old_addresses_it_changed(self):
        for statements, noted in (
            ([ROW.format("a@old.example")], [["a@old.example"]]),
            (["UPDATE moved SET note = 'x'"], [["a@old.example"]]),
            (["UPDATE moved SET old_address = 'b@old.example'"], [["a@old.example", "b@old.example"]]),
            ([ROW.format("b@old.example") + " ON CONFLICT (old_address) DO UPDATE SET note = 'y'"], [["b@old.example"]]),
            ([ROW.format("b@old.example") + " ON CONFLICT DO NOTHING"], []),
            (["DELETE FROM moved WHERE old_address = 'nobody@old.example'"], []),
            (["BEGIN", ROW.format("c@old.example"), ROW.format("d@old.example"), "DELETE FROM moved WHERE note = 'y'", "COMMIT"],
             [["b@old.example", "c@old.example", "d@old.example"]]),
            (["DELETE FROM moved"], [["c@old.example", "d@old.example"]]),
            (["TRUNCATE moved"], [["ALL"]]),
            (["SELECT moved_accept()"], [["ACCEPTED"]]),
        ):
            with self.subTest(statements=statements):
                self.before = self.newest()
                self.server.sql(*statements)
                self.assertEqual(self.noted(), noted)

    def test_what_is_rolled_back_is_not_noted(self):
        self.server.script("BEGIN; " + ROW.format("a@old.example") + "; ROLLBACK;")
        self.assertEqual((self.noted(), self.newest()), ([], self.before))
        self.server.script("BEGIN; SAVEPOINT s; " + ROW.format("a@old.example") + "; ROLLBACK TO s; "
                           + ROW.format("b@old.example") + "; SAVEPOINT t; " + ROW.format("c@old.example") + "; RELEASE t; COMMIT;")
        self.assertEqual(self.noted(), [["b@old.example", "c@old.example"]])

    def test_constraints_that_are_checked_early_stamp_once(self):
        self.server.script("BEGIN; " + ROW.format("a@old.example") + "; SAVEPOINT s; SET CONSTRAINTS ALL IMMEDIATE; ROLLBACK TO s; "
                           + ROW.format("b@old.example") + "; SET CONSTRAINTS ALL IMMEDIATE; " + ROW.format("c@old.example")
                           + "; DELETE FROM moved WHERE old_address = 'a@old.example'; COMMIT;")
        self.assertEqual(self.noted(), [["a@old.example", "b@old.example", "c@old.example"]])

    def test_copy(self):
        self.server.script("COPY moved (old_address, new_address) FROM STDIN;\na@old.example\tn@new.example\nb@old.example\t\\N\n\\.\n")
        self.assertEqual(self.noted(), [["a@old.example", "b@old.example"]])

    def test_more_than_100_000_rows_are_the_whole_table(self):
        rows = "INSERT INTO moved (old_address) SELECT 'u' || i || '@old.example' FROM generate_series({}, {}) i"
        self.server.sql(rows.format(1, 100001))
        self.assertEqual(self.noted(), [["ALL"]])
        self.server.sql("DELETE FROM moved")
        self.server.script(f"BEGIN; {rows.format(1, 60000)}; {rows.format(60001, 120000)}; COMMIT;")
        self.assertEqual(self.noted()[1:], [["ALL"], ["ALL"]])
        self.before = self.newest()
        self.server.script("BEGIN; DELETE FROM moved WHERE old_address > 'u9'; COMMIT;")
        self.assertGreater(len(self.noted()[0]), 10000)

    def test_versions_come_in_the_order_of_the_commits(self):
        for isolation in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
            with self.subTest(isolation=isolation), self.server.open() as first, self.server.open() as second:
                self.server.sql("DELETE FROM moved")
                self.before = self.newest()
                first.sql(f"BEGIN ISOLATION LEVEL {isolation}; SELECT 1")
                first.sql(ROW.format("first@old.example"))
                second.sql(f"BEGIN ISOLATION LEVEL {isolation}; " + ROW.format("second@old.example"))
                self.assertEqual(second.sql("COMMIT"), "")
                self.assertEqual(first.sql("COMMIT"), "")
                self.assertEqual(self.noted(), [["second@old.example"], ["first@old.example"]])

    def test_a_replica_role_is_noted_too(self):
        self.server.script("SET session_replication_role = replica; " + ROW.format("a@old.example") + ";")
        self.assertEqual(self.noted(), [["a@old.example"]])

    def test_old_versions_are_pruned_but_for_the_last_one_that_a_host_in_step_has(self):
        self.server.sql(ROW.format("a@old.example"), ROW.format("b@old.example"), ROW.format("c@old.example"))
        self.server.sql("UPDATE moved_version SET stamped = stamped - interval '31 days'")
        last = self.newest()
        self.server.sql(ROW.format("d@old.example"))
        self.assertEqual(self.server.sql("SELECT version FROM moved_version ORDER BY 1"), f"{last}\n{self.newest()}")
        self.assertEqual(self.server.sql("SELECT old_address FROM moved_key WHERE kind = 'k' ORDER BY 1"), "c@old.example\nd@old.example")


class Rows(SchemaCase):
    def test_a_constraint_names_its_reason(self):
        for columns, values, reason in (
            ("old_address", "''", "old_address must not be empty"),
            ("old_address", "repeat('a', 1001)", "old_address must have at most 1000 octets"),
            ("old_address, new_address", "'a@x', 'a@x'", "new_address must differ from old_address"),
            ("old_address, action", "'a@x', 'bounce'", "action must be reject, forward or stay"),
            ("old_address, action", "'a@x', 'forward'", "action forward needs a new_address"),
            ("old_address, action, new_address", "'a@x', 'stay', 'b@x'", "action stay takes no new_address and no forward_until"),
            ("old_address, valid_from, valid_until", "'a@x', '2026-02-01', '2026-01-01'", "valid_until must be after valid_from"),
            ("old_address, disclose", "'a@x', 'friends'", "disclose must be anyone, trusted or nobody"),
            ("old_address, note", "'a@x', repeat('n', 1001)", "note must have at most 1000 octets"),
        ):
            with self.subTest(reason=reason):
                done = self.server.attempt(f"INSERT INTO moved ({columns}) VALUES ({values})")
                self.assertIn(f'violates check constraint "{reason}"', done.stderr)


class Servers(SchemaCase):
    def test_a_second_run_keeps_what_is_there(self):
        self.server.sql(ROW.format("a@old.example"))
        before = self.newest()
        self.server.script(schema())
        self.assertEqual((self.server.sql("SELECT old_address FROM moved"), self.newest()), ("a@old.example", before))
        self.server.sql(ROW.format("b@old.example"))
        self.assertEqual(self.noted(), [["a@old.example"], ["b@old.example"]])

    def test_who_may_what(self):
        for user, statement, words in (
            ("moved_admin", ROW.format("a@old.example"), ""),
            ("moved_admin", "SELECT moved_accept()", ""),
            ("moved_admin", "DELETE FROM moved_version", "permission denied"),
            ("moved_admin", "INSERT INTO moved_key VALUES (now(), 1, 'a', '')", "permission denied"),
            ("moved_follow", "SELECT * FROM moved, moved_version, moved_key, moved_format", ""),
            ("moved_follow", ROW.format("b@old.example"), "permission denied"),
            ("moved_follow", "SELECT moved_accept()", "permission denied"),
        ):
            with self.subTest(user=user, statement=statement):
                done = self.server.attempt(statement, user=user)
                self.assertIn(words, done.stderr)
                self.assertEqual(done.returncode, 1 if words else 0, done.stderr)
        self.server.sql("CREATE ROLE nobody_here LOGIN")
        self.assertIn("permission denied", self.server.attempt("SELECT * FROM moved", user="nobody_here").stderr)

    def test_where_the_public_may_make_no_temporary_tables(self):
        """movedctl writes through one, so moved_admin may, and nobody else."""
        self.server.sql("CREATE DATABASE tight", "REVOKE TEMPORARY ON DATABASE tight FROM PUBLIC")
        self.addCleanup(self.server.sql, "DROP DATABASE tight")
        self.server.script(schema(), database="tight")
        make = "CREATE TEMPORARY TABLE t (i integer)"
        self.server.sql(make, user="moved_admin", database="tight")
        self.assertIn("permission denied", self.server.attempt(make, user="moved_follow", database="tight").stderr)

    def test_the_owner_of_a_database_needs_no_other_right(self):
        """But to make the two roles, where they are missing."""
        self.server.sql("CREATE ROLE owner LOGIN", "CREATE DATABASE owned OWNER owner")
        done = self.server.attempt(stdin=schema(), user="owner", database="owned")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.server.sql(ROW.format("a@old.example"), user="moved_admin", database="owned")
        for user in ("moved_follow", "moved_admin"):
            self.assertEqual(self.server.sql("SELECT old_address FROM moved JOIN moved_key USING (old_address)", user=user, database="owned"), "a@old.example")

    def test_a_dump_is_restored_with_its_versions(self):
        self.server.sql(ROW.format("a@old.example"))
        dump = self.server.run("pg_dump", "-d", self.server.connect())
        self.server.sql("CREATE DATABASE restored")
        self.server.script(dump, database="restored")
        ask = "SELECT version, nonce FROM moved_version ORDER BY version DESC LIMIT 1"
        self.assertEqual(self.server.sql(ask, database="restored"), self.server.sql(ask))
        self.server.sql(ROW.format("b@old.example"), database="restored")
        self.assertEqual(self.server.sql("SELECT count(*) FROM moved_key WHERE old_address = 'b@old.example'", database="restored"), "1")

    def test_a_logical_copy_has_versions_of_its_own(self):
        self.server.sql(ROW.format("a@old.example"), "CREATE PUBLICATION moved_copy FOR TABLE moved")
        with PostgreSQL(self.folder / "l") as copy:
            copy.script(schema())
            copy.sql(f"CREATE SUBSCRIPTION moved_copy CONNECTION '{self.server.connect()}' PUBLICATION moved_copy")

            def has(rows):
                return lambda: copy.sql("SELECT string_agg(old_address, ' ' ORDER BY old_address) FROM moved") == rows

            place.until(has("a@old.example"), "the first rows are copied")
            before = int(copy.sql("SELECT max(version) FROM moved_version"))
            self.server.sql(ROW.format("b@old.example"), "UPDATE moved SET old_address = 'c@old.example' WHERE old_address = 'a@old.example'")
            place.until(has("b@old.example c@old.example"), "the changes are copied")
            self.assertEqual(
                copy.sql(f"SELECT k.old_address FROM moved_version v JOIN moved_key k USING (began, transaction) "
                         f"WHERE v.version > {before} AND k.kind = 'k' ORDER BY v.version, k.old_address"),
                "b@old.example\na@old.example\nc@old.example")
            self.server.sql("TRUNCATE moved")
            place.until(has(""), "the table is empty")
            self.assertEqual(copy.sql("SELECT kind FROM moved_key JOIN moved_version USING (began, transaction) "
                                      "WHERE kind <> 't' ORDER BY version DESC LIMIT 1"), "w")
            copy.sql("DROP SUBSCRIPTION moved_copy")
        self.server.sql("DROP PUBLICATION moved_copy")


if __name__ == "__main__":
    unittest.main()
