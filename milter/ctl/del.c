/* ctl/del.c: delete entries, all or none */
#include "ctl/ctl.h"

static int del_all(struct ctl *ctl, struct table_edit *edit, char **args, struct error *err)
{
    int status = 0;
    for (; *args != NULL; args++) {
        struct entry old;
        if (ctl_parse_old(ctl, *args, &old, err) != 0)
            return -1;
        switch (table_edit_del(edit, &old, err)) {
        case TABLE_FOUND: break;
        case TABLE_ABSENT:
            ctl_warn("no entry '%s': nothing was deleted", *args);
            status = 1;
            break;
        case TABLE_FAILED: return -1;
        }
    }
    return status;
}

static int del(struct ctl *ctl, char **args, struct error *err)
{
    struct table_edit *edit = ctl_edit_begin(ctl, err);
    if (edit == NULL)
        return -1;
    int status = del_all(ctl, edit, args, err);
    if (status == 0)
        return table_edit_commit(edit, err);
    table_edit_abort(edit);
    return status;
}

const struct command command_del = {
    .name = "del",
    .also = "delete rm remove",
    .usage = "del OLD...",
    .summary = "Delete entries, all of them or none",
    .details = "If one of them does not exist, nothing is deleted and the exit status is 1.\n",
    .least = 1,
    .most = -1,
    .opens = TABLE_TO_WRITE,
    .run = del,
};
