/* format/line_reader.h: reads a format whose entries are lines. */
#ifndef FORMAT_LINE_READER_H
#define FORMAT_LINE_READER_H

#include "format/format.h"
#include "format/lines.h"

struct line_reader {
    const struct format_in *in; /* as the format's read was given it */
    struct lines lines;
};

/* Reads the next line, with those that continue it: lines_next, or a function that calls it. */
typedef enum lines_result line_next(struct lines *lines, struct error *err);

/* Calls line_reader_entry or line_reader_bad for the line, or neither; returns what they return. */
typedef int line_take(struct line_reader *reader);

/* Reads the file line by line. Returns as a format's read does. */
int line_reader_run(FILE *file, const struct format_in *in, line_next *next, line_take *take,
                    struct error *err);

/* Tells of the line's entry; of the reason why it has none. */
int line_reader_entry(const struct line_reader *reader, const struct entry *entry);
int line_reader_bad(const struct line_reader *reader, const struct error *why);

#endif
