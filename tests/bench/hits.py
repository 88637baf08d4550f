# SPDX-License-Identifier: BSD-2-Clause
"""What counting costs: a flush of 10,000 rows, movedctl hits --unused-for over millions of entries and rows, and movedctl stats
--prometheus while the daemon answers. How many replies it costs a second is measured by tests/bench/run.

usage: python3 tests/bench/hits.py BUILD [ENTRIES [ROWS]]     10,000,000 entries and 1,000,000 rows are what is left out
  BUILD  a folder in which `make` has ended
"""

import contextlib
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lib import place  # noqa: E402
from measure import HERE, compile_tool, private_kib, run, spread  # noqa: E402

FLUSHED, ROUNDS, RATE, LOAD_SECONDS = 10_000, 10, 10_000, 20


def timed(*command, **how):
    began = time.monotonic()
    printed = run(*command, **how)
    return time.monotonic() - began, printed


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


def scrapes(built, ctl, folder, conf, entries):
    """Seconds of each scrape, one after another, while the daemon is asked RATE times a second."""
    taken = []
    with contextlib.ExitStack() as stack:
        server = place.Process([built / "milter-moved", "-f", "-c", conf], folder / "log")
        stack.callback(server.end)
        place.until(lambda: place.listens(folder / "milter.sock"), "milter-moved listens", server.printed)
        before = private_kib(server.pid)
        load = subprocess.Popen([folder / "load", folder / "milter.sock", "16", str(LOAD_SECONDS), str(entries), "own", str(RATE)],
                                stdout=subprocess.PIPE, text=True)
        while load.poll() is None:
            taken.append(timed(*ctl, "stats", "--prometheus", "--output", folder / "milter-moved.prom")[0])
            time.sleep(0.2)
        print(f"load: {load.communicate()[0].split()[0]} replies a second, for {LOAD_SECONDS} s")
        print(f"private memory: {before:,} KiB, {private_kib(server.pid):,} KiB after it")
    return taken


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    built = pathlib.Path(sys.argv[1]).resolve()
    entries, rows = [int(word) for word in (sys.argv[2:4] + [10_000_000, 1_000_000][len(sys.argv) - 2:])]
    with place.folder() as folder:
        compile_tool(folder, "load")
        compile_writer(built, folder)
        conf = folder / "conf"
        conf.write_text(f'socket = "unix:{folder}/milter.sock"; lookup_socket = "unix:{folder}/lookup.sock"; table = "{folder}/table";\n'
                        'user = ""; log: { target = "stderr"; level = "error"; }; disclosure: { limit = 0; };\n')
        ctl = [built / "movedctl", "-c", conf]
        make_table(ctl, folder, entries)
        print(f"{entries:,} entries; {rows:,} rows of hits written in {timed(folder / 'hits', folder / 'table', 'fill', rows)[0]:.1f} s, "
              f"{(folder / 'table/hits/data.mdb').stat().st_size / 2**20:.0f} MiB", flush=True)
        unused = [timed(*ctl, "hits", "--unused-for", "180d") for _ in range(5)]
        print(f"--unused-for: {spread([seconds for seconds, _ in unused], '.2f')} s, {unused[0][1].count(chr(10)):,} named", flush=True)
        flushes = [float(line) for line in run(folder / "hits", folder / "table", "flush", FLUSHED, rows, ROUNDS).split()]
        print(f"flush of {FLUSHED:,} rows among {rows:,}: {spread(flushes, '.3f')} s", flush=True)
        print(f"scrape: {spread(scrapes(built, ctl, folder, conf, entries), '.3f')} s", flush=True)


if __name__ == "__main__":
    main()
