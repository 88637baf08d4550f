/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/lint_served.c: the domains whose entries forward, and whether the mail server accepts mail for them */
#include "ctl/lint.h"

#include <stdlib.h>

static int report(struct lint *lint, const bool *is_served, struct error *err)
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

int lint_served_check(struct lint *lint, const char *config_dir, struct error *err)
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
        rc = report(lint, is_served, err);
    free(is_served);
    free(names);
    return rc;
}
