/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/prometheus.c: the daemon's counters as Prometheus text 0.0.4, for node_exporter's textfile collector */
#include "ctl/outfile.h"
#include "ctl/through.h"
#include "follow/state.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PREFIX "milter_moved_"

/* ---- the metrics that come from the daemon's counters */

/* A counter of the daemon, "NAME" or "GROUP.RESULT", is in the first row with its name or group. */
static const struct metric {
    const char *counter, *name, *type;
    const char *label; /* its value is RESULT, or that of the counter; NULL: none */
    const char *help;  /* NULL: an earlier row has it */
} metrics[] = {
    {"version", "build_info", "gauge", "version", "The version of the daemon; always 1."},
    {"started", "start_time_seconds", "gauge", NULL, "When the daemon started, since 1970."},
    {"mode", "observe_mode", "gauge", NULL, "1 if the daemon observes and refuses nothing."},
    {"table", "table_readable", "gauge", NULL, "1 if the daemon can read the table."},
    {"entries", "table_entries", "gauge", NULL, "Entries in the table."},
    {"sessions_open", "sessions_open", "gauge", NULL, "Milter sessions that are open."},
    {"sessions", "sessions_total", "counter", NULL, "Milter sessions since the start."},
    {"milter", "recipients_total", "counter", "mode=\"enforce\",result",
     "Recipients that the milter was asked about, by mode and by the rule that decided."},
    {"observed", "recipients_total", "counter", "mode=\"observe\",result", NULL},
    {"listed", "lookups_total", "counter", "map=\"listed\",result",
     "Look-ups on the lookup socket, by map and by the rule that decided."},
    {"refused", "lookups_total", "counter", "map=\"refused\",result", NULL},
    {"relocated", "lookups_total", "counter", "map=\"relocated\",result", NULL},
    {"reply", "lookups_total", "counter", "map=\"reply\",result", NULL},
    {"limit_reached", "limit_reached_total", "counter", "scope",
     "How often a client, a network or all together reached a disclosure limit."},
    {"log_lines_lost", "log_lines_lost_total", "counter", NULL,
     "Log lines that were dropped, because the log is too slow."},
    {"hits_lost", "hits_lost_total", "counter", NULL,
     "Mails that were answered and not counted in hits."},
};

static void print_head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

/* The value as a number; the daemon writes some in words. */
static const char *number_of(const struct metric *metric, const char *value, char out[32])
{
    int64_t moment = 0;
    if (strcmp(metric->counter, "version") == 0)
        return "1";
    if (strcmp(metric->counter, "mode") == 0)
        return strcmp(value, "observe") == 0 ? "1" : "0";
    if (strcmp(metric->counter, "table") == 0)
        return strcmp(value, "good") == 0 ? "1" : "0";
    if (strcmp(metric->counter, "started") != 0)
        return value;
    (void)timestamp_parse(&moment, value, TIMESTAMP_NONE, NULL);
    snprintf(out, 32, "%lld", (long long)moment);
    return out;
}

static void print_samples(FILE *out, json_t *counters)
{
    const char *name;
    json_t *value;
    char number[32];
    for (const struct metric *metric = metrics; metric < metrics + sizeof metrics / sizeof *metrics;
         metric++) {
        size_t length = strlen(metric->counter);
        if (metric->help != NULL)
            print_head(out, metric->name, metric->type, metric->help);
        json_object_foreach(counters, name, value)
        {
            const char *text = json_string_value(value);
            if (strncmp(name, metric->counter, length) != 0 ||
                (name[length] != '.' && name[length] != '\0'))
                continue;
            fprintf(out, PREFIX "%s", metric->name);
            if (metric->label != NULL)
                fprintf(out, "{%s=\"%s\"}", metric->label,
                        name[length] == '.' ? name + length + 1 : text);
            fprintf(out, " %s\n", number_of(metric, text, number));
        }
    }
}

/* ---- those of movedctl follow */

/* On a host that follows no store, no state is 1 and the lag is 0. If the state cannot be read, the lag is infinite. */
static void print_follow(FILE *out, const struct ctl *ctl)
{
    struct follow_state state;
    struct error unread;
    int read = state_read(&state, ctl->path, &unread); /* 1: there is none */
    bool is_alone = read > 0 && !through_is_meant(ctl), is_known = read >= 0 && !is_alone;
    print_head(out, "follow_state", "gauge", "1 for the state that movedctl follow is in.");
    for (int i = FOLLOW_NEVER; i <= FOLLOW_REFUSED; i++) {
        fprintf(out, PREFIX "follow_state{state=\"");
        for (const char *at = state_name((enum follow_status)i); *at != '\0'; at++)
            putc(*at == ' ' ? '_' : *at, out);
        fprintf(out, "\"} %d\n", is_known && (int)state.status == i);
    }
    print_head(out, "follow_lag_seconds", "gauge",
               "Seconds since movedctl follow last heard from the store.");
    if (is_alone)
        fputs(PREFIX "follow_lag_seconds 0\n", out);
    else if (is_known && state.contact != 0)
        fprintf(out, PREFIX "follow_lag_seconds %lld\n", (long long)(time(NULL) - state.contact));
    else
        fputs(PREFIX "follow_lag_seconds +Inf\n", out);
    state_clear(&state);
}

int prometheus_write(const struct ctl *ctl, json_t *counters, const char *file, struct error *err)
{
    bool up = json_object_size(counters) > 0;
    FILE *out = file == NULL ? stdout : outfile_open(file, err);
    if (out == NULL)
        return -1;
    print_head(out, "up", "gauge", "1 if the daemon answers.");
    fprintf(out, PREFIX "up %d\n", up);
    if (up)
        print_samples(out, counters);
    print_follow(out, ctl);
    return file == NULL || outfile_close(0, err) == 0 ? 0 : error_at(err, file, 0);
}
