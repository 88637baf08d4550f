/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/complete.c: prints what may stand for the last word of a command line, for the scripts in contrib/completion
 *
 * One candidate a line, with its description behind a tab. ":file" or ":dir" alone leaves the candidates to the shell. The
 * operands of a command, and the values of an option, are literal words, or one of these: OLD, DOMAIN, COMMAND, FILE, DIR,
 * FORMAT. */
#include "ctl/ctl.h"

#include "base/printable.h"
#include "format/format.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MOST         100   /* candidates from the table */
#define DOMAINS_MOST 20000 /* domains that are searched for them */

/* The command line, as far as it was read. */
struct completion {
    struct ctl *ctl;
    const struct command *command; /* NULL: none yet */
    const char *word, *prefix;     /* the last word; what is completed of it, without --option= */
    char local[ADDRESS_LOCAL_MAX + 1]; /* the mailbox name in prefix, as the table has it */
    const char *domain;                /* that is searched */
    struct table_view *view;           /* a second one, besides that of the walk over domains */
    size_t count, visited;
};

static void offer(const struct completion *line, const char *word, const char *what)
{
    if (strncasecmp(word, line->prefix, strlen(line->prefix)) == 0)
        printf("%.*s%s%s%s\n", (int)(line->prefix - line->word), line->word, word,
               what == NULL ? "" : "\t", what == NULL ? "" : what);
}

/* Offers words that are separated by blanks; options with their dashes. */
static void offer_words(const struct completion *line, const char *words, bool options)
{
    char word[64];
    for (size_t length; words != NULL && *words != '\0'; words += length + (words[length] == ' ')) {
        length = strcspn(words, " ");
        snprintf(word, sizeof word, "%s%.*s",
                 !options      ? ""
                 : length == 1 ? "-"
                               : "--",
                 (int)length, words);
        offer(line, word, NULL);
    }
}

static void offer_commands(const struct completion *line)
{
    for (const struct command *const *at = line->ctl->commands; *at != NULL; at++)
        if ((*at)->summary != NULL)
            offer(line, (*at)->name, (*at)->summary);
}

/* ---- from the table */

/* An address that controls a terminal is left out: the shell would show it. Returns whether there are enough. */
static bool offer_entry(struct completion *line, const struct entry *entry)
{
    char old[ADDRESS_TEXT_SIZE], shown[ADDRESS_TEXT_SIZE], new[sizeof entry->new];
    entry_format_old(old, sizeof old, entry);
    printable_make(memcpy(shown, old, sizeof shown));
    printable_make(memcpy(new, entry->new, sizeof new));
    if (strncasecmp(old, line->prefix, strlen(line->prefix)) != 0)
        return false;
    if (strcmp(shown, old) == 0)
        offer(line, old, *new == '\0' ? NULL : new);
    return ++line->count == MOST;
}

/* Stops behind the last mailbox of the domain whose name begins as typed. */
static int take_mailbox(const struct entry *entry, void *data, struct error *err)
{
    struct completion *line = data;
    (void)err;
    if (strcmp(entry->domain, line->domain) != 0 || entry->scope != ENTRY_MAILBOX ||
        strncmp(entry->local, line->local, strlen(line->local)) != 0)
        return 1;
    return offer_entry(line, entry);
}

/* Offers the domain's wildcard, and its mailboxes whose names begin as typed; if a domain was typed too, only the mailbox of
 * this name. first is the domain's first entry: its wildcard, if it has one. */
static int take_domain(const struct entry *first, void *data, struct error *err)
{
    struct completion *line = data;
    struct entry from = *first, found;
    const char *at = strchr(line->prefix, '@');

    if (line->count >= MOST || ++line->visited == DOMAINS_MOST)
        return 1;
    if (first->scope != ENTRY_MAILBOX && *line->local == '\0' && offer_entry(line, first))
        return 1;
    if (first->scope == ENTRY_SUBDOMAINS ||
        (at != NULL && strncasecmp(first->domain, at + 1, strlen(at + 1)) != 0))
        return 0;
    from.scope = *line->local == '\0' ? ENTRY_DOMAIN : ENTRY_MAILBOX;
    snprintf(from.local, sizeof from.local, "%s", line->local);
    line->domain = from.domain;
    if (from.scope == ENTRY_MAILBOX &&
        table_find(line->view, from.scope, from.local, from.domain, &found, err) == TABLE_FOUND)
        offer_entry(line, &found);
    if (at != NULL || line->count == MOST)
        return 0;
    return table_each_after(line->view, &from, take_mailbox, line, err) < 0 ? -1 : 0;
}

static int take_domain_name(const struct entry *first, void *data, struct error *err)
{
    struct completion *line = data;
    (void)err;
    if (first->scope != ENTRY_SUBDOMAINS)
        offer(line, first->domain, NULL);
    return ++line->visited == DOMAINS_MOST;
}

/* A user who may not read the table gets no candidates, and no error between the words being typed. */
static void offer_from_table(struct completion *line,
                             int (*take)(const struct entry *, void *, struct error *))
{
    const struct options *options = &line->ctl->options;
    struct settings *settings;
    struct table *table;
    struct error err;
    if (ctl_read_settings(&settings, options->file, &err) != 0)
        return;
    snprintf(line->local, sizeof line->local, "%.*s", (int)strcspn(line->prefix, "@"),
             line->prefix);
    for (char *at = line->local; settings->fold_case && *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    if (table_open(&table, options->path == NULL ? settings->table : options->path, TABLE_READ,
                   settings->fold_case, &err) == 0) {
        struct table_view *domains = table_view_open(table, &err);
        line->view = table_view_open(table, &err);
        if (domains != NULL && line->view != NULL)
            table_each_domain(domains, take, line, &err);
        table_view_close(line->view);
        table_view_close(domains);
        table_free(table);
    }
    settings_free(settings);
}

/* ---- which of them */

static void offer_values(struct completion *line, const char *values)
{
    if (strcmp(values, "OLD") == 0)
        offer_from_table(line, take_domain);
    else if (strcmp(values, "DOMAIN") == 0)
        offer_from_table(line, take_domain_name);
    else if (strcmp(values, "COMMAND") == 0)
        offer_commands(line);
    else if (strcmp(values, "FILE") == 0)
        puts(":file");
    else if (strcmp(values, "DIR") == 0)
        puts(":dir");
    else if (strcmp(values, "FORMAT") != 0)
        offer_words(line, values, false);
    else
        for (size_t i = 0; formats[i] != NULL; i++)
            offer(line, formats[i]->name, NULL);
}

/* What the argument of an option may be; NULL if it has none. */
static const char *values_of(const struct completion *line, const char *option)
{
    if (strcmp(option, "-c") == 0)
        return "FILE";
    if (strcmp(option, "-d") == 0)
        return "DIR";
    return line->command != NULL && strncmp(option, "--", 2) == 0 ? option_values(option + 2)
                                                                  : NULL;
}

/* Reads the words before the last one. Returns what the last one may be, if it is the argument of an option, or NULL. */
static const char *read_words(struct completion *line, char **words)
{
    const char *option = "", *values = NULL;
    for (; words[0] != NULL && words[1] != NULL; words++) {
        if (values != NULL) {
            if (strcmp(option, "-c") == 0)
                line->ctl->options.file = words[0];
            else if (strcmp(option, "-d") == 0)
                line->ctl->options.path = words[0];
            values = NULL;
        } else if (*words[0] == '-') {
            option = words[0];
            values = values_of(line, option);
        } else if (line->command == NULL) {
            line->command = command_find(line->ctl->commands, words[0], NULL);
        }
    }
    line->word = line->prefix = words[0] == NULL ? "" : words[0];
    return values;
}

static int complete(struct ctl *ctl, char **words, struct error *err)
{
    struct completion line = {.ctl = ctl};
    const char *values = read_words(&line, words), *equals = strchr(line.word, '=');
    (void)err;
    if (values == NULL && strncmp(line.word, "--", 2) == 0 && equals != NULL) {
        char option[64];
        snprintf(option, sizeof option, "%.*s", (int)(equals - line.word), line.word);
        values = values_of(&line, option);
        line.prefix = equals + 1;
        offer_values(&line, values == NULL ? "" : values);
    } else if (values != NULL) {
        offer_values(&line, values);
    } else if (*line.word == '-') {
        offer_words(&line, line.command == NULL ? "c d version" : line.command->takes, true);
        offer(&line, "--help", NULL);
    } else if (line.command == NULL) {
        offer_commands(&line);
    } else if (line.command->operands != NULL) {
        offer_values(&line, line.command->operands);
    }
    return 0;
}

const struct command command_complete = {
    .name = "__complete",
    .usage = "__complete WORD...",
    .run = complete,
};
