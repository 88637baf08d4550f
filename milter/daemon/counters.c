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

#define STATES 9 /* lines that are no count of answers or limits */

static void write_state(char *out, size_t size, size_t number)
{
    char started[TIMESTAMP_TEXT_SIZE];
    struct service_state state;

    service_describe(&state);
    timestamp_format(started, sizeof started, stats.started);
    switch (number) {
    case 0: snprintf(out, size, "version %s", PACKAGE_VERSION); break;
    case 1: snprintf(out, size, "started %s", started); break;
    case 2: snprintf(out, size, "mode %s", state.observes ? "observe" : "enforce"); break;
    case 3:
        snprintf(out, size, "table %s",
                 state.table_error.text[0] == '\0' ? "good" : state.table_error.text);
        break;
    case 4: snprintf(out, size, "entries %zu", state.entries); break;
    case 5: snprintf(out, size, "sessions %lu", open_sessions_total()); break;
    case 6: snprintf(out, size, "sessions_open %u", open_sessions_count()); break;
    case 7: snprintf(out, size, "log_lines_lost %lu", log_count_lost()); break;
    case STATES - 1: snprintf(out, size, "hits_lost %" PRIu64, hits_queue_lost()); break;
    }
}

static const char *group_name(size_t group)
{
    return group == COUNTERS_MILTER     ? "milter"
           : group == COUNTERS_OBSERVED ? "observed"
                                        : map_name((enum map_name)(group - COUNTERS_MAP));
}

/* "milter.not_disclosed 3" */
static void write_count(char *out, size_t size, size_t group, size_t rule)
{
    snprintf(out, size, "%s.%s", group_name(group), rule_name((enum rule)rule));
    size_t at = strlen(out);
    for (char *blank = out; (blank = strchr(blank, ' ')) != NULL;)
        *blank = '_';
    snprintf(out + at, size - at, " %lu", atomic_load(&stats.answers[group][rule]));
}

bool counters_line(char *out, size_t size, size_t number)
{
    if (number < STATES)
        write_state(out, size, number);
    else if ((number -= STATES) < LIMIT_LEVELS)
        snprintf(out, size, "limit_reached.%s %lu", limit_level_name((enum limit_level)number),
                 atomic_load(&stats.limits[number]));
    else if ((number -= LIMIT_LEVELS) < (size_t)COUNTERS_GROUPS * RULES)
        write_count(out, size, number / RULES, number % RULES);
    else
        return false;
    return true;
}
