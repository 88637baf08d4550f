/* ctl/stats.c: what the running daemon says of itself */
#include "ctl/ctl.h"

#include "format/json.h"
#include "net/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    return printf("%-24s %s\n", name, value) < 0 ? print_failed(err) : 0;
}

static int collect(const char *name, const char *value, void *data, struct error *err)
{
    json_t *object = data;
    json_t *item = is_number(value) ? json_integer(strtoll(value, NULL, 10)) : json_string(value);
    return json_object_set_new(object, name, item) == 0 ? 0 : error_no_memory(err);
}

static int print_json(const char *socket, struct error *err)
{
    json_t *object = json_object();
    int rc = object == NULL ? error_no_memory(err) : probe_stats(socket, collect, object, err);
    if (rc == 0 && json_write(object, stdout, JSON_INDENT(2)) != 0)
        rc = print_failed(err);
    if (rc == 0)
        putchar('\n');
    json_decref(object);
    return rc;
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
    int rc = ctl->options.json ? print_json(socket, err) : probe_stats(socket, print, NULL, err);
    return rc == 0 ? 0 : explain(err);
}

const struct command command_stats = {
    .name = "stats",
    .usage = "stats [--json]",
    .summary = "Print what the running daemon has answered since it started",
    .details = "Asks the daemon on lookup_socket. A counter is named GROUP.RULE. The group\n"
               "milter counts recipients that a mail server asked about, and observed counts\n"
               "them in observe mode; listed, relocated and reply are the maps. Counters that\n"
               "are 0 are not printed.\n"
               "\n"
               "  --json  print an object with all counters\n",
    .example = "movedctl stats --json",
    .takes = "json",
    .opens = TABLE_NONE,
    .run = stats,
};
