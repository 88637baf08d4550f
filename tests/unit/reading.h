/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/unit/reading.h: what a format's reader says of a text. */
#ifndef UNIT_READING_H
#define UNIT_READING_H

#include "format/format.h"

#include <stddef.h>

/* One word for each line that the reader named: "2:alice@old.example>alice@new.example", with
 * "#note" where it has one; "3!" for a bad line, "4-" for one that is not ours, "5?" for one that is
 * about a moved mailbox and not carried over. */
struct said {
    char text[2048];
    char why[2048]; /* the reasons, one a line */
};

/* Both return what the reader returned; the file is called "file". The second takes the rest of how
 * it shall read. */
int said_of(struct said *out, const struct format *format, const struct address_rules *rules,
            const char *text, size_t length, struct error *err);
int said_of_how(struct said *out, const struct format *format, struct format_in how,
                const char *text, size_t length, struct error *err);

#endif
