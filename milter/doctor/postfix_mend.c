/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/postfix_mend.c: commands that correct a parameter of Postfix */
#include "doctor/postfix_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value that master.cf sets for the service, as it is written; NULL if it sets none. Borrowed. */
static const char *own_value(const struct exam *exam, const char *name)
{
    const struct postfix_view *view = exam->view;
    char begins[256];
    size_t at = 0;
    if (exam->service < 0)
        return NULL;
    snprintf(begins, sizeof begins, "%s/%s =", view->services[exam->service].name, name);
    const char *value = text_lines_next(&view->own, &at, begins);
    return value == NULL ? NULL : value + (*value == ' ');
}

/* The same, or else the value in main.cf. On the heap; NULL if it cannot be read. */
static char *written_value(const struct exam *exam, const char *name)
{
    const struct postfix_view *view = exam->view;
    const char *own = own_value(exam, name);
    struct error err;
    return own != NULL ? strdup(own) : postfix_lines(view->postfix.dir, "-h", name, &err);
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

/* Appends the command that gives the parameter this value. */
static void put_setting(FILE *out, const struct exam *exam, const char *name, const char *value)
{
    const struct postfix_view *view = exam->view;
    const char *dir = exam->request->config_dir;
    bool is_own = own_value(exam, name) != NULL, goes = *value == '\0';
    char *argument;
    int length = is_own ? asprintf(&argument, "%s/%s%s%s", view->services[exam->service].name, name,
                                   goes ? "" : "=", value)
                        : asprintf(&argument, "%s = %s", name, value);
    if (length < 0)
        return;
    if (is_own)
        join_items(argument);
    const char *option = !is_own ? "-e" : goes ? "-PX" : "-P";
    fprintf(out, "$ postconf%s%s %s '", dir == NULL ? "" : " -c ", dir == NULL ? "" : dir, option);
    for (const char *at = argument; *at != '\0'; at++)
        fputs(*at == '\'' ? "'\\''" : (char[]){*at, '\0'}, out);
    fputs("'\n", out);
    free(argument);
}

/* Appends the command that takes the items out; nothing if there are none. */
static void put_drop(FILE *out, const struct exam *exam, const char *name, mend_item *is_meant)
{
    char *value = written_value(exam, name);
    char *rest = value == NULL ? NULL : calloc(strlen(value) + 2, 1);
    const char *at = value, *item;
    bool found = false;
    size_t length, used = 0, last = 0; /* of rest: octets, and where the last item begins */
    while (rest != NULL && (item = postfix_item(&at, &length)) != NULL) {
        char *copy = strndup(item, length);
        bool meant = copy != NULL && *copy != '$' && is_meant(exam, copy);
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
        put_setting(out, exam, name, rest);
    free(value);
    free(rest);
}

bool mend_set(struct exam *exam, const char *name, const char *value)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out != NULL) {
        put_setting(out, exam, name, value);
        fclose(out);
    }
    fact_set(&exam->facts, "set", "%s", text == NULL ? "" : text);
    free(text);
    return true;
}

bool mend_drop(struct exam *exam, mend_item *is_meant, const char *const *lists, size_t count)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; out != NULL && i < count; i++)
        put_drop(out, exam, lists[i], is_meant);
    if (out != NULL)
        fclose(out);
    fact_set(&exam->facts, "drop", "%s", text == NULL ? "" : text);
    free(text);
    return true;
}

bool mend_insert(struct exam *exam, const char *name, const char *words, const char *before)
{
    char *value = written_value(exam, name), *changed = NULL;
    const char *at = value == NULL ? NULL : strstr(value, before);
    bool can =
        at != NULL && asprintf(&changed, "%.*s%s %s", (int)(at - value), value, words, at) > 0;
    if (can)
        mend_set(exam, name, changed);
    free(value);
    free(changed);
    return can;
}
