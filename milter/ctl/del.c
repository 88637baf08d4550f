/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/del.c: delete entries, all or none */
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
    if (result == TABLE_ABSENT) /* in the table itself it is still there if it was named before */
        result = table_look_up(ctl->table, &old, &old, err);
    switch (result) {
    case TABLE_FOUND: return 0;
    case TABLE_ABSENT: ctl_warn("no entry '%s': nothing was deleted", name); return 1;
    case TABLE_FAILED: break;
    }
    return -1;
}

/* ---- through the store */

/* The store counts; the table, which is a copy of it, has the names. */
static int say_absent(struct ctl *ctl, char **args, struct error *err)
{
    struct entry old;
    size_t named = 0;
    for (; *args != NULL; args++)
        if (ctl_parse_old(ctl, *args, &old, err) == 0 &&
            table_look_up(ctl->table, &old, &old, err) == TABLE_ABSENT) {
            ctl_warn("no entry '%s': nothing was deleted", *args);
            named++;
        }
    if (named == 0)
        ctl_warn("the store no longer has all of them: nothing was deleted");
    return 1;
}

static int del_in_store(struct ctl *ctl, struct through *through, char **args, struct error *err)
{
    size_t count = 0;
    int rc = through_begin(through, ctl, true, err);
    for (; rc == 0 && args[count] != NULL; count++) {
        struct entry old;
        rc = ctl_parse_old(ctl, args[count], &old, err);
        if (rc == 0)
            rc = through_del(through, &old, err);
    }
    if (rc == 0)
        rc = through_apply(through, err);
    if (rc == 0 && through->written.removed != count)
        return say_absent(ctl, args, err);
    return rc == 0 ? through_commit(through, err) : -1;
}

static int del_through(struct ctl *ctl, char **args, struct error *err)
{
    struct through through;
    int status = del_in_store(ctl, &through, args, err);
    through_end(&through);
    return status;
}

static int del_all(struct ctl *ctl, char **args, struct error *err)
{
    int follows = through_asked(ctl, err);
    if (follows != 0)
        return follows < 0 ? -1 : del_through(ctl, args, err);
    struct table_edit *edit = ctl_edit_begin(ctl, err);
    int status = 0;
    if (edit == NULL)
        return -1;
    for (; status >= 0 && *args != NULL; args++) {
        int rc = del_one(ctl, edit, *args, err);
        status = rc == 0 ? status : rc;
    }
    if (status == 0)
        return table_edit_commit(edit, err);
    table_edit_abort(edit);
    return status;
}

/* Splits the text into its lines, without empty ones. Returns a NULL-terminated array, or NULL where memory is out. */
static char **split(char *text)
{
    size_t count = 0;
    for (const char *at = text; *at != '\0'; at++)
        count += *at == '\n';
    char **lines = calloc(count + 2, sizeof *lines), **end = lines, *rest = text;
    for (char *line; lines != NULL && (line = strtok_r(rest, "\r\n", &rest)) != NULL;)
        *end++ = line;
    return lines;
}

/* All names are read before the writer's lock is taken: a slow program holds nobody up. */
static int del_lines(struct ctl *ctl, struct error *err)
{
    char *text = NULL, **lines;
    size_t size = 0;
    ssize_t length = getdelim(&text, &size, '\0', stdin);
    int status = 0;
    if (length < 0 && ferror(stdin))
        status = error_set(err, EX_IOERR, "standard input: %s", strerror(errno));
    else if (length >= 0 && getc(stdin) != EOF)
        status = error_set(err, EX_DATAERR, "standard input: a NUL: write one address a line");
    else if (length > 0 && (lines = split(text)) == NULL)
        status = error_no_memory(err);
    else if (length > 0) {
        status = *lines == NULL ? 0 : del_all(ctl, lines, err);
        free(lines);
    }
    free(text);
    return status;
}

static int del(struct ctl *ctl, char **args, struct error *err)
{
    return strcmp(args[0], "-") == 0 && args[1] == NULL ? del_lines(ctl, err)
                                                        : del_all(ctl, args, err);
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
    .least = 1,
    .most = -1,
    .opens = TABLE_TO_WRITE,
    .run = del,
};
