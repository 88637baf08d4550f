/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/lint.h: movedctl lint. lint.c checks the entries and asks the mail server about the old domains, lint_dns.c looks up
 * the new domains, lint_report.c prints the findings. */
#ifndef CTL_LINT_H
#define CTL_LINT_H

#include "ctl/ctl.h"
#include "ctl/names.h"
#include "net/resolver.h"

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
};

/* What a finding is about. */
struct about {
    struct name name; /* a domain; text is NULL if the finding is about an entry alone */
    char *old;        /* of the entry, or of the first one of the domain, on the heap */
    size_t entries;   /* that it is about */

    /* For lint_dns.c */
    enum resolver_result mx;
    const char *why; /* RESOLVER_FAILED */
    /* heap, count of them, best first; of a domain without MX the domain itself */
    struct host **hosts;
    size_t count;
};

/* Prints one finding; format is the sentence that says what is wrong. Returns 0, or -1 with err (EX_IOERR). */
int report_add(struct lint_report *report, enum finding finding, const struct about *about,
               struct error *err, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Looks up all domains (struct about), and reports the findings in the order in which the domains were added. Returns 0;
 * or -1 with err, as resolver_ask, and nothing reported. */
int lint_dns(struct resolver *resolver, const struct names *domains, struct lint_report *report,
             struct error *err);

#endif
