# SPDX-License-Identifier: BSD-2-Clause
"""Debian 13: its compiler and libraries build this and pass the unit tests; attach and doctor with its Postfix 3.10; and
quickstart, which unpacks that Postfix."""

import pathlib
import shlex
import subprocess
import unittest

from lib import package, place
from lib.machine import STRANGER, UNSHARE, root

BUILD = ("gcc", "libc6-dev", "make", "pkg-config", "libmilter-dev", "libconfig-dev", "liblmdb-dev", "libidn2-dev",
         "libunistring-dev", "libjansson-dev", "libcsv-dev", "libsystemd-dev", "libc-ares-dev", "libpq-dev")
PACKAGES = ("postfix", *BUILD, "check", "xz-utils", "python3-minimal")

# In namespaces of its own: the root file system with a layer above it.
ENTER = """
cd "$2"
mkdir upper work root
mount -t overlay -o "lowerdir=$1,upperdir=upper,workdir=work" trixie root
mount -t proc proc root/proc
mount -t tmpfs tmpfs root/run
mount -t tmpfs -o mode=1777 tmpfs root/dev/shm
cp "$3" root/root/dist.tar.xz
hostname mx.old.example
exec chroot root env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin LC_ALL=C.UTF-8 sh -ec "$4"
"""

# A network that has only itself.
NETWORK = f"""
ip link set lo up
ip address add {STRANGER}/32 dev lo
"""

# Python is minimal there: the shell is the client.
STEPS = """
exec 2>&1
echo '127.0.0.1 localhost mx.old.example' >/etc/hosts
cd /root
tar xf dist.tar.xz
mkdir build
cd build
../milter-moved-*/configure -q --enable-werror
make -s -j"$(nproc)"
make -s -j"$(nproc)" check TESTS=tests/unit/unit
make -s install
useradd --system --home-dir /var/lib/milter-moved --shell /usr/sbin/nologin milter-moved
movedctl init
movedctl add gone@mx.old.example gone@new.example
postconf -e maillog_file=/dev/stdout
postfix start
milter-moved
said=$(movedctl attach --yes postfix 2>&1) || [ $? = 75 ]
eval "${said##*for step 2: }"
movedctl attach --yes postfix
echo "== $(postconf -h mail_version)"
movedctl doctor
movedctl detach --yes --all
movedctl attach --dry-run postfix | grep -c moved_milter
"""

# With the network of the outside, if there is one, from which the package comes.
RESOLV = pathlib.Path("/etc/resolv.conf")
QUICKSTART = f"""
exec 2>&1
echo {shlex.quote(RESOLV.read_text() if RESOLV.exists() else "")} >/etc/resolv.conf
apt-get -qq -o APT::Update::Error-Mode=any update || exit 99
cd /root
tar xf dist.tar.xz
milter-moved-*/contrib/quickstart
"""


class TrixieCase(unittest.TestCase):
    early = True

    def run_in(self, lower, namespaces, network, steps):
        with place.folder() as folder:
            return subprocess.run([*namespaces, "sh", "-ec", network + ENTER, "sh", lower, folder, package.dist(), steps],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1500)


class Built(TrixieCase):
    def test_it_builds_passes_and_answers(self):
        lower = root(*PACKAGES, suite="trixie")
        done = self.run_in(lower, UNSHARE, NETWORK, STEPS)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])
        self.assertIn("551 5.1.6 User not local; please try <gone@new.example>", done.stdout.partition("== 3.10")[2])


class Quickstart(TrixieCase):
    def test_quickstart(self):
        lower = root(*BUILD, "autoconf", "automake", "m4", "xz-utils", suite="trixie")
        done = self.run_in(lower, [word for word in UNSHARE if word != "--net"], "", QUICKSTART)
        if done.returncode == 99:
            self.skipTest(f"no mirror of Debian can be had here: {done.stdout[-300:]}")
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])
        self.assertIn("S: 551 5.1.6 User not local; please try <alice@new.example>", done.stdout)
        self.assertEqual([line for line in done.stdout.splitlines() if len(line) > 80 and not line.startswith("S: ")], [])


if __name__ == "__main__":
    unittest.main()
