/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/source.h"

#include <ctype.h>
#include <string.h>

#define SCHEMA_MAX 63 /* octets: a longer name is cut by PostgreSQL (NAMEDATALEN) */

static int check_schema(const char *name, struct error *err)
{
    size_t length = strlen(name);
    for (const char *at = name; *at != '\0'; at++)
        if (iscntrl((unsigned char)*at))
            length = 0;
    if (length > 0 && length <= SCHEMA_MAX)
        return 0;
    return error_set(err, EX_CONFIG,
                     "source.schema: '%s' is no name of a schema: write 1 to %d printable octets",
                     name, SCHEMA_MAX);
}

int source_check(const struct source_settings *source, struct error *err)
{
    if (*source->passfile != '\0' && *source->passfile != '/')
        return error_set(err, EX_CONFIG, "source.passfile: '%s' is no absolute path: write one",
                         source->passfile);
    return check_schema(source->schema, err);
}
