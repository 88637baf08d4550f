/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/lint.c: find entries that do not answer as intended */
#include "ctl/lint.h"

#include "answer/chain.h"
#include "ctl/progress.h"
#include "mta/mta.h"
#include "table/hit_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Stands for the mailboxes, and the subdomains, that a wildcard is for. */
#define SAMPLE "x-any"

struct lint {
    const struct settings *settings;
    struct table *table;
    int64_t now;
    struct lint_report report;
    struct resolver *resolver; /* NULL: without --dns */
    struct names domains;      /* the new domains to be asked for, each once: struct about */
    const struct mta *mta;     /* to be asked about forwarding; NULL: without --mta */
    struct names forwarding;   /* the old domains with entries that forward: struct about */
    struct hit_file *hits;     /* who writes to the entries; NULL: not known */
    struct hit_state counted;  /* of it */
    size_t entries;            /* looked at */

    /* The entry at hand */
    const struct entry *entry;
    char old[ADDRESS_TEXT_SIZE];
    struct chain_trace way; /* large, so not on the stack */
};

/* Reports a finding about the entry at hand. */
#define tell(lint, finding, ...)                                                                   \
    report_add(&(lint)->report, finding, &(const struct about){.old = (lint)->old, .entries = 1},  \
               err, __VA_ARGS__)

/* Notes the entry at hand for the domain. Returns 0, or -1 with err (EX_OSERR). */
static int note(const struct lint *lint, struct names *domains, const char *domain,
                struct error *err)
{
    struct about *about = names_add(domains, domain, sizeof *about);
    if (about != NULL && about->old == NULL)
        about->old = strdup(lint->old);
    if (about == NULL || about->old == NULL)
        return error_no_memory(err);
    about->entries++;
    return 0;
}

static void clear_about(void *kept)
{
    struct about *about = kept;
    free(about->old);
    free(about->hosts);
}

/* ---- where it leads */

/* A recipient that the entry is for. */
static void sample(struct address *out, const struct entry *entry)
{
    const char *local = entry->scope == ENTRY_MAILBOX ? entry->local : SAMPLE;
    snprintf(out->local, sizeof out->local, "%s", local);
    snprintf(out->written, sizeof out->written, "%s", local);
    snprintf(out->domain, sizeof out->domain, "%s%.*s",
             entry->scope == ENTRY_SUBDOMAINS ? SAMPLE "." : "",
             ADDRESS_DOMAIN_MAX - (int)sizeof SAMPLE, entry->domain);
}

static bool was_met_before(const struct chain_trace *way, unsigned place)
{
    for (unsigned i = 0; i < place; i++)
        if (strcmp(way->old[i], way->old[place]) == 0)
            return true;
    return false;
}

/* "a@old > b@old > a@old": once around, truncated to fit. */
static void write_path(char *out, size_t size, const struct chain_trace *way)
{
    size_t used = 0;
    for (unsigned i = 0; i < way->chain.met && used < size; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%s", i == 0 ? "" : " > ", way->old[i]);
        if (was_met_before(way, i))
            return;
    }
}

/* The end of the way as the entry would have it: "@new.example" for a wildcard that leads to a wildcard. */
static const char *shown_end(const struct lint *lint)
{
    const struct chain *chain = &lint->way.chain;
    bool wildcard = lint->entry->scope != ENTRY_MAILBOX && strcmp(chain->end.local, SAMPLE) == 0;
    return wildcard ? strrchr(chain->new, '@') : chain->new;
}

static int tell_loop(struct lint *lint, struct error *err)
{
    const struct chain_trace *way = &lint->way;
    bool forwards = lint->entry->action == ENTRY_FORWARD;
    char path[2048];

    write_path(path, sizeof path, way);
    if (chain_trace_circles(way))
        return tell(lint, FINDING_LOOP, "leads in a loop (%s), and %s", path,
                    forwards ? "its mail is deferred" : "senders are told no new address");
    return tell(lint, FINDING_CHAIN_TOO_LONG, "leads through more than %d entries (%s), and %s",
                CHAIN_STEPS_MAX, path,
                forwards ? "its mail is deferred" : "senders are told no new address");
}

/* Looks at the entry at the present moment, or when it begins, if that is later. */
static int check_way(struct lint *lint, struct error *err)
{
    const struct entry *entry = lint->entry;
    const struct chain *chain = &lint->way.chain;
    struct table_view *view = table_view_open(lint->table, err);
    const struct chain_question question = {.view = view,
                                            .settings = lint->settings,
                                            .now =
                                                entry->from > lint->now ? entry->from : lint->now};
    struct address from;
    if (view == NULL)
        return -1;
    sample(&from, entry);
    chain_trace(&lint->way, &from, &question, err);
    table_view_close(view);
    switch ((int)chain->rule) {
    case RULE_TABLE_ERROR: return -1;
    case RULE_LOOP: return tell_loop(lint, err);
    case RULE_UNWRITABLE:
        return tell(lint, FINDING_NEW_TOO_LONG,
                    "its final address has over %d octets, and senders are not told it",
                    ADDRESS_NEW_MAX);
    case RULE_GONE:
        if (chain->steps == 0)
            return 0;
        return tell(lint, FINDING_NEW_IS_GONE, "its new address is gone, by the entry %s",
                    lint->way.old[chain->met - 1]);
    case RULE_MOVED:
        if (chain->steps > 2 && tell(lint, FINDING_CHAIN, "leads through %u entries to %s",
                                     chain->steps, shown_end(lint)) != 0)
            return -1;
        if (chain->steps == 2 && tell(lint, FINDING_NEW_HAS_MOVED,
                                      "its new address has moved too, to %s by the entry %s",
                                      shown_end(lint), lint->way.old[1]) != 0)
            return -1;
        if (lint->resolver == NULL || chain->end.domain[0] == '[') /* an address literal */
            return 0;
        return note(lint, &lint->domains, chain->end.domain, err);
    default: return 0;
    }
}

/* Its forwarding is over. Without a mail since counting began, when it still forwarded, nobody seems to need it. */
static int check_unused(struct lint *lint, struct error *err)
{
    const struct entry *entry = lint->entry;
    char key[RECORD_KEY_MAX], began[TIMESTAMP_TEXT_SIZE];
    struct hit_row row;
    int64_t since = (int64_t)lint->counted.began * HIT_DAY_SECONDS;

    if (lint->hits == NULL || since > entry->forward_until)
        return 0;
    size_t length = record_key(key, entry->scope, entry->local, entry->domain);
    enum table_result found = hit_file_find(lint->hits, key, length, &row, err);
    if (found == TABLE_FAILED || (found == TABLE_FOUND && row.count > 0))
        return found == TABLE_FAILED ? -1 : 0;
    timestamp_format(began, sizeof began, since);
    return tell(lint, FINDING_UNUSED, "no longer forwards, and has had no mail since %.10s", began);
}

static int check(struct lint *lint, struct error *err)
{
    const struct entry *entry = lint->entry;
    char until[TIMESTAMP_TEXT_SIZE];
    entry_format_old(lint->old, sizeof lint->old, entry);
    if (entry->until != TIMESTAMP_NONE && entry->until <= lint->now) {
        timestamp_format(until, sizeof until, entry->until);
        return tell(lint, FINDING_EXPIRED, "expired at %s", until);
    }
    if (entry->action == ENTRY_STAY)
        return 0;
    if (entry->forward_until != TIMESTAMP_NONE && entry->forward_until <= lint->now) {
        if (check_unused(lint, err) != 0)
            return -1;
    } else if (lint->mta != NULL && entry->action == ENTRY_FORWARD &&
               entry->scope != ENTRY_SUBDOMAINS && /* nobody can say what these are called */
               note(lint, &lint->forwarding, entry->domain, err) != 0) {
        return -1;
    }
    return check_way(lint, err);
}
/* ---- all of them */

static int walk_one(const struct entry *entry, void *data, struct error *err)
{
    struct lint *lint = data;
    lint->entry = entry;
    lint->entries++;
    int rc = check(lint, err);
    progress_step();
    return rc;
}

static int walk_all(struct lint *lint, struct error *err)
{
    size_t all;
    if (table_count(lint->table, &all, err) != 0)
        return -1;
    progress_begin("looking", "entries", all);
    int rc = ctl_each(lint->table, NULL, walk_one, lint, err);
    progress_clear();
    return rc;
}

/* ---- the mail server */

static int report_unserved(struct lint *lint, const bool *is_served, struct error *err)
{
    for (struct name *at = lint->forwarding.first; at != NULL; at = at->next) {
        if (!*is_served++ &&
            report_add(&lint->report, FINDING_NOT_SERVED, (struct about *)(void *)at, err,
                       "is to be forwarded, but %s accepts no mail for %s", lint->mta->title,
                       at->text) != 0)
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
    if (ctl->options.dns && resolver_new(&lint.resolver, ctl->options.resolver, err) != 0)
        return error_at(err, err->status == EX_USAGE ? "--resolver" : "--dns", 0);
    open_hits(&lint, ctl->path);
    lint.report.list.json = ctl->options.json;
    int rc = walk_all(&lint, err);
    if (rc == 0 && lint.resolver != NULL &&
        lint_dns(lint.resolver, &lint.domains, &lint.report, err) != 0)
        rc = error_at(err, "--dns", 0);
    if (rc == 0 && lint.mta != NULL)
        rc = check_served(&lint, ctl->options.config_dir, err);
    names_free(&lint.domains, clear_about);
    names_free(&lint.forwarding, clear_about);
    resolver_free(lint.resolver);
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
