/* mta/postfix/postfix_plan.h: plans where our milter and maps are added to a Postfix configuration. Works on
 * its text: nothing is written. */
#ifndef MTA_POSTFIX_POSTFIX_PLAN_H
#define MTA_POSTFIX_POSTFIX_PLAN_H

#include "mta/postfix/cf.h"
#include "mta/postfix/postfix.h"

#include <stdbool.h>
#include <stddef.h>

/* The form of our map in the lists of master.cf. */
#define PLAN_LISTED "$moved_listed"

/* A configuration with these was attached with --unserved, with --raise-limits. */
#define PLAN_UNSERVED   "moved_unserved ="
#define PLAN_HARD_LIMIT "${stress?{1}:{1001}}"

/* The input of the plan. Everything is borrowed. */
struct plan_input {
    const struct postfix *postfix;
    const char *scratch; /* a folder with main.cf and master.cf without our blocks */
    const char
        *milter; /* our socket in the form of smtpd_milters: "unix:milter-moved/milter.sock" */
    const char *lookups;        /* the path of the lookup socket */
    const char *const *domains; /* of the table */
    const enum postfix_class *classes;
    size_t count;
    bool unserved;     /* also answer for domains of no class */
    bool raise_limits; /* raise the limits of errors in a session */
};

/* One smtpd service of master.cf. */
struct service {
    struct cf_line *line;
    char name[128]; /* "smtp/inet" */
    bool chroot;
    bool attached; /* false: its milters are switched off, so it is left alone */
    bool
        choosy; /* smtpd_milter_maps: some clients have other milters or none, so it gets no maps */
};

/* Reads the smtpd services from the lines of master, and their parameters with postconf from the folder
 * scratch. Returns *count of them, on the heap; or NULL with err. */
struct service *plan_services(struct cf *master, const char *scratch, size_t *count,
                              struct error *err);

/* Adds to main and master what they lack. Returns 0, or -1 with err. */
int plan_make(const struct plan_input *input, struct cf *main, struct cf *master,
              struct service *services, size_t count, struct error *err);

#endif
