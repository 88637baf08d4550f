/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/postfix/cf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the text */

void cf_blank_comments(char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n"), blank = strspn(text, " \t\r\v\f");
        if (text[blank] == '#')
            memset(text, ' ', length);
        text += length + (text[length] == '\n');
    }
}

/* Takes over the text, which is on the heap. */
static int take(struct cf *cf, char *text)
{
    char *bare = text == NULL ? NULL : strdup(text);
    if (bare == NULL) {
        free(text);
        return -1;
    }
    cf_blank_comments(bare);
    cf_free(cf);
    *cf = (struct cf){text, bare};
    return 0;
}

int cf_read(struct cf *cf, const char *text)
{
    return take(cf, strdup(text));
}

void cf_free(struct cf *cf)
{
    free(cf->text);
    free(cf->bare);
    *cf = (struct cf){NULL, NULL};
}

/* ---- reading */

static bool is_blank(char c)
{
    return c != '\0' && strchr(" \t\r\v\f\n", c) != NULL;
}

static size_t line_end(const char *text, size_t at)
{
    return at + strcspn(text + at, "\n");
}

bool cf_next(const struct cf *cf, struct span *line)
{
    size_t at = line->end;
    if (at > 0)
        at = line_end(cf->bare, at);
    while (is_blank(cf->bare[at])) /* to the next line that is not blank and not a comment */
        at++;
    if (cf->bare[at] == '\0')
        return false;
    while (at > 0 && cf->bare[at - 1] != '\n')
        at--;
    line->start = at;
    do {
        size_t end = line_end(cf->bare, at);
        if (strspn(cf->bare + at, " \t\r\v\f") < end - at)
            line->end = end;
        at = end + (cf->bare[end] == '\n');
    } while (cf->bare[at] != '\0' && is_blank(cf->bare[at]));
    return true;
}

bool cf_split(const struct cf *cf, struct span line, struct span *name, struct span *value)
{
    *name = (struct span){line.start, line.start + strcspn(cf->bare + line.start, "= \t\r\n")};
    size_t at = name->end + strspn(cf->bare + name->end, " \t");
    *value = (struct span){at + 1, line.end};
    return cf->bare[at] == '=';
}

bool cf_sets(const struct cf *cf, struct span line, const char *name, struct span *value)
{
    struct span have;
    return cf_split(cf, line, &have, value) && cf_is(cf, have, name);
}

bool cf_parameter(const struct cf *cf, const char *name, struct span *line, struct span *value)
{
    bool found = false;
    struct span part;
    for (struct span at = {0, 0}; cf_next(cf, &at);)
        if (cf_sets(cf, at, name, &part)) {
            found = true;
            *line = at;
            *value = part;
        }
    return found;
}

/* Where the braces end that begin here. */
static size_t braces_end(const struct cf *cf, size_t at, size_t end)
{
    int depth = 0;
    for (; at < end; at++) {
        depth += cf->bare[at] == '{' ? 1 : cf->bare[at] == '}' ? -1 : 0;
        if (depth == 0)
            return at;
    }
    return end;
}

static struct span trimmed(const struct cf *cf, struct span part)
{
    while (part.start < part.end && is_blank(cf->bare[part.start]))
        part.start++;
    while (part.end > part.start && is_blank(cf->bare[part.end - 1]))
        part.end--;
    return part;
}

bool cf_option(const struct cf *cf, struct span line, struct span *option, struct span *name,
               struct span *value)
{
    const char *bare = cf->bare;
    size_t at = option->end;
    for (; at + 2 < line.end; at++)
        if (bare[at] == '{') /* an argument of another kind */
            at = braces_end(cf, at, line.end);
        else if (bare[at] == '-' && bare[at + 1] == 'o' && at > 0 && is_blank(bare[at - 1]))
            break;
    if (at + 2 >= line.end)
        return false;
    option->start = at;
    for (at += 2; at < line.end && is_blank(bare[at]);)
        at++;
    struct span whole = {at, at};
    if (bare[at] == '{') {
        whole = (struct span){at + 1, braces_end(cf, at, line.end)};
        option->end = whole.end < line.end ? whole.end + 1 : whole.end;
    } else {
        while (whole.end < line.end && !is_blank(bare[whole.end]))
            whole.end++;
        option->end = whole.end;
    }
    size_t equals = whole.start;
    while (equals < whole.end && bare[equals] != '=')
        equals++;
    *name = trimmed(cf, (struct span){whole.start, equals});
    *value = trimmed(cf, (struct span){equals < whole.end ? equals + 1 : equals, whole.end});
    return true;
}

bool cf_is(const struct cf *cf, struct span part, const char *text)
{
    size_t length = strlen(text);
    return part.end - part.start == length && memcmp(cf->bare + part.start, text, length) == 0;
}

bool cf_is_blank(const struct cf *cf, struct span part)
{
    while (part.start < part.end && (is_blank(cf->bare[part.start]) || cf->bare[part.start] == ','))
        part.start++;
    return part.start == part.end;
}

char *cf_copy(const struct cf *cf, struct span part)
{
    part = trimmed(cf, part);
    char *out = malloc(part.end - part.start + 1), *end = out;
    for (size_t at = part.start; out != NULL && at < part.end; at++)
        if (cf->bare[at] != '\n')
            *end++ = cf->bare[at];
    if (out != NULL)
        *end = '\0';
    return out;
}

/* ---- editing */

int cf_replace(struct cf *cf, struct span part, const char *with)
{
    char *text;
    if (asprintf(&text, "%.*s%s%s", (int)part.start, cf->text, with, cf->text + part.end) < 0)
        return -1;
    return take(cf, text);
}

int cf_remove(struct cf *cf, struct span part)
{
    const char *text = cf->text;
    size_t start = part.start, end = part.end;
    while (start > 0 && (text[start - 1] == ' ' || text[start - 1] == '\t'))
        start--;
    bool begins = start == 0 || text[start - 1] == '\n';
    if (begins && (text[end] == '\n' || text[end] == '\0')) {
        if (text[end] == '\n')
            end++;
        else if (start > 0)
            start--; /* the newline that the line before lacked */
    } else if (begins) {
        start = part.start;
    }
    return cf_replace(cf, (struct span){start, end}, "");
}

int cf_add_lines(struct cf *cf, size_t end, const char *lines)
{
    char *with;
    if (asprintf(&with, "\n%s", lines) < 0)
        return -1;
    int rc = cf_replace(cf, (struct span){end, end}, with);
    free(with);
    return rc;
}
