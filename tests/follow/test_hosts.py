# SPDX-License-Identifier: BSD-2-Clause
"""Several hosts in source.connect: each is tried, whatever becomes of those before it."""

import os
import socket
import subprocess

from lib import place
from lib.follower import FollowCase, Store


class Hosts(FollowCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.third = Store(cls.folder / "third")
        cls.third.__enter__()
        cls.addClassCleanup(cls.third.__exit__)
        cls.third.put(al="al@new.example")

    def hosts(self, *ports):
        return f"host={','.join(['127.0.0.1'] * len(ports))} port={','.join(map(str, ports))} user=moved_follow dbname=postgres"

    def test_the_third_is_reached_where_the_first_hangs_and_the_second_refuses(self):
        self.store.suspend()
        self.addCleanup(self.store.resume)
        connect = self.hosts(self.store.port, *place.free_ports(1), self.third.port)
        once = self.host("once", connect=connect, write=False, timeout=5)
        once.movedctl("follow", "--once")
        self.assertEqual(once.has(), self.third.entries())
        serves = self.host("serves", connect=connect, write=False, timeout=5).follow()
        serves.until_state("in step")
        self.third.put(bo="bo@new.example")
        serves.until_same(self.third)
        self.assertNotIn("down", serves.follower.printed())

    def test_the_watchdog_hears_of_each_host_that_is_tried(self):
        if "libsystemd" not in subprocess.run(["ldd", *place.program("movedctl")], capture_output=True, text=True).stdout:
            place.lacking("built without libsystemd")
        host = self.host(connect=self.hosts(self.store.port, self.store.port, self.third.port), write=False, timeout=1, start_wait=600)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(host.folder / "notify"))
            manager.settimeout(place.PATIENCE)
            self.store.suspend()
            self.addCleanup(self.store.resume)
            host.follow(env={**os.environ, "NOTIFY_SOCKET": str(host.folder / "notify")})
            told = []
            while "READY=1" not in told:
                told += manager.recv(4096).decode().split()
            self.assertGreaterEqual(told.count("WATCHDOG=1"), 3)

    def test_too_many(self):
        host = self.host(connect=self.hosts(*[self.third.port] * 16), write=False)
        self.assertEqual(host.ctl("follow", "--once").returncode, 0)
        host = self.host(connect=self.hosts(*[self.third.port] * 17), write=False)
        done = host.ctl("follow", "--once")
        self.assertEqual((done.returncode, done.stderr),
                         (78, f"movedctl: {host.spot('source.connect')}: source.connect: 17 hosts: write 16 at most\n"))
