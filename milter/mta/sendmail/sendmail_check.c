/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/sendmail/sendmail_check.h"

#include "base/endpoint.h"
#include "mta/reach.h"
#include "mta/sendmail/sendmail_cf.h"
#include "mta/sendmail/sendmail_m4.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ---- our sockets */

/* Sendmail opens no socket below a folder to which others may write, and then defers all mail. */
static int check_folders(const char *cf, const char *socket, struct error *err)
{
    char folder[PATH_MAX];
    const char *path = endpoint_path(socket);
    unsigned mode = path == NULL ? 0 : sendmail_distrusts(cf, path, folder, sizeof folder);
    if (mode != 0)
        return error_set(err, EX_CONFIG,
                         "%s lies below %s, which others may write to (mode %04o): Sendmail opens "
                         "no socket there: chmod go-w %s, or another folder",
                         socket, folder, mode, folder);
    return 0;
}

/* A Sendmail that gives up root needs permission for the socket. */
static int check_account(const char *cf, const char *socket, struct error *err)
{
    static const char option[] = "O RunAsUser=";
    char user[64];
    size_t length;
    const char *line = sendmail_find(cf, option, &length), *path = endpoint_path(socket);
    if (line == NULL || path == NULL)
        return 0;
    line += strlen(option);
    snprintf(user, sizeof user, "%.*s", (int)strcspn(line, ": \n"), line);
    return reach_check(path, user, err) != 0 && err->status == EX_NOPERM ? -1 : 0;
}

int sendmail_check_reach(const char *cf, const char *socket, struct error *err)
{
    return check_folders(cf, socket, err) != 0 || check_account(cf, socket, err) != 0 ? -1 : 0;
}

/* ---- before our lines are added */

int sendmail_check_map_name(const char *cf, const char *cf_path, struct error *err)
{
    size_t length;
    if (sendmail_find(cf, "Kreply ", &length) == NULL)
        return 0;
    return error_set(err, EX_CONFIG,
                     "%s: already has a map called reply, which is the name of ours: rename it",
                     cf_path);
}

/* ---- after our lines were added */

/* If the line has this beginning, the text after by; else NULL. */
static const char *value_of(const char *line, size_t length, const char *begins, const char *by)
{
    if (strncmp(line, begins, strlen(begins)) != 0)
        return NULL;
    const char *at = memmem(line, length, by, strlen(by));
    return at == NULL ? NULL : at + strlen(by);
}

/* A list of filters that is set after our lines leaves our milter out. */
int sendmail_check_filters(const char *cf, const char *mc_path, const char *filter,
                           struct error *err)
{
    const char *line, *filters;
    bool asked = false;
    for (size_t length; (line = sendmail_line(&cf, &length)) != NULL;)
        if ((filters = value_of(line, length, "O InputMailFilters", "=")) != NULL)
            asked = sendmail_list_has(filters, (size_t)(line + length - filters), filter);
    if (asked)
        return 0;
    return error_set(err, EX_CONFIG,
                     "%s: confINPUT_MAIL_FILTERS does not get %s: is it, or INPUT_MAIL_FILTER, "
                     "redefined there?",
                     mc_path, filter);
}

void sendmail_say_ports(const char *cf, const char *filter, void (*say)(const char *format, ...))
{
    const char *line, *filters;
    for (size_t length; (line = sendmail_line(&cf, &length)) != NULL;) {
        filters = value_of(line, length, "O DaemonPortOptions", "InputMailFilters=");
        if (filters != NULL && !sendmail_list_has(filters, strcspn(filters, ", \n"), filter))
            say("a port has its milters switched off, and is left alone: %.*s\n", (int)length,
                line);
    }
}

int sendmail_check_first_rule(const char *cf, const char *mc_path, struct error *err)
{
    const char *line;
    bool inside = false;
    for (size_t length; (line = sendmail_line(&cf, &length)) != NULL;) {
        if (*line == 'S')
            inside = value_of(line, length, "SLocal_check_rcpt", "SLocal_check_rcpt") != NULL;
        if (!inside || *line != 'R')
            continue;
        if (length == strlen(SENDMAIL_M4_RULE) && memcmp(line, SENDMAIL_M4_RULE, length) == 0)
            return 0;
        return error_set(
            err, EX_CONFIG,
            "%s: has a Local_check_rcpt before the MAILER lines, and so before ours: move "
            "it after them: %.*s",
            mc_path, (int)length, line);
    }
    return error_set(
        err, EX_CONFIG,
        "%s: our rules do not get into sendmail.cf: is the first MAILER line inside an "
        "ifdef or a quotation?",
        mc_path);
}
