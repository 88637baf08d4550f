#include "format/line_reader.h"

#include <stdlib.h>

int line_reader_run(FILE *file, const struct format_in *in, line_next *next, line_take *take,
                    struct error *err)
{
    enum lines_result result = LINES_READ;
    struct line_reader *reader = calloc(1, sizeof *reader);
    int rc = 0;

    if (reader == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    reader->in = in;
    lines_begin(&reader->lines, file, in);
    while (rc == 0 && (result = next(&reader->lines, err)) == LINES_READ)
        rc = take(reader);
    free(reader);
    return result == LINES_FAILED ? -1 : rc;
}

int line_reader_entry(const struct line_reader *reader, const struct entry *entry)
{
    return reader->in->entry(entry, reader->lines.first, reader->in->data);
}

int line_reader_bad(const struct line_reader *reader, const struct error *why)
{
    return reader->in->bad(why, reader->lines.first, reader->in->data);
}
