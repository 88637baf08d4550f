# SPDX-License-Identifier: BSD-2-Clause
"""Look-ups per second on the lookup socket, of milter-moved and of a server that answers every request with a fixed address.

usage: python3 tests/bench/lookups.py BUILD     BUILD: a folder in which `make` has ended
"""

import contextlib
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lib import place  # noqa: E402
from lib.milter import Milter  # noqa: E402
from measure import Server, compile_tool, interval, on_core, our_server, rounds, run  # noqa: E402

SECONDS = 20


def ask(folder, server, path, connections):
    before = server.cpu()
    said = [float(word) for word in run(*on_core(0, folder / "lookups", "ask", path, connections, 0.2, server.entries)).split()]
    return {"rate": said[0], "p99": said[2], "cpu": (server.cpu() - before) / (said[0] * 0.2)}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    built = pathlib.Path(sys.argv[1]).resolve()
    with place.folder() as folder, contextlib.ExitStack() as stack:
        compile_tool(folder, "lookups")
        few, many = [stack.enter_context(our_server(built, folder, entries)) for entries in (10, 1_000_000)]
        fixed = stack.enter_context(Server("fixed", folder, [folder / "lookups", "serve", "SOCKET"], 10))
        for ours in (few, many):  # without a session the map listed finds nothing
            stack.enter_context(Milter(ours.socket)).negotiate()
        sockets = {few: few.lookup, many: many.lookup, fixed: fixed.socket}
        for connections in (1, 16, 256):
            done = rounds(sockets, lambda server: ask(folder, server, sockets[server], connections), SECONDS)
            print(f"{connections} at once, {len(done)} rounds: medians; ratio to fixed with its 95 % interval")
            for server in sockets:
                rate, p99, cpu = [statistics.median(measured[server][key] for measured in done) for key in ("rate", "p99", "cpu")]
                low, ratio, high = interval([measured[server]["rate"] / measured[fixed]["rate"] for measured in done])
                print(f"  {server.name:18} {rate:9,.0f} look-ups/s   CPU µs: {cpu:.2f}   p99 µs: {p99:.0f}   "
                      f"{ratio:.3f} ({low:.3f} to {high:.3f})", flush=True)


if __name__ == "__main__":
    main()
