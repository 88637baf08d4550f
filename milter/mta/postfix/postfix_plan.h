/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/postfix/postfix_plan.h: plans where our milter and maps are added to a Postfix configuration. Works on
 * its text: nothing is written. */
#ifndef MTA_POSTFIX_POSTFIX_PLAN_H
#define MTA_POSTFIX_POSTFIX_PLAN_H

#include "base/endpoint.h"
#include "mta/postfix/cf.h"
#include "mta/postfix/postfix.h"

#include <stdbool.h>
#include <stddef.h>

/* One smtpd service of master.cf. */
struct service {
    char name[128]; /* "smtp/inet" */
    bool chroot;
    bool attached;   /* false: it is left alone */
    const char *why; /* then: its own setting that says so, a literal */
    /* smtpd_milter_maps: some clients have other milters or none, so it gets no maps */
    bool choosy;
};

/* What a plan is made from. */
struct plan {
    const struct postfix *postfix;
    const struct postconf *main; /* the parameters of main.cf without us, expanded */
    struct postconf own;         /* what master.cf sets for its services without us, expanded */
    struct postconf defaults;    /* as postconf -d prints them */
    struct service *services;
    size_t service_count;
    enum postfix_class *classes; /* of each domain of the table */
    size_t domain_count;
    struct endpoint socket; /* ours */
    /* The same in the form of smtpd_milters, "unix:milter-moved/milter.sock"; the path of the lookup socket, as smtpd
     * opens it */
    char milter[ENDPOINT_TEXT_SIZE], lookups[ENDPOINT_TEXT_SIZE];
    bool unserved;     /* also answer for domains of no class */
    bool raise_limits; /* raise the limits of errors in a session */
};

/* Reads the smtpd services of the configuration folder dir with postconf; main has the parameters of main.cf, expanded. *own
 * becomes what master.cf sets for its services, expanded. Returns *count services, on the heap; or NULL with err. Free own in
 * either case. */
struct service *plan_services(const char *dir, const struct postconf *main, struct postconf *own,
                              size_t *count, struct error *err);

/* Add to main.cf and master.cf what they lack. */
void plan_main(const struct plan *plan, struct cf *main);
void plan_master(const struct plan *plan, struct cf *master);

#endif
