/* SPDX-License-Identifier: BSD-2-Clause */
/* format/jsonl.c: the table as JSON Lines: an object a line, UTF-8, with the names of the CSV
 * columns (RFC 8259, read and written with jansson). */
#include "format/fields.h"
#include "format/format.h"
#include "format/json.h"
#include "format/lines.h"

#include <jansson.h>
#include <string.h>

#define BLANKS " \t\r"

/* ---- reading */

/* Explains an error of jansson. */
static int bad_json(const json_error_t *why, struct error *err)
{
    const char *what = why->text;
    switch ((int)json_error_code(why)) {
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return error_set(err, EX_DATAERR, "\\u0000, a NUL character: write text");
    case json_error_duplicate_key:
        return error_set(err, EX_DATAERR, "a name twice in the object: write each once");
    case json_error_invalid_utf8: what = "not UTF-8"; break;
    case json_error_premature_end_of_input: what = "it is not closed"; break;
    case json_error_end_of_input_expected: what = "more text after it"; break;
    default: break;
    }
    return error_set(err, EX_DATAERR, "no JSON object: %s, column %d: write one in each line", what,
                     why->column);
}

/* Finds the texts of the object, which still owns them. Returns 0, or -1 with err. */
static int read_object(struct entry_text *out, json_t *object, struct error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        int field = field_find(field_names, name);
        if (field < 0)
            return error_set(err, EX_DATAERR, "no such name '%.60s': write some of " FIELD_NAMES,
                             name);
        if (!json_is_string(value) && !json_is_null(value))
            return error_set(err, EX_DATAERR, "%s: no string: write it in quotes", name);
        out->values[field] = json_is_null(value) ? "" : json_string_value(value);
    }
    if (out->old == NULL || out->new == NULL)
        return error_set(err, EX_DATAERR, "no '%s': write {\"old\": \"…\", \"new\": \"…\"}",
                         out->old == NULL ? "old" : "new");
    return 0;
}

static int parse_line(struct entry *out, const struct lines *lines, struct error *err)
{
    struct entry_text text = {.now = TIMESTAMP_NONE};
    json_error_t why;

    if (lines_unreadable(lines, err))
        return -1;
    if (lines->text[strspn(lines->text, BLANKS)] != '{')
        return error_set(err, EX_DATAERR, "no JSON object: write {\"old\": \"…\", \"new\": \"…\"}");
    json_t *object = json_loadb(lines->text, lines->length, JSON_REJECT_DUPLICATES, &why);
    int rc = object == NULL ? bad_json(&why, err) : read_object(&text, object, err);
    if (rc == 0)
        rc = entry_parse(out, &text, lines->in->rules, err);
    json_decref(object);
    return rc;
}

static int take_line(struct lines *lines)
{
    struct entry entry;
    struct error err;
    return lines->length == strspn(lines->text, BLANKS)
               ? 0
               : lines_tell(lines, parse_line(&entry, lines, &err), &entry, &err);
}

static int read_file(FILE *file, const struct format_in *in, struct error *err)
{
    if (ungetc(getc(file), file) == '[') {
        error_set(err, EX_DATAERR,
                  "a JSON array: write an object in each line, as export --format jsonl does");
        return error_at(err, in->name, 1);
    }
    return lines_read(file, in, lines_next, take_line, err);
}

/* ---- writing */

static enum format_result write_entry(const struct format_out *out, const struct entry *entry,
                                      struct error *why)
{
    int rc = json_write(json_entry(entry), out->file, 0);
    return lines_written(FORMAT_WHOLE, rc == 0 ? putc('\n', out->file) : rc, why);
}

const struct format format_jsonl = {
    .name = "jsonl",
    .ending = ".jsonl",
    .summary = "an object a line, with the names of CSV",
    .read = read_file,
    .write = write_entry,
};
