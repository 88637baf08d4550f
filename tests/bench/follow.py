# SPDX-License-Identifier: BSD-2-Clause
"""What polling of 30 hosts costs the store; how soon a COMMIT is visible on them, by LISTEN and by polling alone; how long and how
much memory the first copy of many rows takes, beside COPY and movedctl import, and 100,000 changes; how soon a host notices that the
store is gone, and is in step again after its return, while Postfix is asked for mailboxes. Real PostgreSQL, with fsync.

usage: python3 tests/bench/follow.py [cost|lag|rows|faults|all] [ROWS]
"""

import contextlib
import json
import math
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lib import place  # noqa: E402
from lib.follower import Host, Store  # noqa: E402
from lib.postfix import NO_DELAY, Postfix  # noqa: E402
from lib.postgresql import Pool  # noqa: E402
from lib.smtp import Sender  # noqa: E402

HOSTS, COMMITS, CALM, ROUNDS = 30, 100, 60, 5
ANSWERS = {"al@old.example": "551 5.1.6 User not local; please try <al@new.example>", "nobody@old.example": "250 2.1.5 Ok"}
ROWS = "INSERT INTO moved (old_address, new_address) SELECT 'user' || i || '@old' || i % 100 || '.example', 'user' || i || '@new.example' FROM generate_series({}, {}) i"


def spread(name, seconds, unit="ms", factor=1000):
    ordered = sorted(seconds)
    print(f"{name:<60} p50 {factor * statistics.median(ordered):8.1f} {unit}  p99 {factor * ordered[math.ceil(len(ordered) * 0.99) - 1]:8.1f} {unit}"
          f"  most {factor * ordered[-1]:8.1f} {unit}  of {len(ordered)}", flush=True)


def core_of(processes):
    """Seconds that each has had of a core, to the nanosecond (schedstat: Documentation/scheduler/sched-stats of Linux), by its title."""
    found = {}
    for process in processes:
        with contextlib.suppress(OSError):  # it has ended
            title = pathlib.Path(f"/proc/{process}/cmdline").read_text().split("\0")[0]
            found[process, title] = int(pathlib.Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9
    return found


def spent(processes, words=""):
    """What those whose title has these words have of a core, in per cent, over CALM seconds."""
    before, then = core_of(processes), time.monotonic()
    time.sleep(CALM)
    spans = [now - before[key] for key, now in core_of(processes).items() if words in key[1]]
    return 100 * sum(spans) / (time.monotonic() - then)


@contextlib.contextmanager
def followers(store, **source):
    """HOSTS hosts that are in step, each with its movedctl follow."""
    with place.folder() as folder, contextlib.ExitStack() as stack:
        hosts = [stack.enter_context(Host(folder / str(i), store, write=False, **source).follow()) for i in range(HOSTS)]
        for host in hosts:
            host.until_state("in step")
        yield hosts


def cost(store):
    """What polling costs: all processes of the server with the hosts, less without them."""
    alone = spent(store.family())
    with followers(store, poll=500) as hosts:
        polled = spent(store.family())
        backends = spent(store.family(), "moved_follow")
        clients = spent([host.follower.pid for host in hosts])
    print(f"{HOSTS} hosts poll every 500 ms: the store spends {polled:.2f} % of a core, and {alone:.2f} % without them: {polled - alone:.2f} %\n"
          f"    {backends:.2f} % in their connections, {backends * 1e4 / (2 * HOSTS):.0f} us a poll; the hosts {clients:.2f} % together; "
          f"load of the machine {os.getloadavg()[0]:.1f}", flush=True)


def lag(primary, store, how, **source):
    """From the end of COMMIT to the moment at which the table's own file shows the version, asked with one process a host."""
    took = []
    with followers(store, **source) as hosts, primary.open() as session:
        for i in range(COMMITS):
            time.sleep(0.2 + i % 10 / 20)
            version = int(session.sql(f"INSERT INTO moved (old_address) VALUES ('{how.replace(' ', '')}{i}@old.example'); SELECT max(version) FROM moved_version"))
            start, waiting = time.monotonic(), set(range(HOSTS))
            while waiting:
                for number in list(waiting):
                    if f'"version": {version},' in (hosts[number].table / "follow.json").read_text():
                        took.append(time.monotonic() - start)
                        waiting.remove(number)
                time.sleep(0.001)
    spread(f"COMMIT to visible on {HOSTS} hosts {how}", took)


def timed(what, run):
    start = time.monotonic()
    value = run()
    took = time.monotonic() - start
    print(f"{what:<60} {took:7.2f} s", flush=True)
    return took, value


def most_memory(process):
    """The most private memory that it has while it runs, in MiB: RssAnon, without the pages of the table's file (proc(5))."""
    most = 0
    while process.poll() is None:
        found = re.search(r"RssAnon:\s+(\d+) kB", pathlib.Path(f"/proc/{process.pid}/status").read_text())
        most = max(most, int(found[1]) if found else 0)
        time.sleep(0.005)
    return most / 1024


def run(what, host, *args):
    """Runs movedctl; returns its seconds, and the MiB of its most private memory."""
    command = place.program("movedctl") + ["-c", str(host.conf), *args]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        took, most = timed(what, lambda: most_memory(process))
        if process.returncode != 0:
            raise AssertionError(process.stderr.read())
    print(f"    private memory at most {most:.0f} MiB", flush=True)
    return took, most


def rows(folder, store, count):
    store.sql(ROWS.format(1, count), "VACUUM ANALYZE moved")
    host, other = Host(folder / "first", store), Host(folder / "import", store)
    other.configure(source=None)
    other.movedctl("init")
    os.environ["TMPDIR"] = str(folder)

    def copy(where, what):
        """To a file that movedctl import reads; returns the file and its seconds."""
        out = folder / "rows.csv"
        took, _ = timed(f"COPY of {what} to a file", lambda: store.sql(
            f"\\copy (SELECT old_address AS old, new_address AS new FROM moved {where}) TO '{out}' CSV HEADER"))
        return str(out), took

    out, copied = copy("", f"{count} rows")
    imported, plain = run("movedctl import --replace-all", other, "import", "--replace-all", out)
    followed, most = run("movedctl follow --once, the first copy", host, "follow", "--once")
    print(f"the first copy takes {followed / (copied + imported):.2f} times COPY and import together, and {most - plain:+.0f} MiB")
    with store.open() as session:
        session.sql("UPDATE moved SET new_address = 'x@new.example' WHERE old_address IN (SELECT old_address FROM moved LIMIT 50000)")
        session.sql("UPDATE moved SET new_address = 'y@new.example' WHERE old_address IN (SELECT old_address FROM moved ORDER BY old_address DESC LIMIT 50000)")
    out, _ = copy("WHERE new_address IN ('x@new.example', 'y@new.example')", "100,000 changes")
    _, plain = run("movedctl import of them", other, "import", out)
    _, most = run("the same in two transactions, follow --once", host, "follow", "--once")
    print(f"to catch up with them takes {most - plain:+.0f} MiB beside import")
    run("nothing has changed, follow --once", host, "follow", "--once")
    run("movedctl follow --resync", host, "follow", "--resync")


class Fault:
    """A host with a mail server, and what it costs the host that something happens to its store."""

    def __init__(self, what, stack, folder, store, **source):
        self.what, self.gone, self.back = what, [], []
        self.host = stack.enter_context(Host(folder / "mx", store, way="inet", **{"poll": 500, "timeout": 5, **source}))
        self.host.movedctl("follow", "--once")
        self.host.start().follow()
        self.host.until_state("in step")
        postfix = stack.enter_context(Postfix(folder / "postfix", {"inet": (self.host.socket.postfix, {})}, more=NO_DELAY))
        self.sender = stack.enter_context(Sender(postfix.ports["inet"], ANSWERS))

    def state(self):
        return json.loads((self.host.table / "follow.json").read_text())

    def notices(self, *states):
        """From now on until it is in one of these states."""
        began = time.monotonic()
        place.until(lambda: self.state()["state"] in states, f"one of {states}")
        self.gone.append(time.monotonic() - began)
        self.sender.goes_on()

    def returns(self, store, began):
        """From the moment began until it has a change that is made there now."""
        store.put(new=f"new{began}@new.example")
        version = int(store.sql("SELECT max(version) FROM moved_version"))
        place.until(lambda: self.state()["state"] == "in step" and self.state()["version"] == version, "in step")
        self.back.append(time.monotonic() - began)
        self.sender.goes_on()

    def report(self):
        spread(f"{self.what}: noticed", self.gone)
        spread(f"{self.what}: in step again, from its return on", self.back)
        print(f"    {2 * self.sender.asked} recipients asked for, {len(self.sender.wrong)} answered wrongly, the slowest in {self.sender.slowest * 1000:.0f} ms",
              flush=True)


@contextlib.contextmanager
def fault(what, replica=False):
    """A store, its standby if there is to be one, and a host that follows the first of them that it can reach."""
    with place.folder() as folder, contextlib.ExitStack() as stack:
        stores = [stack.enter_context(Store(folder / "one", fsync="on"))]
        stores[0].put(al="al@new.example")
        if replica:
            stores.append(stack.enter_context(Store(folder / "two", standby_of=stores[0], fsync="on")))
        connect = f"host={','.join(str(one.folder) for one in stores)} port={','.join(str(one.port) for one in stores)} user=moved_follow dbname=postgres"
        yield Fault(what, stack, folder, stores[0], connect=connect), folder, *stores


def faults():
    with fault("SIGSTOP") as (host, _, store):
        for _ in range(ROUNDS):
            store.suspend()
            host.notices("down")
            began = time.monotonic()
            store.resume()
            host.returns(store, began)
        host.report()
    for what, how in (("crash", signal.SIGQUIT), ("restart", signal.SIGINT)):
        with fault(what) as (host, _, store):
            for _ in range(ROUNDS):
                store.stop(how)
                host.notices("down")
                store.start()
                host.returns(store, time.monotonic())
            host.report()
    with fault("older backup") as (host, folder, store):
        for i in range(ROUNDS):
            store.stop()
            subprocess.run(["cp", "-a", store.data, folder / "older"], check=True)
            store.start()
            store.put(lost1=f"{i}@new.example", lost2=f"{i}@new.example")
            host.host.until_same(store)
            store.stop()
            host.notices("down")
            shutil.rmtree(store.data)
            (folder / "older").rename(store.data)
            store.start()
            host.returns(store, time.monotonic())
        host.report()
    gone, back = [], []
    for _ in range(ROUNDS):
        with fault("lossy failover", replica=True) as (host, _, primary, standby):
            host.gone, host.back = gone, back
            standby.sql("ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()")
            place.until(lambda: standby.sql("SELECT count(*) FROM pg_stat_wal_receiver") == "0", "the standby receives nothing")
            primary.put(lost1="x@new.example", lost2="x@new.example")
            host.host.until_same(primary)
            primary.stop(signal.SIGQUIT)
            host.notices("down", "behind")
            standby.promote()
            host.returns(standby, time.monotonic())
    host.report()


def main():
    what = sys.argv[1] if len(sys.argv) > 1 else "all"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000
    with place.folder() as folder, Store(folder / "store", fsync="on", shared_buffers="256MB", max_wal_size="8GB") as store:
        if what in ("cost", "all"):
            cost(store)
        if what in ("lag", "all"):
            lag(store, store, "by LISTEN", poll=60000)
            with Pool(folder / "pool", store) as pool:  # LISTEN brings nothing through it
                lag(store, store, "by polling through a pool", poll=500, connect=pool.connect("moved_follow"))
            with Store(folder / "standby", standby_of=store) as standby:  # which refuses LISTEN
                lag(store, standby, "by polling a standby", poll=500)
        if what in ("rows", "all"):
            rows(folder, store, count)
    if what in ("faults", "all"):
        faults()


main()
