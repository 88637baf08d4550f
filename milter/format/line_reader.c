#include "format/line_reader.h"

#include <stdlib.h>

int line_reader_run(struct line_reader *reader, FILE *in, struct error *err)
{
    enum lines_result result = LINES_READ;
    int rc = 0;

    reader->lines = calloc(1, sizeof *reader->lines);
    if (reader->lines == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    lines_begin(reader->lines, in);
    while (rc == 0 && (result = reader->next(reader->lines, err)) == LINES_READ)
        rc = reader->take(reader);
    free(reader->lines);
    return result == LINES_FAILED ? -1 : rc;
}
