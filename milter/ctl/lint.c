/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/lint.c: find entries that do not answer as intended */
#include "ctl/lint.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int walk_one(const struct entry *entry, void *data, struct error *err)
{
    struct lint *lint = data;
    lint->view = table_view_open(lint->table, err);
    int rc = lint->view == NULL ? -1 : lint_entry(lint, entry, err);
    table_view_close(lint->view);
    progress_step(&lint->report.progress);
    return rc;
}

static int walk_all(struct lint *lint, struct error *err)
{
    size_t all;
    if (table_count(lint->table, &all, err) != 0)
        return -1;
    progress_begin(&lint->report.progress, "looking", all);
    int rc = ctl_each(lint->table, NULL, walk_one, lint, err);
    progress_clear(&lint->report.progress);
    return rc;
}

/* ---- the mail server */

static int report_unserved(struct lint *lint, const bool *is_served, struct error *err)
{
    for (struct name *at = lint->forwarding.first; at != NULL; at = at->next) {
        const struct noted *domain = (struct noted *)(void *)at;
        const struct about about = {domain->old, at->text, domain->entries};
        if (!*is_served++ && report_add(&lint->report, FINDING_NOT_SERVED, &about, err,
                                        "is to be forwarded, but %s accepts no mail for %s",
                                        lint->mta->title, at->text) != 0)
            return -1;
    }
    return 0;
}

/* Reports the domains with entries that forward for which the mail server accepts no mail. */
static int check_served(struct lint *lint, const char *config_dir, struct error *err)
{
    size_t all = lint->forwarding.count, count = 0;
    bool *is_served = calloc(all + 1, sizeof *is_served);
    const char **names = calloc(all + 1, sizeof *names);
    int rc = is_served == NULL || names == NULL ? error_no_memory(err) : 0;
    for (struct name *at = lint->forwarding.first; rc == 0 && at != NULL; at = at->next)
        names[count++] = at->text;
    if (rc == 0 && count > 0)
        rc = lint->mta->serves(is_served, config_dir, names, count, err);
    if (rc == 0)
        rc = report_unserved(lint, is_served, err);
    free(is_served);
    free(names);
    return rc;
}

/* ---- the command */

static void summarise(const struct lint *lint)
{
    size_t warnings = lint->report.warnings, notes = lint->report.notes;
    if (!isatty(STDERR_FILENO))
        return;
    fflush(stdout);
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
    struct lint lint = {.settings = ctl->settings, .table = ctl->table, .now = time(NULL)};

    (void)args;
    if (ctl->options.resolver != NULL && !ctl->options.dns)
        return error_set(err, EX_USAGE, "--resolver requires --dns: use both");
    if (ctl->options.config_dir != NULL && ctl->options.mta == NULL)
        return error_set(err, EX_USAGE, "--config-dir requires --mta: use both");
    if (ctl->options.mta != NULL && (lint.mta = mta_find(ctl->options.mta, err)) == NULL)
        return error_at(err, "--mta", 0);
    if (ctl->options.dns && lint_domains_new(&lint.domains, ctl->options.resolver, err) != 0)
        return error_at(err, err->status == EX_USAGE ? "--resolver" : "--dns", 0);
    open_hits(&lint, ctl->path);
    lint.report.list.json = ctl->options.json;
    int rc = walk_all(&lint, err);
    if (rc == 0 && lint.domains != NULL && lint_domains_check(lint.domains, &lint.report, err) != 0)
        rc = error_at(err, "--dns", 0);
    if (rc == 0 && lint.mta != NULL)
        rc = check_served(&lint, ctl->options.config_dir, err);
    lint_domains_free(lint.domains);
    names_free(&lint.forwarding, lint_clear_noted);
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
               "addresses that have moved or are gone, and entries that have expired:\n"
               "movedctl(8) has the list.\n"
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
