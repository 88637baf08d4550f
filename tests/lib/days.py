# SPDX-License-Identifier: BSD-2-Clause
"""Programs that run on another day, as days.c shows it to them."""

import time

from lib import place

DAY, MARGIN = 86400, 3600  # seconds


class Days:
    """A file in the folder says how many days later it is; env is for the programs. No midnight (UTC) comes while a test runs: in
    the last hour of a day the next one has begun for them."""

    def __init__(self, folder):
        self.file = folder / "days"
        self.ahead = MARGIN if time.time() % DAY >= DAY - MARGIN else 0
        self.turn(0)
        self.env = {**place.preloading("days", folder), "TEST_DAYS": str(self.file)}

    def turn(self, number):
        """From now on it is so many days later."""
        place.replace(self.file, str(number * DAY + self.ahead))
