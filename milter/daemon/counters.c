#include "config.h"

#include "daemon/counters.h"

#include "daemon/logger.h"
#include "daemon/open_sessions.h"
#include "daemon/service.h"
#include "mail/timestamp.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const groups[COUNTERS_GROUPS] = {
    [COUNTERS_MILTER] = "milter", [COUNTERS_OBSERVED] = "observed",
    [COUNTERS_LISTED] = "listed", [COUNTERS_RELOCATED] = "relocated",
    [COUNTERS_REPLY] = "reply",
};

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

void counters_count(enum counter_group group, enum rule rule)
{
    atomic_fetch_add_explicit(&stats.answers[group][rule], 1, memory_order_relaxed);
}

void counters_count_limit(enum limit_level level)
{
    atomic_fetch_add_explicit(&stats.limits[level], 1, memory_order_relaxed);
}

/* ---- lines */

static void version(char *out, size_t size)
{
    snprintf(out, size, "%s", PACKAGE_VERSION);
}

static void started(char *out, size_t size)
{
    char moment[TIMESTAMP_TEXT_SIZE];
    timestamp_format(moment, sizeof moment, stats.started);
    snprintf(out, size, "%s", moment);
}

static void mode(char *out, size_t size)
{
    struct service_state state;
    service_describe(&state);
    snprintf(out, size, "%s", state.observes ? "observe" : "enforce");
}

static void table(char *out, size_t size)
{
    struct service_state state;
    service_describe(&state);
    snprintf(out, size, "%s", state.table_error.text[0] == '\0' ? "good" : state.table_error.text);
}

static void entries(char *out, size_t size)
{
    struct service_state state;
    service_describe(&state);
    snprintf(out, size, "%zu", state.entries);
}

static void sessions(char *out, size_t size)
{
    snprintf(out, size, "%lu", open_sessions_total());
}

static void sessions_open(char *out, size_t size)
{
    snprintf(out, size, "%u", open_sessions_count());
}

static void log_lines_lost(char *out, size_t size)
{
    snprintf(out, size, "%lu", log_count_lost());
}

static void write_limit(char *out, size_t size, enum limit_level level)
{
    snprintf(out, size, "%lu", atomic_load_explicit(&stats.limits[level], memory_order_relaxed));
}

static void clients_at_limit(char *out, size_t size)
{
    write_limit(out, size, LIMIT_CLIENT);
}

static void networks_at_limit(char *out, size_t size)
{
    write_limit(out, size, LIMIT_NETWORK);
}

static void total_at_limit(char *out, size_t size)
{
    write_limit(out, size, LIMIT_EVERYONE);
}

/* A new line is a row here; whoever reads them takes what comes. */
static const struct {
    const char *name;
    void (*write)(char *out, size_t size);
} lines[] = {
    {"version", version},
    {"started", started},
    {"mode", mode},
    {"table", table},
    {"entries", entries},
    {"sessions", sessions},
    {"sessions_open", sessions_open},
    {"log_lines_lost", log_lines_lost},
    {"limit_reached.client", clients_at_limit},
    {"limit_reached.network", networks_at_limit},
    {"limit_reached.everyone", total_at_limit},
};
#define LINES (sizeof lines / sizeof *lines)

/* "milter.not_disclosed 3" */
static void write_count(char *out, size_t size, size_t group, size_t rule)
{
    snprintf(out, size, "%s.%s", groups[group], rule_name((enum rule)rule));
    size_t at = strlen(out);
    for (char *blank = out; (blank = strchr(blank, ' ')) != NULL;)
        *blank = '_';
    snprintf(out + at, size - at, " %lu",
             atomic_load_explicit(&stats.answers[group][rule], memory_order_relaxed));
}

bool counters_line(char *out, size_t size, size_t number)
{
    size_t count = number - LINES;
    if (number < LINES) {
        snprintf(out, size, "%s ", lines[number].name);
        size_t at = strlen(out);
        lines[number].write(out + at, size - at);
        return true;
    }
    if (count >= (size_t)COUNTERS_GROUPS * RULES)
        return false;
    write_count(out, size, count / RULES, count % RULES);
    return true;
}
