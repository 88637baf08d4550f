/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/print.c: entries, for people and for programs */
#include "ctl/ctl.h"

#include "base/printable.h"
#include "format/fields.h"
#include "format/format.h"
#include "format/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uniwidth.h>

#define COLUMN_MIN 24 /* with two of these, a date fits into 80 columns */
#define COLUMN_MAX 64

/* Why the first write failed. What is done before the command ends has an errno too. */
static int first_failure;

int print_failed(struct error *err)
{
    return error_set(err, EX_IOERR, "standard output: %s",
                     strerror(first_failure != 0 ? first_failure : errno));
}

bool print_is_terminal(void)
{
    static int known = -1; /* asked for each of millions of entries */
    if (known < 0)
        known = isatty(STDOUT_FILENO);
    return known != 0;
}

bool print_is_dumb(void)
{
    const char *terminal = getenv("TERM");
    return terminal != NULL && strcmp(terminal, "dumb") == 0;
}

bool print_has_colour(void)
{
    const char *no_colour = getenv("NO_COLOR");
    return print_is_terminal() && !print_is_dumb() && (no_colour == NULL || *no_colour == '\0');
}

void print_foreign(const char *text, size_t left)
{
    if (!print_is_terminal()) {
        fwrite(text, 1, left, stdout);
        return;
    }
    while (left > 0) {
        size_t length = *text == '\n' || *text == '\t' ? 1 : printable_length(text, left);
        if (length == 0)
            putchar('?');
        else
            fwrite(text, 1, length, stdout);
        text += length + (length == 0);
        left -= length + (length == 0);
    }
}

void print_text(const char *text)
{
    print_foreign(text, strlen(text));
}

void print_say(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) >= 0)
        print_text(text);
    va_end(args);
    fflush(stdout); /* before a warning on standard error that follows */
    if (ferror(stdout) && first_failure == 0)
        first_failure = errno;
    free(text);
}

static void print_painted(const char *text, const char *paint)
{
    bool paints = *paint != '\0' && print_has_colour();
    fputs(paints ? paint : "", stdout);
    print_text(text);
    fputs(paints ? "\033[0m" : "", stdout);
}

/* The new address, or the word for none. */
static const char *shown_new(const struct entry *entry, const struct fields *fields)
{
    const char *new = fields->values[FIELD_NEW];
    return *new != '\0' ? new : entry->action == ENTRY_STAY ? "(stays)" : "(gone)";
}

/* Prints the fields besides old and new that are set, each with its name and the gap in front of it; in front of the
 * first the padding, which would only break a line that ends here. */
static void print_rest(const struct entry *entry, const struct fields *fields, int padding,
                       const char *gap, const char *paint)
{
    for (int i = FIELD_ACTION; i < FIELDS; i++)
        if (*fields->values[i] != '\0' && (i > FIELD_ACTION || entry->action == ENTRY_FORWARD)) {
            printf("%*s%s", padding, "", gap);
            padding = 0;
            print_painted(field_names[i], paint);
            putchar(' ');
            print_text(fields->values[i]);
        }
}

/* A column grows with the longest address so far, since the entries are not read twice; one that is far
 * longer than the others sticks out. */
static int pad(int *width, const char *text)
{
    int columns = u8_strwidth((const uint8_t *)text, "UTF-8");
    if (columns > *width && columns <= COLUMN_MAX)
        *width = columns;
    return columns < *width ? *width - columns : 0;
}

static void print_columns(const struct entry *entry, const struct fields *fields)
{
    static int old_width = COLUMN_MIN, new_width = COLUMN_MIN;
    const char *new = shown_new(entry, fields);
    print_text(fields->old);
    printf("%*s  ", pad(&old_width, fields->old), "");
    print_painted(new, *entry->new == '\0' ? "\033[33m" : "");
    print_rest(entry, fields, pad(&new_width, new), "  ", "\033[2m");
    putchar('\n');
}

int print_json(json_t *value, size_t flags, struct error *err)
{
    if (value == NULL)
        return error_no_memory(err);
    return json_write(value, stdout, flags) == 0 ? 0 : print_failed(err);
}

int print_json_line(json_t *value, size_t flags, struct error *err)
{
    if (print_json(value, flags, err) != 0)
        return -1;
    return putchar('\n') == EOF ? print_failed(err) : 0;
}

int print_entry(const struct entry *entry, bool json, struct error *err)
{
    struct fields fields;
    if (json)
        return print_json(json_entry(entry), 0, err);
    fields_spell(&fields, entry);
    if (print_is_terminal())
        print_columns(entry, &fields);
    else
        for (int i = 0; i < FIELDS; i++)
            printf("%s%c", fields.values[i], i == FIELDS - 1 ? '\n' : '\t');
    return ferror(stdout) ? print_failed(err) : 0;
}

int print_difference(const struct entry *before, const struct entry *after, struct error *err)
{
    struct fields fields, other;
    const struct entry *shown = after == NULL ? before : after;
    char sign = before == NULL ? '+' : after == NULL ? '-' : '~';
    const char *paint = sign == '+'   ? "\033[32m"
                        : sign == '-' ? "\033[31m"
                                      : "\033[33m",
               *part = "";
    bool colour = print_has_colour();

    fields_spell(&fields, shown);
    printf("%s%c ", colour ? paint : "", sign);
    print_text(fields.old);
    if (sign != '~') {
        putchar(' ');
        print_text(shown_new(shown, &fields));
        print_rest(shown, &fields, 0, " ", "");
    } else {
        fields_spell(&other, before);
    }
    for (int i = FIELD_NEW; sign == '~' && i < FIELDS; i++)
        if (strcmp(other.values[i], fields.values[i]) != 0) {
            printf("%s %s '", part, field_names[i]);
            print_text(other.values[i]);
            fputs("' -> '", stdout);
            print_text(fields.values[i]);
            putchar('\'');
            part = ",";
        }
    puts(colour ? "\033[0m" : "");
    return ferror(stdout) ? print_failed(err) : 0;
}

int print_details(const struct entry *entry, bool json, struct error *err)
{
    struct fields fields;
    if (json)
        return print_json_line(json_entry(entry), 0, err);
    fields_spell(&fields, entry);
    for (int i = 0; i < FIELDS; i++)
        if (*fields.values[i] != '\0') {
            printf("%-14s ", field_names[i]);
            print_text(fields.values[i]);
            putchar('\n');
        }
    return ferror(stdout) ? print_failed(err) : 0;
}

void list_next(struct list *list)
{
    if (list->json)
        fputs(list->begun ? ",\n" : "[\n", stdout);
    list->begun = true;
}

void list_end(struct list *list)
{
    if (list->json)
        puts(list->begun ? "\n]" : "[]");
}

void print_formats(void)
{
    printf("  --format F      the default is known from the ending of FILE, or else is %s:\n",
           formats[0]->name);
    for (size_t i = 0; formats[i] != NULL; i++) {
        const char *at = formats[i]->summary, *ending = formats[i]->ending;
        printf("%16s%-9s  ", "", formats[i]->name);
        for (; *at != '\0'; at++)
            printf(*at == '\n' ? "\n%27s" : "%.1s", *at == '\n' ? "" : at);
        printf(ending == NULL ? "\n" : " (%s)\n", ending);
    }
}

int print_flush(struct error *err)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return print_failed(err);
}
