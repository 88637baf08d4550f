/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/lint_entry.c: what lint looks for in one entry */
#include "ctl/lint.h"

#include <stdio.h>
#include <string.h>

/* Stands for the mailboxes, and the subdomains, that a wildcard is for. */
#define SAMPLE "x-any"

/* The entry at hand. */
struct linted {
    struct lint *lint;
    const struct entry *entry;
    struct about about;
    int64_t at; /* the moment at which it is looked at: now, or where it begins later, then */
    struct error *err;
};

/* Reports one finding. */
#define tell(subject, finding, ...)                                                                \
    report_add(&(subject)->lint->report, finding, &(subject)->about, (subject)->err, __VA_ARGS__)

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
static const char *shown_end(const struct linted *subject)
{
    const struct chain *chain = &subject->lint->way.chain;
    bool wildcard = subject->entry->scope != ENTRY_MAILBOX && strcmp(chain->end.local, SAMPLE) == 0;
    return wildcard ? strrchr(chain->new, '@') : chain->new;
}

static int tell_loop(const struct linted *subject)
{
    const struct chain_trace *way = &subject->lint->way;
    bool forwards = subject->entry->action == ENTRY_FORWARD;
    char path[2048];

    write_path(path, sizeof path, way);
    if (chain_trace_circles(way))
        return tell(subject, FINDING_LOOP, "leads in a loop (%s), and %s", path,
                    forwards ? "its mail is deferred" : "senders are told no new address");
    return tell(subject, FINDING_CHAIN_TOO_LONG, "leads through more than %d entries (%s), and %s",
                CHAIN_STEPS_MAX, path,
                forwards ? "its mail is deferred" : "senders are told no new address");
}

static int check_way(const struct linted *subject)
{
    struct lint *lint = subject->lint;
    const struct chain *chain = &lint->way.chain;
    const struct chain_question question = {
        .view = lint->view, .settings = lint->settings, .now = subject->at};
    struct address from;

    sample(&from, subject->entry);
    chain_trace(&lint->way, &from, &question, subject->err);
    switch ((int)chain->rule) {
    case RULE_TABLE_ERROR: return -1;
    case RULE_LOOP: return tell_loop(subject);
    case RULE_UNWRITABLE:
        return tell(subject, FINDING_NEW_TOO_LONG,
                    "its final address has over %d octets, and senders are not told it",
                    ADDRESS_NEW_MAX);
    case RULE_GONE:
        if (chain->steps == 0)
            return 0;
        return tell(subject, FINDING_NEW_IS_GONE, "its new address is gone, by the entry %s",
                    lint->way.old[chain->met - 1]);
    case RULE_MOVED:
        if (chain->steps > 2 && tell(subject, FINDING_CHAIN, "leads through %u entries to %s",
                                     chain->steps, shown_end(subject)) != 0)
            return -1;
        if (chain->steps == 2 && tell(subject, FINDING_NEW_HAS_MOVED,
                                      "its new address has moved too, to %s by the entry %s",
                                      shown_end(subject), lint->way.old[1]) != 0)
            return -1;
        if (lint->domains == NULL || chain->end.domain[0] == '[') /* an address literal */
            return 0;
        return lint_domains_add(lint->domains, chain->end.domain, subject->about.old, subject->err);
    default: return 0;
    }
}

/* Its forwarding is over. Without a mail since counting began, when it still forwarded, nobody seems to need it. */
static int check_unused(const struct linted *subject)
{
    const struct lint *lint = subject->lint;
    const struct entry *entry = subject->entry;
    char key[RECORD_KEY_MAX], began[TIMESTAMP_TEXT_SIZE];
    struct hit_row row;
    int64_t since = (int64_t)lint->counted.began * HIT_DAY_SECONDS;

    if (lint->hits == NULL || since > entry->forward_until)
        return 0;
    size_t length = record_key(key, entry->scope, entry->local, entry->domain);
    enum table_result found = hit_file_find(lint->hits, key, length, &row, subject->err);
    if (found == TABLE_FAILED || (found == TABLE_FOUND && row.count > 0))
        return found == TABLE_FAILED ? -1 : 0;
    timestamp_format(began, sizeof began, since);
    return tell(subject, FINDING_UNUSED, "no longer forwards, and has had no mail since %.10s",
                began);
}

/* ---- all of it */

int lint_entry(struct lint *lint, const struct entry *entry, struct error *err)
{
    char old[ADDRESS_TEXT_SIZE], until[TIMESTAMP_TEXT_SIZE];
    const struct linted subject = {.lint = lint,
                                   .entry = entry,
                                   .about = {.old = old, .domain = "", .entries = 1},
                                   .at = entry->from > lint->now ? entry->from : lint->now,
                                   .err = err};

    lint->entries++;
    entry_format_old(old, sizeof old, entry);
    if (entry->until != TIMESTAMP_NONE && entry->until <= lint->now) {
        timestamp_format(until, sizeof until, entry->until);
        return tell(&subject, FINDING_EXPIRED, "expired at %s", until);
    }
    if (entry->action == ENTRY_STAY)
        return 0;
    if (entry->forward_until != TIMESTAMP_NONE && entry->forward_until <= lint->now) {
        if (check_unused(&subject) != 0)
            return -1;
    } else if (lint->mta != NULL && entry->action == ENTRY_FORWARD &&
               entry->scope != ENTRY_SUBDOMAINS && /* nobody can say what these are called */
               lint_note(&lint->forwarding, sizeof(struct noted), entry->domain, old, err) != 0) {
        return -1;
    }
    return check_way(&subject);
}
