/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/restore.c: make the table what a copy of it is */
#include "ctl/apply.h"
#include "ctl/interrupt.h"
#include "ctl/progress.h"
#include "table/copy.h"

#include <stdio.h>
#include <sys/stat.h>

static int add_entry(const struct entry *entry, void *data, struct error *err)
{
    struct apply *apply = data;
    progress_step();
    return merge_add(apply->merge, entry, 0, err);
}

static int replace(struct ctl *ctl, struct table *copy, struct error *err)
{
    struct apply apply = {.ctl = ctl};
    size_t all;
    if (table_count(copy, &all, err) != 0 || apply_begin(&apply, true, err) != 0)
        return -1;
    /* The whole copy is read, so that a damaged one is refused before anything changes. */
    struct table_view *view = table_view_open(copy, err);
    progress_begin("reading", "entries", all);
    int rc = view == NULL ? -1 : table_each(view, NULL, add_entry, &apply, err);
    progress_clear();
    table_view_close(view);
    if (rc == 0)
        rc = apply_run(&apply, err);
    if (rc == 0) {
        apply_print(&apply);
        putchar('\n');
    }
    merge_free(apply.merge);
    return rc;
}

/* A new table appears complete, with its log. An empty one would for a moment answer that no mailbox has moved. */
static int place(const struct ctl *ctl, struct table *copy, struct error *err)
{
    uid_t owner;
    gid_t group;
    size_t entries;
    int rc;
    if (ctl->options.dry_run) {
        rc = table_count(copy, &entries, err);
    } else {
        ctl_find_owner(ctl->settings, &owner, &group);
        interrupt_says("nothing is changed", table_copy_remove);
        rc = table_place(copy, ctl->path, owner, group, interrupt_ignore, &entries, err);
        interrupt_ignore();
    }
    if (rc == 0)
        print_say("%s: a new table of %zu %s\n", ctl->options.dry_run ? "dry run" : ctl->path,
                  entries, entry_noun(entries));
    return rc;
}

static int restore_from(struct ctl *ctl, struct table *copy, struct error *err)
{
    int follows;
    if (table_open(&ctl->table, ctl->path, TABLE_WRITE, ctl->settings->fold_case, err) == 0) {
        if ((follows = through_asked(ctl, err)) == 0)
            return replace(ctl, copy, err);
        return follows < 0 ? -1
                           : error_set(err, EX_NOPERM,
                                       "%s: the table follows a store: restore that one, see "
                                       "movedctl-follow(8)",
                                       ctl->path);
    }
    if (err->status == EX_NOINPUT)
        return place(ctl, copy, err);
    if (err->status != EX_DATAERR)
        return -1;
    ctl_warn("%s", err->text);
    return error_set(err, EX_DATAERR,
                     "%s: the existing table cannot be read: move its data.mdb and lock.mdb "
                     "elsewhere, and restore again",
                     ctl->path);
}

static int restore(struct ctl *ctl, char **args, struct error *err)
{
    struct table *copy;
    struct stat here, there;
    if (stat(args[0], &there) == 0 && stat(ctl->path, &here) == 0 && there.st_ino == here.st_ino &&
        there.st_dev == here.st_dev)
        return error_set(err, EX_USAGE, "%s: this is the table itself: write the folder of a copy",
                         args[0]);
    if (table_open(&copy, args[0], TABLE_READ, ctl->settings->fold_case, err) != 0)
        return err->status != EX_NOINPUT
                   ? -1
                   : error_set(err, EX_NOINPUT, "%s: no copy of a table: see movedctl backup",
                               args[0]);
    int rc = restore_from(ctl, copy, err);
    table_free(copy);
    return rc;
}

const struct command command_restore = {
    .name = "restore",
    .usage = "restore [--dry-run] DIR",
    .summary = "Make the table equal to a copy made by backup",
    .details = "The table is changed in one transaction while mail is answered; undo reverts it.\n"
               "If there is no table, the copy becomes the table, with its change log.\n"
               "\n"
               "  --dry-run  change nothing; print what would be added (+), changed (~) and\n"
               "             removed (-)\n",
    .example = "movedctl restore --dry-run /var/backups/moved",
    .operands = "DIR",
    .takes = "dry-run",
    .args = {1, 1},
    .run = restore,
};
