#include "table/format.h"

#include <string.h>

/* A new format is its file, and a row here. */
static const struct format *const formats[] = {&format_csv};

const struct format *format_find(const char *name, struct error *err)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    error_set(err, EX_USAGE, "no such format '%s': write csv", name);
    return NULL;
}
