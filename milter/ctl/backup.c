/* ctl/backup.c: copy the table, log and all, as it is at one moment */
#include "ctl/backup.h"

#include "ctl/interrupt.h"
#include "table/changelog.h"
#include "table/copy.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void backup_part(char *out, size_t size, const char *folder)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    snprintf(out, size, "%.*s.%ld", (int)length, folder, (long)getpid());
}

static int copy(const struct ctl *ctl, const char *folder, struct error *err)
{
    char part[PATH_MAX];
    size_t entries;
    backup_part(part, sizeof part, folder);
    interrupt_says("no copy is made, and nothing changed", part);
    if (table_backup(ctl->table, folder, part, &entries, err) != 0)
        return -1;
    printf("%s: a copy of %zu entries\n", folder, entries);
    return 0;
}

void backup_advise(const struct ctl *ctl, size_t log_octets)
{
    if (log_octets > CHANGELOG_CHANGE_MAX && ctl->options.backup == NULL)
        ctl_warn("more than the change log holds, so that it cannot be undone: write --backup DIR "
                 "to keep a copy of the table first");
}

int backup_before(const struct ctl *ctl, struct error *err)
{
    return ctl->options.backup == NULL ? 0 : copy(ctl, ctl->options.backup, err);
}

static int backup(struct ctl *ctl, char **args, struct error *err)
{
    return copy(ctl, args[0], err);
}

const struct command command_backup = {
    .name = "backup",
    .usage = "backup DIR",
    .summary = "Copies the table, with its change log, as it is at one moment",
    .details = "DIR must not be there yet, and appears when the copy is whole and on disk. It is a "
               "table itself:\n"
               "movedctl -d DIR list shows what is in it. Mail is answered and the table changed "
               "meanwhile.\n",
    .least = 1,
    .most = 1,
    .opens = TABLE_TO_READ,
    .run = backup,
};
