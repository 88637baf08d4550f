/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/undo.c: take a change of the table back */
#include "ctl/through.h"
#include "follow/origin.h"
#include "table/changelog.h"
#include "table/mark.h"

#include <string.h>

static void say(const struct ctl *ctl, const char *what, const struct change *undone)
{
    char text[CHANGE_TEXT_SIZE], counts[CHANGE_COUNTS_SIZE];
    change_format(text, sizeof text, undone);
    change_format_counts(counts, sizeof counts, undone->removed, undone->changed, undone->added);
    print_say("%s %s\n%s\n", ctl->options.dry_run ? "dry run: would undo" : what, text, counts);
}

/* Undoes the change in the table, which must still have the entries as the change left them. Commits only with keep. */
static int undo_here(const struct ctl *ctl, uint64_t number, bool keep, struct change *undone,
                     struct error *err)
{
    struct table_edit *edit = ctl_edit_begin(ctl, err);
    if (edit == NULL)
        return -1;
    int rc = table_edit_undo(edit, number, undone, err);
    if (rc == 0 && keep)
        return table_edit_commit(edit, err);
    table_edit_abort(edit);
    return rc;
}

/* ---- through the store */

/* A large import of any host arrives by a comparison of all rows, which does not tell whose change it was. */
static int is_ours(const struct change *change, void *data, struct error *err)
{
    uint64_t *number = data;
    if (strcmp(change->command, ORIGIN_COMPARED) == 0)
        return error_set(err, EX_DATAERR,
                         "change %llu is of all rows, which may have been made on this host or on "
                         "others: see movedctl log, and undo NUMBER",
                         (unsigned long long)change->number);
    if (!origin_is_here(change->user, change->command))
        return 0;
    *number = change->number;
    return 1;
}

/* Finds the last change of this host. One that has not come back from the store yet would be passed over. */
static int find_ours(const struct through *through, uint64_t *number, struct error *err)
{
    struct table *table = through->ctl->table;
    struct mark mark = {.version = 0};
    struct ctl_author author;
    bool newer = false;
    ctl_author(through->ctl, &author);
    if (through->store != NULL &&
        (table_get_mark(table, &mark, err) == TABLE_FAILED ||
         store_write_has_newer(through->store, mark.version, strrchr(author.user, '@'), &newer,
                               err) != 0))
        return -1;
    if (newer)
        return error_set(err, EX_TEMPFAIL,
                         "the last change made on this host is in the store and not yet in force "
                         "here: see movedctl follow --status, and run this again when it is, or "
                         "undo NUMBER");
    int rc = changelog_each(table, is_ours, number, err);
    if (rc == 0)
        return error_set(err, EX_DATAERR,
                         "no change in the log was made on this host: see movedctl log, and undo "
                         "NUMBER");
    return rc == 1 ? 0 : -1;
}

static int revert(const struct change_entry *entry, void *data, struct error *err)
{
    struct through *through = data;
    return entry->before != NULL ? through_put(through, entry->before, err)
                                 : through_del(through, entry->after, err);
}

static int undo_through(struct ctl *ctl, uint64_t number, struct error *err)
{
    struct change undone;
    struct through through = {.store = NULL};
    bool last = number == 0;
    int rc = last || !ctl->options.dry_run ? through_begin(&through, ctl, true, err) : 0;
    if (rc == 0 && last)
        rc = find_ours(&through, &number, err);
    if (rc == 0)
        rc = undo_here(ctl, number, false, &undone, err);
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
    if (undo_here(ctl, number, !ctl->options.dry_run, &undone, err) != 0)
        return -1;
    say(ctl, "undone:", &undone);
    return 0;
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
    .args = {0, 1},
    .opens = TABLE_TO_WRITE,
    .run = undo,
};
