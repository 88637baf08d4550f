# SPDX-License-Identifier: BSD-2-Clause
"""What the benchmarks share: how they build, run and describe what they measure."""

import os
import pathlib
import re
import statistics
import subprocess

from lib import place

HERE = pathlib.Path(__file__).resolve().parent


def run(*command, **how):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, **how).stdout


def on_core(number, *command):
    return (["taskset", "-c", str(number)] if os.cpu_count() > 1 else []) + [str(word) for word in command]


class Server:
    """A process that listens on a unix socket."""

    def __init__(self, name, folder, command, entries, expect="own"):
        self.name, self.entries, self.expect = name, entries, expect
        self.socket = folder / f"{name}.sock"
        self.command = [str(word).replace("SOCKET", str(self.socket)) for word in command]
        self.folder = folder

    def __enter__(self):
        self.process = place.Process(on_core(0, *self.command), self.folder / f"{self.name}.log")
        place.until(lambda: place.listens(self.socket), f"{self.name} listens", self.process.printed)
        return self

    def __exit__(self, *_):
        self.process.end()


def build(folder):
    source = place.SOURCE
    if not (source / "configure").exists():
        run("autoreconf", "-fi", cwd=source)
    folder.mkdir()
    run(source / "configure", cwd=folder)
    run("make", f"-j{os.cpu_count()}", "milter-moved", "movedctl", cwd=folder)
    return folder


def compile_tool(folder, name, *libraries):
    run("cc", "-O2", "-Wall", "-D_GNU_SOURCE", "-I", place.SOURCE / "milter", HERE / f"{name}.c", "-o", folder / name, *libraries)


def spread(values, form):
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def private_kib(pid):
    """Anonymous private memory: what the process itself holds, without the pages of the table's file."""
    text = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    total, is_file = 0, False
    for line in text.splitlines():
        if re.match(r"^[0-9a-f]+-[0-9a-f]+ ", line):
            is_file = line.split()[-1].startswith("/")
        elif line.startswith(("Private_Clean:", "Private_Dirty:")) and not is_file:
            total += int(line.split()[1])
    return total
