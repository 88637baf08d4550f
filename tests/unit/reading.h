/* tests/unit/reading.h: what a format's reader says of a text. */
#ifndef UNIT_READING_H
#define UNIT_READING_H

#include "format/format.h"

#include <stddef.h>

/* One word for each line that the reader named: "2:alice@old.example>alice@new.example", with
 * "#note" where it has one; "3!" for a bad line, "4-" for one that is not ours. */
struct said {
    char text[2048];
    char why[2048]; /* the reasons, one a line */
};

/* Returns what the reader returned. */
int said_of(struct said *out, const struct format *format, const struct address_rules *rules,
            const char *text, size_t length, struct error *err);

#endif
