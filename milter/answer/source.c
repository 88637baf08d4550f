/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/source.h"

#include <ctype.h>
#include <stdbool.h>
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

static void hide(char *from, size_t length)
{
    size_t stars = length < 3 ? length : 3;
    memset(from, '*', stars);
    memmove(from + stars, from + length, strlen(from + length) + 1);
}

/* user:password@ of a URI, up to the last @: libpq takes the first one, and the rest of a password that has one of its own for the
 * host. */
static void hide_in_authority(char *begin)
{
    char *colon = strpbrk(begin, ":?"), *end = NULL;
    for (char *at = begin; *at != '\0' && *at != '?'; at++)
        if (*at == '@')
            end = at;
    if (colon != NULL && end != NULL && colon < end)
        hide(colon + 1, (size_t)(end - colon) - 1);
}

/* From the first password to the end: where a value ends depends on quotes that may be missing. */
void source_hide_passwords(char *text)
{
    static const char word[] = "password"; /* sslpassword too */
    if (strncmp(text, "postgres://", 11) == 0 || strncmp(text, "postgresql://", 13) == 0)
        hide_in_authority(strstr(text, "://") + 3);
    while ((text = strstr(text, word)) != NULL) {
        text += sizeof word - 1;
        char *value = text + strspn(text, " \t\n\r\f\v");
        if (*value == '=') {
            hide(value + 1, strlen(value + 1));
            return;
        }
    }
}

int source_check(const struct source_settings *source, struct error *err)
{
    if (*source->passfile != '\0' && *source->passfile != '/')
        return error_set(err, EX_CONFIG, "source.passfile: '%s' is no absolute path: write one",
                         source->passfile);
    return check_schema(source->schema, err);
}
