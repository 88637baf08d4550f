/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor/symptom.h"

#include "mta/reach.h"

#include <string.h>

bool reply_is_deferred(const struct subject *subject)
{
    return asked_class(subject->asked) == 4;
}

bool reply_goes_on(const struct subject *subject)
{
    const char *want = subject->asked->want;
    return *want != '\0' && strncmp(subject->asked->got.text, want, strlen(want)) == 0;
}

bool reply_verifies(const struct subject *subject)
{
    return asked_says(subject->asked, "unverified address") ||
           asked_says(subject->asked, "undeliverable address") ||
           asked_says(subject->asked, "address verification") ||
           asked_says(subject->asked, "address lookup failed");
}

bool reply_denies_relaying(const struct subject *subject)
{
    return asked_denies_relaying(subject->asked);
}

bool symptom_is_shut_out(const struct subject *subject, const char *path, const char *user)
{
    struct error err;
    if (reach_check(path, user, &err) == 0 || err.status != EX_NOPERM)
        return false;
    char *end =
        strstr(err.text, "it: "); /* its parts: what stops the account, and what lets it pass */
    fact_set(subject->facts, "stops", "%.*s", (int)(end + 2 - err.text), err.text);
    const char *settings = strstr(end, "socket_group = ");
    if (settings == NULL)
        fact_set(subject->facts, "let", "%s%s", strncmp(end + 4, "chmod ", 6) == 0 ? "$ " : "",
                 end + 4);
    else
        fact_set(subject->facts, "let", "In %s set %.*s\n%s", subject->evidence->conf,
                 (int)(strstr(settings, " in ") - settings), settings,
                 fact_get(subject->facts, "restart_daemon"));
    return true;
}
