/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/undo.c: take a change of the table back */
#include "ctl/ctl.h"
#include "ctl/log.h"
#include "ctl/through.h"
#include "follow/state.h"
#include "table/mark.h"

#include <string.h>

static void say(const struct ctl *ctl, const char *what, const struct change *undone)
{
    char text[CHANGE_TEXT_SIZE], counts[CHANGE_COUNTS_SIZE];
    change_format(text, sizeof text, undone);
    change_format_counts(counts, sizeof counts, undone->removed, undone->changed, undone->added);
    print_say("%s %s\n%s\n", ctl->options.dry_run ? "dry run: would undo" : what, text, counts);
}

static int finish(const struct ctl *ctl, struct table_edit *edit, const struct change *undone,
                  struct error *err)
{
    if (ctl->options.dry_run)
        table_edit_abort(edit);
    else if (table_edit_commit(edit, err) != 0)
        return -1;
    say(ctl, "undone:", undone);
    return 0;
}

/* Whether the table has what the change made of it, and so the change can be taken back. */
static int check(const struct ctl *ctl, uint64_t number, struct change *undone, struct error *err)
{
    struct table_edit *edit = ctl_edit_begin(ctl, err);
    if (edit == NULL)
        return -1;
    int rc = table_edit_undo(edit, number, undone, err);
    table_edit_abort(edit);
    return rc;
}

/* ---- through the store */

/* A large import, of this host or another one, arrives by a comparison of all rows: which tells nobody's change from another's. */
static int is_ours(const struct change *change, void *data, struct error *err)
{
    uint64_t *number = data;
    if (strcmp(change->command, FOLLOW_COMPARED) == 0)
        return error_set(err, EX_DATAERR,
                         "change %llu is of all rows, which may have been made on this host or on "
                         "others: see movedctl log, and undo NUMBER",
                         (unsigned long long)change->number);
    if (!ctl_made_here(change->user, change->command))
        return 0;
    *number = change->number;
    return 1;
}

static int find_ours(const struct ctl *ctl, uint64_t *number, struct error *err)
{
    int rc = changelog_each(ctl->table, is_ours, number, err);
    if (rc == 0)
        error_set(err, EX_DATAERR,
                  "no change in the log was made on this host: see movedctl log, and undo NUMBER");
    return rc == 1 ? 0 : -1;
}

static int revert(const struct change_entry *entry, void *data, struct error *err)
{
    struct through *through = data;
    return entry->before != NULL ? through_put(through, entry->before, err)
                                 : through_del(through, entry->after, err);
}

/* What this host changed last may not have come back from the store: then what it changed before that is not the last change. */
static int check_none_is_newer(const struct through *through, struct error *err)
{
    struct mark mark = {.version = 0};
    struct ctl_author author;
    bool newer = false;
    if (through->store == NULL)
        return 0;
    ctl_author(through->ctl, &author);
    if (table_get_mark(through->ctl->table, &mark, err) == TABLE_FAILED ||
        store_write_has_newer(through->store, mark.version, strrchr(author.user, '@'), &newer,
                              err) != 0)
        return -1;
    return newer ? error_set(err, EX_TEMPFAIL,
                             "the last change made on this host is in the store and not yet in "
                             "force here: see movedctl follow --status, and run this again when it "
                             "is, or undo NUMBER")
                 : 0;
}

static int undo_through(struct ctl *ctl, uint64_t number, struct error *err)
{
    struct change undone;
    struct through through = {.store = NULL};
    bool last = number == 0;
    int rc = last || !ctl->options.dry_run ? through_begin(&through, ctl, true, err) : 0;
    if (rc == 0 && last)
        rc = check_none_is_newer(&through, err);
    if (rc == 0 && last)
        rc = find_ours(ctl, &number, err);
    if (rc == 0)
        rc = check(ctl, number, &undone, err);
    if (rc == 0 && !ctl->options.dry_run)
        rc = changelog_each_entry(ctl->table, number, revert, &through, err);
    if (ctl->options.dry_run)
        through_end(&through);
    else
        rc = through_finish(&through, rc, err);
    if (rc == 0)
        say(ctl, last ? "undone, the last change made on this host:" : "undone:", &undone);
    return rc;
}

static int undo(struct ctl *ctl, char **args, struct error *err)
{
    struct change undone;
    uint64_t number = 0;
    if (args[0] != NULL && (!ctl_parse_number(&number, args[0], UINT64_MAX) || number == 0))
        return error_set(err, EX_USAGE, "'%s' is not the number of a change: see movedctl log",
                         args[0]);
    int follows = through_asked(ctl, err);
    if (follows != 0)
        return follows < 0 ? -1 : undo_through(ctl, number, err);
    struct table_edit *edit = ctl_edit_begin(ctl, err);
    if (edit == NULL)
        return -1;
    if (table_edit_undo(edit, number, &undone, err) == 0)
        return finish(ctl, edit, &undone, err);
    table_edit_abort(edit);
    return -1;
}

const struct command command_undo = {
    .name = "undo",
    .usage = "undo [--dry-run] [NUMBER]",
    .summary = "Revert the last change of the table, or an earlier one",
    .details = "Reverts any change: an add, a del, an import. The undo is a change too, so a\n"
               "second undo reverts the first. If the change log does not hold all entries of\n"
               "the change, or one of them has been changed since, nothing is changed and the\n"
               "exit status is 65. On a host that follows a store it reverts the last change\n"
               "made on this host.\n"
               "\n"
               "NUMBER  the number of the change, as printed by movedctl log\n"
               "\n"
               "  --dry-run  print what would be reverted\n",
    .example = "movedctl undo --dry-run",
    .takes = "dry-run",
    .most = 1,
    .opens = TABLE_TO_WRITE,
    .run = undo,
};
