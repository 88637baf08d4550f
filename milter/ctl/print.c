/* ctl/print.c: entries, for people and for programs */
#include "ctl/ctl.h"

#include "mail/timestamp.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* An entry in words. */
struct words {
    char old[ADDRESS_TEXT_SIZE];
    char moments[3][TIMESTAMP_TEXT_SIZE];
    struct {
        const char *name, *value;
    } fields[8];
};

static void spell(struct words *out, const struct entry *entry)
{
    entry_format_old(out->old, sizeof out->old, entry);
    timestamp_format(out->moments[0], sizeof out->moments[0], entry->from);
    timestamp_format(out->moments[1], sizeof out->moments[1], entry->until);
    timestamp_format(out->moments[2], sizeof out->moments[2], entry->forward_until);
    out->fields[0].name = "old", out->fields[0].value = out->old;
    out->fields[1].name = "new", out->fields[1].value = entry->new;
    out->fields[2].name = "action", out->fields[2].value = entry_action_name(entry->action);
    out->fields[3].name = "from", out->fields[3].value = out->moments[0];
    out->fields[4].name = "until", out->fields[4].value = out->moments[1];
    out->fields[5].name = "forward_until", out->fields[5].value = out->moments[2];
    out->fields[6].name = "disclose", out->fields[6].value = entry_disclose_name(entry->disclose);
    out->fields[7].name = "note", out->fields[7].value = entry->note;
}
#define FIELDS 8

static int print_json(const struct entry *entry, struct error *err)
{
    struct words words;
    json_t *object = json_object();
    int rc = object == NULL ? -1 : 0;

    spell(&words, entry);
    for (int i = 0; i < FIELDS && rc == 0; i++)
        rc = json_object_set_new(object, words.fields[i].name, json_string(words.fields[i].value));
    if (rc == 0)
        rc = json_dumpf(object, stdout, 0);
    json_decref(object);
    return rc == 0 ? 0 : error_set(err, EX_IOERR, "standard output: %s", strerror(errno));
}

static int print_columns(const struct entry *entry)
{
    struct words words;
    const char *gone = entry->action == ENTRY_STAY ? "(stays)" : "(gone)";
    spell(&words, entry);
    int rc = printf("%-32s  %-32s", words.old, entry->new[0] == '\0' ? gone : entry->new);
    for (int i = 2; i < FIELDS && rc >= 0; i++)
        if (*words.fields[i].value != '\0' && (i > 2 || entry->action == ENTRY_FORWARD))
            rc = printf("  %s %s", words.fields[i].name, words.fields[i].value);
    return rc < 0 ? rc : putchar('\n');
}

static int print_tabs(const struct entry *entry)
{
    struct words words;
    int rc = 0;
    spell(&words, entry);
    for (int i = 0; i < FIELDS && rc >= 0; i++)
        rc = printf("%s%c", words.fields[i].value, i == FIELDS - 1 ? '\n' : '\t');
    return rc;
}

int print_entry(const struct entry *entry, struct error *err)
{
    int rc = isatty(STDOUT_FILENO) ? print_columns(entry) : print_tabs(entry);
    return rc < 0 ? error_set(err, EX_IOERR, "standard output: %s", strerror(errno)) : 0;
}

int print_details(const struct entry *entry, bool json, struct error *err)
{
    struct words words;
    int rc = 0;
    if (json)
        return print_json(entry, err) != 0 || putchar('\n') == EOF ? -1 : 0;
    spell(&words, entry);
    for (int i = 0; i < FIELDS && rc >= 0; i++)
        if (*words.fields[i].value != '\0')
            rc = printf("%-14s %s\n", words.fields[i].name, words.fields[i].value);
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

int print_flush(struct error *err)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return error_set(err, EX_IOERR, "standard output: %s", strerror(errno));
}
