# SPDX-License-Identifier: BSD-2-Clause
"""What is written down beside the programs: manual pages, help, the sample configuration, README, all of one mind."""

import json
import os
import re
import shlex
import subprocess
import unittest

from lib import place


def read(path):
    return (place.SOURCE / path).read_text()


def help_of(*words):
    return subprocess.run([*place.program("movedctl"), "help", *words], capture_output=True, text=True, timeout=place.PATIENCE, check=True).stdout


def commands():
    return re.findall(r"^  ([a-z]+)  ", help_of(), re.M)


def shown_in_sample():
    """Key -> value, each as it is written."""
    shown, group = {}, ""
    for line in read("etc/milter-moved.conf").splitlines():
        if begins := re.match(r"#([a-z]+): \{", line):
            group = begins[1] + "."
        elif row := re.match(r"#(  )?([a-z0-9_]+) = (.*?);( +#.*)?$", line):
            shown[(group if row[1] else "") + row[2]] = row[3]
    return shown


def shown_in_manual():
    """Key -> value, "" where none is named."""
    shown, group = {}, ""
    for line in read("milter/daemon/milter-moved.conf.5").split(".Sh FILES")[0].splitlines():
        if line.startswith(".Ss "):
            begins = re.match(r"\.Ss ([a-z]+): \{", line)
            group = begins[1] + "." if begins else ""
        elif line.startswith(".It Ic "):
            for item in line.removeprefix(".It ").split(" , Ic "):
                key, _, value = item.removeprefix("Ic ").partition(" No = ")
                shown[group + key] = re.sub(r"Qq ?(.*)", r'"\1"', re.sub(r"Qo (\S+) Qc", r'"\1"', value).replace(" ,", ","))
    return shown


class Configuration(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        """Each key, and its default where that is a plain one."""
        rows = read("milter/answer/settings.c").split("keys[] = {\n", 1)[1].split("\n};", 1)[0]
        found = re.findall(r'^    \{(?:\.path = |([A-Z]+)\()"([a-z0-9_.]+)"(?:, )?(.*?)\)?\},$', rows, re.M | re.S)
        self.assertEqual(len(found), len(re.findall(r"^    \{", rows, re.M)), "a row that this test cannot read")
        self.keys = [key for _, key, _ in found]
        self.defaults = {key: rest.split(", ")[1].rstrip(")") for kind, key, rest in found if kind in ("STRING", "BOOL", "CHOICE", "INT")}
        self.defaults.update({"socket": '"unix:/run/milter-moved/milter.sock"', "lookup_socket": '"unix:/run/milter-moved/lookup.sock"',
                              "table": '"/var/lib/milter-moved"', "disclosure.network_limit": "1000",
                              "disclosure.ipv4_network_prefix": "24", "disclosure.ipv6_network_prefix": "48"})

    def test_the_command_config_prints_every_key(self):
        with place.folder() as folder:
            (folder / "c").write_text("")
            done = subprocess.run([*place.program("movedctl"), "config", "--json", "-c", folder / "c"], capture_output=True, timeout=place.PATIENCE)
        printed = [f"{key}.{inner}" if isinstance(value, dict) else key for key, value in json.loads(done.stdout).items()
                   for inner in (value if isinstance(value, dict) else [""])]
        self.assertEqual(sorted(printed), sorted(self.keys))

    def test_the_sample_shows_every_key_with_its_default(self):
        shown = shown_in_sample()
        self.assertEqual(sorted(shown), sorted(self.keys))
        self.assertEqual({key: shown[key] for key in self.defaults}, self.defaults)

    def test_the_manual_explains_every_key_and_names_its_default(self):
        shown = shown_in_manual()
        self.assertEqual(sorted(shown), sorted(self.keys))
        self.assertEqual({**shown, "disclosure.network_limit": "1000"}, shown_in_sample())


class Commands(unittest.TestCase):
    def setUp(self):
        page = read("milter/ctl/movedctl.8").split("The commands are:")[1].split(".Ss Entries")[0]
        self.items = dict(zip(*[iter(re.split(r"^\.It Cm ([a-z]+)", page, flags=re.M)[1:])] * 2))

    def test_the_manual_has_every_command(self):
        self.assertEqual(sorted(self.items), sorted(commands()))

    def test_help_and_manual_name_the_same_options(self):
        for command in commands():
            in_help = set(re.findall(r"(?<![-\w])--([a-z][a-z0-9-]+)", help_of(command)))
            in_page = set(re.findall(r"Fl -([a-z][a-z0-9-]+)", self.items[command]))
            self.assertEqual(in_help, in_page, command)

    def test_each_command_has_an_example_which_it_takes_and_which_the_manual_has(self):
        page = read("milter/ctl/movedctl.8").split(".Sh EXAMPLES")[1].split(".Sh SEE ALSO")[0].splitlines()
        for command in commands():
            examples = re.findall(r"^    (.*)", help_of(command).split("\nExample")[1], re.M)
            self.assertTrue(examples, command)
            for example in examples:
                self.assertIn(example, page)
                words = shlex.split(example.split(" | ")[0])
                self.assertEqual(words[:2], ["movedctl", command])
                done = subprocess.run([*place.program("movedctl"), "-c", "/none", *words[1:]], capture_output=True, text=True,
                                      timeout=place.PATIENCE)
                self.assertEqual(done.returncode, 0 if command in ("help", "version") else 66, done.stderr)  # 64: the words are wrong

    def test_no_line_of_help_is_broken_by_a_terminal(self):
        daemon = subprocess.run([*place.program("milter-moved"), "-h"], capture_output=True, text=True, timeout=place.PATIENCE, check=True).stdout
        for text in (daemon, help_of(), *map(help_of, commands())):
            for line in text.splitlines():
                self.assertLessEqual(len(line), 80, text)

    def test_each_command_is_in_readme(self):
        for command in set(commands()) - {"help", "version", "get"}:
            self.assertTrue(f"movedctl {command}" in read("README"), command)


class Configure(unittest.TestCase):
    """The folder of the units, as README and quickstart have it asked for."""

    PC = "systemdsystemunitdir=/lib/of/units\nName: systemd\nDescription: systemd\nVersion: 252\n"

    def configure(self, folder, *options):
        return subprocess.run([place.SOURCE / "configure", *options], cwd=folder, capture_output=True, text=True, timeout=10 * place.PATIENCE,
                              env={**os.environ, "PKG_CONFIG_PATH": str(folder)})

    def test_the_units_go_where_systemd_looks_for_them(self):
        with place.folder() as folder:
            (folder / "systemd.pc").write_text(self.PC)
            done = self.configure(folder, "--with-systemdsystemunitdir")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("\nsystemdsystemunitdir = /lib/of/units\n", (folder / "Makefile").read_text())

    def test_a_unit_that_would_wait_for_ever_is_not_installed(self):
        with place.folder() as folder:
            done = self.configure(folder, "--without-systemd", "--with-systemdsystemunitdir=/units")
            self.assertEqual(done.returncode, 1)
            self.assertIn("install libsystemd-dev", done.stderr)


class Dates(unittest.TestCase):
    """An end that is written down is not reached for long: what holds today holds for who reads or runs it in ten years."""

    def test_no_date_is_reached_before_2099(self):
        found = subprocess.run(["grep", "-rnE", "--exclude-dir=corpus", "--exclude-dir=__pycache__", "20(2[7-9]|[3-8][0-9]|9[0-8])-[01][0-9]",
                                *(place.SOURCE / name for name in ("README", "NEWS", "etc", "milter", "tests", "contrib"))],
                               capture_output=True, text=True, timeout=place.PATIENCE)
        self.assertEqual((found.returncode, found.stdout, found.stderr), (1, "", ""), "write a date of 2099, or a relative one")


class Pages(unittest.TestCase):
    def test_mandoc_has_nothing_to_say(self):
        for page in ("milter/ctl/movedctl.8", "milter/ctl/movedctl-follow.8", "milter/daemon/milter-moved.8", "milter/daemon/milter-moved.conf.5"):
            done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", place.SOURCE / page], capture_output=True, text=True, timeout=place.PATIENCE)
            self.assertEqual(done.stdout + done.stderr, "")


if __name__ == "__main__":
    unittest.main()
