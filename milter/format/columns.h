/* format/columns.h: which column of a CSV file is which field of an entry, and what stands between
 * them. No I/O. */
#ifndef FORMAT_COLUMNS_H
#define FORMAT_COLUMNS_H

#include "base/error.h"
#include "format/fields.h"

#include <stdbool.h>
#include <stddef.h>

#define COLUMNS_MAX 256 /* of a file */

struct columns {
    char delimiter;
    bool others;               /* columns with other names are passed over, not an error */
    const char *names[FIELDS]; /* of the columns; "" where a field has none */
    char text[4096];           /* which names points into: do not copy the struct */
};

/* Commas between columns that have the names of the fields. */
void columns_begin(struct columns *out);

/* Reads "old=NAME,new=NAME". A field that is not in there
 * keeps its own name, unless another field has taken that; the other columns of the file are
 * passed over. Returns 0, or -1 with err (EX_USAGE). */
int columns_parse(struct columns *out, const char *text, struct error *err);

/* Reads one octet, or "\t" for a tab. Returns 0, or -1 with err (EX_USAGE). */
int columns_parse_delimiter(struct columns *out, const char *text, struct error *err);

/* Finds the field of each of the count columns that the header line names, -1 where it is passed
 * over. Returns 0, or -1 with err (EX_DATAERR). */
int columns_match(const struct columns *columns, int *fields, const char *const *header,
                  size_t count, struct error *err);

/* Looks for another delimiter in a header line that has none of ours. Returns 0 where there is no
 * such sign of a mistake, or -1 with err (EX_DATAERR) which names it. */
int columns_check_delimiter(const struct columns *columns, const char *line, struct error *err);

#endif
