/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BOM "\xef\xbb\xbf" /* some programs begin UTF-8 with it */

void lines_begin(struct lines *lines, FILE *file, const struct format_in *in)
{
    lines->file = file;
    lines->in = in;
    lines->number = 0;
    lines->length = 0;
}

int lines_peek(struct lines *lines)
{
    int octet = getc(lines->file);
    return octet == EOF ? EOF : ungetc(octet, lines->file);
}

/* ---- the first line */

/* The signatures of files that are not UTF-8 text, and how to convert them. */
static const struct {
    size_t at, length;
    const char *octets, *what;
} others[] = {
#define STARTS(octets, what) HAS(0, octets, what)
#define HAS(at, octets, what)                                                                      \
    {                                                                                              \
        at, sizeof octets - 1, octets, what                                                        \
    }
#define UTF16            "UTF-16, not UTF-8: convert it first (iconv -f UTF-16 -t UTF-8)"
#define COMPRESSED(name) "compressed with " name ": unpack it first (" name " -dc)"
#define SHEET            "save the sheet as CSV in UTF-8"
#define DATABASE         "a database, not its source: import the text that it was made from"
    STARTS("\xff\xfe", UTF16),
    STARTS("\xfe\xff", UTF16),
    STARTS("\x1f\x8b", COMPRESSED("gzip")),
    STARTS("BZh", COMPRESSED("bzip2")),
    STARTS("\xfd"
           "7zXZ",
           COMPRESSED("xz")),
    STARTS("\x28\xb5\x2f\xfd", COMPRESSED("zstd")),
    STARTS("PK\x03\x04", "a zip archive, such as .xlsx or .ods: " SHEET),
    STARTS("\xd0\xcf\x11\xe0", "an Excel workbook: " SHEET),
    HAS(12, "\x61\x15\x06\0", DATABASE), /* Berkeley DB, hash and btree: makemap(8), postmap(1) */
    HAS(12, "\x62\x31\x05\0", DATABASE),
    HAS(16, "\xde\xc0\xef\xbe", DATABASE), /* LMDB */
};

/* Two ASCII characters in UTF-16 without a byte order mark: each has a NUL octet. */
static bool is_utf16(const char *text, size_t length)
{
    return length >= 4 && (text[0] == '\0') != (text[1] == '\0') &&
           (text[0] == '\0') == (text[2] == '\0') && (text[1] == '\0') == (text[3] == '\0');
}

static int fail(const struct lines *lines, unsigned long line, const char *what, struct error *err)
{
    error_set(err, EX_DATAERR, "%s", what);
    return error_at(err, lines->in->name, line);
}

/* Skips a byte order mark. Returns 0; or -1 with err if the file is not UTF-8 text. */
static int check_beginning(struct lines *lines, struct error *err)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (lines->length >= others[i].at + others[i].length &&
            memcmp(lines->text + others[i].at, others[i].octets, others[i].length) == 0)
            return fail(lines, 0, others[i].what, err);
    if (is_utf16(lines->text, lines->length))
        return fail(lines, 0, UTF16, err);
    if (strncmp(lines->text, BOM, strlen(BOM)) == 0) {
        lines->length -= strlen(BOM);
        memmove(lines->text, lines->text + strlen(BOM), lines->length + 1);
    }
    return 0;
}

/* ---- each line */

/* Appends the octets up to a line break to text, beginning with octet. Returns '\n' or EOF. */
static int read_octets(struct lines *lines, int octet)
{
    char *begin = lines->text + lines->length, *out = begin;
    const char *end = lines->text + sizeof lines->text - 1;
    for (; octet != EOF && octet != '\n' && out < end; octet = getc_unlocked(lines->file))
        *out++ = (char)octet;
    *out = '\0';
    lines->length = (size_t)(out - lines->text);
    lines->has_nul = lines->has_nul || memchr(begin, '\0', (size_t)(out - begin)) != NULL;
    for (; octet != EOF && octet != '\n'; octet = getc_unlocked(lines->file))
        lines->too_long = true;
    return octet;
}

enum lines_result lines_join(struct lines *lines, struct error *err)
{
    int octet = getc(lines->file);
    if (octet == EOF && !ferror(lines->file))
        return LINES_END;
    octet = read_octets(lines, octet);
    lines->number++;
    if (ferror(lines->file)) {
        error_set(err, EX_IOERR, "%s", strerror(errno));
        error_at(err, lines->in->name, 0);
        return LINES_FAILED;
    }
    if (lines->number == 1 && check_beginning(lines, err) != 0)
        return LINES_FAILED;
    if (octet == EOF && lines->in->must_end) {
        fail(lines, lines->number,
             "no line break at the end, so the file may be cut off: add one, or leave out "
             "--replace-all",
             err);
        return LINES_FAILED;
    }
    return LINES_READ;
}

enum lines_result lines_next(struct lines *lines, struct error *err)
{
    lines->length = 0;
    lines->too_long = lines->has_nul = false;
    lines->first = lines->number + 1;
    return lines_join(lines, err);
}

void lines_cut(struct lines *lines, size_t length)
{
    lines->length = length;
    lines->text[length] = '\0';
}

bool lines_unreadable(const struct lines *lines, struct error *err)
{
    if (lines->too_long)
        error_set(err, EX_DATAERR, "over %d octets: write shorter lines", LINES_MAX - 1);
    else if (lines->has_nul)
        error_set(err, EX_DATAERR, "a NUL octet: write text");
    return lines->too_long || lines->has_nul;
}

int lines_read(FILE *file, const struct format_in *in,
               enum lines_result (*next)(struct lines *lines, struct error *err), lines_take *take,
               struct error *err)
{
    enum lines_result result = LINES_READ;
    struct lines *lines = malloc(sizeof *lines);
    int rc = 0;

    if (lines == NULL)
        return error_no_memory(err);
    lines_begin(lines, file, in);
    while (rc == 0 && (result = next(lines, err)) == LINES_READ)
        rc = take(lines);
    free(lines);
    return result == LINES_FAILED ? -1 : rc;
}

int lines_tell(const struct lines *lines, int rc, const struct entry *entry,
               const struct error *why)
{
    return rc == 0 ? lines->in->entry(entry, lines->first, lines->in->data)
                   : lines->in->bad(why, lines->first, lines->in->data);
}

enum format_result lines_written(enum format_result result, int printed, struct error *why)
{
    if (printed >= 0)
        return result;
    error_set(why, EX_IOERR, "%s", strerror(errno));
    return FORMAT_FAILED;
}
