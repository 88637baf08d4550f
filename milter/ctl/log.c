/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/log.c: print who changed what, when, and what it was before */
#include "ctl/ctl.h"

#include "base/printable.h"
#include "format/json.h"
#include "table/changelog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 10 /* entries of a change, unless only this change is printed */

/* What is asked for, and the change that is being printed. */
struct log {
    struct table *table;
    struct list changes;
    uint64_t number;         /* print only this change; 0: all */
    const struct entry *old; /* print only changes of this old address; NULL: all */
    const struct change *change;
    bool begun;          /* its head is printed */
    struct list entries; /* of the change */
    uint64_t left;       /* entries that may still be printed */
};

void change_format(char *out, size_t size, const struct change *change)
{
    char when[TIMESTAMP_TEXT_SIZE], uid[32], of[40] = "";
    const char *user = change->user, *behind = change->behind;
    if (change->undoes != 0)
        snprintf(of, sizeof of, " of change %llu", (unsigned long long)change->undoes);
    snprintf(uid, sizeof uid, "uid %llu", (unsigned long long)change->uid);
    timestamp_format(when, sizeof when, change->when);
    if (*user == '\0')
        user = uid;
    if (strcmp(behind, user) == 0)
        behind = "";
    snprintf(out, size, "change %llu of %s by %s%s%s: %s%s", (unsigned long long)change->number,
             when, behind, *behind == '\0' ? "" : " as ", user,
             *change->command == '\0' ? "no movedctl" : change->command, of);
    printable_make(out);
}

void change_format_counts(char *out, size_t size, uint64_t added, uint64_t changed,
                          uint64_t removed)
{
    static const char *const words[] = {"added", "changed", "removed"};
    const uint64_t counts[] = {added, changed, removed};
    size_t used = 0;
    *out = '\0';
    for (size_t i = 0; i < 3 && used < size; i++)
        if (counts[i] > 0)
            used += (size_t)snprintf(out + used, size - used, "%s%llu %s", used > 0 ? ", " : "",
                                     (unsigned long long)counts[i], words[i]);
}

/* Prints everything but the entries and the closing brace. */
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

static int print_head(struct log *log, struct error *err)
{
    char text[CHANGE_TEXT_SIZE];
    log->begun = true;
    list_next(&log->changes);
    if (log->changes.json && print_json_head(log->change, err) != 0)
        return -1;
    if (!log->changes.json) {
        change_format(text, sizeof text, log->change);
        print_say("%s\n", text);
    }
    log->entries = (struct list){.json = log->changes.json};
    return 0;
}

static int print_change_entry(const struct change_entry *entry, void *data, struct error *err)
{
    struct log *log = data;
    const struct entry *before = entry->before, *after = entry->after,
                       *one = before != NULL ? before : after, *old = log->old;
    char text[ADDRESS_TEXT_SIZE];
    if (old != NULL && (one->scope != old->scope || strcmp(one->domain, old->domain) != 0 ||
                        strcmp(one->local, old->local) != 0))
        return 0;
    if (!log->begun && print_head(log, err) != 0)
        return -1;
    if (log->left == 0)
        return 1;
    log->left--;
    list_next(&log->entries);
    fputs("  ", stdout);
    if (!log->entries.json)
        return print_difference(before, after, err);
    entry_format_old(text, sizeof text, one);
    return print_json(json_pack("{s:s, s:o, s:o}", "old", text, "before",
                                before == NULL ? json_null() : json_entry(before), "after",
                                after == NULL ? json_null() : json_entry(after)),
                      0, err);
}

/* Where an old address is asked for, the head is printed with the first entry that has it. A change that is logged
 * without its entries may have changed it. */
static int print_change(const struct change *change, void *data, struct error *err)
{
    struct log *log = data;
    char counts[CHANGE_COUNTS_SIZE];
    bool all = log->changes.json || log->number != 0 || log->old != NULL;
    if (log->number != 0 && log->number != change->number)
        return 0;
    log->change = change;
    log->begun = false;
    log->left = all ? UINT64_MAX : SHOWN;
    if ((log->old == NULL || !change->held) && print_head(log, err) != 0)
        return -1;
    int rc = changelog_each_entry(log->table, change->number, print_change_entry, log, err);
    if (rc < 0 || !log->begun)
        return rc;
    change_format_counts(counts, sizeof counts, change->added, change->changed, change->removed);
    if (log->changes.json)
        fputs(log->entries.begun ? "\n]}" : "[]}", stdout);
    else if (!change->held)
        printf("  %s: too large for the log, cannot be undone\n", counts);
    else if (rc == 1)
        printf("  %s in all: movedctl log %llu\n", counts, (unsigned long long)change->number);
    return 0;
}

static int log_changes(struct ctl *ctl, char **args, struct error *err)
{
    struct log log = {.table = ctl->table, .changes.json = ctl->options.json};
    struct entry old;
    if (args[0] != NULL &&
        (!ctl_parse_number(&log.number, args[0], UINT64_MAX) || log.number == 0)) {
        if (ctl_parse_old(ctl, args[0], &old, err) != 0)
            return -1;
        log.old = &old;
    }
    if (changelog_each(ctl->table, print_change, &log, err) != 0)
        return -1;
    list_end(&log.changes);
    return log.changes.begun || args[0] == NULL ? 0 : 1;
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
    .args = {0, 1},
    .opens = TABLE_TO_READ,
    .run = log_changes,
};
