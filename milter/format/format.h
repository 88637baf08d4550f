/* format/format.h: the table as a text file, in and out. A format is one file and one row in
 * format.c. */
#ifndef FORMAT_FORMAT_H
#define FORMAT_FORMAT_H

#include "base/error.h"
#include "table/entry.h"

#include <stdbool.h>
#include <stdio.h>

struct columns;
struct table_view;

/* Called by a reader for each entry of the file, in the file's order. Returns 0 to go on, other
 * to stop reading. */
typedef int format_entry(const struct entry *entry, unsigned long line, void *data);

/* Called by a reader for each line that gives no entry; why says all but file and line. Its status
 * is EX_DATAERR for a bad line. A sound line that is not carried over has EX_UNAVAILABLE where it
 * is about a mailbox that has moved, so that somebody must see to it, and EX_OK where it is about
 * something else. Returns 0 to go on, other to stop reading. */
typedef int format_bad(const struct error *why, unsigned long line, void *data);

/* What a reader has to know, and the functions that it calls. All is owned by the caller. */
struct format_in {
    const char *name; /* of the file, for errors */
    const struct address_rules *rules;
    const struct columns *columns; /* of CSV, see columns.h; NULL: our own */
    bool must_end; /* a last line without a line break is an error: the file may be cut off */
    format_entry *entry;
    format_bad *bad;
    void *data; /* for entry and bad */
};

/* What a writer has done with an entry. */
enum format_result {
    FORMAT_WHOLE,   /* written, and reads back as it was */
    FORMAT_LESS,    /* written, but for words that change no answer: why says which */
    FORMAT_REFUSED, /* not written: why says what the format has no words for */
    FORMAT_FAILED,  /* why has EX_IOERR */
};

/* Where a writer writes, and what it has to know. All is the caller's. */
struct format_out {
    FILE *file;
    const char *local_domain;     /* of names without a domain; NULL: none */
    bool fold_case;               /* of the table: else its names are as they were written */
    enum entry_disclose disclose; /* who is told where an entry does not say */
    struct table_view *view;      /* of the entries; NULL: there are no others */
};

struct format {
    const char *name;    /* for --format */
    const char *ending;  /* of a file's name that means this format; NULL: none */
    const char *summary; /* for help: what a line looks like; parts of it by line ends */
    bool has_columns;    /* whether format_in's columns are used */
    bool repeats;        /* an entry may stand in the file more than once, each time the same */

    /* Reads file to its end, and calls entry or bad for each row. Memory does not grow with the
     * file, nor with a line. Returns 0, the non-zero value of a callback that stopped it, or -1
     * with err, which names the file, where that is unusable as a whole (a column is missing, it
     * is no text, it cannot be read). */
    int (*read)(FILE *file, const struct format_in *in, struct error *err);

    /* Writes what comes before the first entry; NULL: nothing. Returns 0, or -1 with err
     * (EX_IOERR). */
    int (*write_head)(FILE *out, struct error *err);

    /* Writes one entry, whole or not at all; why is set but for FORMAT_WHOLE. */
    enum format_result (*write)(const struct format_out *out, const struct entry *entry,
                                struct error *why);
};

extern const struct format format_access, format_aliases, format_csv, format_jsonl,
    format_relocated;

extern const struct format *const formats[]; /* NULL-terminated, in the order of help */

/* The format called name; where name is NULL, the one that the ending of file (NULL: none) means,
 * and else csv. Returns NULL with err (EX_USAGE) that lists the names there are. */
const struct format *format_find(const char *name, const char *file, struct error *err);

/* Writes the entry as a JSON object of all its fields, with no line end. Returns 0, or -1. */
int format_json(FILE *out, const struct entry *entry);

#endif
