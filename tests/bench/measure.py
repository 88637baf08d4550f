# SPDX-License-Identifier: BSD-2-Clause
"""What the benchmarks share: how they build, run and describe what they measure."""

import ctypes
import math
import os
import pathlib
import re
import statistics
import subprocess
import time

from lib import place

HERE = pathlib.Path(__file__).resolve().parent
FLUSH = 5  # seconds: the default of hits.flush_interval


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

    def cpu(self):
        """The CPU time of all its threads so far, in microseconds: other load on the machine hardly changes it."""
        clock = ctypes.c_int()
        if ctypes.CDLL(None).clock_getcpuclockid(self.process.pid, ctypes.byref(clock)) != 0:
            raise AssertionError(f"{self.name} has ended: {self.process.printed()}")
        return time.clock_gettime(clock.value) * 1e6


def our_server(built, folder, entries, hits=True):
    """A daemon with a table: no log line, no limit on what the load is told."""
    name = f"moved-{entries}" + ("-counting" if hits else "")
    conf = folder / f"{name}.conf"
    conf.write_text(f'socket = "unix:{folder}/{name}.sock"; lookup_socket = "unix:{folder}/{name}.lookup";\n'
                    f'table = "{folder}/{name}.table"; user = ""; socket_mode = "0666";\n'
                    'log: { target = "stderr"; level = "error"; };\n'
                    f'hits: {{ enabled = {str(hits).lower()}; flush_interval = {FLUSH}; }};\n')
    run(built / "movedctl", "-c", conf, "init")
    run(built / "movedctl", "-c", conf, "import", "-",
        input="old,new\n" + "".join(f"u{n:07d}@old.example,u{n:07d}@new.example\n" for n in range(entries)))
    server = Server(name, folder, [built / "milter-moved", "-f", "-c", conf], entries)
    server.conf, server.lookup = conf, folder / f"{name}.lookup"
    return server


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


def in_turn(those, number):
    """Those in the order of this round. Each follows each of the others as often, because what runs leaves work behind."""
    first = number // 2 % len(those)
    shifted = those[first:] + those[:first]
    return shifted if number % 2 == 0 else shifted[::-1]


def rounds(names, measure, seconds):
    """Measures each in turn, in short rounds, until the time is over: [{name: what measure(name) returned}]."""
    names, done, end = list(names), [], time.monotonic() + seconds
    for name in names:
        measure(name)  # the first time costs more
    while len(done) < 6 or time.monotonic() < end:
        done.append({name: measure(name) for name in in_turn(names, len(done))})
    return done


def interval(values):
    """(low, median, high): between low and high lies the true median with at least 95 %, whatever the distribution (sign test);
    with fewer than 6 values these are the least and the greatest."""
    ordered, below, cut = sorted(values), 0.0, 0
    while (below := below + math.comb(len(ordered), cut) / 2 ** len(ordered)) <= 0.025:
        cut += 1
    cut = max(cut - 1, 0)
    return ordered[cut], statistics.median(ordered), ordered[-1 - cut]


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
