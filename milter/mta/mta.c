/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/mta.h"

#include "mta/postfix/postfix.h"

#include <string.h>

const struct mta mtas[] = {
    {
        .name = "postfix",
        .title = "Postfix",
        .run = postfix_run,
        .serves = postfix_serves,
        .dir = POSTFIX_DIR,
        .file = "main.cf",
    },
    {
        .name = "sendmail",
        .title = "Sendmail",
        .run = sendmail_run,
        .serves = sendmail_serves,
        .dir = "/etc/mail",
        .file = "sendmail.cf",
        .loses_quotes = true,
    },
    {.name = NULL},
};

const struct mta *mta_find(const char *name, struct error *err)
{
    for (const struct mta *mta = mtas; mta->name != NULL; mta++)
        if (strcmp(mta->name, name) == 0)
            return mta;
    error_set(err, EX_USAGE, "no such mail server '%s': write postfix or sendmail", name);
    return NULL;
}
