/* mta/postfix/postfix_view.h: a Postfix's configuration as doctor looks at it: of the whole server, of the smtpd service at
 * hand, and where milter-moved is in it. postconf(5), master(5). */
#ifndef MTA_POSTFIX_POSTFIX_VIEW_H
#define MTA_POSTFIX_POSTFIX_VIEW_H

#include "doctor/exam.h"
#include "mta/postfix/postfix.h"
#include "mta/postfix/postfix_plan.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* "name = value", and of master.cf "smtp/inet/name = value". */
struct parameter {
    char *name, *value;
};

/* postfix_look makes it, postfix_view_free frees it. */
struct postfix_view {
    struct postfix postfix;
    char *texts[2]; /* of main.cf and master.cf, which parameters point into */
    struct parameter *parameters;
    size_t parameter_count;
    struct cf *master;
    struct service *services;
    size_t service_count, turn; /* turn: of the service that comes next */
    const struct service *door; /* behind the port that is asked; NULL: not known */
    const char *owner;          /* the account that smtpd and proxymap run under */

    /* At hand. */
    const struct service *service;
};

/* An item of smtpd_milters: "unix:PATH", or "{ unix:PATH, default_action=tempfail }". */
struct milter {
    char address[PATH_MAX], options[512];
};

/* The value of a parameter as main.cf has it, and as the service at hand has it; "" where it is not set, or
 * where there is no configuration. Lent. */
const char *postfix_of_server(const struct exam *exam, const char *name);
const char *postfix_of_service(const struct exam *exam, const char *name);

/* Whether there is nothing in a list. */
bool postfix_is_blank(const char *value);

/* The path of our lookup socket. Lent. */
const char *postfix_lookup_path(const struct exam *exam);

/* The part of a path inside the queue folder; NULL where it is not in it. */
const char *postfix_inside_queue(const struct exam *exam, const char *path);

/* Whether smtpd, as the service at hand, finds us at this address. */
bool postfix_leads_to_us(const struct exam *exam, const char *address);

/* Finds us in a list of milters: by the socket, or else by the name. */
bool postfix_find_us(const struct exam *exam, const char *list, struct milter *out);

/* Likewise among those that the service at hand asks. */
bool postfix_has_us(const struct exam *exam, struct milter *out);

#endif
