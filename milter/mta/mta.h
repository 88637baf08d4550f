/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/mta.h: the mail servers to which milter-moved can be attached. Each is a folder with a driver and a row
 * of the table in mta.c, through which attach and detach reach it. What can be wrong with it is in doctor/. */
#ifndef MTA_MTA_H
#define MTA_MTA_H

#include "answer/settings.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* What attach or detach is to do, and how it talks to the administrator. Everything is borrowed. */
struct mta_request {
    const struct settings *settings; /* of milter-moved */
    const char *config_dir;          /* of the mail server; NULL: the usual one */
    const char *mc;                  /* of Sendmail: its sendmail.mc; NULL: the one in config_dir */
    bool detaches;                   /* detach, not attach */
    bool dry_run;                    /* show the change and leave it at that */

    /* For attach, as its options of these names. */
    bool observe, unserved, raise_limits;

    /* For attach: the domains of the table, in A-labels, and how many entries it has. A domain that the table
     * knows only by a wildcard for its subdomains is not among them. */
    const char *const *domains;
    size_t domain_count, entries;

    /* Print a message or a warning, as printf does. A message ends with its own newline. */
    void (*say)(const char *format, ...) __attribute__((format(printf, 1, 2)));
    void (*warn)(const char *format, ...) __attribute__((format(printf, 1, 2)));

    /* Shows the change, as diff -u prints it. Returns 0 if it is to be made, 1 if it was only to be shown; or
     * -1 with err if the administrator declines it. */
    int (*confirm)(const char *diff, void *data, struct error *err);
    void *data; /* for confirm */
};

/* A mail server. */
struct mta {
    const char *name;  /* for the command line: "postfix" */
    const char *title; /* for messages: "Postfix" */

    /* Attaches or detaches: shows what it changes and asks, changes nothing the second time, and leaves all files as they
     * were if a step fails. Returns 0; or -1 with err. */
    int (*run)(const struct mta_request *request, struct error *err);

    /* Sets served[i]: whether the server with this configuration folder (NULL: the usual one) accepts mail for domains[i],
     * A-labels, count of them. Returns 0, or -1 with err. */
    int (*serves)(bool *served, const char *config_dir, const char *const *domains, size_t count,
                  struct error *err);

    /* For doctor. The usual folder of its configuration, and a file that is always in it. */
    const char *dir, *file;

    /* It hands a milter the mailbox name without its quotes. */
    bool loses_quotes;
};

extern const struct mta mtas[]; /* the last has no name */

/* The drivers' functions, for their rows. */
int postfix_run(const struct mta_request *request, struct error *err);
int sendmail_run(const struct mta_request *request, struct error *err);
int postfix_serves(bool *served, const char *config_dir, const char *const *domains, size_t count,
                   struct error *err);
int sendmail_serves(bool *served, const char *config_dir, const char *const *domains, size_t count,
                    struct error *err);

/* The mail server with this name; or NULL with err (EX_USAGE). */
const struct mta *mta_find(const char *name, struct error *err);

#endif
