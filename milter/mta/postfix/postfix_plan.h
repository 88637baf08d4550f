/* mta/postfix/postfix_plan.h: how our milter and maps come into a Postfix configuration: what is added where, and what is
 * worth telling the administrator. Works on the text alone: nothing is written. */
#ifndef MTA_POSTFIX_POSTFIX_PLAN_H
#define MTA_POSTFIX_POSTFIX_PLAN_H

#include "mta/postfix/cf.h"
#include "mta/postfix/postfix.h"

#include <stdbool.h>
#include <stddef.h>

/* The map as a list in master.cf has it. */
#define PLAN_LISTED "$moved_listed"

/* What a configuration says where these were asked for. */
#define PLAN_UNSERVED   "moved_unserved ="
#define PLAN_HARD_LIMIT "${stress?{1}:{1001}}"

/* What the plan is made for. All of it is lent. */
struct plan_input {
    const struct postfix *postfix;
    const char *scratch; /* a folder with main.cf and master.cf as they are without us */
    const char *milter; /* our socket as smtpd_milters writes it: "unix:milter-moved/milter.sock" */
    const char *lookups;        /* the path of the lookup socket */
    const char *const *domains; /* of the table */
    const enum postfix_class *classes;
    size_t count;
    bool unserved;     /* domains of no class are answered for too */
    bool raise_limits; /* of errors in a session */
};

/* One smtpd service of master.cf. */
struct service {
    struct cf_line *line;
    char name[128]; /* "smtp/inet" */
    bool chroot;
    bool attached; /* false: it has its milters switched off, and is left alone */
    bool
        choosy; /* smtpd_milter_maps: other milters or none for some clients, so that it gets no maps */
};

/* Reads master.cf's smtpd services, what is said of each, from the lines of master and postconf of the
 * scratch folder. Returns them, count of them, on the heap; or NULL with err. */
struct service *plan_services(struct cf *master, const char *scratch, size_t *count,
                              struct error *err);

/* Adds what is missing to main and master. Returns 0, or -1 with err. */
int plan_make(const struct plan_input *input, struct cf *main, struct cf *master,
              struct service *services, size_t count, struct error *err);

#endif
