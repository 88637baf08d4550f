/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/stats.c: what the running daemon says of itself */
#include "ctl/ctl.h"

#include "net/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_number(const char *value)
{
    size_t digits = strspn(value, "0123456789");
    return digits > 0 && value[digits] == '\0';
}

/* Counters of 0 would only hide the others. */
static int print(const char *name, const char *value, void *data, struct error *err)
{
    (void)data;
    if (strchr(name, '.') != NULL && strcmp(value, "0") == 0)
        return 0;
    char line[1024];
    snprintf(line, sizeof line, "%-24s %s\n", name, value);
    print_text(line);
    return ferror(stdout) ? print_failed(err) : 0;
}

static int collect(const char *name, const char *value, void *data, struct error *err)
{
    json_t *object = data;
    json_t *item = is_number(value) ? json_integer(strtoll(value, NULL, 10)) : json_string(value);
    return json_object_set_new(object, name, item) == 0 ? 0 : error_no_memory(err);
}

/* ---- what the daemon is not asked for */

#define SOON (30 * 86400) /* seconds */

struct ending {
    int64_t now;
    size_t count;
};

static int count_ending(const struct entry *entry, void *data, struct error *err)
{
    struct ending *ending = data;
    (void)err;
    ending->count += entry_ends_within(entry, ending->now, SOON);
    return 0;
}

/* How many entries end soon. Returns -1 where this user cannot read the table: the daemon's counters are shown all the same. */
static int find_ending(const struct ctl *ctl, char out[32])
{
    struct ending ending = {.now = time(NULL)};
    struct error err;
    struct table *table;
    if (table_open(&table, ctl->path, TABLE_READ, ctl->settings->fold_case, &err) != 0)
        return -1;
    struct table_view *view = table_view_open(table, &err);
    int rc = view == NULL ? -1 : table_each(view, NULL, count_ending, &ending, &err);
    table_view_close(view);
    table_free(table);
    snprintf(out, 32, "%zu", ending.count);
    return rc;
}

/* All numbers, of the daemon and of the table. */
static int each_number(const struct ctl *ctl,
                       int (*each)(const char *name, const char *value, void *data,
                                   struct error *err),
                       void *data, struct error *err)
{
    char ending[32];
    if (probe_stats(ctl->settings->lookup_socket, each, data, err) != 0)
        return -1;
    return find_ending(ctl, ending) == 0 ? each("ending_30d", ending, data, err) : 0;
}

static int print_object(const struct ctl *ctl, struct error *err)
{
    json_t *object = json_object();
    int rc = object == NULL ? error_no_memory(err) : each_number(ctl, collect, object, err);
    if (rc != 0) {
        json_decref(object);
        return -1;
    }
    return print_json_line(object, JSON_INDENT(2), err);
}

/* For a script it makes no difference whether nothing answers or another program does. */
static int explain(struct error *err)
{
    const struct error why = *err;
    if (why.status == EX_PROTOCOL)
        err->status = EX_UNAVAILABLE;
    if (why.status == EX_UNAVAILABLE)
        error_set(err, why.status, "%s: start milter-moved, or name its configuration with -c",
                  why.text);
    return -1;
}

static int stats(struct ctl *ctl, char **args, struct error *err)
{
    const char *socket = ctl->settings->lookup_socket;
    (void)args;
    if (*socket == '\0')
        return error_set(err, EX_CONFIG,
                         "lookup_socket is \"\": set it, so that the daemon can be asked");
    if (ctl->options.output != NULL && !ctl->options.prometheus)
        return error_set(err, EX_USAGE, "--output requires --prometheus: use both");
    if (ctl->options.json && ctl->options.prometheus)
        return error_set(err, EX_USAGE, "--json and --prometheus: use one of them");
    int rc = ctl->options.prometheus ? prometheus_write(ctl, ctl->options.output, err)
             : ctl->options.json     ? print_object(ctl, err)
                                     : each_number(ctl, print, NULL, err);
    return rc == 0 ? 0 : explain(err);
}

const struct command command_stats = {
    .name = "stats",
    .usage = "stats [--json] | stats --prometheus [--output FILE]",
    .summary = "Print what the running daemon has answered since it started",
    .details = "Asks the daemon on lookup_socket. A counter is named GROUP.RULE. The group\n"
               "milter counts recipients that a mail server asked about, and observed counts\n"
               "them in observe mode; listed, relocated and reply are the maps. Counters that\n"
               "are 0 are not printed.\n"
               "\n"
               "ending_30d is how many entries end within 30 days.\n"
               "\n"
               "  --json         print an object with all counters\n"
               "  --prometheus   print them for Prometheus, with what movedctl follow is doing\n"
               "  --output FILE  write FILE, whole or not at all, for node_exporter's textfile\n"
               "                 collector\n",
    .example = "movedctl stats --json",
    .takes = "json prometheus output",
    .opens = TABLE_NONE,
    .run = stats,
};
