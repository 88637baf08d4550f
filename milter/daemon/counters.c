/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/counters.h"

#include "daemon/hits_queue.h"
#include "daemon/logger.h"
#include "daemon/open_sessions.h"
#include "daemon/service.h"
#include "mail/timestamp.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct {
    time_t started;
    struct timespec began; /* the same moment on a clock that nobody sets */
    atomic_ulong answers[COUNTERS_GROUPS][RULES];
    atomic_ulong limits[LIMIT_LEVELS];
} stats;

void counters_start(void)
{
    stats.started = time(NULL);
    clock_gettime(CLOCK_MONOTONIC, &stats.began);
}

int64_t counters_uptime(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - stats.began.tv_sec;
}

void counters_count(unsigned group, enum rule rule)
{
    atomic_fetch_add_explicit(&stats.answers[group][rule], 1, memory_order_relaxed);
}

void counters_count_limit(enum limit_level level)
{
    atomic_fetch_add_explicit(&stats.limits[level], 1, memory_order_relaxed);
}

/* ---- lines */

static void write_states(FILE *out)
{
    char started[TIMESTAMP_TEXT_SIZE];
    struct service_state state;

    service_describe(&state);
    timestamp_format(started, sizeof started, stats.started);
    fprintf(out, "version %s\nstarted %s\nmode %s\n", PACKAGE_VERSION, started,
            state.observes ? "observe" : "enforce");
    fprintf(out, "table %s\nentries %zu\n",
            state.table_error.text[0] == '\0' ? "good" : state.table_error.text, state.entries);
    fprintf(out, "sessions %lu\nsessions_open %u\n", open_sessions_total(), open_sessions_count());
    fprintf(out, "log_lines_lost %lu\nhits_lost %" PRIu64 "\n", log_count_lost(),
            hits_queue_lost());
}

/* "milter.not_disclosed 3" */
static void write_count(FILE *out, size_t group, size_t rule)
{
    const char *name = group == COUNTERS_MILTER     ? "milter"
                       : group == COUNTERS_OBSERVED ? "observed"
                                                    : map_names[group - COUNTERS_MAP];
    fprintf(out, "%s.", name);
    for (const char *at = rule_name((enum rule)rule); *at != '\0'; at++)
        putc(*at == ' ' ? '_' : *at, out);
    fprintf(out, " %lu\n", atomic_load(&stats.answers[group][rule]));
}

size_t counters_write(char *out, size_t size)
{
    FILE *stream = fmemopen(out, size, "w");
    if (stream == NULL)
        return 0;
    write_states(stream);
    for (size_t level = 0; level < LIMIT_LEVELS; level++)
        fprintf(stream, "limit_reached.%s %lu\n", limit_level_names[level],
                atomic_load(&stats.limits[level]));
    for (size_t group = 0; group < COUNTERS_GROUPS; group++)
        for (size_t rule = 0; rule < RULES; rule++)
            write_count(stream, group, rule);
    fflush(stream);
    long length = ferror(stream) ? 0 : ftell(stream);
    fclose(stream);
    return length < 0 ? 0 : (size_t)length;
}
