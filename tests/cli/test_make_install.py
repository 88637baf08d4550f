# SPDX-License-Identifier: BSD-2-Clause
"""What 'make install' puts where, and that 'make uninstall' takes all of it away again."""

import os
import pathlib
import subprocess
import unittest

from lib import place

BUILD = pathlib.Path(os.environ.get("top_builddir", place.SOURCE))


class MakeInstall(unittest.TestCase):
    def setUp(self):
        context = place.folder()
        self.root = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)

    def make(self, target):
        done = subprocess.run(["make", "-s", "-C", BUILD, target, f"DESTDIR={self.root}"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def ours(self):
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*")
                      if path.is_file() or "moved" in path.name)

    def test_what_is_read_is_there_and_nothing_is_left(self):
        self.make("install")
        ours = self.ours()
        for end in ("bin/movedctl", "sbin/milter-moved", "share/man/man5/milter-moved.conf.5", "share/man/man8/movedctl.8",
                    "share/doc/milter-moved/README", "share/doc/milter-moved/NEWS", "share/doc/milter-moved/examples/moved.csv",
                    "etc/milter-moved/milter-moved.conf"):
            self.assertTrue([path for path in ours if path.endswith(end)], (end, ours))
        self.make("uninstall")
        self.assertEqual(self.ours(), [])

    def test_a_configuration_of_ones_own_stays(self):
        self.make("install")
        (conf,) = self.root.glob("**/etc/milter-moved/milter-moved.conf")
        conf.write_text('mode = "observe";\n')
        self.make("install")
        self.make("uninstall")
        self.assertEqual(conf.read_text(), 'mode = "observe";\n')
        self.assertEqual(self.ours(), [str(conf.parent.relative_to(self.root)), str(conf.relative_to(self.root))])


if __name__ == "__main__":
    unittest.main()
