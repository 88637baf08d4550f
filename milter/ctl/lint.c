/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/lint.c: find entries that do not answer as intended */
#include "ctl/lint.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Entries in one view. The table's file grows with each change while a view is open. */
#define CHUNK 10000

/* The walk, and how far it has come. */
struct lint_walk {
    struct lint *lint;
    struct entry last;
    unsigned left; /* in this view */
};

static int walk_one(const struct entry *entry, void *data, struct error *err)
{
    struct lint_walk *walk = data;
    if (lint_entry(walk->lint, entry, err) != 0)
        return -1;
    walk->last = *entry;
    return --walk->left == 0;
}

/* Returns 1 where there may be more, 0 at the end, or -1 with err. */
static int walk_some(struct lint_walk *walk, struct table *table, bool first, struct error *err)
{
    int rc = -1;
    struct table_view *view = table_view_open(table, err);
    if (view != NULL)
        walk->lint->view = table_view_open(table, err);
    walk->left = CHUNK;
    if (view != NULL && walk->lint->view != NULL)
        rc = first ? table_each(view, NULL, walk_one, walk, err)
                   : table_each_after(view, &walk->last, walk_one, walk, err);
    table_view_close(walk->lint->view);
    walk->lint->view = NULL;
    table_view_close(view);
    return rc;
}

static int walk_all(struct lint *lint, struct table *table, struct error *err)
{
    struct lint_walk walk = {.lint = lint};
    size_t all;

    if (table_count(table, &all, err) != 0)
        return -1;
    progress_begin(&lint->report.progress, "looking");
    int rc = walk_some(&walk, table, true, err);
    while (rc == 1) {
        progress_tell(&lint->report.progress, lint->entries, (double)lint->entries, (double)all);
        rc = walk_some(&walk, table, false, err);
    }
    progress_clear(&lint->report.progress);
    return rc;
}

static void summarise(const struct lint *lint)
{
    size_t past = lint->past_forwarding, warnings = lint->report.warnings,
           notes = lint->report.notes;
    if (!isatty(STDERR_FILENO))
        return;
    fflush(stdout);
    if (past == 1)
        fputs("1 entry is past its forward_until and no longer forwards\n", stderr);
    else if (past > 1)
        fprintf(stderr, "%zu entries are past their forward_until and no longer forward\n", past);
    fprintf(stderr, "%zu %s: %zu %s, %zu %s\n", lint->entries, entry_noun(lint->entries), warnings,
            warnings == 1 ? "warning" : "warnings", notes, notes == 1 ? "note" : "notes");
}

/* Without it lint says nothing of mail. */
static void open_hits(struct lint *lint, const char *table)
{
    if (hit_file_open(&lint->hits, table, TABLE_READ, NULL) == 0 &&
        hit_file_state(lint->hits, &lint->counted, NULL) == 0)
        return;
    hit_file_free(lint->hits);
    lint->hits = NULL;
}

static int lint_table(struct ctl *ctl, char **args, struct error *err)
{
    struct lint lint = {.settings = ctl->settings, .now = time(NULL)};

    (void)args;
    if (ctl->options.resolver != NULL && !ctl->options.dns)
        return error_set(err, EX_USAGE, "--resolver requires --dns: use both");
    if (ctl->options.config_dir != NULL && ctl->options.mta == NULL)
        return error_set(err, EX_USAGE, "--config-dir requires --mta: use both");
    if (ctl->options.dns && lint_domains_new(&lint.domains, ctl->options.resolver, err) != 0)
        return error_at(err, err->status == EX_USAGE ? "--resolver" : "--dns", 0);
    if (ctl->options.mta != NULL &&
        (lint.served = lint_served_new(ctl->options.mta, err)) == NULL) {
        lint_domains_free(lint.domains);
        return error_at(err, "--mta", 0);
    }
    open_hits(&lint, ctl->path);
    list_begin(&lint.report.list, ctl->options.json);
    int rc = walk_all(&lint, ctl->table, err);
    if (rc == 0 && lint.domains != NULL && lint_domains_check(lint.domains, &lint.report, err) != 0)
        rc = error_at(err, "--dns", 0);
    if (rc == 0 && lint.served != NULL)
        rc = lint_served_check(lint.served, ctl->options.config_dir, &lint.report, err);
    lint_domains_free(lint.domains);
    lint_served_free(lint.served);
    hit_file_free(lint.hits);
    list_end(&lint.report.list);
    if (rc != 0)
        return -1;
    summarise(&lint);
    return lint.report.warnings + lint.report.notes > 0;
}

const struct command command_lint = {
    .name = "lint",
    .usage = "lint [OPTION...]",
    .summary = "Find entries that do not answer as intended",
    .details = "Prints each finding as \"OLD: severity: what is wrong: what would be right\"; the\n"
               "exit status is then 1. After a warning, senders do not get the intended answer.\n"
               "After a note they do, but the entry could be simpler. Finds loops, chains, new\n"
               "addresses that have moved, will move or are gone, and entries that have expired\n"
               "or have no effect. See movedctl(8) for the list.\n"
               "\n"
               "  --dns   look up whether each new domain accepts mail, and whether its mail\n"
               "          server is this host\n"
               "  --resolver ADDRESS[:PORT]\n"
               "          ask this name server, or several separated by commas, instead of those\n"
               "          in /etc/resolv.conf\n"
               "  --mta postfix|sendmail\n"
               "          also find entries that forward in domains that this mail server\n"
               "          accepts no mail for; --config-dir DIR is where its configuration is\n"
               "  --json  print an array of objects with old, severity, kind, what, right,\n"
               "          domain, entries\n",
    .example = "movedctl lint --dns",
    .takes = "json dns resolver mta config-dir",
    .opens = TABLE_TO_READ,
    .run = lint_table,
};
