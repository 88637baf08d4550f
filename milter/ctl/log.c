/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/log.c: print who changed what, when, and what it was before */
#include "ctl/log.h"

#include "base/printable.h"
#include "ctl/ctl.h"
#include "format/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 10 /* entries of a change, unless only this change is printed */

struct query {
    struct table *table;
    struct list list;        /* of the changes */
    uint64_t number;         /* print only this change; 0: all */
    const struct entry *old; /* print only changes of this old address; NULL: all */
};

/* ---- words */

static void format_who(char *out, size_t size, const struct change *change)
{
    char user[CHANGE_USER_MAX + 1];
    snprintf(user, sizeof user, "%s", change->user);
    if (*user == '\0')
        snprintf(user, sizeof user, "uid %llu", (unsigned long long)change->uid);
    if (*change->behind == '\0' || strcmp(change->behind, user) == 0)
        snprintf(out, size, "%s", user);
    else
        snprintf(out, size, "%s as %s", change->behind, user);
}

void change_format(char *out, size_t size, const struct change *change)
{
    char when[TIMESTAMP_TEXT_SIZE], who[2 * CHANGE_USER_MAX + 8], of[40] = "";
    if (change->undoes != 0)
        snprintf(of, sizeof of, " of change %llu", (unsigned long long)change->undoes);
    timestamp_format(when, sizeof when, change->when);
    format_who(who, sizeof who, change);
    snprintf(out, size, "change %llu of %s by %s: %s%s", (unsigned long long)change->number, when,
             who, *change->command == '\0' ? "no movedctl" : change->command, of);
    printable_make(out);
}

void change_format_counts(char *out, size_t size, uint64_t added, uint64_t changed,
                          uint64_t removed)
{
    const struct {
        uint64_t count;
        const char *word;
    } counts[] = {{added, "added"}, {changed, "changed"}, {removed, "removed"}};
    size_t used = 0;
    *out = '\0';
    for (size_t i = 0; i < sizeof counts / sizeof *counts && used < size; i++)
        if (counts[i].count > 0)
            used += (size_t)snprintf(out + used, size - used, "%s%llu %s", used > 0 ? ", " : "",
                                     (unsigned long long)counts[i].count, counts[i].word);
}

/* ---- entries */

struct printer {
    const struct query *query;
    uint64_t done, limit; /* entries */
    struct list list;     /* of the entries */
};

static bool is_asked_for(const struct query *query, const struct change_entry *entry)
{
    const struct entry *one = entry->before != NULL ? entry->before : entry->after;
    const struct entry *old = query->old;
    return old == NULL || (one->scope == old->scope && strcmp(one->domain, old->domain) == 0 &&
                           strcmp(one->local, old->local) == 0);
}

static json_t *side(const struct entry *entry)
{
    return entry == NULL ? json_null() : json_entry(entry);
}

static int print_json_entry(const struct change_entry *entry, struct error *err)
{
    char old[ADDRESS_TEXT_SIZE];
    entry_format_old(old, sizeof old, entry->before != NULL ? entry->before : entry->after);
    fputs("  ", stdout);
    return print_json(json_pack("{s:s, s:o, s:o}", "old", old, "before", side(entry->before),
                                "after", side(entry->after)),
                      0, err);
}

static int print_change_entry(const struct change_entry *entry, void *data, struct error *err)
{
    struct printer *printer = data;
    if (!is_asked_for(printer->query, entry))
        return 0;
    if (printer->done == printer->limit)
        return 1;
    printer->done++;
    list_next(&printer->list);
    if (printer->list.json)
        return print_json_entry(entry, err);
    fputs("  ", stdout);
    return print_difference(entry->before, entry->after, err);
}

static int stop_if_asked_for(const struct change_entry *entry, void *data, struct error *err)
{
    (void)err;
    return is_asked_for(data, entry) ? 1 : 0;
}

/* Whether to print the change: 1, 0, or -1 with err. A change that is logged without its entries may have the old
 * address. */
static int wants(const struct query *query, const struct change *change, struct error *err)
{
    if (query->number != 0 && query->number != change->number)
        return 0;
    if (query->old == NULL || !change->held)
        return 1;
    return changelog_each_entry(query->table, change->number, stop_if_asked_for, (void *)query,
                                err);
}

/* ---- changes */

static int print_for_people(const struct query *query, const struct change *change,
                            struct error *err)
{
    struct printer printer = {
        .query = query, .limit = query->number != 0 || query->old != NULL ? UINT64_MAX : SHOWN};
    char text[CHANGE_TEXT_SIZE], counts[CHANGE_COUNTS_SIZE];
    change_format(text, sizeof text, change);
    change_format_counts(counts, sizeof counts, change->added, change->changed, change->removed);
    print_say("%s\n", text);
    if (!change->held) {
        printf("  %s: too large for the log, cannot be undone\n", counts);
        return 0;
    }
    int rc = changelog_each_entry(query->table, change->number, print_change_entry, &printer, err);
    if (rc == 1)
        printf("  %s in all: movedctl log %llu\n", counts, (unsigned long long)change->number);
    return rc < 0 ? -1 : 0;
}

/* Everything but the entries and the closing brace. */
static int print_json_head(const struct change *change, struct error *err)
{
    char when[TIMESTAMP_TEXT_SIZE];
    timestamp_format(when, sizeof when, change->when);
    json_t *object =
        json_pack("{sI ss sI ss ss ss sI sI sI sI sb}", "change", (json_int_t)change->number,
                  "time", when, "uid", (json_int_t)change->uid, "user", change->user, "behind",
                  change->behind, "command", change->command, "undoes", (json_int_t)change->undoes,
                  "added", (json_int_t)change->added, "changed", (json_int_t)change->changed,
                  "removed", (json_int_t)change->removed, "held", change->held);
    char *text = object == NULL ? NULL : json_dumps(object, JSON_ENSURE_ASCII);
    json_decref(object);
    if (text == NULL)
        return error_set(err, EX_DATAERR, "change %llu is damaged: restore a copy of the table",
                         (unsigned long long)change->number);
    printf("%.*s, \"entries\": ", (int)strlen(text) - 1, text);
    free(text);
    return 0;
}

static int print_as_json(const struct query *query, const struct change *change, struct error *err)
{
    struct printer printer = {.query = query, .limit = UINT64_MAX};
    if (print_json_head(change, err) != 0)
        return -1;
    list_begin(&printer.list, true);
    if (changelog_each_entry(query->table, change->number, print_change_entry, &printer, err) != 0)
        return -1;
    fputs(printer.list.begun ? "\n]}" : "]}", stdout);
    return 0;
}

static int print_change(const struct change *change, void *data, struct error *err)
{
    struct query *query = data;
    int rc = wants(query, change, err);
    if (rc <= 0)
        return rc;
    list_next(&query->list);
    return query->list.json ? print_as_json(query, change, err)
                            : print_for_people(query, change, err);
}

static int log_changes(struct ctl *ctl, char **args, struct error *err)
{
    struct query query = {.table = ctl->table};
    struct entry old;
    if (args[0] != NULL &&
        (!ctl_parse_number(&query.number, args[0], UINT64_MAX) || query.number == 0)) {
        if (ctl_parse_old(ctl, args[0], &old, err) != 0)
            return -1;
        query.old = &old;
    }
    list_begin(&query.list, ctl->options.json);
    if (changelog_each(ctl->table, print_change, &query, err) != 0)
        return -1;
    list_end(&query.list);
    return query.list.begun || args[0] == NULL ? 0 : 1;
}

const struct command command_log = {
    .name = "log",
    .usage = "log [--json] [OLD|NUMBER]",
    .summary = "Print who changed what and when, with the previous values",
    .details = "Prints the newest change first, each with its first entries: added (+), changed\n"
               "(~), removed (-).\n"
               "\n"
               "OLD     only the changes of this old address; exit status 1 if there is none\n"
               "NUMBER  only this change, with all of its entries\n"
               "\n"
               "The oldest changes are dropped to make room for new ones. A very large change is\n"
               "logged without its entries.\n"
               "\n"
               "  --json  print an array of objects\n",
    .example = "movedctl log alice@old.example",
    .operands = "OLD",
    .takes = "json",
    .most = 1,
    .opens = TABLE_TO_READ,
    .run = log_changes,
};
