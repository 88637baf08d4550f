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

/* Takes over the text, which is on the heap; NULL: memory is out. */
static void take(struct cf *cf, char *text)
{
    char *bare = text == NULL ? NULL : strdup(text);
    if (bare == NULL) {
        free(text);
        cf->failed = true;
        return;
    }
    cf_blank_comments(bare);
    cf_free(cf);
    *cf = (struct cf){.text = text, .bare = bare};
}

int cf_read(struct cf *cf, const char *text)
{
    *cf = (struct cf){.text = NULL};
    take(cf, strdup(text));
    return cf->failed ? -1 : 0;
}

void cf_free(struct cf *cf)
{
    free(cf->text);
    free(cf->bare);
    *cf = (struct cf){.text = NULL};
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
    if (cf->failed)
        return false;
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

bool cf_setting(const struct cf *cf, struct setting *s)
{
    while (cf_next(cf, &s->line)) {
        size_t start = s->line.start, end = start + strcspn(cf->bare + start, "= \t\r\n");
        size_t at = end + strspn(cf->bare + end, " \t");
        s->whole = s->line;
        s->name = (struct span){start, end};
        s->value = (struct span){at + 1, s->line.end};
        if (cf->bare[at] == '=')
            return true;
    }
    return false;
}

size_t cf_parameter(const struct cf *cf, const char *name, struct setting *out)
{
    size_t count = 0;
    for (struct setting at = {.line = {0, 0}}; cf_setting(cf, &at);)
        if (cf_is(cf, at.name, name)) {
            *out = at;
            count++;
        }
    return count;
}

/* The place of the brace that closes the one here. */
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

/* What is all blank becomes empty at its start: an item that is put there and removed again takes no blank with it. */
static struct span trimmed(const struct cf *cf, struct span part)
{
    while (part.end > part.start && is_blank(cf->bare[part.end - 1]))
        part.end--;
    while (part.start < part.end && is_blank(cf->bare[part.start]))
        part.start++;
    return part;
}

bool cf_option(const struct cf *cf, struct setting *s)
{
    const char *bare = cf->bare;
    size_t at = s->whole.end, end = s->line.end;
    for (; at + 2 < end; at++)
        if (bare[at] == '{') /* an argument of another kind */
            at = braces_end(cf, at, end);
        else if (bare[at] == '-' && bare[at + 1] == 'o' && at > 0 && is_blank(bare[at - 1]))
            break;
    if (cf->failed || at + 2 >= end)
        return false;
    s->whole.start = at;
    for (at += 2; at < end && is_blank(bare[at]);)
        at++;
    struct span inside = {at, at};
    if (bare[at] == '{') {
        inside = (struct span){at + 1, braces_end(cf, at, end)};
        s->whole.end = inside.end + (inside.end < end);
    } else {
        while (inside.end < end && !is_blank(bare[inside.end]))
            inside.end++;
        s->whole.end = inside.end;
    }
    size_t equals = inside.start;
    while (equals < inside.end && bare[equals] != '=')
        equals++;
    s->name = trimmed(cf, (struct span){inside.start, equals});
    s->value = trimmed(cf, (struct span){equals + (equals < inside.end), inside.end});
    return true;
}

bool cf_is(const struct cf *cf, struct span part, const char *text)
{
    size_t length = strlen(text);
    return part.end - part.start == length && memcmp(cf->bare + part.start, text, length) == 0;
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

size_t cf_replace(struct cf *cf, struct span part, const char *with)
{
    char *text;
    if (with == NULL || cf->failed ||
        asprintf(&text, "%.*s%s%s", (int)part.start, cf->text, with, cf->text + part.end) < 0)
        text = NULL;
    take(cf, text);
    return cf->failed ? 0 : strlen(with) - (part.end - part.start);
}

void cf_remove(struct cf *cf, struct span part)
{
    const char *text = cf->text;
    size_t start = part.start, end = part.end;
    while (start > 0 && (text[start - 1] == ' ' || text[start - 1] == '\t'))
        start--;
    bool begins = start == 0 || text[start - 1] == '\n';
    if (begins && text[end] == '\n')
        end++;
    else if (begins && text[end] == '\0')
        start -= start > 0; /* the newline that the line before lacked */
    else if (begins)
        start = part.start;
    cf_replace(cf, (struct span){start, end}, "");
}

void cf_add_lines(struct cf *cf, size_t end, const char *lines)
{
    cf_replace(cf, (struct span){end, end}, "\n");
    cf_replace(cf, (struct span){end + 1, end + 1}, lines);
}

void cf_append_lines(struct cf *cf, const char *lines)
{
    size_t length = strlen(cf->text);
    cf_add_lines(cf, length - (length > 0 && cf->text[length - 1] == '\n'), lines);
}
