/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/backup.c: copy the table, log and all, as it is at one moment */
#include "ctl/ctl.h"

#include "ctl/interrupt.h"
#include "ctl/progress.h"
#include "table/copy.h"

static int backup(struct ctl *ctl, char **args, struct error *err)
{
    const char *folder = args[0];
    size_t entries;
    interrupt_says("no copy was made, and nothing is changed", table_copy_remove);
    progress_begin("copying", "", 0);
    progress_show(); /* LMDB copies in one go, and does not say how far it is */
    int rc = table_backup(ctl->table, folder, interrupt_ignore, &entries, err);
    interrupt_ignore();
    progress_clear();
    if (rc == 0)
        print_say("%s: a copy of %zu %s\n", folder, entries, entry_noun(entries));
    return rc;
}

const struct command command_backup = {
    .name = "backup",
    .usage = "backup DIR",
    .summary = "Copy the table and its change log, as of one moment",
    .details = "DIR must not exist; it appears when the copy is complete and on disk. The copy\n"
               "is a table: movedctl -d DIR list prints it. During the copy, mail is answered\n"
               "and the table may be changed.\n",
    .example = "movedctl backup /var/backups/moved",
    .operands = "DIR",
    .args = {1, 1},
    .opens = TABLE_TO_READ,
    .run = backup,
};
