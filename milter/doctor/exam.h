/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/exam.h: one examination, as the files of this room share it.
 *
 * exam.c       the order of the steps, which mail server it is, the exit status
 * ourselves.c  the table, the daemon, its sockets
 * following.c  the store that the table follows
 * ask.c        which recipients, and asking the mail server about them
 * explain.c    the symptoms that explain a reply, for any mail server
 * findings.c   what was found
 * outcome.c    prints it, for people and for programs
 *
 * evidence.c   what was seen, and how the reply compares
 * symptom.c    what the specialists share
 * postfix_*.c, sendmail_*.c   each a specialist: its configuration, and what can be wrong with it
 */
#ifndef DOCTOR_EXAM_H
#define DOCTOR_EXAM_H

#include "doctor/doctor.h"
#include "doctor/findings.h"
#include "mta/mta.h"
#include "table/table.h"

#include <stddef.h>
#include <time.h>

/* The most domains that are asked about: of more, as many, evenly spaced. */
#define DOMAINS_MAX 100

struct exam {
    const struct doctor_request *request;
    struct evidence evidence;
    struct ip as;        /* --as */
    struct timespec end; /* of all that is asked over SMTP */

    struct table *table; /* NULL if it cannot be read: */
    struct error table_error;
    size_t all_domains; /* of the table */

    const struct mta *mta;               /* NULL: unknown */
    const struct specialist *specialist; /* in it; NULL: likewise */
    void *view;        /* of its configuration; NULL if that cannot be read here */
    int services;      /* how many it has */
    int asked_service; /* the one behind the port that is asked; -1: unknown */

    struct facts facts;
    struct findings findings;
};

/* ---- ourselves.c */

/* Opens the table and counts its entries. What is wrong becomes a finding. */
void exam_table(struct exam *exam);

/* Chooses domains of the table. Returns 0, or -1 with err. */
int exam_choose_domains(struct exam *exam, struct error *err);

/* Asks the daemon on both of its sockets. What is wrong becomes a finding. */
void exam_daemon(struct exam *exam);

/* What the map listed answers about an address. */
enum listed { LISTED_YES, LISTED_NO, LISTED_UNKNOWN };
enum listed exam_ask_listed(const struct evidence *evidence, const char *address);

/* ---- following.c */

/* Looks at what movedctl follow says of itself, where the table follows a store. What is wrong becomes a finding. */
void exam_following(struct exam *exam);

/* ---- ask.c */

/* Chooses recipients: of each domain some entries, and a mailbox that cannot exist. Returns 0, or -1 with err. */
int exam_choose(struct exam *exam, struct error *err);

/* Takes these instead, NULL-terminated; at most DOMAINS_MAX. Returns 0, or -1 with err (EX_DATAERR, EX_USAGE). */
int exam_choose_these(struct exam *exam, char **recipients, struct error *err);

/* Opens a session with the mail server, as the client of --as, and notes what it tells of itself. */
void exam_greet(struct exam *exam);

/* Asks it about all recipients, and judges each reply. */
void exam_ask(struct exam *exam);

/* Asks its rules about a stranger's mail to somebody elsewhere, where no session can: one more recipient. */
void exam_ask_rules(struct exam *exam);

/* ---- explain.c */

/* Looks for each symptom of the mail server's configuration. */
void exam_configuration(struct exam *exam);

/* Finds out why each recipient that is not well got its reply. */
void exam_explain(struct exam *exam);

/* The daemon cannot be reached: with the facts silent_socket, silent_key and silent_error. */
#define DAEMON_DOWN_WHY                                                                            \
    "milter-moved does not answer on ${silent_socket} (${silent_key} in ${silent_file}): "         \
    "${silent_error}."
#define DAEMON_DOWN_MEND                                                                           \
    "Its log tells why it stopped, or that it listens elsewhere.\n${start_daemon}"

/* ---- outcome.c */

/* Prints the outcome to out; status is the exit status. Returns 0, or -1 with err. */
int exam_print(const struct exam *exam, int status, FILE *out, struct error *err);

#endif
