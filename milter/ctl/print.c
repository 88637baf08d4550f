/* ctl/print.c: entries, for people and for programs */
#include "ctl/ctl.h"

#include "table/fields.h"
#include "table/format.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int print_json(const struct entry *entry, struct error *err)
{
    return format_json(stdout, entry) == 0
               ? 0
               : error_set(err, EX_IOERR, "standard output: %s", strerror(errno));
}

static int print_columns(const struct entry *entry)
{
    struct fields fields;
    const char *gone = entry->action == ENTRY_STAY ? "(stays)" : "(gone)";
    fields_spell(&fields, entry);
    int rc = printf("%-32s  %-32s", fields.old, entry->new[0] == '\0' ? gone : entry->new);
    for (int i = 2; i < FIELDS && rc >= 0; i++)
        if (*fields.values[i] != '\0' && (i > 2 || entry->action == ENTRY_FORWARD))
            rc = printf("  %s %s", field_names[i], fields.values[i]);
    return rc < 0 ? rc : putchar('\n');
}

static int print_tabs(const struct entry *entry)
{
    struct fields fields;
    int rc = 0;
    fields_spell(&fields, entry);
    for (int i = 0; i < FIELDS && rc >= 0; i++)
        rc = printf("%s%c", fields.values[i], i == FIELDS - 1 ? '\n' : '\t');
    return rc;
}

int print_entry(const struct entry *entry, struct error *err)
{
    int rc = isatty(STDOUT_FILENO) ? print_columns(entry) : print_tabs(entry);
    return rc < 0 ? error_set(err, EX_IOERR, "standard output: %s", strerror(errno)) : 0;
}

/* Colours the line of a difference. */
static const char *colour(char sign)
{
    const char *no_colour = getenv("NO_COLOR");
    if (!isatty(STDOUT_FILENO) || (no_colour != NULL && *no_colour != '\0'))
        return "";
    return sign == '+' ? "\033[32m" : sign == '-' ? "\033[31m" : "\033[33m";
}

/* The new address, and each other field that says something. */
static void print_fields(const struct entry *entry, const struct fields *fields)
{
    printf(" %s", entry->new[0] != '\0'         ? entry->new
                  : entry->action == ENTRY_STAY ? "(stays)"
                                                : "(gone)");
    for (int i = 2; i < FIELDS; i++)
        if (*fields->values[i] != '\0' && (i > 2 || entry->action == ENTRY_FORWARD))
            printf(" %s %s", field_names[i], fields->values[i]);
}

static void print_changes(const struct fields *before, const struct fields *after)
{
    const char *part = "";
    for (int i = 1; i < FIELDS; i++)
        if (strcmp(before->values[i], after->values[i]) != 0) {
            printf("%s %s '%s' -> '%s'", part, field_names[i], before->values[i], after->values[i]);
            part = ",";
        }
}

int print_difference(const struct entry *before, const struct entry *after, struct error *err)
{
    struct fields fields, other;
    const struct entry *shown = after == NULL ? before : after;
    char sign = before == NULL ? '+' : after == NULL ? '-' : '~';
    const char *on = colour(sign);

    fields_spell(&fields, shown);
    printf("%s%c %s", on, sign, fields.old);
    if (sign == '~') {
        fields_spell(&other, before);
        print_changes(&other, &fields);
    } else {
        print_fields(shown, &fields);
    }
    int rc = printf("%s\n", *on == '\0' ? "" : "\033[0m");
    return rc < 0 || ferror(stdout)
               ? error_set(err, EX_IOERR, "standard output: %s", strerror(errno))
               : 0;
}

int print_details(const struct entry *entry, bool json, struct error *err)
{
    struct fields fields;
    int rc = 0;
    if (json)
        return print_json(entry, err) != 0 || putchar('\n') == EOF ? -1 : 0;
    fields_spell(&fields, entry);
    for (int i = 0; i < FIELDS && rc >= 0; i++)
        if (*fields.values[i] != '\0')
            rc = printf("%-14s %s\n", field_names[i], fields.values[i]);
    return rc < 0 ? error_set(err, EX_IOERR, "standard output: %s", strerror(errno)) : 0;
}

void list_begin(struct list *list, bool json)
{
    *list = (struct list){.json = json};
    if (json)
        putchar('[');
}

int list_add(struct list *list, const struct entry *entry, struct error *err)
{
    if (!list->json)
        return print_entry(entry, err);
    fputs(list->begun ? ",\n" : "\n", stdout);
    list->begun = true;
    return print_json(entry, err);
}

void list_end(struct list *list)
{
    if (list->json)
        puts(list->begun ? "\n]" : "]");
}

void print_formats(void)
{
    puts("  --format F    one of these; without it the ending of FILE tells (.csv, .jsonl), and "
         "else csv:");
    for (size_t i = 0; formats[i] != NULL; i++) {
        const char *at = formats[i]->summary;
        printf("                %-9s  ", formats[i]->name);
        for (; *at != '\0'; at++)
            printf(*at == '\n' ? "\n%27s" : "%.1s", *at == '\n' ? "" : at);
        putchar('\n');
    }
}

int print_flush(struct error *err)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return error_set(err, EX_IOERR, "standard output: %s", strerror(errno));
}
