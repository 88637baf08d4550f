# SPDX-License-Identifier: BSD-2-Clause
"""What follow refuses: one line, its exit status, and the old answers go on."""

import os
import shutil
import subprocess

from lib import place
from lib.follower import FollowCase, schema
from lib.milter import ask

VERIFY = "source.connect: host '{}' is another one, and sslmode is 'prefer': write sslmode=verify-full"
SCHEMA = "store: relation \"{}\" does not exist: run movedctl schema pgsql | psql, or correct source.schema"


class BadInput(FollowCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        hba = cls.store.data / "pg_hba.conf"
        hba.write_text("local all wants_password scram-sha-256\nlocal nobody_may all reject\n" + hba.read_text())
        cls.store.sql("SELECT pg_reload_conf()", "CREATE ROLE wants_password LOGIN PASSWORD 'right' IN ROLE moved_follow",
                      "CREATE ROLE no_rights LOGIN", *(f"CREATE DATABASE {name}" for name in ("bare", "newer", "half", "nobody_may")))
        for name in ("newer", "half"):
            cls.store.script(schema(), database=name)
        cls.store.sql("UPDATE moved_format SET format = 2", database="newer")
        cls.store.sql("DROP TABLE moved CASCADE", database="half")

    def setUp(self):
        super().setUp()
        self.store.put(al="al@new.example")
        self.mx = self.host()
        self.mx.movedctl("follow", "--once")
        self.mx.start()

    def passfile(self, text, mode=0o600):
        path = self.mx.folder / "pass"
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def check(self, status, line, source=None, env=None, **settings):
        """Once and for ever: the same line, and nothing else."""
        source = {"poll": 100, **(source or {"connect": self.store.connect("moved_follow")})}
        self.mx.configure(source=source, **settings)
        done = self.mx.ctl("follow", "--once", env=env)
        key = line.partition(":")[0]
        spot = f"{self.mx.spot(key)}: " if status == 78 and "." in key else ""
        self.assertEqual((done.returncode, done.stderr), (status, f"movedctl: {spot}{line}\n"))
        if status != 69:
            self.mx.follow(env={**os.environ, **(env or {})})
            self.assertEqual((self.mx.follower.wait(), self.mx.follower.printed()), (status, done.stderr))
            self.mx.follower.log.unlink()
            status = self.mx.status()
            self.assertEqual((status["exit"], status.get("reason", line)), (78, line))
        self.assertEqual(ask(self.mx.address, "<al@old.example>"), "551 5.1.6 User not local; please try <al@new.example>")

    def test_a_host_that_is_not_here_without_verify_full(self):
        service = self.mx.folder / "services"
        service.write_text("[far]\nhost=192.0.2.1\n")
        for host, connect, env in (
            ("192.0.2.1", "host=192.0.2.1 dbname=mail", None),
            ("db.example", "host=127.0.0.1,db.example dbname=mail", None),
            ("192.0.2.1", "host=localhost hostaddr=192.0.2.1 dbname=mail", None),
            ("192.0.2.1", "hostaddr=192.0.2.1 dbname=mail", None),
            ("192.0.2.1", "postgresql://moved_follow@192.0.2.1/mail", None),
            ("db.example", "dbname=mail", {"PGHOST": "db.example"}),
            ("192.0.2.1", "dbname=mail", {"PGHOSTADDR": "192.0.2.1"}),
            ("192.0.2.1", "service=far", {"PGSERVICEFILE": str(service)}),
            ("192.0.2.1", "dbname=mail", {"PGSERVICEFILE": str(service), "PGSERVICE": "far"}),
        ):
            with self.subTest(connect=connect, env=env):
                self.check(78, VERIFY.format(host), {"connect": connect}, env)

    def test_a_connection_string(self):
        for line, connect in (
            ("invalid connection option \"hots\": write it as libpq reads it, \"host=db.example ...\"", "hots=db.example"),
            ("could not match 2 port numbers to 3 hosts: write it as libpq reads it, \"host=db.example ...\"", "host=/a,/b,/c port=1,2"),
            ("invalid sslmode value: \"ferify\": write it as libpq reads it, \"host=db.example ...\"", "host=/a sslmode=ferify"),
            ("an empty part in hostaddr: write one for each host", "host=localhost,localhost hostaddr=127.0.0.1, port=1,2"),
            ("an empty part in host: write one for each host", "host=,/a port=1,2"),
            ("definition of service \"nowhere\" not found: write it as libpq reads it, \"host=db.example ...\"", "service=nowhere"),
        ):
            with self.subTest(connect=connect):
                self.check(78, f"source.connect: {line}", {"connect": connect})

    def test_a_password(self):
        connect = self.store.connect("wants_password")
        self.check(77, "source.connect: store: password authentication failed for user \"wants_password\": check user, password and pg_hba.conf",
                   {"connect": connect, "passfile": self.passfile("*:*:*:*:wrong\n")})
        self.check(77, "source.connect: store: no password for user 'wants_password': write one into source.passfile",
                   {"connect": connect, "passfile": self.passfile("*:*:other:*:right\n")})
        self.mx.configure(source={"connect": connect, "passfile": self.passfile("*:*:*:*:right\n")})
        self.mx.movedctl("follow", "--once")

    def test_a_password_file(self):
        connect = self.store.connect("wants_password")
        missing = self.mx.folder / "missing"
        self.check(77, f"source.passfile: {missing}: No such file or directory: make it a file of this user's",
                   {"connect": connect, "passfile": str(missing)})
        for mode in (0o640, 0o604):
            path = self.passfile("*:*:*:*:right\n", mode)
            self.check(78, f"source.passfile: {path}: others may read it: chmod 600 it", {"connect": connect, "passfile": path})
        self.check(78, f"source.passfile: {self.mx.folder}: not a file: write the path of one", {"connect": connect, "passfile": str(self.mx.folder)})
        self.check(78, "source.passfile: 'pass' is no absolute path: write one", {"connect": connect, "passfile": "pass"})

    def test_a_host_that_was_never_in_step(self):
        """It is refused too: who asks for its state learns what to mend."""
        host = self.host("new", passfile=str(self.mx.folder / "missing"))
        self.assertEqual(host.ctl("follow").returncode, 77)
        self.assertRegex(host.status()["reason"], "^source.passfile: ")
        self.assertEqual((host.status()["state"], host.status()["exit"], host.ctl("list").returncode), ("refused", 78, 66))

    def test_a_password_file_that_is_another_user_s(self):
        if os.geteuid() != 0:
            place.lacking("only root becomes another user")
        path = self.passfile("*:*:*:*:right\n")
        self.mx.configure(source={"connect": self.store.connect("wants_password"), "passfile": path})
        program = shutil.copy(place.program("movedctl")[0], self.mx.folder)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "-c", self.mx.conf, "follow", "--once"],
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr),
                         (77, f"movedctl: source.passfile: {path}: Permission denied: make it a file of this user's\n"))

    def test_a_user_a_database_and_a_right(self):
        for status, line, connect in (
            (77, "source.connect: store: role \"nobody\" does not exist: check user, password and pg_hba.conf", self.store.connect("nobody")),
            (77, "source.connect: store: pg_hba.conf rejects connection for host \"[local]\", user \"moved_follow\", database \"nobody_may\", "
                 "no encryption: check user, password and pg_hba.conf", self.store.connect("moved_follow", "nobody_may")),
            (78, "source.connect: store: database \"none\" does not exist: correct dbname", self.store.connect("moved_follow", "none")),
            (77, "source.connect: store: permission denied for table moved_format: grant moved_follow to read, moved_admin to write",
             self.store.connect("no_rights")),
        ):
            with self.subTest(connect=connect):
                self.check(status, line, {"connect": connect})

    def test_a_schema(self):
        for line, database, more in (
            (f"source.connect: {SCHEMA.format('public.moved_format')}", "bare", {}),
            (f"source.connect: {SCHEMA.format('other.moved_format')}", "postgres", {"schema": "other"}),
            (SCHEMA.format("public.moved"), "half", {}),
            ("source.connect: store: its schema has format 2, and this program knows 1: install the version of milter-moved that goes with it",
             "newer", {}),
        ):
            with self.subTest(database=database, more=more):
                self.check(78, line, {"connect": self.store.connect("moved_follow", database), **more})

    def test_another_rule_of_case(self):
        self.check(78, f"addresses.fold_case: {self.mx.table} was made with fold_case = true: set it so, or export, init and import to change it",
                   addresses={"fold_case": False})

    def test_a_store_that_is_not_there(self):
        port, = place.free_ports(1)
        self.check(69, f"source.connect: store: connection to server at \"127.0.0.1\", port {port} failed: Connection refused",
                   {"connect": f"host=127.0.0.1 port={port} user=moved_follow dbname=postgres"})
