# SPDX-License-Identifier: BSD-2-Clause
"""Load: threads that ask the same thing again and again, and what each time came of it."""

import collections
import threading

from lib import place


class Load:
    """A context. ask is called by several threads, each call in the place of one session, until the context ends."""

    def __init__(self, ask, threads=4):
        self.ask = ask
        self.said = collections.Counter()  # what ask returned, or what it raised
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def _run(self):
        while not self.done.is_set():
            try:
                said = self.ask()
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
            self.said[said] += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join(place.PATIENCE)

    def count(self):
        return sum(dict(self.said).values())

    def goes_on(self, times=20):
        """Waits until it has been answered so many times more."""
        enough = self.count() + times
        place.until(lambda: self.count() >= enough, f"{times} more answers: {dict(self.said)}")

    def hears(self, expected, times=10):
        """Waits until it has heard this so many times more."""
        enough = self.said[expected] + times
        place.until(lambda: self.said[expected] >= enough, f"'{expected}': {dict(self.said)}")
