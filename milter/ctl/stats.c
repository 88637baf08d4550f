/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/stats.c: what the running daemon says of itself */
#include "ctl/ctl.h"

#include "net/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The numbers of the daemon and of the table become an object of strings, in this order. */
static int collect(const char *name, const char *value, void *data, struct error *err)
{
    return json_object_set_new(data, name, json_string_nocheck(value)) == 0 ? 0
                                                                            : error_no_memory(err);
}

#define SOON (30 * 86400) /* seconds */

static int count_ending(const struct entry *entry, void *data, struct error *err)
{
    size_t *count = data;
    (void)err;
    *count += entry_ends_within(entry, time(NULL), SOON);
    return 0;
}

/* Adds how many entries end soon. Where this user cannot read the table, the daemon's counters are shown all the same. */
static int collect_ending(const struct ctl *ctl, json_t *numbers, struct error *err)
{
    struct table *table = NULL;
    struct error unread;
    size_t ending = 0;
    char text[32];
    if (table_open(&table, ctl->path, TABLE_READ, ctl->settings->fold_case, &unread) != 0)
        return 0;
    int rc = ctl_each(table, NULL, count_ending, &ending, &unread);
    table_free(table);
    snprintf(text, sizeof text, "%zu", ending);
    return rc == 0 ? collect("ending_30d", text, numbers, err) : 0;
}

/* Counters of 0 would only hide the others. */
static int print_words(json_t *numbers)
{
    const char *name;
    json_t *value;
    json_object_foreach(numbers, name, value)
    {
        if (strchr(name, '.') == NULL || strcmp(json_string_value(value), "0") != 0)
            print_say("%-24s %s\n", name, json_string_value(value));
    }
    return 0;
}

static int print_object(json_t *numbers, struct error *err)
{
    json_t *object = json_object(), *value;
    const char *name;
    json_object_foreach(numbers, name, value)
    {
        const char *text = json_string_value(value);
        bool is_number = *text != '\0' && text[strspn(text, "0123456789")] == '\0';
        json_object_set_new(object, name,
                            is_number ? json_integer(strtoll(text, NULL, 10)) : json_incref(value));
    }
    return print_json_line(object, JSON_INDENT(2), err);
}

/* For a script it makes no difference whether nothing answers or another program does. */
static int explain(const struct error *why, struct error *err)
{
    if (why->status == EX_PROTOCOL || why->status == EX_UNAVAILABLE)
        return error_set(err, EX_UNAVAILABLE,
                         "%s: start milter-moved, or name its configuration with -c", why->text);
    *err = *why;
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
    json_t *numbers = json_object();
    struct error why;
    int rc = 0, asked = probe_stats(socket, collect, numbers, &why);
    if (ctl->options.prometheus)
        rc = prometheus_write(ctl, numbers, ctl->options.output, err);
    else if (asked == 0 && (rc = collect_ending(ctl, numbers, err)) == 0)
        rc = ctl->options.json ? print_object(numbers, err) : print_words(numbers);
    json_decref(numbers);
    return rc != 0 || asked == 0 ? rc : explain(&why, err);
}

const struct command command_stats = {
    .name = "stats",
    .usage = "stats [--json] | stats --prometheus [--output FILE]",
    .summary = "Print what the running daemon has answered since it started",
    .details = "Asks the daemon on lookup_socket. A counter is named GROUP.RULE. The group\n"
               "milter counts recipients that a mail server asked about, and observed counts\n"
               "them in observe mode; listed, refused, relocated and reply are the maps.\n"
               "limit_reached counts the clients that have reached a limit of disclosure.\n"
               "Counters that are 0 are not printed.\n"
               "\n"
               "ending_30d is how many entries end within 30 days.\n"
               "\n"
               "  --json         print an object with all counters\n"
               "  --prometheus   print them for Prometheus, with what movedctl follow is doing\n"
               "  --output FILE  write FILE, whole or not at all, for node_exporter's textfile\n"
               "                 collector\n",
    .example = "movedctl stats --json",
    .takes = "json prometheus output",
    .run = stats,
};
