#include "mta/conf_edit.h"

#include "base/conf_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static bool is_word(char c)
{
    return c != '\0' &&
           strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-*", c) != NULL;
}

/* The end of the token: a comment, a string, a word, or one character. */
static const char *next(const char *at)
{
    const char *end = conf_text_skip(at);
    if (end == NULL)
        return at + strlen(at);
    if (end > at)
        return end;
    if (!is_word(*at))
        return at + 1;
    while (is_word(*at))
        at++;
    return at;
}

/* The key outside of all groups; NULL if it is not there. */
static const char *find_key(const char *text, const char *key)
{
    size_t length = strlen(key);
    int depth = 0;
    for (const char *at = text; *at != '\0'; at = next(at)) {
        depth += strchr("{([", *at) != NULL ? 1 : strchr("})]", *at) != NULL ? -1 : 0;
        if (depth == 0 && strncmp(at, key, length) == 0 && !is_word(at[length]))
            return at;
    }
    return NULL;
}

/* The end of the setting at its ';' or ',', or the end of its line. */
static const char *value_end(const char *at)
{
    while (*at != '\0' && strchr(";,\n", *at) == NULL)
        at = next(at);
    return at + (*at == ';' || *at == ',');
}

char *conf_edit_set(const char *text, const char *key, const char *value)
{
    const char *at = find_key(text, key), *rest = at == NULL ? "" : value_end(at);
    size_t before = at == NULL ? strlen(text) : (size_t)(at - text);
    bool new_line = at == NULL && before > 0 && text[before - 1] != '\n';
    char *out;
    if (asprintf(&out, "%.*s%s%s = \"%s\";%s%s", (int)before, text, new_line ? "\n" : "", key,
                 value, at == NULL ? "\n" : "", rest) < 0)
        return NULL;
    return out;
}
