/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/facts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fact_set(struct facts *facts, const char *name, const char *format, ...)
{
    va_list args;
    char *value;
    va_start(args, format);
    if (vasprintf(&value, format, args) < 0)
        value = NULL; /* the text then lacks this value */
    va_end(args);
    for (size_t i = 0; i < FACTS_MAX; i++) {
        struct fact *fact = &facts->of[i];
        if (fact->name != NULL && strcmp(fact->name, name) != 0)
            continue;
        free(fact->value);
        *fact = (struct fact){name, value};
        return;
    }
    free(value);
}

static const char *find(const struct facts *facts, const char *name, size_t length)
{
    for (size_t i = 0; i < FACTS_MAX && facts->of[i].name != NULL; i++) {
        const struct fact *fact = &facts->of[i];
        if (strlen(fact->name) == length && memcmp(fact->name, name, length) == 0)
            return fact->value == NULL ? "" : fact->value;
    }
    return "";
}

const char *fact_get(const struct facts *facts, const char *name)
{
    return find(facts, name, strlen(name));
}

char *facts_fill(const struct facts *facts, const char *text)
{
    char *out = NULL;
    size_t size;
    FILE *file = open_memstream(&out, &size);
    if (file == NULL)
        return NULL;
    for (const char *at, *end; (at = strstr(text, "${")) != NULL && (end = strchr(at, '}')) != NULL;
         text = end + 1) {
        fwrite(text, 1, (size_t)(at - text), file);
        fputs(find(facts, at + 2, (size_t)(end - at - 2)), file);
    }
    fputs(text, file);
    if (fclose(file) == 0)
        return out;
    free(out);
    return NULL;
}

void facts_clear(struct facts *facts)
{
    for (size_t i = 0; i < FACTS_MAX; i++)
        free(facts->of[i].value);
    *facts = (struct facts){0};
}
