/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/lint_served.c: the domains whose entries forward, and whether the mail server accepts mail for them */
#include "ctl/lint.h"

#include <stdlib.h>
#include <string.h>

/* A domain, and its first entry that forwards. */
struct forwarding {
    char *domain, *old;
    size_t entries;
};

struct lint_served {
    const struct mta *mta;
    struct forwarding *domains;
    size_t count;
};

struct lint_served *lint_served_new(const char *name, struct error *err)
{
    const struct mta *mta = mta_find(name, err);
    struct lint_served *served = mta == NULL ? NULL : calloc(1, sizeof *served);
    if (served != NULL)
        served->mta = mta;
    else if (mta != NULL)
        (void)error_no_memory(err);
    return served;
}

void lint_served_free(struct lint_served *served)
{
    for (size_t i = 0; served != NULL && i < served->count; i++) {
        free(served->domains[i].domain);
        free(served->domains[i].old);
    }
    if (served != NULL)
        free(served->domains);
    free(served);
}

/* The table has the entries of a domain one after the other. */
int lint_served_add(struct lint_served *served, const char *domain, const char *old,
                    struct error *err)
{
    struct forwarding *last = served->count == 0 ? NULL : &served->domains[served->count - 1];
    if (last != NULL && strcmp(last->domain, domain) == 0) {
        last->entries++;
        return 0;
    }
    struct forwarding *more = realloc(served->domains, (served->count + 1) * sizeof *more);
    if (more == NULL)
        return error_no_memory(err);
    served->domains = more;
    more[served->count] = (struct forwarding){strdup(domain), strdup(old), 1};
    last = &more[served->count++];
    return last->domain == NULL || last->old == NULL ? error_no_memory(err) : 0;
}

static int report(const struct lint_served *served, const bool *is_served, struct lint_report *to,
                  struct error *err)
{
    for (size_t i = 0; i < served->count; i++) {
        const struct forwarding *domain = &served->domains[i];
        const struct about about = {domain->old, domain->domain, domain->entries};
        if (!is_served[i] && report_add(to, FINDING_NOT_SERVED, &about, err,
                                        "is to be forwarded, but %s accepts no mail for %s",
                                        served->mta->title, domain->domain) != 0)
            return -1;
    }
    return 0;
}

int lint_served_check(const struct lint_served *served, const char *config_dir,
                      struct lint_report *to, struct error *err)
{
    bool *is_served = calloc(served->count + 1, sizeof *is_served);
    const char **names = calloc(served->count + 1, sizeof *names);
    int rc = is_served == NULL || names == NULL ? error_no_memory(err) : 0;
    for (size_t i = 0; rc == 0 && i < served->count; i++)
        names[i] = served->domains[i].domain;
    if (rc == 0 && served->count > 0)
        rc = served->mta->serves(is_served, config_dir, names, served->count, err);
    if (rc == 0)
        rc = report(served, is_served, to, err);
    free(is_served);
    free(names);
    return rc;
}
