# SPDX-License-Identifier: BSD-2-Clause
"""How soon a COMMIT is visible on 30 hosts, by polling and by LISTEN; how long the first copy of many rows takes, beside COPY and
movedctl import; and how long 100,000 changes take to catch up with. Real PostgreSQL, with fsync.

usage: python3 tests/bench/follow.py [lag|rows|all] [ROWS]
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lib import place  # noqa: E402
from lib.follower import Host, Store  # noqa: E402

HOSTS, COMMITS = 30, 100
ROWS = "INSERT INTO moved (old_address, new_address) SELECT 'user' || i || '@old' || i % 100 || '.example', 'user' || i || '@new.example' FROM generate_series({}, {}) i"


def spread(name, seconds, unit="ms", factor=1000):
    ordered = sorted(seconds)
    print(f"{name:<44} p50 {factor * statistics.median(ordered):8.1f} {unit}  p99 {factor * ordered[int(len(ordered) * 0.99) - 1]:8.1f} {unit}"
          f"  most {factor * ordered[-1]:8.1f} {unit}  of {len(ordered)}", flush=True)


def processor_of(process):
    """Seconds that a process and its children have had of a core."""
    ticks = 0
    for pid in [process, *map(int, subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True).stdout.split())]:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def lag(folder, store, poll):
    """From the end of COMMIT to the moment at which the table's own file shows the version, asked with one process a host."""
    hosts = [Host(folder / f"{poll}-{i}", store, write=False, poll=poll).follow() for i in range(HOSTS)]
    try:
        for host in hosts:
            host.until_state("in step")
        before, then = processor_of(store.process.pid), time.monotonic()
        time.sleep(10)
        print(f"poll {poll} ms: the store spends {100 * (processor_of(store.process.pid) - before) / (time.monotonic() - then):.2f} % of a core on {HOSTS} idle hosts")
        took = []
        with store.open() as session:
            for i in range(COMMITS):
                time.sleep(0.2 + i % 10 / 20)
                version = int(session.sql(f"INSERT INTO moved (old_address) VALUES ('lag{poll}-{i}@old.example'); SELECT max(version) FROM moved_version"))
                start, waiting = time.monotonic(), set(range(HOSTS))
                while waiting:
                    for number in list(waiting):
                        if f'"version": {version},' in (hosts[number].table / "follow.json").read_text():
                            took.append(time.monotonic() - start)
                            waiting.remove(number)
                    time.sleep(0.001)
        spread(f"COMMIT to visible on {HOSTS} hosts, poll {poll} ms", took)
    finally:
        for host in hosts:
            host.__exit__()


def timed(what, run):
    start = time.monotonic()
    value = run()
    took = time.monotonic() - start
    print(f"{what:<60} {took:7.2f} s", flush=True)
    return took, value


def rows(folder, store, count):
    store.sql(ROWS.format(1, count), "VACUUM ANALYZE moved")
    host, other = Host(folder / "first", store), Host(folder / "import", store)
    other.configure(source=None)
    other.movedctl("init")
    out = folder / "rows.csv"
    copied, _ = timed(f"COPY of {count} rows to a file", lambda: store.sql(
        f"\\copy (SELECT old_address AS old, new_address AS new FROM moved) TO '{out}' CSV HEADER"))
    os.environ["TMPDIR"] = str(folder)
    run = lambda *args, who: subprocess.run(place.program("movedctl") + ["-c", str(who.conf), *args], capture_output=True, check=True)
    imported, _ = timed("movedctl import --replace-all", lambda: run("import", "--replace-all", str(out), who=other))
    followed, _ = timed("movedctl follow --once, the first copy", lambda: run("follow", "--once", who=host))
    print(f"the first copy takes {followed / (copied + imported):.2f} times COPY and import together")
    print(f"most memory of a child: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024} MiB, the table's mapped pages among it")
    with store.open() as session:
        session.sql("UPDATE moved SET new_address = 'x@new.example' WHERE old_address IN (SELECT old_address FROM moved LIMIT 50000)")
        session.sql("UPDATE moved SET new_address = 'y@new.example' WHERE old_address IN (SELECT old_address FROM moved ORDER BY old_address DESC LIMIT 50000)")
    timed("100,000 changes in two transactions, follow --once", lambda: run("follow", "--once", who=host))
    timed("nothing has changed, follow --once", lambda: run("follow", "--once", who=host))


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "all"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000
    with place.folder() as folder, Store(folder / "store", fsync="on", shared_buffers="256MB", max_wal_size="8GB") as store:
        if what in ("lag", "all"):
            lag(folder, store, 60000)
            lag(folder, store, 500)
        if what in ("rows", "all"):
            rows(folder, store, count)


main()
