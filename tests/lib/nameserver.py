# SPDX-License-Identifier: BSD-2-Clause
"""A private name server on 127.0.0.1: Unbound, which knows one zone, the root, and asks nobody."""

import contextlib
import os
import pathlib
import re

from lib import place

CONF = """\
server:
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  do-not-query-localhost: no
  interface: 127.0.0.1@{port}
  port: {port}
  do-ip6: no
  do-tcp: {tcp}
  num-threads: 1
  outgoing-range: 64
  num-queries-per-thread: 1024
  so-rcvbuf: 0
  module-config: "iterator"
  log-queries: yes
  local-zone: "silent.example." deny
  local-zone: "refused.example." refuse
auth-zone:
  name: "broken.example."
  primary: 127.0.0.1@{closed}
  for-upstream: yes
  for-downstream: no
  fallback-enabled: no
auth-zone:
  name: "."
  zonefile: "{folder}/zone"
  for-upstream: yes
  for-downstream: no
  fallback-enabled: no
remote-control:
  control-enable: no
"""

HEAD = """\
$TTL 300
. SOA ns.example. root.example. 1 3600 600 86400 300
. NS ns.example.
ns.example. A 127.0.0.1
"""


class NameServer:
    """Answers from the lines of a zone file, with full names; not at all below silent.example, REFUSED below refused.example, SERVFAIL
    below broken.example."""

    def __init__(self, folder, zone, tcp=True):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.port, closed = place.free_ports(2)
        self.address = f"127.0.0.1:{self.port}"
        (self.folder / "zone").write_text(HEAD + zone)
        (self.folder / "conf").write_text(CONF.format(folder=self.folder, port=self.port, closed=closed, tcp="yes" if tcp else "no"))
        self.process = None

    def __enter__(self):
        root = place.unpacked("unbound")
        env = {**os.environ, "LD_LIBRARY_PATH": (root / "lib-path").read_text().strip()}
        self.process = place.Process([root / "usr/sbin/unbound", "-d", "-c", self.folder / "conf"], self.folder / "log", env=env)
        place.until(self._is_up, "unbound answers")
        return self

    def _is_up(self):
        if not self.process.lives():
            raise AssertionError(f"unbound ended with {self.process.wait()}:\n{self.process.printed()[-3000:]}")
        return "start of service" in self.process.printed()

    def asked(self):
        """Each question that has come, in order: (name, type)."""
        return re.findall(r"info: 127\.0\.0\.1 (\S+)\. (\S+) IN$", self.process.printed(), re.MULTILINE)

    def __exit__(self, *_):
        with contextlib.suppress(ProcessLookupError):
            self.process.end()
