/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/counters.h: what the daemon has done since it started, and its state. Threads may share it. */
#ifndef DAEMON_COUNTERS_H
#define DAEMON_COUNTERS_H

#include "answer/map.h"

#include <stddef.h>
#include <stdint.h>

#define COUNTERS_NAME "stats" /* the request for them at the lookup socket */

/* Who asked for an answer. */
enum {
    COUNTERS_MILTER,   /* a mail server, for a recipient, in enforce mode */
    COUNTERS_OBSERVED, /* the same, where the answer has no effect: in observe mode, or if the mail server itself refuses */
    COUNTERS_MAP,      /* plus the number of the map: a look-up in it, in either mode */
    COUNTERS_GROUPS = COUNTERS_MAP + MAP_UNKNOWN
};

/* Notes the time of the start. Call it once, before the first answer. */
void counters_start(void);

/* Seconds since the start, on a clock that nobody sets. */
int64_t counters_uptime(void);

/* Counts one answer. */
void counters_count(unsigned group, enum rule rule);

/* Counts that a client or network has reached its limit: once a period for each. */
void counters_count_limit(enum limit_level level);

/* Writes all counters to out[size], one a line: "milter.moved 12". Returns the length; 0 if memory is out. COUNTERS_SIZE is
 * enough. */
#define COUNTERS_SIZE 8192
size_t counters_write(char *out, size_t size);

#endif
