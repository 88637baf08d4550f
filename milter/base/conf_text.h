/* base/conf_text.h: the text of a configuration file, with the files that it includes in place of
 * their @include lines, so that libconfig opens nothing. libconfig 1.5 ends the process on an
 * @include of a folder, and takes a comment without an end for the end of the file. */
#ifndef BASE_CONF_TEXT_H
#define BASE_CONF_TEXT_H

#include "base/conf_list.h"
#include "base/error.h"

#include <stddef.h>

struct conf_text {
    char *text; /* heap, NUL-terminated, ends with a line feed; no NUL before that */
    size_t length;
    struct conf_origin *origins; /* heap, origin_count of them, in the order of the text */
    size_t origin_count;
};

/* Reads file. A path that @include names is relative to the folder of file, at any depth. A byte
 * order mark is left out. The path of each file that is read is appended to files, which must
 * outlive *out. Returns 0, and *out goes to conf_text_free; or -1 with err: EX_NOINPUT, EX_NOPERM,
 * EX_IOERR, EX_CONFIG, with file and line. */
int conf_text_read(struct conf_text *out, struct conf_list *files, const char *file,
                   struct error *err);

void conf_text_free(struct conf_text *text);

/* The file and line that a place in the text comes from. file is borrowed from files. */
void conf_text_locate(const struct conf_text *text, const char *at, const char **file,
                      unsigned *line);

/* The first octet of line number line, counted from 1; of the last line if it has fewer. */
const char *conf_text_line(const struct conf_text *text, unsigned line);

/* Puts the file and line of a place in the text in front of the error's text. Returns -1. */
int conf_text_at(const struct conf_text *text, const char *at, struct error *err);

/* The end of the comment or string that begins at at: just past it; at itself if none begins
 * there; NULL if it has no end. A string ends on its own line. */
const char *conf_text_skip(const char *at);

#endif
