# SPDX-License-Identifier: BSD-2-Clause
"""Other versions of PostgreSQL than this machine's: the schema, and hosts that follow. The server is another Debian's, in a root
file system of its own; all that talk to it are this machine's, with its libpq."""

import unittest

from follow import test_follow, test_schema
from lib import postgresql
from lib.machine import root


class Other:
    """Before a test class: it runs with the server of the Debian suite."""

    @classmethod
    def setUpClass(cls):
        postgresql.other = postgresql.Programs(root("postgresql", suite=cls.suite))
        cls.addClassCleanup(setattr, postgresql, "other", None)
        super().setUpClass()

    def test_it_is_this_version(self):
        self.assertEqual(self.server.sql("SHOW server_version_num")[:2], str(self.version))


class Schema(test_schema.Notes, test_schema.Rows, test_schema.Servers):
    pass


class Follow(test_follow.Steps, test_follow.BadRows, test_follow.Replicas):
    server = property(lambda self: self.store)


class Schema13(Other, Schema):
    suite, version = "bullseye", 13


class Follow13(Other, Follow):
    suite, version = "bullseye", 13


class Schema17(Other, Schema):
    suite, version = "trixie", 17


class Follow17(Other, Follow):
    suite, version = "trixie", 17


del Schema, Follow  # no tests of their own


if __name__ == "__main__":
    unittest.main()
