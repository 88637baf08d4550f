/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/lint_report.c: prints the findings of lint */
#include "ctl/lint.h"

#include "ctl/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A warning: senders do not get the intended answer. A note: they do, but the entry could be simpler. */
static const struct {
    const char *name;
    bool warning;
    const char *right;
} kinds[] = {
    [FINDING_LOOP] = {"loop", true, "write in one of them where the mailbox is now"},
    [FINDING_CHAIN_TOO_LONG] = {"chain-too-long", true, "write the last address itself"},
    [FINDING_CHAIN] = {"chain", false, "write that address itself"},
    [FINDING_NEW_HAS_MOVED] = {"new-has-moved", false, "write that address itself"},
    [FINDING_NEW_IS_GONE] = {"new-is-gone", true, "write another one, or none"},
    [FINDING_NEW_TOO_LONG] = {"new-too-long", true, "write a shorter one"},
    [FINDING_EXPIRED] = {"expired", false, "delete it, or write a later until"},
    [FINDING_UNUSED] = {"unused", true, "delete it"},
    [FINDING_NO_DOMAIN] = {"no-domain", true, "write a domain that exists"},
    [FINDING_NO_MAIL] = {"no-mail", true, "write a domain that accepts mail"},
    [FINDING_NULL_MX] = {"null-mx", true, "write a domain that accepts mail"},
    [FINDING_NO_MX] = {"no-mx", false, "give it an MX, or make sure that it accepts mail"},
    [FINDING_THIS_HOST] = {"this-host", true, "make sure that its mailboxes are on this host"},
    [FINDING_DNS_FAILED] = {"dns-failed", true, "try again later, or correct its name servers"},
    [FINDING_NOT_SERVED] = {"not-served", true, "accept mail for it, or write reject"},
};

static int print_finding(enum finding finding, const struct about *about, const char *what,
                         struct error *err)
{
    bool warning = kinds[finding].warning;
    bool colour = print_has_colour();
    const char *on = !colour ? "" : warning ? "\033[1;31m" : "\033[1;36m";
    char more[64] = "";
    if (about->entries > 1)
        snprintf(more, sizeof more, " (%zu entries)", about->entries);
    print_text(about->old);
    printf(": %s%s%s: ", on, warning ? "warning" : "note", colour ? "\033[0m" : "");
    print_text(what);
    return printf("%s: %s\n", more, kinds[finding].right) < 0 ? print_failed(err) : 0;
}

static int print_object(enum finding finding, const struct about *about, const char *what,
                        struct error *err)
{
    return print_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "old", about->old,
                                "severity", kinds[finding].warning ? "warning" : "note", "kind",
                                kinds[finding].name, "what", what, "right", kinds[finding].right,
                                "domain", about->name.text == NULL ? "" : about->name.text,
                                "entries", (json_int_t)about->entries),
                      0, err);
}

int report_add(struct lint_report *report, enum finding finding, const struct about *about,
               struct error *err, const char *format, ...)
{
    char *what = NULL;
    va_list args;
    va_start(args, format);
    int rc = vasprintf(&what, format, args);
    va_end(args);
    if (rc < 0)
        return error_no_memory(err);

    progress_clear();
    list_next(&report->list);
    rc = report->list.json ? print_object(finding, about, what, err)
                           : print_finding(finding, about, what, err);
    free(what);
    if (kinds[finding].warning)
        report->warnings++;
    else
        report->notes++;
    return rc;
}
