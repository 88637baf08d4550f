/* SPDX-License-Identifier: BSD-2-Clause */
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

const struct format *format_find(const char *name, const char *file, struct error *err)
{
    char names[200] = "";
    const char *dot = file == NULL ? NULL : strrchr(file, '.');
    if (name == NULL) {
        for (size_t i = 0; dot != NULL && formats[i] != NULL; i++)
            if (formats[i]->ending != NULL && strcasecmp(formats[i]->ending, dot) == 0)
                return formats[i];
        return formats[0];
    }
    for (size_t i = 0; formats[i] != NULL; i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    for (size_t i = 0, used = 0; formats[i] != NULL; i++) /* "csv, jsonl or access" */
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s",
                                 i == 0                   ? ""
                                 : formats[i + 1] == NULL ? " or "
                                                          : ", ",
                                 formats[i]->name);
    error_set(err, EX_USAGE, "no such format '%s': write %s", name, names);
    return NULL;
}
