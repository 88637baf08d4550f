/* format/csv.c: the table as CSV (RFC 4180), UTF-8, a header line that names the columns. Read
 * with libcsv, in its strict mode: bad quoting is an error and never a guess. */
#include "format/fields.h"
#include "format/format.h"

#include <csv.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ROW_MAX     (64 * 1024) /* octets of a row; the longest sound one has under 4,000 */
#define COLUMNS_MAX 32

struct row {
    char text[ROW_MAX];
    size_t used;
    const char *fields[COLUMNS_MAX];
    size_t count;
    bool complete, too_long, has_nul;
    bool has_cr; /* a bare one in the line, which libcsv takes for the end of the row */
};

struct reader {
    struct row row;
    int columns[COLUMNS_MAX]; /* enum field of each column */
    size_t column_count;      /* 0: the header line is still to come */
    unsigned long line;       /* of the file, the last one read */
    unsigned long first;      /* the line in which the row begins */
    const struct address_rules *rules;
    format_entry *entry;
    format_bad *bad;
    void *data;
};

/* ---- what libcsv calls */

static void end_field(void *text, size_t length, void *data)
{
    struct row *row = data;
    row->has_cr = row->has_cr || row->complete;
    if (row->count == COLUMNS_MAX || row->used + length + 1 > sizeof row->text) {
        row->too_long = true;
        return;
    }
    row->has_nul = row->has_nul || (length > 0 && memchr(text, '\0', length) != NULL);
    row->fields[row->count++] = row->text + row->used;
    if (length > 0)
        memcpy(row->text + row->used, text, length);
    row->used += length;
    row->text[row->used++] = '\0';
}

static void end_row(int terminator, void *data)
{
    struct row *row = data;
    (void)terminator;
    row->complete = true;
}

static void start_row(struct row *row)
{
    row->used = row->count = 0;
    row->complete = row->too_long = row->has_nul = row->has_cr = false;
}

/* Whether libcsv takes it for more than text: quotes, and blanks round a field. */
static bool is_special(char octet)
{
    return octet == '"' || octet == ' ' || octet == '\t' || octet == '\r' || octet == '\0';
}

/* Most lines are a whole row in which the commas alone mean something: its fields are found in half
 * the time, and left where they are. Any other line is libcsv's, and stays as it is. */
static bool split_plain(struct row *row, char *line, size_t length)
{
    if (length < 2 || length > ROW_MAX || line[length - 1] != '\n')
        return false;
    size_t end = length - (line[length - 2] == '\r' ? 2 : 1);
    row->fields[row->count++] = line;
    for (size_t i = 0; i < end; i++) {
        if (is_special(line[i]) || (line[i] == ',' && row->count == COLUMNS_MAX)) {
            start_row(row);
            return false;
        }
        if (line[i] == ',')
            row->fields[row->count++] = line + i + 1;
    }
    for (size_t i = 1; i < row->count; i++)
        line[row->fields[i] - line - 1] = '\0';
    line[end] = '\0';
    row->complete = end > 0; /* an empty line is no row */
    return true;
}

/* ---- a row */

static int bad_row(const struct reader *reader, const char *what)
{
    struct error err;
    error_set(&err, EX_DATAERR, "%s", what);
    return reader->bad(&err, reader->first, reader->data);
}

/* Without sound columns no row means anything: the file as a whole is refused. */
static int read_header(struct reader *reader, struct error *err)
{
    bool seen[FIELDS] = {false};
    for (size_t i = 0; i < reader->row.count; i++) {
        const char *name = reader->row.fields[i];
        int column = field_find(name);
        if (column < 0)
            return error_set(err, EX_DATAERR,
                             "no such column '%.60s': the header line names some of " FIELD_NAMES,
                             name);
        if (seen[column])
            return error_set(err, EX_DATAERR, "column '%s' twice: name each once", name);
        seen[column] = true;
        reader->columns[i] = column;
    }
    if (!seen[FIELD_OLD] || !seen[FIELD_NEW])
        return error_set(err, EX_DATAERR,
                         "no column '%s': begin with a header line such as old,new",
                         field_names[seen[FIELD_OLD] ? FIELD_NEW : FIELD_OLD]);
    reader->column_count = reader->row.count;
    return 0;
}

static int read_row(const struct reader *reader)
{
    const struct row *row = &reader->row;
    const char *values[FIELDS] = {NULL};
    struct entry entry;
    struct error err;

    if (row->has_nul)
        return bad_row(reader, "a NUL octet: write text");
    if (row->count != reader->column_count) {
        error_set(&err, EX_DATAERR, "%zu field%s: write %zu, as in the header line", row->count,
                  row->count == 1 ? "" : "s", reader->column_count);
        return reader->bad(&err, reader->first, reader->data);
    }
    for (size_t i = 0; i < row->count; i++)
        values[reader->columns[i]] = row->fields[i];
    if (fields_parse(&entry, values, reader->rules, &err) != 0)
        return reader->bad(&err, reader->first, reader->data);
    return reader->entry(&entry, reader->first, reader->data);
}

static int take_row(struct reader *reader, struct error *err)
{
    if (reader->row.too_long)
        return bad_row(reader, "over 32 fields or 64 KiB: is a quote not closed?");
    if (reader->row.has_cr)
        return bad_row(reader,
                       "a carriage return within the line: write LF or CRLF at its end alone");
    if (reader->column_count > 0)
        return read_row(reader);
    return read_header(reader, err);
}

/* ---- the file */

static const char bom[] = "\xef\xbb\xbf"; /* some programs begin UTF-8 with it */

static int start_parser(struct csv_parser *parser, struct error *err)
{
    if (csv_init(parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
        return error_set(err, EX_OSERR, "out of memory");
    return 0;
}

/* libcsv has no other way to ask: its ROW_NOT_BEGUN is 0. */
static bool is_between_rows(const struct csv_parser *parser)
{
    return parser->pstate == 0;
}

static int end_line(struct reader *reader, struct error *err)
{
    int rc = reader->row.complete ? take_row(reader, err) : 0;
    start_row(&reader->row);
    return rc;
}

/* Reads one line; it may hold a row, the middle of one (a quoted line break), or nothing. */
static int read_line(struct reader *reader, struct csv_parser *parser, char *line, size_t length,
                     struct error *err)
{
    struct row *row = &reader->row;
    bool begins = is_between_rows(parser);
    if (begins)
        reader->first = reader->line;
    if (begins && split_plain(row, line, length))
        return end_line(reader, err);

    if (csv_parse(parser, line, length, end_field, end_row, row) != length ||
        parser->entry_pos > ROW_MAX) {
        int rc =
            reader->column_count == 0
                ? error_set(err, EX_DATAERR, "bad quoting in the header line: write old,new")
                : bad_row(
                      reader,
                      "bad quoting: write \"…\" round the whole field, and \"\" for a quote in it");
        csv_free(parser);
        start_row(row);
        return rc != 0 ? rc : start_parser(parser, err);
    }
    return row->complete ? end_line(reader, err) : 0;
}

static int read_rest(struct reader *reader, struct csv_parser *parser, struct error *err)
{
    struct row *row = &reader->row;
    if (csv_fini(parser, end_field, end_row, row) != 0)
        return bad_row(reader, "a quote that is never closed: write \"…\" round the whole field");
    if (row->complete)
        return take_row(reader, err);
    return 0;
}

static int read_lines(struct reader *reader, FILE *in, struct csv_parser *parser, struct error *err)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    int rc = 0;

    while (rc == 0 && (length = getline(&line, &size, in)) >= 0) {
        size_t skip = reader->line++ == 0 && strncmp(line, bom, 3) == 0 ? 3 : 0;
        rc = read_line(reader, parser, line + skip, (size_t)length - skip, err);
    }
    free(line);
    if (rc == 0 && ferror(in))
        return error_set(err, EX_IOERR, "%s", strerror(errno));
    if (rc == 0)
        rc = read_rest(reader, parser, err);
    if (rc == 0 && reader->column_count == 0)
        rc = error_set(err, EX_DATAERR, "empty: begin with a header line such as old,new");
    return rc;
}

static int read_file(FILE *in, const struct address_rules *rules, format_entry *entry,
                     format_bad *bad, void *data, struct error *err)
{
    struct csv_parser parser;
    struct reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    reader->rules = rules;
    reader->entry = entry;
    reader->bad = bad;
    reader->data = data;

    int rc = start_parser(&parser, err);
    if (rc == 0) {
        rc = read_lines(reader, in, &parser, err);
        csv_free(&parser);
    }
    free(reader);
    return rc;
}

/* ---- writing */

static int write_error(struct error *err)
{
    return error_set(err, EX_IOERR, "%s", strerror(errno));
}

static int write_head(FILE *out, struct error *err)
{
    return fputs("old,new,action,from,until,forward_until,disclose,note\n", out) < 0
               ? write_error(err)
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
    for (int i = 0; i < FIELDS; i++) {
        if (write_field(out->file, fields.values[i], i == FIELDS - 1 ? '\n' : ',') != 0) {
            write_error(why);
            return FORMAT_FAILED;
        }
    }
    return FORMAT_WHOLE;
}

const struct format format_csv = {
    .name = "csv",
    .ending = ".csv",
    .summary = "a header line with old,new and any of action, from, until, forward_until,\n"
               "disclose, note",
    .read = read_file,
    .write_head = write_head,
    .write = write_entry,
};
