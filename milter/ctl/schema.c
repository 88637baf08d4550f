/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/schema.c: print what makes the store that movedctl follow follows */
#include "ctl/ctl.h"
#include "follow/sql.h"

#include <stdio.h>
#include <string.h>

/* The schema's name as SQL has it: in double quotes, and a double quote twice. */
static void print_name(const char *schema)
{
    putchar('"');
    for (; *schema != '\0'; schema++) {
        if (*schema == '"')
            putchar('"');
        putchar(*schema);
    }
    putchar('"');
}

/* public is there, and whoever may not make schemas may use it. */
static void print_line(const char *line, size_t length, const char *schema)
{
    static const char mark[] = "@SCHEMA@", create[] = "CREATE SCHEMA";
    const char *at = memmem(line, length, mark, sizeof mark - 1);
    if (at != NULL && strncmp(line, create, sizeof create - 1) == 0 &&
        strcmp(schema, "public") == 0)
        return;
    if (at == NULL) {
        fwrite(line, 1, length, stdout);
        return;
    }
    fwrite(line, 1, (size_t)(at - line), stdout);
    print_name(schema);
    at += sizeof mark - 1;
    fwrite(at, 1, (size_t)(line + length - at), stdout);
}

static int schema(struct ctl *ctl, char **args, struct error *err)
{
    size_t length;
    if (strcmp(args[0], "pgsql") != 0)
        return error_set(err, EX_USAGE, "no schema for '%s': write pgsql", args[0]);
    for (const char *line = sql_schema; *line != '\0'; line += length) {
        length = strcspn(line, "\n");
        length += line[length] == '\n';
        print_line(line, length, ctl->settings->source.schema);
    }
    return 0;
}

const struct command command_schema = {
    .name = "schema",
    .usage = "schema pgsql",
    .summary = "Print the SQL that makes the store of a fleet of hosts",
    .details = "For PostgreSQL 13 or later.\n"
               "The tables go into the schema that source.schema names (public). A second run\n"
               "keeps what is there.\n",
    .example = "movedctl schema pgsql | psql -v ON_ERROR_STOP=1 -d DATABASE",
    .operands = "pgsql",
    .least = 1,
    .most = 1,
    .run = schema,
};
