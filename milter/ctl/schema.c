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

static int schema(struct ctl *ctl, char **args, struct error *err)
{
    static const char mark[] = "@SCHEMA@";
    const char *name = ctl->settings->source.schema, *at = sql_schema, *next;
    if (strcmp(args[0], "pgsql") != 0)
        return error_set(err, EX_USAGE, "no schema for '%s': write pgsql", args[0]);
    if (strcmp(name, "public") == 0) { /* it exists, and not every user may create a schema */
        next = strstr(at, "CREATE SCHEMA");
        fwrite(at, 1, (size_t)(next - at), stdout);
        at = strchr(next, '\n') + 1;
    }
    for (; (next = strstr(at, mark)) != NULL; at = next + sizeof mark - 1) {
        fwrite(at, 1, (size_t)(next - at), stdout);
        print_name(name);
    }
    fputs(at, stdout);
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
    .args = {1, 1},
    .run = schema,
};
