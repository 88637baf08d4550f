/* SPDX-License-Identifier: BSD-2-Clause */
/* format/csv.c: the table as CSV (RFC 4180), UTF-8, a header line that names the columns. Read
 * with libcsv, in its strict mode: bad quoting is an error and never a guess. */
#include "format/columns.h"
#include "format/format.h"
#include "format/lines.h"

#include <csv.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ROW_MAX (64 * 1024) /* octets of a row; a valid one has under 4,000 */

struct csv_row {
    char text[ROW_MAX];
    size_t used;
    const char *fields[COLUMNS_MAX];
    size_t count;
    bool complete;
    const char *bad; /* why the row cannot be read; NULL: it can */
};

struct reader {
    const struct format_in *in;
    const struct columns *columns;
    struct csv_parser parser;
    struct lines lines;
    struct csv_row row;
    unsigned long first;     /* the line in which the row begins */
    int fields[COLUMNS_MAX]; /* enum field of each column, or -1 */
    size_t column_count;     /* 0: the header line is still to come */
};

/* ---- what libcsv calls */

static void end_field(void *text, size_t length, void *data)
{
    struct csv_row *row = data;
    if (row->count == COLUMNS_MAX || row->used + length + 1 > sizeof row->text) {
        row->bad = "over 256 fields or 64 KiB: is a quote not closed?";
        return;
    }
    if (row->complete) /* libcsv takes a carriage return for the end of the row */
        row->bad = "a carriage return within the line: write LF or CRLF at its end alone";
    else if (length > 0 && memchr(text, '\0', length) != NULL)
        row->bad = "a NUL octet: write text";
    row->fields[row->count++] = row->text + row->used;
    if (length > 0)
        memcpy(row->text + row->used, text, length);
    row->used += length;
    row->text[row->used++] = '\0';
}

static void end_row(int terminator, void *data)
{
    struct csv_row *row = data;
    (void)terminator;
    row->complete = true;
}

static void start_row(struct csv_row *row)
{
    row->used = row->count = 0;
    row->complete = false;
    row->bad = NULL;
}

/* ---- a row */

/* A bad header line is an error of the file, because the rows cannot be read without it. */
static int bad_row(const struct reader *reader, const struct error *why, struct error *err)
{
    if (reader->column_count > 0)
        return reader->in->bad(why, reader->first, reader->in->data);
    *err = *why;
    return error_at(err, reader->in->name, reader->first);
}

static int take_row(struct reader *reader, struct error *err)
{
    const struct csv_row *row = &reader->row;
    struct entry_text text = {.now = TIMESTAMP_NONE};
    struct entry entry;
    struct error why;
    int rc;

    if (row->bad != NULL) {
        rc = error_set(&why, EX_DATAERR, "%s", row->bad);
    } else if (reader->column_count == 0) {
        rc = columns_match(reader->columns, reader->fields, row->fields, row->count, &why);
        reader->column_count = rc == 0 ? row->count : 0;
        return rc == 0 ? 0 : bad_row(reader, &why, err);
    } else if (row->count != reader->column_count) {
        rc = error_set(&why, EX_DATAERR, "%zu field%s: write %zu, as in the header line",
                       row->count, row->count == 1 ? "" : "s", reader->column_count);
    } else {
        for (size_t i = 0; i < row->count; i++)
            if (reader->fields[i] >= 0)
                text.values[reader->fields[i]] = row->fields[i];
        rc = entry_parse(&entry, &text, reader->in->rules, &why);
    }
    return rc == 0 ? reader->in->entry(&entry, reader->first, reader->in->data)
                   : bad_row(reader, &why, err);
}

/* ---- the file */

static int start_parser(struct reader *reader, struct error *err)
{
    if (csv_init(&reader->parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
        return error_no_memory(err);
    csv_set_delim(&reader->parser, (unsigned char)reader->columns->delimiter);
    start_row(&reader->row);
    return 0;
}

/* libcsv has no other way to ask: its ROW_NOT_BEGUN is 0. */
static bool is_between_rows(const struct csv_parser *parser)
{
    return parser->pstate == 0;
}

static bool feed(struct reader *reader, const char *text, size_t length)
{
    return csv_parse(&reader->parser, text, length, end_field, end_row, &reader->row) == length &&
           reader->parser.entry_pos <= ROW_MAX;
}

/* Reports a row that libcsv cannot parse; the next line begins another. */
static int give_up(struct reader *reader, const char *what, struct error *err)
{
    struct error why;
    error_set(&why, EX_DATAERR, "%s", what);
    int rc = bad_row(reader, &why, err);
    csv_free(&reader->parser);
    return start_parser(reader, err) != 0 ? -1 : rc;
}

/* Parses a line. It may hold a row, a part of one (with a quoted line break), or nothing. */
static int take_line(struct reader *reader, struct error *err)
{
    const struct lines *lines = &reader->lines;
    struct error why;
    if (is_between_rows(&reader->parser))
        reader->first = lines->number;
    if (reader->column_count == 0 &&
        columns_check_delimiter(reader->columns, lines->text, &why) != 0)
        return bad_row(reader, &why, err);
    if (lines->too_long)
        return give_up(reader, "a line of over 64 KiB: write shorter ones", err);
    if (!feed(reader, lines->text, lines->length) || !feed(reader, "\n", 1))
        return give_up(
            reader,
            reader->column_count == 0
                ? "bad quoting in the header line: write old,new"
                : "bad quoting: write \"…\" around the whole field, and \"\" for a quote in it",
            err);
    if (!reader->row.complete)
        return 0;
    int rc = take_row(reader, err);
    start_row(&reader->row);
    return rc;
}

static int read_lines(struct reader *reader, struct error *err)
{
    enum lines_result result = LINES_READ;
    int rc = start_parser(reader, err);
    if (rc != 0)
        return rc;
    while (rc == 0 && (result = lines_next(&reader->lines, err)) == LINES_READ)
        rc = take_line(reader, err);
    if (result == LINES_FAILED)
        rc = -1;
    else if (rc == 0 && !is_between_rows(&reader->parser))
        rc = give_up(reader, "a quote that is never closed: write \"…\" around the whole field",
                     err);
    if (rc == 0 && reader->column_count == 0) {
        error_set(err, EX_DATAERR, "empty: begin with a header line such as old,new");
        rc = error_at(err, reader->in->name, 0);
    }
    csv_free(&reader->parser);
    return rc;
}

static int read_file(FILE *file, const struct format_in *in, struct error *err)
{
    struct reader *reader = calloc(1, sizeof *reader);
    struct columns ours;
    if (reader == NULL)
        return error_no_memory(err);
    columns_begin(&ours);
    reader->in = in;
    reader->columns = in->columns == NULL ? &ours : in->columns;
    lines_begin(&reader->lines, file, in);
    int rc = read_lines(reader, err);
    free(reader);
    return rc;
}

/* ---- writing */

static int write_head(FILE *out, struct error *err)
{
    return fputs("old,new,action,from,until,forward_until,disclose,note\n", out) < 0
               ? error_set(err, EX_IOERR, "%s", strerror(errno))
               : 0;
}

static int write_field(FILE *out, const char *text, char end)
{
    bool quotes = text[strcspn(text, ",\"\r\n")] != '\0' || *text == ' ' ||
                  (*text != '\0' && text[strlen(text) - 1] == ' ');
    int rc = quotes ? csv_fwrite(out, text, strlen(text)) : fputs(text, out);
    return rc == EOF || putc(end, out) == EOF ? -1 : 0;
}

static enum format_result write_entry(const struct format_out *out, const struct entry *entry,
                                      struct error *why)
{
    struct fields fields;
    fields_spell(&fields, entry);
    int rc = 0;
    for (int i = 0; i < FIELDS && rc == 0; i++)
        rc = write_field(out->file, fields.values[i], i == FIELDS - 1 ? '\n' : ',');
    return lines_written(FORMAT_WHOLE, rc, why);
}

const struct format format_csv = {
    .name = "csv",
    .ending = ".csv",
    .summary = "a header line with old,new and any of action, from,\n"
               "until, forward_until, disclose, note",
    .has_columns = true,
    .read = read_file,
    .write_head = write_head,
    .write = write_entry,
};
