/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/columns.h"

#include <stdio.h>
#include <string.h>

void columns_begin(struct columns *out)
{
    out->delimiter = ',';
    out->others = false;
    memcpy(out->names, field_names, sizeof out->names);
}

/* ---- the options */

/* Parses "old=NAME". */
static int parse_pair(struct columns *out, char *pair, struct error *err)
{
    char *name = strchr(pair, '=');
    if (name == NULL)
        return error_set(err, EX_USAGE, "--columns: no '=' in '%s': write old=NAME,new=NAME", pair);
    *name++ = '\0';
    int field = field_find(field_names, pair);
    if (field < 0)
        return error_set(err, EX_USAGE, "--columns: no such field '%s': write some of " FIELD_NAMES,
                         pair);
    if (out->names[field] != field_names[field])
        return error_set(err, EX_USAGE, "--columns: '%s' twice: name one column for each field",
                         pair);
    out->names[field] = name;
    return 0;
}

int columns_parse(struct columns *out, const char *text, struct error *err)
{
    char *next = out->text, *pair;
    if (snprintf(out->text, sizeof out->text, "%s", text) >= (int)sizeof out->text)
        return error_set(err, EX_USAGE, "--columns: over %zu octets: write shorter names",
                         sizeof out->text - 1);
    out->others = true;
    while ((pair = strsep(&next, ",")) != NULL)
        if (parse_pair(out, pair, err) != 0)
            return -1;
    /* If two fields have the same column, it belongs to the one that --columns names. */
    for (int i = 0; i < FIELDS; i++)
        for (int j = 0; j < FIELDS; j++) {
            if (i == j || *out->names[i] == '\0' || strcmp(out->names[i], out->names[j]) != 0)
                continue;
            if (out->names[j] != field_names[j])
                return error_set(err, EX_USAGE,
                                 "--columns: '%s' for both %s and %s: name a column once",
                                 out->names[i], field_names[i], field_names[j]);
            out->names[j] = "";
        }
    return 0;
}

int columns_parse_delimiter(struct columns *out, const char *text, struct error *err)
{
    const char *octet = strcmp(text, "\\t") == 0 ? "\t" : text;
    if (strlen(octet) != 1 || strchr("\"\r\n", *octet) != NULL)
        return error_set(err, EX_USAGE,
                         "--delimiter: '%s' is no delimiter: write one character of ASCII, "
                         "such as ';', or '\\t' for a tab",
                         text);
    out->delimiter = *octet;
    return 0;
}

/* ---- the header line */

static int no_column(const struct columns *columns, int field, struct error *err)
{
    const char *name = columns->names[field];
    if (*name == '\0')
        return error_set(err, EX_DATAERR, "no column for '%s': name one with --columns",
                         field_names[field]);
    return columns->others
               ? error_set(err, EX_DATAERR,
                           "no column '%.60s': write in --columns the names in the header line",
                           name)
               : error_set(err, EX_DATAERR,
                           "no column '%s': begin with a header line such as old,new", name);
}

int columns_match(const struct columns *columns, int *fields, const char *const *header,
                  size_t count, struct error *err)
{
    bool seen[FIELDS] = {false};
    for (size_t i = 0; i < count; i++) {
        fields[i] = *header[i] == '\0' ? -1 : field_find(columns->names, header[i]);
        if (fields[i] < 0 && !columns->others)
            return error_set(err, EX_DATAERR,
                             "no such column '%.60s': the header line names some of " FIELD_NAMES
                             "; --columns reads other names",
                             header[i]);
        if (fields[i] >= 0 && seen[fields[i]])
            return error_set(err, EX_DATAERR, "column '%.60s' twice: name each once", header[i]);
        if (fields[i] >= 0)
            seen[fields[i]] = true;
    }
    /* The file must have columns for old and new, and for the fields that --columns names. */
    for (int i = 0; i < FIELDS; i++) {
        const char *name = columns->names[i];
        if (!seen[i] && (i <= FIELD_NEW || (name != field_names[i] && *name != '\0')))
            return no_column(columns, i, err);
    }
    return 0;
}

int columns_check_delimiter(const struct columns *columns, const char *line, struct error *err)
{
    static const struct {
        char octet;
        const char *name, *mend;
    } known[] = {
        {',', "commas", "leave out --delimiter"},
        {';', "semicolons", "write --delimiter ';'"},
        {'\t', "tabs", "write --delimiter '\\t'"},
        {'|', "vertical bars", "write --delimiter '|'"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strchr(line, columns->delimiter) == NULL && strchr(line, known[i].octet) != NULL)
            return error_set(err, EX_DATAERR, "the columns are separated by %s: %s", known[i].name,
                             known[i].mend);
    return 0;
}
