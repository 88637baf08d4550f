#include "format/format.h"

#include <string.h>
#include <strings.h>

/* A new format is a file, and a row here. The first one is the default for an unknown file ending. */
/* clang-format off */
const struct format *const formats[] = {
    &format_csv,
    &format_jsonl,
    &format_relocated,
    &format_aliases,
    &format_access,
    NULL,
};
/* clang-format on */

static const struct format *find_by_ending(const char *file)
{
    const char *dot = file == NULL ? NULL : strrchr(file, '.');
    for (size_t i = 0; dot != NULL && formats[i] != NULL; i++)
        if (formats[i]->ending != NULL && strcasecmp(formats[i]->ending, dot) == 0)
            return formats[i];
    return formats[0];
}

/* "csv, jsonl or access" */
static void list_names(char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; formats[i] != NULL; i++) {
        size_t used = strlen(out);
        const char *before = i == 0 ? "" : formats[i + 1] == NULL ? " or " : ", ";
        snprintf(out + used, size - used, "%s%s", before, formats[i]->name);
    }
}

const struct format *format_find(const char *name, const char *file, struct error *err)
{
    char names[200];
    if (name == NULL)
        return find_by_ending(file);
    for (size_t i = 0; formats[i] != NULL; i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    list_names(names, sizeof names);
    error_set(err, EX_USAGE, "no such format '%s': write %s", name, names);
    return NULL;
}
