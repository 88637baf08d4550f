/* SPDX-License-Identifier: BSD-2-Clause */
/* format/columns.h: assigns the columns of a CSV file to the fields of an entry. No I/O. */
#ifndef FORMAT_COLUMNS_H
#define FORMAT_COLUMNS_H

#include "base/error.h"
#include "format/fields.h"

#include <stdbool.h>
#include <stddef.h>

#define COLUMNS_MAX 256 /* of a file */

struct columns {
    char delimiter;
    bool others; /* columns with other names are ignored; otherwise they are an error */
    const char *names[FIELDS]; /* of the columns; "" for a field without one */
    char text[4096];           /* which names points into: do not copy the struct */
};

/* Sets the defaults: commas, and columns named as the fields. */
void columns_begin(struct columns *out);

/* Parses "old=NAME,new=NAME". Other fields keep their own names, unless such a name is taken. Other columns of the file
 * are ignored. Returns 0, or -1 with err (EX_USAGE). */
int columns_parse(struct columns *out, const char *text, struct error *err);

/* Parses a delimiter: one octet, or "\t" for a tab. Returns 0, or -1 with err (EX_USAGE). */
int columns_parse_delimiter(struct columns *out, const char *text, struct error *err);

/* Finds the field of each of the count columns in the header line, -1 for an ignored one. Returns 0, or -1 with err
 * (EX_DATAERR). */
int columns_match(const struct columns *columns, int *fields, const char *const *header,
                  size_t count, struct error *err);

/* Checks whether a header line without our delimiter has another usual one. Returns 0; or -1 with err (EX_DATAERR),
 * which names it. */
int columns_check_delimiter(const struct columns *columns, const char *line, struct error *err);

#endif
