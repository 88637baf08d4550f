/* SPDX-License-Identifier: BSD-2-Clause */
/* format/format.h: reads and writes the entries of a table as a text file. A format is one file, and one row in
 * format.c. */
#ifndef FORMAT_FORMAT_H
#define FORMAT_FORMAT_H

#include "base/error.h"
#include "table/entry.h"

#include <stdbool.h>
#include <stdio.h>

struct columns;
struct table_view;

/* A reader calls this for each entry, in the order of the file. Returns 0 to continue, another value to stop. */
typedef int format_entry(const struct entry *entry, unsigned long line, void *data);

/* A reader calls this for each line without an entry. why has the reason, without file and line. Its status is
 * EX_DATAERR for a bad line. For a valid line that is not imported it is EX_UNAVAILABLE if the line is about a moved
 * mailbox, so that somebody must take care of it; otherwise EX_OK. Returns 0 to continue, another value to stop. */
typedef int format_bad(const struct error *why, unsigned long line, void *data);

/* The input of a reader, and the functions that it calls. Owned by the caller. */
struct format_in {
    const char *name; /* of the file, for errors */
    const struct address_rules *rules;
    const struct columns *columns; /* of CSV, see columns.h; NULL: the default ones */
    bool must_end; /* refuse a last line without a line break: the file may be truncated */
    format_entry *entry;
    format_bad *bad;
    void *data; /* for entry and bad */
};

/* The result of a writer for one entry. */
enum format_result {
    FORMAT_WHOLE,   /* written; reading it gives the same entry */
    FORMAT_LESS,    /* written without fields that change no answer: why names them */
    FORMAT_REFUSED, /* not written: why names what the format cannot express */
    FORMAT_FAILED,  /* why has EX_IOERR */
};

/* The output of a writer, and its settings. Owned by the caller. */
struct format_out {
    FILE *file;
    const char *local_domain;     /* of names without a domain; NULL: none */
    bool fold_case;               /* of the table */
    enum entry_disclose disclose; /* the default of the entries */
    struct table_view *view;      /* of the table, to look up other entries; NULL: there are none */
};

struct format {
    const char *name;    /* for --format */
    const char *ending;  /* of a file's name that means this format; NULL: none */
    const char *summary; /* for help: what a line looks like; may have line feeds */
    bool has_columns;    /* whether format_in's columns are used */
    bool repeats;        /* the same entry may occur in a file more than once */

    /* Reads file to its end, and calls entry or bad for each row. Memory does not grow with the file or with a line.
     * Returns 0; the value of a callback that stopped it; or -1 with err, which names the file, if the file cannot be
     * used at all (a missing column, not text, a read error). */
    int (*read)(FILE *file, const struct format_in *in, struct error *err);

    /* Writes what precedes the first entry; NULL: nothing. Returns 0, or -1 with err (EX_IOERR). */
    int (*write_head)(FILE *out, struct error *err);

    /* Writes one entry completely or not at all. Sets why unless it returns FORMAT_WHOLE. */
    enum format_result (*write)(const struct format_out *out, const struct entry *entry,
                                struct error *why);
};

extern const struct format format_access, format_aliases, format_csv, format_jsonl,
    format_relocated;

extern const struct format *const formats[]; /* NULL-terminated, in the order of help */

/* Finds a format by name; if name is NULL, by the ending of file (NULL: none), otherwise csv. Returns NULL with err
 * (EX_USAGE), which lists the names. */
const struct format *format_find(const char *name, const char *file, struct error *err);

#endif
