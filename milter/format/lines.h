/* SPDX-License-Identifier: BSD-2-Clause */
/* format/lines.h: reads a text file line by line, in bounded memory; ends the write of an entry. */
#ifndef FORMAT_LINES_H
#define FORMAT_LINES_H

#include "format/format.h"

#include <stddef.h>

/* octets of a line with its continuation lines; a valid one has up to 4,000 */
#define LINES_MAX (64 * 1024)

struct lines {
    FILE *file;                 /* owned by the caller, as in */
    const struct format_in *in; /* the reader's */
    unsigned long number;       /* of the last line read, from 1 */
    unsigned long first;        /* number of the line where text begins */
    char text[LINES_MAX];       /* without line ends, NUL-terminated */
    size_t length;
    bool too_long; /* the rest was skipped */
    bool has_nul;
};

enum lines_result { LINES_READ, LINES_END, LINES_FAILED };

/* Initialises *lines, which is too large for the stack. A byte order mark will be skipped. */
void lines_begin(struct lines *lines, FILE *file, const struct format_in *in);

/* Reads the next line into text. Returns LINES_FAILED with err, which names the file: EX_IOERR; or EX_DATAERR if the
 * first line shows that the file is not UTF-8 text (UTF-16, compressed, a spreadsheet), or if must_end is set and the
 * last line has no line break. */
enum lines_result lines_next(struct lines *lines, struct error *err);

/* Appends the next line to text. */
enum lines_result lines_join(struct lines *lines, struct error *err);

/* Truncates text to length octets. */
void lines_cut(struct lines *lines, size_t length);

/* The first octet of the next line, or EOF. Does not consume it. */
int lines_peek(struct lines *lines);

/* Whether text is too long or has a NUL octet; then sets err (EX_DATAERR). */
bool lines_unreadable(const struct lines *lines, struct error *err);

/* Handles one line, and may call lines_tell. Returns the value of lines_tell, or 0. */
typedef int lines_take(struct lines *lines);

/* Reads the file with next, which is lines_next or also joins continuation lines, and calls take for each line. Returns
 * as the read function of a format does. */
int lines_read(FILE *file, const struct format_in *in,
               enum lines_result (*next)(struct lines *lines, struct error *err), lines_take *take,
               struct error *err);

/* Passes the entry of the line to the caller if rc is 0, otherwise the reason why there is none. */
int lines_tell(const struct lines *lines, int rc, const struct entry *entry,
               const struct error *why);

/* The result of writing an entry: result, unless printed, a return value of printf(3), is negative; then FORMAT_FAILED
 * with why (EX_IOERR). */
enum format_result lines_written(enum format_result result, int printed, struct error *why);

#endif
