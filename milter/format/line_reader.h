/* format/line_reader.h: the reading of a format whose entries are lines. */
#ifndef FORMAT_LINE_READER_H
#define FORMAT_LINE_READER_H

#include "format/format.h"
#include "format/lines.h"

struct line_reader {
    /* As a format's read was given them. */
    const struct address_rules *rules;
    format_entry *entry;
    format_bad *bad;
    void *data;

    /* Reads the next line, with what continues it: lines_next, or what stands on it. */
    enum lines_result (*next)(struct lines *lines, struct error *err);

    /* Calls entry or bad for what the line says, if anything; returns what they return. */
    int (*take)(struct line_reader *reader);

    struct lines *lines; /* set by line_reader_run */
    struct entry last;   /* for take: the entry before; domain "" at the beginning */
};

/* Takes in line by line. Returns as a format's read does. */
int line_reader_run(struct line_reader *reader, FILE *in, struct error *err);

#endif
