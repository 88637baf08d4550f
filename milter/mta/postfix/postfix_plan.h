/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/postfix/postfix_plan.h: plans where our milter and maps are added to a Postfix configuration. Works on
 * its text: nothing is written. */
#ifndef MTA_POSTFIX_POSTFIX_PLAN_H
#define MTA_POSTFIX_POSTFIX_PLAN_H

#include "mta/postfix/cf.h"
#include "mta/postfix/postfix.h"

#include <stdbool.h>
#include <stddef.h>

/* The input of the plan. Everything is borrowed. */
struct plan_input {
    const struct postfix *postfix;
    const char *scratch; /* a folder with main.cf and master.cf without us */
    /* Our socket in the form of smtpd_milters: "unix:milter-moved/milter.sock" */
    const char *milter;
    const char *lookups;               /* the path of the lookup socket, as smtpd opens it */
    const enum postfix_class *classes; /* of each domain of the table */
    size_t count;
    bool unserved;     /* also answer for domains of no class */
    bool raise_limits; /* raise the limits of errors in a session */
};

/* One smtpd service of master.cf. */
struct service {
    char name[128]; /* "smtp/inet" */
    bool chroot;
    bool attached;   /* false: it is left alone */
    const char *why; /* then: its own setting that says so, a literal */
    /* smtpd_milter_maps: some clients have other milters or none, so it gets no maps */
    bool choosy;
};

/* Reads the smtpd services and their parameters with postconf from the folder dir. Returns *count of them, on
 * the heap; or NULL with err. */
struct service *plan_services(const char *dir, size_t *count, struct error *err);

/* Adds to main and master what they lack. Returns 0, or -1 with err. */
int plan_make(const struct plan_input *input, struct cf *main, struct cf *master,
              const struct service *services, size_t count, struct error *err);

#endif
