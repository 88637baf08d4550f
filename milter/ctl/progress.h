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
    size_t done, all;      /* for progress_step; all 0: not known */
    int64_t started, told; /* milliseconds of the monotonic clock */
    bool terminal, colour, shown;
};

/* all is 0 if it is not known how many units there are. */
void progress_begin(struct progress *progress, const char *what, size_t all);

/* One more unit is processed. Cheap enough to call for each entry. */
void progress_step(struct progress *progress);

/* As progress_step, for a bar in another unit, such as octets: at of all. done units are processed; all is 0 if not known. */
void progress_tell(struct progress *progress, size_t done, double at, double all);

/* Shows at once what is being done, without a bar, for a step whose progress is not known. */
void progress_show(struct progress *progress);

/* Removes the bar, before a line is printed and at the end. */
void progress_clear(struct progress *progress);

#endif
