/* format/lines.h: a text file line by line, in and out. Memory does not grow with the file, nor with a line. */
#ifndef FORMAT_LINES_H
#define FORMAT_LINES_H

#include "format/format.h"

#include <stddef.h>

#define LINES_MAX (64 * 1024) /* octets of a line with its continuations; a sound one has 4,000 */

struct lines {
    FILE *file;                 /* owned by the caller, as in */
    const struct format_in *in; /* the reader's */
    unsigned long number;       /* of the line read last, from 1 */
    unsigned long first;        /* of the line in which text begins */
    char text[LINES_MAX];       /* without line ends, NUL-terminated */
    size_t length;
    bool too_long; /* the rest was passed over */
    bool has_nul;
};

enum lines_result { LINES_READ, LINES_END, LINES_FAILED };

/* Begins: lines is large, keep it off the stack. A byte order mark is passed over. */
void lines_begin(struct lines *lines, FILE *file, const struct format_in *in);

/* Reads the next line into text. LINES_FAILED with err, which names the file: EX_IOERR, or EX_DATAERR
 * where the first line shows that the file is no text in UTF-8 (UTF-16, compressed, a spreadsheet),
 * or where the last one must end with a line break and does not. */
enum lines_result lines_next(struct lines *lines, struct error *err);

/* Reads the next line, and puts it behind text. */
enum lines_result lines_join(struct lines *lines, struct error *err);

/* Takes back what was read behind the first length octets of text. */
void lines_cut(struct lines *lines, size_t length);

/* The first octet of the line to come, or EOF. */
int lines_peek(struct lines *lines);

/* Whether text is longer than its room, or has a NUL octet: then err (EX_DATAERR) says so. */
bool lines_unreadable(const struct lines *lines, struct error *err);

/* Calls lines_tell for the line, or not; returns what it returns. */
typedef int lines_take(struct lines *lines);

/* Reads the file with next, which is lines_next or reads the lines that continue one too. Returns as a format's read
 * does. */
int lines_read(FILE *file, const struct format_in *in,
               enum lines_result (*next)(struct lines *lines, struct error *err), lines_take *take,
               struct error *err);

/* Hands the entry of the line to the reader where rc is 0, else the reason why it has none. */
int lines_tell(const struct lines *lines, int rc, const struct entry *entry,
               const struct error *why);

/* Ends the write of an entry: result where printed, as of printf(3), is not negative; else FORMAT_FAILED with why
 * (EX_IOERR). */
enum format_result lines_written(enum format_result result, int printed, struct error *why);

#endif
