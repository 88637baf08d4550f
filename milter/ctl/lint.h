/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/lint.h: movedctl lint. lint.c walks through the table and asks the mail server about the old domains, lint_entry.c
 * checks one entry, lint_dns.c looks up the new domains, lint_report.c prints the findings. */
#ifndef CTL_LINT_H
#define CTL_LINT_H

#include "answer/chain.h"
#include "ctl/ctl.h"
#include "ctl/names.h"
#include "ctl/progress.h"
#include "mta/mta.h"
#include "table/hit_file.h"

/* Each has its row in lint_report.c. */
enum finding {
    FINDING_LOOP,
    FINDING_CHAIN_TOO_LONG,
    FINDING_CHAIN,
    FINDING_NEW_HAS_MOVED,
    FINDING_NEW_IS_GONE,
    FINDING_NEW_TOO_LONG,
    FINDING_EXPIRED,
    FINDING_UNUSED,
    FINDING_NO_DOMAIN,
    FINDING_NO_MAIL,
    FINDING_NULL_MX,
    FINDING_NO_MX,
    FINDING_THIS_HOST,
    FINDING_DNS_FAILED,
    FINDING_NOT_SERVED,
};

struct lint_report {
    struct list list; /* of the findings */
    size_t warnings, notes;
    struct progress progress; /* the bar that a finding wipes */
};

/* What a finding is about. */
struct about {
    const char *old;    /* of the entry, or of the first of them */
    const char *domain; /* of a finding about a new domain; else "" */
    size_t entries;     /* that it is about; else 1 */
};

/* Prints one finding; format is the sentence that says what is wrong. Returns 0, or -1 with err (EX_IOERR). */
int report_add(struct lint_report *report, enum finding finding, const struct about *about,
               struct error *err, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* A domain of findings. */
struct noted {
    struct name name;
    char *old;      /* of its first entry, on the heap */
    size_t entries; /* of it */
};

/* Notes an entry of the domain, in data of size octets that begin with struct noted. Returns 0, or -1 with err (EX_OSERR). */
int lint_note(struct names *domains, size_t size, const char *domain, const char *old,
              struct error *err);

/* For names_free. */
void lint_clear_noted(void *kept);

/* The new domains, each once. Memory grows with these, not with the entries that lead there. */
struct lint_domains;

struct lint {
    const struct settings *settings;
    struct table *table;
    struct table_view *view; /* to look things up in */
    int64_t now;
    struct lint_report report;
    struct lint_domains *domains; /* to be asked for; NULL: without --dns */
    const struct mta *mta;        /* to be asked about forwarding; NULL: without --mta */
    struct names forwarding;      /* the old domains with entries that forward: struct noted */
    struct hit_file *hits;        /* who writes to the entries; NULL: not known */
    struct hit_state counted;     /* of it */
    size_t entries;               /* looked at */
    struct chain_trace way;       /* of the entry at hand: large, so not on the stack */
};

/* Looks at one entry. Returns 0, or -1 with err. */
int lint_entry(struct lint *lint, const struct entry *entry, struct error *err);

/* ---- lint_dns.c */

/* Returns 0 with *out, which the caller frees with lint_domains_free; or -1 with err (as resolver_new). */
int lint_domains_new(struct lint_domains **out, const char *servers, struct error *err);
void lint_domains_free(struct lint_domains *domains); /* NULL is allowed */

/* Notes that the entry old leads to domain. Returns 0, or -1 with err (EX_OSERR). */
int lint_domains_add(struct lint_domains *domains, const char *domain, const char *old,
                     struct error *err);

/* Looks up all of them, and reports the findings in the order in which the domains were added. Returns 0; or -1 with err,
 * as resolver_ask, and nothing reported. */
int lint_domains_check(struct lint_domains *domains, struct lint_report *report, struct error *err);

#endif
