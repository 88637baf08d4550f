# SPDX-License-Identifier: BSD-2-Clause
"""A release: the tarball, the packages made of it, and that the same source gives the same bytes."""

import pathlib
import re
import subprocess
import unittest

from lib import package, place

VERSION = re.search(r"^AC_INIT\(\[milter-moved\], \[(.*)\]\)$", (place.SOURCE / "configure.ac").read_text(), re.M)[1]


class Release(unittest.TestCase):
    def test_two_clones_give_the_same_tarball_and_each_file_has_a_licence(self):
        if not (place.SOURCE / ".git").exists():
            raise unittest.SkipTest("there is no git repository here")
        with place.folder() as folder:
            clone = folder / "clone"
            subprocess.run(["git", "clone", "-q", place.SOURCE, clone], check=True)
            done = subprocess.run(["reuse", "--root", clone, "lint"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout)
            done = subprocess.run([clone / "contrib/release", "--untested", VERSION, folder], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, rf"^[0-9a-f]{{64}}  milter-moved-{VERSION}\.tar\.xz\n")
            (clone / "more").write_text("")
            for arguments, words in ((["--untested", VERSION], "has changes"), ([], "usage")):
                done = subprocess.run([clone / "contrib/release", *arguments], capture_output=True, text=True)
                self.assertEqual(done.returncode, 1)
                self.assertIn(words, done.stderr)
            (clone / "more").unlink()
            done = subprocess.run([clone / "contrib/release", "--untested", "99.9"], capture_output=True, text=True)
            self.assertIn(f"configure.ac: has the version '{VERSION}', not '99.9'", done.stderr)


class Packages(unittest.TestCase):
    def test_two_folders_and_time_zones_give_the_same_debian_package(self):
        with place.folder() as folder:
            other = package.build(folder, "Pacific/Auckland")
            self.assertEqual(other.name, package.package().name)
            self.assertEqual(other.read_bytes(), package.package().read_bytes())

    def test_the_rpm_has_what_the_debian_package_has(self):
        listed = subprocess.run(["rpm", "-qpl", package.rpm()], capture_output=True, text=True, check=True).stdout.splitlines()
        names = {pathlib.Path(path).name for path in listed}
        for name in ("milter-moved", "movedctl", "milter-moved.socket", "milter-moved.service", "milter-moved.conf", "README", "COPYING"):
            self.assertIn(name, names)

    def test_lintian_has_nothing_to_say(self):
        done = subprocess.run(["lintian", "--allow-root", "--pedantic", "-EI", "--fail-on", "error,warning,info,pedantic",
                               *package.package().parent.glob("*.changes")], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)


if __name__ == "__main__":
    unittest.main()
