# SPDX-License-Identifier: BSD-2-Clause
"""Links to the store that go wrong: certificates, other settings, an answer that is lost. The old answers go on."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading

from lib import place
from lib.follower import FollowCase


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


class Certificates(FollowCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for key in ("ca", "server"):
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", cls.folder / f"{key}.key")
        openssl("req", "-x509", "-key", cls.folder / "ca.key", "-subj", "/CN=ours", "-days", "2", "-out", cls.folder / "ca.crt")

    def serve(self, name, days):
        """The store shows a certificate of this name that is good for so many days."""
        for file in ("key", "crt"):
            self.addCleanup((self.store.folder / f"server.{file}").unlink, missing_ok=True)
        request = self.folder / "request"
        openssl("req", "-new", "-key", self.folder / "server.key", "-subj", f"/CN={name}", "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.folder / "ca.crt", "-CAkey", self.folder / "ca.key", "-CAcreateserial",
                "-days", days, "-out", self.store.folder / "server.crt")
        key = self.store.folder / "server.key"
        shutil.copy(self.folder / "server.key", key)
        key.chmod(0o600)
        if os.geteuid() == 0:
            os.chown(key, *self.store.programs.account())
        self.store.sql(f"ALTER SYSTEM SET ssl_cert_file = '{self.store.folder}/server.crt'",
                       f"ALTER SYSTEM SET ssl_key_file = '{key}'", "ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
        place.until(lambda: self.shown() == subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", self.store.folder / "server.crt"],
                                                           capture_output=True).stdout, "the store shows its new certificate")

    def shown(self):
        done = subprocess.run(["openssl", "s_client", "-starttls", "postgres", "-connect", f"127.0.0.1:{self.store.port}"],
                              input=b"", capture_output=True)
        return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=done.stdout, capture_output=True).stdout

    def test_the_certificate_is_verified_with_its_name(self):
        self.store.put(al="al@new.example")
        expired = "certificate verify failed: it has expired, or no CA in sslrootcert has signed it"
        other = 'certificate for "db.example" does not match host name "localhost"'
        for name, days, words in (("localhost", 2, ""), ("localhost", -1, expired), ("db.example", 2, other), ("localhost", 2, "")):
            with self.subTest(name=name, days=days):
                self.serve(name, days)
                host = self.host(connect=f"host=localhost hostaddr=127.0.0.1 port={self.store.port} user=moved_follow dbname=postgres "
                                         f"sslmode=verify-full sslrootcert={self.folder}/ca.crt")
                done = host.ctl("follow", "--once")
                self.assertEqual(done.returncode, 69 if words else 0, done.stderr)
                if words:
                    self.assertRegex(done.stderr, rf"\Amovedctl: .*{words}.*\n\Z")


class Links(FollowCase):
    def test_another_rule_of_case_is_refused_and_the_daemon_goes_on(self):
        self.store.put(al="al@new.example")
        host = self.host()
        host.movedctl("follow", "--once")
        host.configure(addresses={"fold_case": False})
        done = host.ctl("follow", "--once")
        self.assertEqual(done.returncode, 78, done.stderr)
        self.assertIn("fold_case", done.stderr)
        host.configure(addresses=None)
        self.assertIn("551", host.movedctl("test", "al@old.example"))

    def test_the_daemon_reads_nothing_of_the_group(self):
        """Whatever stands there: mail is answered."""
        self.store.put(al="al@new.example")
        host = self.host()
        host.movedctl("follow", "--once")
        host.configure(source={"connect": 5, "nonsense": {"x": True}, "poll": -1})
        self.assertEqual(host.ctl("list").returncode, 78)
        host.start()
        host.configure(source={"type": "ldap"})
        host.reload()
        with host.session():
            pass

    def test_an_answer_to_commit_that_is_lost(self):
        with Cut(self.store.port, b"COMMIT\0") as port:
            host = self.host()
            host.movedctl("follow", "--once")
            host.configure(source={**host.source, "write": f"host=127.0.0.1 port={port} user=moved_admin dbname=postgres"})
            done = host.ctl("add", "al@old.example", "al@new.example")
            self.assertEqual(done.returncode, 75, done.stderr)
            self.assertIn("nobody knows whether", done.stderr)
            self.assertEqual(self.store.entries(), {"al@old.example": "al@new.example"})


class Cut(contextlib.AbstractContextManager):
    """A way to a port that passes all on, but ends where the answer to these octets would come. Its value is its own port."""

    def __init__(self, port, octets):
        self.port, self.octets = port, octets
        self.listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self.listener.getsockname()[1]

    def __exit__(self, *_):
        self.listener.close()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._pass_on, args=(client, socket.create_connection(("127.0.0.1", self.port))), daemon=True).start()

    def _pass_on(self, client, server):
        cut = threading.Event()

        def answers():
            with contextlib.suppress(OSError):
                while data := server.recv(65536):
                    if cut.is_set():
                        break
                    client.sendall(data)
                client.shutdown(socket.SHUT_RDWR)
            server.close()

        threading.Thread(target=answers, daemon=True).start()
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self.octets in data:
                    cut.set()
                server.sendall(data)
        client.close()
