# SPDX-License-Identifier: BSD-2-Clause
"""What counting costs: the commands over millions of entries and rows, a flush of 10,000 rows, the rows that are dropped while
mails come in, and movedctl stats --prometheus meanwhile. How many replies it costs a second is measured by tests/bench/run.

The daemon runs twice: on the day of the last mail, when the rows without their entry go; and 250 days later, when half of all do.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lib import place  # noqa: E402
from measure import HERE, compile_tool, private_kib, run, spread  # noqa: E402

FLUSHED, ROUNDS, RATE, LOAD_SECONDS, LATER = 10_000, 10, 10_000, 20, 250


def timed(*command):
    """Seconds, lines that it printed, and the most KiB of private memory that it had."""
    began, most = time.monotonic(), 0
    with place.folder() as folder:
        with open(folder / "out", "w") as out, subprocess.Popen([str(word) for word in command], stdout=out, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                with contextlib.suppress(OSError, ValueError, StopIteration):
                    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                    most = max(most, int(next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon"))))
                time.sleep(0.005)
        took = time.monotonic() - began
        assert process.returncode == 0, command
        with open(folder / "out") as printed:
            return took, sum(1 for _ in printed), most


def compile_writer(built, folder):
    libraries = [built / f"lib{name}.a" for name in ("table", "mail", "base")]
    run("cc", "-O2", "-D_GNU_SOURCE", "-I", place.SOURCE / "milter", HERE / "hits.c", *libraries, "-o", folder / "hits",
        "-llmdb", "-lunistring", "-lidn2", "-lconfig")


def make_table(ctl, folder, entries):
    rows = folder / "rows.csv"
    with open(rows, "w") as out:
        out.write("old,new\n")
        out.writelines(f"u{n:07d}@old.example,u{n:07d}@new.example\n" for n in range(entries))
    run(*ctl, "init")
    run(*ctl, "import", rows)
    rows.unlink()


def commands(ctl):
    for words, times in ((("--unused-for", "180d"), 5), (("--top", "20"), 3), (("--by-sender", "--top", "20"), 1), (("--json",), 1)):
        done = [timed(*ctl, "hits", *words) for _ in range(times)]
        print(f"hits {' '.join(words)}: {spread([seconds for seconds, _, _ in done], '.2f')} s, {done[0][1]:,} lines, "
              f"{max(kib for _, _, kib in done):,} KiB", flush=True)


def stats(ctl):
    return json.loads(run(*ctl, "stats", "--json"))


def tended(built, ctl, folder, conf, entries, day):
    """The daemon is asked RATE times a second, each time for another entry, and drops rows meanwhile."""
    scrapes = []
    (folder / "days").write_text(str(day * 86400))
    env = {**os.environ, **place.preloading("days", folder), "TEST_DAYS": str(folder / "days")}
    rows = folder / "table/hits/data.mdb"
    with contextlib.ExitStack() as stack:
        server = place.Process([built / "milter-moved", "-f", "-c", conf], folder / "log", env=env)
        stack.callback(server.end)
        place.until(lambda: place.listens(folder / "milter.sock"), "milter-moved listens", server.printed)
        before = most = private_kib(server.pid)
        load = subprocess.Popen([folder / "load", folder / "milter.sock", "16", str(LOAD_SECONDS), str(entries), "own", str(RATE)],
                                stdout=subprocess.PIPE, text=True)
        while load.poll() is None:
            began = time.monotonic()
            run(*ctl, "stats", "--prometheus", "--output", folder / "milter-moved.prom")
            scrapes.append(time.monotonic() - began)
            most = max(most, private_kib(server.pid))
            time.sleep(0.2)
        rate, median, p99, wrong, _ = load.communicate()[0].split()
        print(f"day {day}: {rate} replies/s for {LOAD_SECONDS} s, median {median} us, p99 {p99} us, {wrong} wrong; {stats(ctl)['hits_lost']:,} mails "
              f"were not counted; private memory {before:,} KiB, at most {most:,} KiB; a scrape {spread(scrapes, '.3f')} s", flush=True)
        began, size = time.monotonic(), -1
        while size != (size := len(run(*ctl, "hits", "--top", "1")) and rows.stat().st_mtime_ns):  # until it writes no more
            time.sleep(12)
        print(f"day {day}: rows went for {time.monotonic() - began:.0f} s more", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("built", metavar="BUILD", type=pathlib.Path, help="a folder in which `make` has ended")
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--rows", type=int, default=1_000_000, help="at most as many as entries")
    parser.add_argument("--keep", type=pathlib.Path, help="a folder to work in, which stays")
    options = parser.parse_args()
    built = options.built.resolve()
    with contextlib.ExitStack() as stack:
        folder = options.keep or stack.enter_context(place.folder())
        compile_tool(folder, "load")
        compile_writer(built, folder)
        conf = folder / "conf"
        conf.write_text(f'socket = "unix:{folder}/milter.sock"; lookup_socket = "unix:{folder}/lookup.sock"; table = "{folder}/table";\n'
                        'user = ""; log: { target = "stderr"; level = "error"; }; disclosure: { limit = 0; };\n')
        ctl = [built / "movedctl", "-c", conf]
        make_table(ctl, folder, options.entries)
        began = time.monotonic()
        run(folder / "hits", folder / "table", "fill", options.rows)
        print(f"{options.entries:,} entries; {options.rows:,} rows of hits written in {time.monotonic() - began:.1f} s, "
              f"{(folder / 'table/hits/data.mdb').stat().st_size / 2**20:.0f} MiB", flush=True)
        commands(ctl)
        flushes = [float(line) for line in run(folder / "hits", folder / "table", "flush", FLUSHED, options.rows, ROUNDS).split()]
        print(f"flush of {FLUSHED:,} rows among {options.rows:,}: {spread(flushes, '.3f')} s", flush=True)
        for day in (0, LATER):
            tended(built, ctl, folder, conf, options.entries, day)


if __name__ == "__main__":
    main()
