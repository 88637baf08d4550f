/* SPDX-License-Identifier: BSD-2-Clause */
/* base/conf_text.h: reads the text of a configuration file, and replaces each @include line with the contents of that
 * file. libconfig then opens no file itself: libconfig 1.5 exits on an @include of a folder. Also refuses text that
 * libconfig misreads or reports badly, such as an unterminated comment, which it takes for the end of the file; and
 * gives each integer the suffix L, since libconfig 1.5 reads only 32 bits of one without. */
#ifndef BASE_CONF_TEXT_H
#define BASE_CONF_TEXT_H

#include "base/conf.h"

struct conf_text {
    char *text; /* heap, NUL-terminated, ends with a line feed; no NUL before that */
    size_t length;
    unsigned lines;              /* line feeds in text */
    struct conf_origin *origins; /* heap, origin_count of them, in the order of the text */
    size_t origin_count;
};

/* Reads file. A path in an @include is relative to the folder of file, at any depth. A byte order mark is left out. The
 * path of each file that is read is appended to files, which must outlive *out. Refuses a key that occurs twice in a
 * group, and a string, comment, group or list that is not closed. Returns 0 with *out, which the caller frees with
 * conf_text_free; or -1 with err, EX_NOINPUT, EX_NOPERM, EX_IOERR or EX_CONFIG, with file and line. */
int conf_text_read(struct conf_text *out, const char *file, struct conf_list *files,
                   struct error *err);

void conf_text_free(struct conf_text *text);

/* The file and line from which a line of the text, counted from 1, was read. The file is borrowed from files. */
struct conf_spot conf_text_spot(const struct conf_text *text, unsigned line);

#endif
