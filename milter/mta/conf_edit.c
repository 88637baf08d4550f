#include "mta/conf_edit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ---- libconfig's tokens, in which a key is not looked for */

static const char *skip_string(const char *at)
{
    for (at++; *at != '\0' && *at != '"'; at++)
        if (*at == '\\' && at[1] != '\0')
            at++;
    return *at == '\0' ? at : at + 1;
}

static const char *skip_comment(const char *at)
{
    if (at[0] == '/' && at[1] == '*') {
        const char *end = strstr(at + 2, "*/");
        return end == NULL ? at + strlen(at) : end + 2;
    }
    return at + strcspn(at, "\n");
}

static bool is_comment(const char *at)
{
    return *at == '#' || (at[0] == '/' && (at[1] == '/' || at[1] == '*'));
}

static bool is_word(char c)
{
    return c != '\0' &&
           strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-*", c) != NULL;
}

/* The end of the token: a string, a comment, a word, or one character. */
static const char *next(const char *at)
{
    if (*at == '"')
        return skip_string(at);
    if (is_comment(at))
        return skip_comment(at);
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
