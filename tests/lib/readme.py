# SPDX-License-Identifier: BSD-2-Clause
"""README's blocks, and what comes of its own commands."""

import os
import re

from lib import package, place


def blocks():
    """Chapter -> its blocks, as they are pasted."""
    found, chapter, lines = {"": []}, "", (place.SOURCE / "README").read_text().split("\n")
    for number, line in enumerate(lines):
        if number > 0 and re.fullmatch("-+", line):
            chapter = lines[number - 1]
            found[chapter] = []
        elif line.startswith("    ") and not line[4:5].isspace() and lines[number - 1] == "":
            end = number
            while lines[end].startswith("    "):
                end += 1
            found[chapter].append("".join(part[4:] + "\n" for part in lines[number:end]))
    return found


def built():
    """A copy of the source in which the block that builds it was run, once for all tests; its last line, make install, is
    theirs."""
    script, last = blocks()["Install"][0].rstrip("\n").rsplit("\n", 1)
    if last != "make install":
        raise AssertionError(f"the last line of the block that builds is '{last}'")
    with package.once("source") as (folder, is_made):
        if not is_made:
            log = folder.with_suffix(".log")
            package.run(log, "sh", "-c", 'tar --exclude=./.git --exclude=./packages --exclude="*.o" -cf - . | tar -C "$1" -xf -', "sh", folder,
                        cwd=place.SOURCE)
            package.run(log, "sh", "-ec", script, cwd=folder, env={**os.environ, "MAKEFLAGS": f"-j{os.cpu_count()}"})
        return folder
