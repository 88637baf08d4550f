/* base/conf_text.h: reads the text of a configuration file and replaces each @include line by the contents of that
 * file. libconfig then opens no file: libconfig 1.5 ends the process on an @include of a folder. Also refuses text that
 * libconfig misreads or reports badly: it takes an unterminated comment for the end of the file. */
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

/* Reads file. A path that @include names is relative to the folder of file, at any depth. A byte order mark is left
 * out. The path of each file that is read is appended to files, which must outlive *out. Refuses a key that
 * its group has twice, and what has no end: a string, a comment, a group, a list. Returns
 * 0, and *out goes to conf_text_free; or -1 with err: EX_NOINPUT, EX_NOPERM, EX_IOERR, EX_CONFIG, with file and line. */
int conf_text_read(struct conf_text *out, const char *file, struct conf_list *files,
                   struct error *err);

void conf_text_free(struct conf_text *text);

/* The file and line that this line of the text, counted from 1, comes from. The file is borrowed from files. */
struct conf_spot conf_text_spot(const struct conf_text *text, unsigned line);

#endif
