# SPDX-License-Identifier: BSD-2-Clause
"""Debian 13: its compiler and libraries build this and pass the unit tests; attach and doctor with its Postfix 3.10."""

import subprocess
import unittest

from lib import package, place
from lib.machine import STRANGER, UNSHARE, root

PACKAGES = ("postfix", "gcc", "libc6-dev", "make", "pkg-config", "libmilter-dev", "libconfig-dev", "liblmdb-dev", "libidn2-dev",
            "libunistring-dev", "libjansson-dev", "libcsv-dev", "libsystemd-dev", "libc-ares-dev", "libpq-dev", "check", "xz-utils",
            "python3-minimal")

# In namespaces of its own: the root file system with a layer above it, and a network that has only itself.
ENTER = f"""
cd "$2"
mkdir upper work root
mount -t overlay -o "lowerdir=$1,upperdir=upper,workdir=work" trixie root
mount -t proc proc root/proc
mount -t tmpfs tmpfs root/run
mount -t tmpfs -o mode=1777 tmpfs root/dev/shm
cp "$3" root/root/dist.tar.xz
ip link set lo up
ip address add {STRANGER}/32 dev lo
hostname mx.old.example
exec chroot root env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin LC_ALL=C.UTF-8 sh -ec "$4"
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


class Trixie(unittest.TestCase):
    early = True

    def test_it_builds_passes_and_answers(self):
        lower = root(*PACKAGES, suite="trixie")
        with place.folder() as folder:
            done = subprocess.run([*UNSHARE, "sh", "-ec", ENTER, "sh", lower, folder, package.dist(), STEPS],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1500)
            self.assertEqual(done.returncode, 0, done.stdout[-4000:])
            self.assertIn("551 5.1.6 User not local; please try <gone@new.example>", done.stdout.partition("== 3.10")[2])


if __name__ == "__main__":
    unittest.main()
