#include "mta/postfix/cf.h"

#include "mta/attachment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t physical_line(const char *text)
{
    size_t length = strcspn(text, "\n");
    return length + (text[length] == '\n');
}

static bool is_comment_or_empty(const char *line, size_t length)
{
    size_t blank = strspn(line, " \t\r\v\f");
    return blank >= length || line[blank] == '#' || line[blank] == '\n';
}

/* Adds the physical line as a new logical line, or to the last one. */
static int take_line(struct cf *cf, const char *line, size_t length)
{
    struct cf_line *last = cf->count == 0 ? NULL : &cf->lines[cf->count - 1];
    size_t used = length - (length > 0 && line[length - 1] == '\n');
    char *joined = NULL;

    if (last == NULL || (*line != ' ' && *line != '\t')) {
        struct cf_line *more = realloc(cf->lines, (cf->count + 1) * sizeof *more);
        if (more == NULL)
            return -1;
        cf->lines = more;
        last = &cf->lines[cf->count++];
        *last = (struct cf_line){.text = NULL};
    }
    if (asprintf(&joined, "%s%.*s", last->text == NULL ? "" : last->text, (int)used, line) < 0)
        return -1;
    free(last->text);
    last->text = joined;
    last->end = (size_t)(line - cf->text) + length;
    return 0;
}

struct cf *cf_read(const char *text)
{
    struct cf *cf = calloc(1, sizeof *cf);
    if (cf != NULL)
        cf->text = strdup(text);
    if (cf == NULL || cf->text == NULL) {
        cf_free(cf);
        return NULL;
    }
    for (const char *at = cf->text; *at != '\0'; at += physical_line(at)) {
        size_t length = physical_line(at);
        if (!is_comment_or_empty(at, length) && take_line(cf, at, length) != 0) {
            cf_free(cf);
            return NULL;
        }
    }
    return cf;
}

void cf_free(struct cf *cf)
{
    if (cf == NULL)
        return;
    for (size_t i = 0; i < cf->count; i++) {
        free(cf->lines[i].text);
        free(cf->lines[i].added);
    }
    free(cf->lines);
    free(cf->tail);
    free(cf->text);
    free(cf);
}

struct cf_line *cf_parameter(struct cf *cf, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = cf->count; i-- > 0;) {
        const char *text = cf->lines[i].text;
        if (strncmp(text, name, length) == 0 && text[length + strspn(text + length, " \t")] == '=')
            return &cf->lines[i];
    }
    return NULL;
}

int cf_add(struct cf *cf, struct cf_line *line, const char *lines)
{
    char **where = line == NULL ? &cf->tail : &line->added, *joined;
    if (asprintf(&joined, "%s%s", *where == NULL ? "" : *where, lines) < 0)
        return -1;
    free(*where);
    *where = joined;
    return 0;
}

/* Writes a block after text that may lack its last newline. */
static void write_block(FILE *out, const char *lines, bool lacks_newline)
{
    if (lines != NULL)
        fprintf(out, "%s# " ATTACH_BEGIN "%s\n%s# " ATTACH_END "\n", lacks_newline ? "\n" : "",
                lacks_newline ? ATTACH_NEWLINE : "", lines);
}

char *cf_text(const struct cf *cf)
{
    char *text = NULL;
    size_t size, done = 0, length = strlen(cf->text);
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    bool whole = length == 0 || cf->text[length - 1] == '\n';
    for (size_t i = 0; i < cf->count; i++) {
        const struct cf_line *line = &cf->lines[i];
        fwrite(cf->text + done, 1, line->end - done, out);
        done = line->end;
        if (done == length && !whole && line->added != NULL) {
            write_block(out, line->added, true);
            whole = true;
        } else {
            write_block(out, line->added, false);
        }
    }
    fwrite(cf->text + done, 1, length - done, out);
    write_block(out, cf->tail, !whole);
    return fclose(out) == 0 ? text : NULL;
}
