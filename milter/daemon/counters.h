/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/counters.h: what the daemon has done since it started, and how it is. Threads may share it. */
#ifndef DAEMON_COUNTERS_H
#define DAEMON_COUNTERS_H

#include "answer/map.h"

#include <stddef.h>
#include <stdint.h>

#define COUNTERS_NAME "stats" /* the request for them at the lookup socket */

/* Who asked for an answer. */
enum {
    COUNTERS_MILTER,   /* a mail server, of a recipient, in enforce mode */
    COUNTERS_OBSERVED, /* the same in observe mode: nothing came of it */
    COUNTERS_MAP,      /* and the number of the map: a look-up in it, in either mode */
    COUNTERS_GROUPS = COUNTERS_MAP + MAP_UNKNOWN
};

/* Takes the moment of the start. Call it once, before the first answer. */
void counters_start(void);

/* Seconds since then, whatever the clock was set to meanwhile. */
int64_t counters_uptime(void);

/* Counts one answer. */
void counters_count(unsigned group, enum rule rule);

/* Counts that a client or network has reached its limit: once a period each. */
void counters_count_limit(enum limit_level level);

/* Writes all of it into out[size], a line each: "NAME VALUE", "milter.moved 12". Returns its length; 0 where memory is out.
 * COUNTERS_SIZE is enough. */
#define COUNTERS_SIZE 8192
size_t counters_write(char *out, size_t size);

#endif
