# SPDX-License-Identifier: BSD-2-Clause
"""tests/bench/rival.py: the same job with python3-milter and a dict. usage: rival.py SOCKET ENTRIES"""

import sys

import Milter

MOVED = {f"<u{n:07d}@old.example>": f"u{n:07d}@new.example" for n in range(int(sys.argv[2]))}


class Rival(Milter.Base):
    @Milter.noreply
    def connect(self, host, family, address):
        return Milter.CONTINUE

    @Milter.noreply
    def envfrom(self, sender, *parameters):
        return Milter.CONTINUE

    def envrcpt(self, recipient, *parameters):
        new = MOVED.get(recipient)
        if new is None:
            return Milter.CONTINUE
        self.setreply("551", "5.1.6", f"User not local; please try <{new}>")
        return Milter.REJECT


Milter.factory = Rival
Milter.set_flags(0)
Milter.runmilter("rival", sys.argv[1], 60)
