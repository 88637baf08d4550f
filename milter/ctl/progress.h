/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/progress.h: a progress bar with rate and time left, for operations of over a second. Only on a terminal. */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Holds its own bytes: there is nothing to free. */
struct progress {
    const char *what;      /* "reading"; borrowed */
    const char *unit;      /* "entries", unless the caller sets it; borrowed */
    int64_t started, told; /* milliseconds of the monotonic clock */
    bool terminal, colour, shown;
};

void progress_begin(struct progress *progress, const char *what);

/* Shows that done units are processed. The bar shows at of all, in any unit (octets, entries); all is 0 if not known.
 * Cheap enough to call for each entry. */
void progress_tell(struct progress *progress, size_t done, double at, double all);

/* Shows at once what is being done, without a bar, for a step whose progress is not known. */
void progress_show(struct progress *progress);

/* Removes the bar, before a line is printed and at the end. */
void progress_clear(struct progress *progress);

#endif
