/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/del.c: delete entries, all or none */
#include "base/conf_list.h"
#include "ctl/through.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns 1 where there is no such entry. */
static int del_one(struct ctl *ctl, struct table_edit *edit, const char *name, struct error *err)
{
    struct entry old;
    if (ctl_parse_old(ctl, name, &old, err) != 0)
        return -1;
    enum table_result result = table_edit_del(edit, &old, err);
    if (result == TABLE_ABSENT) /* it may have been named twice: the table still has it */
        result = table_look_up(ctl->table, &old, &old, err);
    switch (result) {
    case TABLE_FOUND: return 0;
    case TABLE_ABSENT: ctl_warn("no entry '%s': nothing was deleted", name); return 1;
    case TABLE_FAILED: break;
    }
    return -1;
}

/* ---- through the store */

/* The store tells how many rows it had. Which are missing is looked up in the table, its copy. */
static int say_absent(struct ctl *ctl, char **names, size_t count, struct error *err)
{
    struct entry old;
    bool named = false;
    for (size_t i = 0; i < count; i++)
        if (ctl_parse_old(ctl, names[i], &old, err) == 0 &&
            table_look_up(ctl->table, &old, &old, err) == TABLE_ABSENT) {
            ctl_warn("no entry '%s': nothing was deleted", names[i]);
            named = true;
        }
    if (!named)
        ctl_warn("the store no longer has all of them: nothing was deleted");
    return 1;
}

static int del_through(struct ctl *ctl, char **names, size_t count, struct error *err)
{
    struct through through;
    struct entry old;
    int rc = through_begin(&through, ctl, true, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if ((rc = ctl_parse_old(ctl, names[i], &old, err)) == 0)
            rc = through_del(&through, &old, err);
    if (rc == 0)
        rc = through_apply(&through, err);
    if (rc == 0)
        rc = through.written.absent == 0 ? through_commit(&through, err)
                                         : say_absent(ctl, names, count, err);
    through_end(&through);
    return rc;
}

static int del_all(struct ctl *ctl, char **names, size_t count, struct error *err)
{
    int follows = through_asked(ctl, err), status = 0;
    if (follows != 0)
        return follows < 0 ? -1 : del_through(ctl, names, count, err);
    struct table_edit *edit = ctl_edit_begin(ctl, err);
    if (edit == NULL)
        return -1;
    for (size_t i = 0; status >= 0 && i < count; i++) {
        int rc = del_one(ctl, edit, names[i], err);
        status = rc == 0 ? status : rc;
    }
    if (status == 0)
        return table_edit_commit(edit, err);
    table_edit_abort(edit);
    return status;
}

/* All names are read before the writer's lock is taken: a slow program holds nobody up. */
static int del_lines(struct ctl *ctl, struct error *err)
{
    struct conf_list names = {.count = 0};
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    int rc = 0;
    while (rc == 0 && (length = getline(&line, &size, stdin)) > 0) {
        if (strlen(line) != (size_t)length)
            rc = error_set(err, EX_DATAERR, "standard input: a NUL: write one address a line");
        while (length > 0 && strchr("\r\n", line[length - 1]) != NULL)
            length--;
        if (rc == 0 && length > 0 && conf_list_add(&names, line, (size_t)length) != 0)
            rc = error_no_memory(err);
    }
    if (rc == 0 && ferror(stdin))
        rc = error_set(err, EX_IOERR, "standard input: %s", strerror(errno));
    if (rc == 0 && names.count > 0)
        rc = del_all(ctl, names.items, names.count, err);
    free(line);
    conf_list_clear(&names);
    return rc;
}

static int del(struct ctl *ctl, char **args, struct error *err)
{
    size_t count = 1;
    if (strcmp(args[0], "-") == 0 && args[1] == NULL)
        return del_lines(ctl, err);
    while (args[count] != NULL)
        count++;
    return del_all(ctl, args, count, err);
}

const struct command command_del = {
    .name = "del",
    .also = "delete rm remove",
    .usage = "del OLD...|-",
    .summary = "Delete entries, all of them or none",
    .details = "If one of them does not exist, nothing is deleted and the exit status is 1.\n"
               "With -, the addresses are read from standard input, one a line.\n",
    .example = "movedctl del alice@old.example bob@old.example",
    .operands = "OLD",
    .args = {1, -1},
    .opens = TABLE_TO_WRITE,
    .run = del,
};
