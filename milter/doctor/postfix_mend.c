/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor/postfix_mend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values as they are written */

/* The value that master.cf sets for the service, on the heap; NULL if it sets none. */
static char *own_value(const struct subject *subject, const char *name)
{
    const struct postfix_view *view = subject->view;
    char begins[256];
    if (subject->service < 0)
        return NULL;
    snprintf(begins, sizeof begins, "%s/%s =", view->services[subject->service].name, name);
    for (const char *line = view->own; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, begins, strlen(begins)) != 0)
            continue;
        line += strlen(begins);
        line += *line == ' ';
        return strndup(line, strcspn(line, "\n"));
    }
    return NULL;
}

/* Finds the next item of a list, which may be in braces; *at goes behind it. Returns NULL behind the last. */
static const char *next_item(const char **at, size_t *length)
{
    int depth = 0;
    const char *item = *at + strspn(*at, ", \t"), *end = item;
    for (; *end != '\0' && (depth > 0 || strchr(", \t", *end) == NULL); end++)
        depth += *end == '{' ? 1 : *end == '}' ? -1 : 0;
    *length = (size_t)(end - item);
    *at = end;
    return *length == 0 ? NULL : item;
}

/* ---- commands */

/* Appends a command, its last argument in single quotes. */
static void put_command(FILE *out, const struct subject *subject, const char *option,
                        const char *argument)
{
    const char *dir = subject->evidence->config_dir;
    fprintf(out, "$ postconf%s%s %s '", dir == NULL ? "" : " -c ", dir == NULL ? "" : dir, option);
    for (; *argument != '\0'; argument++)
        fputs(*argument == '\'' ? "'\\''" : (char[]){*argument, '\0'}, out);
    fputs("'\n", out);
}

/* postconf -P takes no blanks in a value: between items, and within braces, a comma is the same. */
static void join_items(char *value)
{
    char *to = value;
    for (const char *at = value; *at != '\0';) {
        size_t gap = strspn(at, ", \t");
        at += gap;
        if (gap > 0 && to > value && to[-1] != '{' && *at != '}' && *at != '\0')
            *to++ = ',';
        if (*at != '\0')
            *to++ = *at++;
    }
    *to = '\0';
}

static void put_setting(FILE *out, const struct subject *subject, bool is_own, const char *name,
                        const char *value)
{
    const struct postfix_view *view = subject->view;
    const char *service = is_own ? view->services[subject->service].name : "";
    char *argument;
    int length = !is_own          ? asprintf(&argument, "%s = %s", name, value)
                 : *value == '\0' ? asprintf(&argument, "%s/%s", service, name)
                                  : asprintf(&argument, "%s/%s=%s", service, name, value);
    if (length < 0)
        return;
    if (is_own)
        join_items(argument);
    put_command(out, subject, !is_own ? "-e" : *value == '\0' ? "-PX" : "-P", argument);
    free(argument);
}

/* Makes what write wrote a fact. */
static void set_fact(const struct subject *subject, const char *fact, char *text)
{
    fact_set(subject->facts, fact, "%s", text == NULL ? "" : text);
    free(text);
}

void mend_set(const struct subject *subject, const char *name, const char *value)
{
    char *text = NULL, *own = own_value(subject, name);
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out != NULL) {
        put_setting(out, subject, own != NULL, name, value);
        fclose(out);
    }
    free(own);
    set_fact(subject, "set", text);
}

/* Appends the command that takes the items out; nothing if there are none. */
static void put_drop(FILE *out, const struct subject *subject, const char *name,
                     mend_item *is_meant)
{
    const struct postfix_view *view = subject->view;
    struct error err;
    char *own = own_value(subject, name);
    char *value = own != NULL ? own : postfix_value(view->postfix.dir, name, false, &err);
    char *rest = value == NULL ? NULL : calloc(strlen(value) + 2, 1);
    const char *at = value, *item;
    bool found = false;
    size_t length, used = 0, last = 0; /* of rest: octets, and where the last item begins */
    while (rest != NULL && (item = next_item(&at, &length)) != NULL) {
        char *copy = strndup(item, length);
        bool meant = copy != NULL && *copy != '$' && is_meant(view, subject->service, copy);
        found = found || meant;
        if (meant && strncmp(rest + last + (rest[last] == ' '), "check_", 6) == 0)
            used = last;
        if (!meant) {
            last = used;
            if (used > 0)
                rest[used++] = ' '; /* where value has one separator or more */
            memcpy(rest + used, item, length);
            used += length;
        }
        rest[used] = '\0';
        free(copy);
    }
    if (found)
        put_setting(out, subject, own != NULL, name, rest);
    free(value);
    free(rest);
}

static void drop(const struct subject *subject, const char *const *names, size_t count,
                 mend_item *is_meant)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; out != NULL && i < count; i++)
        put_drop(out, subject, names[i], is_meant);
    if (out != NULL)
        fclose(out);
    set_fact(subject, "drop", text);
}

void mend_drop(const struct subject *subject, const char *name, mend_item *is_meant)
{
    drop(subject, &name, 1, is_meant);
}

void mend_drop_maps(const struct subject *subject, mend_item *is_meant)
{
    const char *names[POSTFIX_CLASSES];
    for (int kind = 0; kind < POSTFIX_CLASSES; kind++)
        names[kind] = postfix_class_maps((enum postfix_class)kind);
    drop(subject, names, POSTFIX_CLASSES, is_meant);
}

void mend_drop_restrictions(const struct subject *subject, mend_item *is_meant)
{
    drop(subject, postfix_restrictions, POSTFIX_RESTRICTIONS, is_meant);
}

bool mend_insert(const struct subject *subject, const char *name, const char *words,
                 const char *before)
{
    const struct postfix_view *view = subject->view;
    struct error err;
    char *own = own_value(subject, name), *changed = NULL;
    char *value = own != NULL ? own : postfix_value(view->postfix.dir, name, false, &err);
    const char *at = value == NULL ? NULL : strstr(value, before);
    bool can =
        at != NULL && asprintf(&changed, "%.*s%s %s", (int)(at - value), value, words, at) > 0;
    if (can)
        mend_set(subject, name, changed);
    free(value);
    free(changed);
    return can;
}
