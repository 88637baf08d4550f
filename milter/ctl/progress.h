/* ctl/progress.h: a bar on the terminal for what takes over a second: how far, how fast, how long yet. Nothing where
 * standard error is no terminal. */
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

/* done units; at of all is the part that is behind, in whatever unit (octets, entries), all 0 where
 * nobody knows. Cheap enough for each thousand entries. */
void progress_tell(struct progress *progress, size_t done, double at, double all);

/* Shows at once what is done, and no bar: it cannot be told how far it is. */
void progress_show(struct progress *progress);

/* Wipes the bar: before a line is printed, and at the end. */
void progress_clear(struct progress *progress);

#endif
