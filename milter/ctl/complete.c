/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/complete.c: print what may stand for the last word of a command line: contrib/completion asks it
 *
 * One candidate a line, and behind a tab what it is. The line ":file" or ":dir" alone leaves it to the shell. What a
 * command's row calls its operands, and an option's row its values, are words; in capitals they are: */
#include "ctl/options.h"

#include "base/printable.h"
#include "format/format.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MOST         100   /* candidates from the table */
#define DOMAINS_MOST 20000 /* domains that are searched for them */

/* The command line, as far as it was read. */
struct completion {
    struct ctl *ctl;
    const struct command *command; /* NULL: none yet */
    const char *prefix;            /* the last word, or in --option=value the value */
    const char *before;      /* what stands before prefix in the last word: "--option=", or "" */
    const char *option;      /* the last one */
    const char *file, *path; /* -c, -d */
    char local[ADDRESS_LOCAL_MAX + 1]; /* the mailbox name in prefix, as the table has it */
    const char *domain;                /* that is looked into */
    struct table *table;
    struct table_view *view; /* a second one, beside the walk through the domains */
    size_t count, visited;
};

static void offer(const struct completion *line, const char *word, size_t length, const char *what)
{
    size_t typed = strlen(line->prefix);
    if (length < typed || strncasecmp(word, line->prefix, typed) != 0)
        return;
    printf("%s%.*s%s%s\n", line->before, (int)length, word, what == NULL ? "" : "\t",
           what == NULL ? "" : what);
}

static void offer_options(const struct completion *line)
{
    const char *at = line->command == NULL ? "c d help version" : line->command->takes;
    char name[64];
    for (size_t length; at != NULL && *at != '\0'; at += length, at += *at == ' ') {
        length = strcspn(at, " ");
        snprintf(name, sizeof name, "%s%.*s", length == 1 ? "-" : "--", (int)length, at);
        offer(line, name, strlen(name), NULL);
    }
    if (line->command != NULL)
        offer(line, "--help", strlen("--help"), NULL);
}

static void offer_commands(const struct completion *line)
{
    for (const struct command *const *at = line->ctl->commands; *at != NULL; at++)
        if ((*at)->summary != NULL)
            offer(line, (*at)->name, strlen((*at)->name), (*at)->summary);
}

static void offer_formats(const struct completion *line)
{
    for (size_t i = 0; formats[i] != NULL; i++)
        offer(line, formats[i]->name, strlen(formats[i]->name), NULL);
}

/* ---- from the table */

/* An address that controls a terminal is left out: the shell would show it. */
static int offer_entry(struct completion *line, const struct entry *entry)
{
    char old[ADDRESS_TEXT_SIZE], shown[ADDRESS_TEXT_SIZE], new[sizeof entry->new];
    entry_format_old(old, sizeof old, entry);
    printable_make(memcpy(shown, old, sizeof shown));
    printable_make(memcpy(new, entry->new, sizeof new));
    if (strcmp(shown, old) == 0)
        offer(line, old, strlen(old), *new == '\0' ? NULL : new);
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

/* The mailboxes of a domain whose names begin as typed; or where a domain was typed too, the one of this name. */
static int offer_mailboxes(struct completion *line, struct entry *from, struct error *err)
{
    struct entry found;
    from->scope = *line->local == '\0' ? ENTRY_DOMAIN : ENTRY_MAILBOX;
    snprintf(from->local, sizeof from->local, "%s", line->local);
    line->domain = from->domain;
    if (from->scope == ENTRY_MAILBOX &&
        table_find(line->view, from->scope, from->local, from->domain, &found, err) == TABLE_FOUND)
        offer_entry(line, &found);
    if (strchr(line->prefix, '@') != NULL || line->count == MOST)
        return 0;
    return table_each_after(line->view, from, take_mailbox, line, err) < 0 ? -1 : 0;
}

/* first is the domain's first entry: its wildcard, if it has one. */
static int take_domain(const struct entry *first, void *data, struct error *err)
{
    struct completion *line = data;
    struct entry from = *first;
    char old[ADDRESS_TEXT_SIZE];
    const char *at = strchr(line->prefix, '@');

    if (line->count >= MOST || ++line->visited == DOMAINS_MOST)
        return 1;
    entry_format_old(old, sizeof old, first);
    if (first->scope != ENTRY_MAILBOX && *line->local == '\0' &&
        strncasecmp(old, line->prefix, strlen(line->prefix)) == 0 && offer_entry(line, first) != 0)
        return 1;
    if (first->scope == ENTRY_SUBDOMAINS ||
        (at != NULL && strncasecmp(first->domain, at + 1, strlen(at + 1)) != 0))
        return 0;
    return offer_mailboxes(line, &from, err);
}

static int take_domain_name(const struct entry *first, void *data, struct error *err)
{
    struct completion *line = data;
    (void)err;
    if (first->scope != ENTRY_SUBDOMAINS)
        offer(line, first->domain, strlen(first->domain), NULL);
    return ++line->visited == DOMAINS_MOST;
}

/* Whoever may not read the table gets no candidates, and no error between the words being typed. */
static void offer_from_table(struct completion *line,
                             int (*take)(const struct entry *, void *, struct error *))
{
    struct settings *settings = NULL;
    struct error err;
    if (ctl_read_settings(&settings, line->file, &err) != 0)
        return;
    snprintf(line->local, sizeof line->local, "%.*s", (int)strcspn(line->prefix, "@"),
             line->prefix);
    for (char *at = line->local; settings->fold_case && *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    const char *path = line->path == NULL ? settings->table : line->path;
    if (table_open(&line->table, path, TABLE_READ, settings->fold_case, &err) == 0) {
        struct table_view *domains = table_view_open(line->table, &err);
        line->view = table_view_open(line->table, &err);
        if (domains != NULL && line->view != NULL)
            table_each_domain(domains, take, line, &err);
        table_view_close(line->view);
        table_view_close(domains);
        table_free(line->table);
    }
    settings_free(settings);
}

/* ---- which of them */

static void offer_words(const struct completion *line, const char *words)
{
    for (size_t length; *words != '\0'; words += length) {
        length = strcspn(words, " ");
        offer(line, words, length, NULL);
        length += words[length] == ' ';
    }
}

static void offer_values(struct completion *line, const char *values)
{
    if (strcmp(values, "OLD") == 0)
        offer_from_table(line, take_domain);
    else if (strcmp(values, "DOMAIN") == 0)
        offer_from_table(line, take_domain_name);
    else if (strcmp(values, "FORMAT") == 0)
        offer_formats(line);
    else if (strcmp(values, "COMMAND") == 0)
        offer_commands(line);
    else if (strcmp(values, "FILE") == 0)
        puts(":file");
    else if (strcmp(values, "DIR") == 0)
        puts(":dir");
    else
        offer_words(line, values);
}

/* The option whose argument is the next word; NULL: that is no argument. */
static const char *values_behind(const struct completion *line, const char *word)
{
    if (strcmp(word, "-c") == 0)
        return "FILE";
    if (strcmp(word, "-d") == 0)
        return "DIR";
    const struct option_row *row =
        line->command != NULL && strncmp(word, "--", 2) == 0 ? option_find(word + 2) : NULL;
    return row == NULL || !row->has_argument ? NULL : row->values == NULL ? "" : row->values;
}

/* Takes one of the words before the last. Returns the values of the next word, where that is its argument. */
static const char *pass(struct completion *line, const char *word, const char *values)
{
    if (values != NULL) {
        if (strcmp(line->option, "-c") == 0)
            line->file = word;
        else if (strcmp(line->option, "-d") == 0)
            line->path = word;
        return NULL;
    }
    line->option = word;
    if (*word == '-')
        return values_behind(line, word);
    for (size_t i = 0; line->command == NULL && line->ctl->commands[i] != NULL; i++)
        if (strcmp(line->ctl->commands[i]->name, word) == 0)
            line->command = line->ctl->commands[i];
    return NULL;
}

/* Offers what fits the last word, behind the words before it. */
static int complete(struct ctl *ctl, char **words, struct error *err)
{
    struct completion line = {
        .ctl = ctl, .before = "", .file = ctl->options.file, .path = ctl->options.path};
    const char *values = NULL;
    char option[64];
    for (; words[0] != NULL && words[1] != NULL; words++)
        values = pass(&line, words[0], values);
    line.prefix = words[0] == NULL ? "" : words[0];
    const char *equals = strchr(line.prefix, '=');
    if (values == NULL && strncmp(line.prefix, "--", 2) == 0 && equals != NULL) {
        snprintf(option, sizeof option, "%.*s", (int)(equals + 1 - line.prefix), line.prefix);
        line.before = option;
        line.prefix = equals + 1;
        option[strlen(option) - 1] = '\0';
        values = values_behind(&line, option);
        option[strlen(option)] = '=';
        offer_values(&line, values == NULL ? "" : values);
    } else if (values != NULL) {
        offer_values(&line, values);
    } else if (*line.prefix == '-') {
        offer_options(&line);
    } else if (line.command == NULL) {
        offer_commands(&line);
    } else {
        offer_values(&line, line.command->operands == NULL ? "" : line.command->operands);
    }
    (void)err;
    return 0;
}

const struct command command_complete = {
    .name = "__complete",
    .usage = "__complete WORD...",
    .run = complete,
};
