/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/init.c: make the table */
#include "ctl/through.h"

#include <pwd.h>
#include <unistd.h>

void ctl_find_owner(const struct settings *settings, uid_t *owner, gid_t *group)
{
    *owner = (uid_t)-1;
    *group = (gid_t)-1;
    if (getuid() != 0 || *settings->user == '\0')
        return;
    const struct passwd *user = getpwnam(settings->user);
    if (user == NULL) {
        ctl_warn("no such user '%s': the table belongs to root: chown it before the daemon starts",
                 settings->user);
        return;
    }
    *owner = user->pw_uid;
    *group = user->pw_gid;
}

static int init(struct ctl *ctl, char **args, struct error *err)
{
    uid_t owner;
    gid_t group;
    (void)args;

    if (through_is_meant(ctl))
        return error_set(err, EX_NOPERM,
                         "%s: this host follows a store: movedctl follow makes the table",
                         ctl->path);
    ctl_find_owner(ctl->settings, &owner, &group);
    if (table_create(ctl->path, ctl->settings->fold_case, NULL, owner, group, err) != 0)
        return -1;
    print_say("%s: an empty table\n", ctl->path);
    return 0;
}

const struct command command_init = {
    .name = "init",
    .usage = "init",
    .summary = "Create an empty table",
    .details = "The folder and its files belong to the daemon's user; its group may write them.\n"
               "An existing table is left unchanged. The table records whether upper and lower\n"
               "case are the same (addresses.fold_case).\n",
    .example = "movedctl init",
    .run = init,
};
