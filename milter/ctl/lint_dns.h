/* ctl/lint_dns.h: the new domains of a table, and whether mail to them arrives. */
#ifndef CTL_LINT_DNS_H
#define CTL_LINT_DNS_H

#include "base/error.h"
#include "ctl/lint.h"

/* The domains, each once. Memory grows with these, not with the entries that lead there. */
struct lint_domains;

/* Returns 0 with *out, which the caller gives to lint_domains_free; or -1 with err (as resolver_new). */
int lint_domains_new(struct lint_domains **out, const char *servers, struct error *err);
void lint_domains_free(struct lint_domains *domains); /* NULL is fine */

/* Notes that the entry old leads to domain. Returns 0, or -1 with err (EX_OSERR). */
int lint_domains_add(struct lint_domains *domains, const char *domain, const char *old,
                     struct error *err);

/* Asks for all of them, and tells what is found, in the order in which they were added. Returns 0; or -1 with err, as
 * resolver_ask, and nothing told. */
int lint_domains_check(struct lint_domains *domains, struct lint_report *report, struct error *err);

#endif
