# SPDX-License-Identifier: BSD-2-Clause
"""Runs the test classes of one folder, several at a time, each in a process of its own: most of a test's time it waits for
a mail server. Prints a line for each class as it ends, then all that the failed ones said, then the totals.

usage: python3 -m lib.side_by_side PART [PATTERN]     in the folder tests
  PART     a folder of tests: cli, fault, mta
  PATTERN  of its files (default: test*.py)
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

AT_A_TIME = 2 * (os.cpu_count() or 1)
LIMIT = 1800  # seconds for a class


def each_test(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each_test(test)
        else:
            yield test


def classes(part, pattern):
    """The names of the test classes, those with most tests first, so that none of these is begun last; and before them those
    that take long with few tests, which have a member early."""
    counts = {}
    for test in each_test(unittest.TestLoader().discover(part, pattern, ".")):
        # A module that cannot be imported is a test of unittest's own, called unittest.loader._FailedTest.MODULE.
        name = test.id().removeprefix("unittest.loader._FailedTest.") if type(test).__module__ == "unittest.loader" \
            else test.id().rpartition(".")[0]
        counts[name] = counts.get(name, 1000 if hasattr(test, "early") else 0) + 1
    return sorted(counts, key=counts.get, reverse=True)


# An address that is not loopback's. And Postfix's postlogd sends its own warnings to its own socket, and waits for itself for
# ever once that is full: by default ten datagrams fill it (unix(7), max_dgram_qlen), as many as a busy machine lets other
# processes send while postlogd starts.
APART = """ip link set lo up && ip addr add 203.0.113.200/32 dev lo && echo 10000 >/proc/sys/net/unix/max_dgram_qlen && exec "$@" """


def apart():
    """The command before a command that gives it a network of its own, with only a loopback: then no test takes another's
    port. Where that is not allowed (root may, unshare(2)), all have the network that is there. The machines of tests/system
    have networks of their own, and are made from packages of the outside."""
    wrap = ["unshare", "--net", "sh", "-c", APART, "sh"]
    return wrap if sys.argv[1] != "system" and subprocess.run([*wrap, "true"], capture_output=True).returncode == 0 else []


def run(name, wrap):
    """(name, seconds, what it printed)"""
    began = time.monotonic()
    command = [*wrap, sys.executable, "-B", "-m", "unittest", "-v", name]
    try:
        said = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=LIMIT, check=False).stdout
    except subprocess.TimeoutExpired as expired:
        said = (expired.stdout or b"") + f"\nERROR: {name} had not ended after {LIMIT} s\n".encode()
    return name, time.monotonic() - began, said.decode(errors="replace")


def read_totals(said):
    """(tests, failed, skipped): a run that did not come to its end is one test that failed; a class that is skipped as a whole
    is one test."""
    ran = re.search(r"^Ran (\d+) tests? in ", said, re.MULTILINE)
    last = re.search(r"^(?:OK|FAILED)(?: \((.*)\))?$", said, re.MULTILINE)
    counts = {what: int(number) for what, number in re.findall(r"([a-z]+)=(\d+)", last[1] or "")} if last else {}
    if ran and ran[1] == "0" and counts == {"skipped": 1}:
        return 1, 0, 1
    if not ran or not last or ran[1] == "0":
        return 1, 1, 0
    failed = sum(number for what, number in counts.items() if what in ("failures", "errors", "successes"))
    return int(ran[1]), min(failed, int(ran[1])), counts.get("skipped", 0)


def main():
    os.chdir(pathlib.Path(__file__).resolve().parents[1])
    sys.path.insert(0, ".")
    names = classes(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "test*.py")
    sums, bad, wrap = (0, 0, 0), [], apart()
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for future in concurrent.futures.as_completed([pool.submit(run, name, wrap) for name in names]):
            name, seconds, said = future.result()
            totals = read_totals(said)
            print("{}: {} tests, {} failed, {} skipped, {:.0f} s".format(name, *totals, seconds), flush=True)
            for line in re.findall(r"^.* \.\.\. skipped .*$", said, re.MULTILINE):
                print(f"  {line}", flush=True)
            sums = tuple(map(sum, zip(sums, totals)))
            bad += [said] if totals[1] else []
    for said in bad:
        print(f"\n{said}")
    print("\n{} tests, {} failed, {} skipped".format(*sums))
    sys.exit(sums[1] != 0 or sums[0] == 0)


if __name__ == "__main__":
    main()
