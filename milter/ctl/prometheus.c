/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/prometheus.c: the daemon's counters as Prometheus text 0.0.4, for node_exporter's textfile collector */
#include "ctl/outfile.h"
#include "ctl/through.h"
#include "follow/state.h"
#include "net/probe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PREFIX "milter_moved_"

/* ---- the metrics that come from the daemon's counters */

/* A counter of the daemon, "NAME" or "GROUP.RESULT", is in the first row with its name or group. */
static const struct metric {
    const char *counter, *name, *type, *labels, *help;
} metrics[] = {
    {"version", "build_info", "gauge", "version=\"%s\"", "The version of the daemon; always 1."},
    {"started", "start_time_seconds", "gauge", NULL, "When the daemon started, since 1970."},
    {"mode", "observe_mode", "gauge", NULL, "1 if the daemon observes and refuses nothing."},
    {"table", "table_readable", "gauge", NULL, "1 if the daemon can read the table."},
    {"entries", "table_entries", "gauge", NULL, "Entries in the table."},
    {"sessions_open", "sessions_open", "gauge", NULL, "Milter sessions that are open."},
    {"sessions", "sessions_total", "counter", NULL, "Milter sessions since the start."},
    {"milter", "recipients_total", "counter", "mode=\"enforce\",result=\"%s\"",
     "Recipients that the milter was asked about, by mode and by the rule that decided."},
    {"observed", "recipients_total", "counter", "mode=\"observe\",result=\"%s\"", NULL},
    {"listed", "lookups_total", "counter", "map=\"listed\",result=\"%s\"",
     "Look-ups on the lookup socket, by map and by the rule that decided."},
    {"refused", "lookups_total", "counter", "map=\"refused\",result=\"%s\"", NULL},
    {"relocated", "lookups_total", "counter", "map=\"relocated\",result=\"%s\"", NULL},
    {"reply", "lookups_total", "counter", "map=\"reply\",result=\"%s\"", NULL},
    {"limit_reached", "limit_reached_total", "counter", "scope=\"%s\"",
     "How often a client, a network or all together reached a disclosure limit."},
    {"log_lines_lost", "log_lines_lost_total", "counter", NULL,
     "Log lines that were dropped, because the log is too slow."},
    {"hits_lost", "hits_lost_total", "counter", NULL,
     "Mails that were answered and not counted in hits."},
};
#define METRICS (sizeof metrics / sizeof *metrics)

/* The counters, as the daemon has them, become an object of strings. */
static int take(const char *name, const char *value, void *data, struct error *err)
{
    return json_object_set_new(data, name, json_string(value)) == 0 ? 0 : error_no_memory(err);
}

static void print_head(FILE *out, const char *name, const char *type, const char *help)
{
    fprintf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

/* What the daemon says in words, as a number. */
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

static void print_sample(FILE *out, const struct metric *metric, const char *name,
                         const char *value)
{
    const char *dot = strchr(name, '.'), *result = dot != NULL ? dot + 1 : value;
    char number[32];
    fprintf(out, PREFIX "%s", metric->name);
    if (metric->labels != NULL) {
        putc('{', out);
        for (const char *at = metric->labels; *at != '\0'; at++)
            if (*at != '%')
                putc(*at, out);
            else if (*++at == 's')
                fputs(result, out);
        putc('}', out);
    }
    fprintf(out, " %s\n", number_of(metric, value, number));
}

static void print_samples(FILE *out, json_t *samples)
{
    const char *name;
    json_t *value;
    for (const struct metric *metric = metrics; metric < metrics + METRICS; metric++) {
        size_t length = strlen(metric->counter);
        if (metric->help != NULL)
            print_head(out, metric->name, metric->type, metric->help);
        json_object_foreach(samples, name, value)
        {
            if (strncmp(name, metric->counter, length) == 0 &&
                (name[length] == '.' || name[length] == '\0'))
                print_sample(out, metric, name, json_string_value(value));
        }
    }
}

/* ---- those of movedctl follow */

struct follower {
    struct follow_state state;
    int unread;    /* what state_read returned */
    bool is_meant; /* the settings say that the table follows a store */
};

/* On a host that follows no store, no state is 1 and the lag is 0; where the state cannot be read it has no end. */
static void print_follow(FILE *out, const struct follower *follower)
{
    bool is_alone = follower->unread > 0 && !follower->is_meant;
    bool is_known = follower->unread >= 0 && !is_alone;
    int64_t contact = is_known ? follower->state.contact : 0;
    double lag = is_alone ? 0 : contact == 0 ? INFINITY : (double)(time(NULL) - contact);
    print_head(out, "follow_state", "gauge", "1 for the state that movedctl follow is in.");
    for (int i = FOLLOW_NEVER; i <= FOLLOW_REFUSED; i++) {
        fprintf(out, PREFIX "follow_state{state=\"");
        for (const char *at = state_name((enum follow_status)i); *at != '\0'; at++)
            putc(*at == ' ' ? '_' : *at, out);
        fprintf(out, "\"} %d\n", is_known && (int)follower->state.status == i);
    }
    print_head(out, "follow_lag_seconds", "gauge",
               "Seconds since movedctl follow last heard from the store.");
    if (isinf(lag))
        fputs(PREFIX "follow_lag_seconds +Inf\n", out);
    else
        fprintf(out, PREFIX "follow_lag_seconds %.0f\n", lag);
}

static void print_all(FILE *out, json_t *samples, const struct follower *follower)
{
    bool up = json_object_size(samples) > 0;
    print_head(out, "up", "gauge", "1 if the daemon answers.");
    fprintf(out, PREFIX "up %d\n", up);
    if (up)
        print_samples(out, samples);
    print_follow(out, follower);
}

int prometheus_write(const struct ctl *ctl, const char *file, struct error *err)
{
    json_t *samples = json_object();
    struct follower follower;
    struct error why = {.status = 0}, unheard;
    int asked = probe_stats(ctl->settings->lookup_socket, take, samples, &why);
    follower.unread = state_read(&follower.state, ctl->path, &unheard);
    follower.is_meant = through_is_meant(ctl);
    FILE *out = file == NULL ? stdout : outfile_open(file, err);
    if (out != NULL)
        print_all(out, samples, &follower);
    int rc = out == NULL ? -1 : file == NULL ? 0 : outfile_close(0, err);
    if (rc != 0 && out != NULL)
        error_at(err, file, 0);
    state_clear(&follower.state);
    json_decref(samples);
    if (rc == 0 && asked != 0) {
        *err = why;
        return -1;
    }
    return rc;
}
