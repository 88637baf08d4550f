/* table/format.h: the table as a text file, in and out. A format is one file and one row in
 * format.c. */
#ifndef TABLE_FORMAT_H
#define TABLE_FORMAT_H

#include "base/error.h"
#include "table/entry.h"

#include <stdio.h>

/* Called by a reader for each entry of the file, in the file's order. Returns 0 to go on, other
 * to stop reading. */
typedef int format_entry(const struct entry *entry, unsigned long line, void *data);

/* Called by a reader for each bad line; why says all but file and line. Returns 0 to go on,
 * other to stop reading. */
typedef int format_bad(const struct error *why, unsigned long line, void *data);

struct format {
    const char *name; /* for --format */

    /* Reads in to its end, and calls entry or bad for each row. Memory does not grow with the
     * file. Returns 0, the non-zero value of a callback that stopped it, or -1 with err where
     * the file as a whole is unusable (a column is missing, it cannot be read). */
    int (*read)(FILE *in, const struct address_rules *rules, format_entry *entry, format_bad *bad,
                void *data, struct error *err);

    /* Writes what comes before the first entry, and one entry. Return 0, or -1 with err
     * (EX_IOERR). */
    int (*write_head)(FILE *out, struct error *err);
    int (*write)(FILE *out, const struct entry *entry, struct error *err);
};

extern const struct format format_csv;

/* The format called name, or NULL with err (EX_USAGE) that lists the names there are. */
const struct format *format_find(const char *name, struct error *err);

#endif
