/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/exam.h: one examination, as the files of this room share it.
 *
 * exam.c       the order of the steps, which mail server it is, the exit status
 * ourselves.c  the table, the store that it follows, the daemon, its sockets
 * ask.c        which recipients, and asking the mail server about them
 * explain.c    the symptoms that explain a reply, for any mail server
 * outcome.c    prints what was found, for people and for programs
 *
 * compare.c    compares a reply with the expected one
 * findings.c   the findings, and what the specialists share
 * postfix_*.c, sendmail_*.c   each a specialist: its configuration, and what can be wrong with it
 */
#ifndef DOCTOR_EXAM_H
#define DOCTOR_EXAM_H

#include "answer/answer.h"
#include "base/endpoint.h"
#include "base/facts.h"
#include "base/network.h"
#include "doctor/doctor.h"
#include "mta/mta.h"
#include "net/smtp.h"
#include "table/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* The most domains that are asked about: of more, as many, evenly spaced. */
#define DOMAINS_MAX 100

/* A client that nobody knows (RFC 5737). */
#define DOCTOR_STRANGER "198.51.100.1"
extern const struct ip doctor_stranger;

/* A domain of the table about which the mail server is asked. */
struct asked_domain {
    char name[ADDRESS_DOMAIN_MAX + 1];
    int kind; /* as the specialist classifies it; 0: it accepts mail for it */
};

/* One recipient that the mail server was asked about. */
struct asked {
    char recipient[ADDRESS_TEXT_SIZE];
    const struct asked_domain *domain; /* NULL: none of the table */
    bool invented;                     /* there is no such mailbox */
    bool abroad;                       /* nobody serves the domain, and a stranger asks */
    struct answer expected;            /* what milter-moved should answer us */
    char want[REPLY_TEXT_SIZE];        /* the same in the form of got.text; "" without a reply */
    struct smtp_reply got;             /* code 0: not asked */
    bool in_mail;                      /* got is the reply to MAIL */
    bool well;                         /* got is what it should be */
    int finding;                       /* what explains it, an index; -1: none */
};

/* A socket of the daemon. */
enum socket_state {
    SOCKET_UNSEEN, /* this user may not open it */
    SOCKET_SILENT,
    SOCKET_ANSWERS,
};

/* The daemon, as it answers on its sockets. */
struct daemon_state {
    enum socket_state milter, lookups;
    bool observes;    /* its mode; the one of the configuration if it cannot be asked */
    char version[64]; /* "" if it is not known */
    char table[256];  /* "good", or why it cannot be read; "" if it is not known */
};

/* How serious a finding is. It decides the exit status. */
enum weight {
    NOTE,   /* worth knowing, and nothing is wrong */
    UNSEEN, /* this user or host cannot see it */
    RISK,   /* each recipient gets what it should, and will not once something else fails */
    FAULT,  /* mail is not answered as it should be; with no such mail seen it becomes a risk */
    DOWN,   /* the daemon or the mail server cannot be asked */
};

struct finding {
    const char *name; /* "soft-bounce" */
    enum weight weight;
    char *why, *mend;  /* on the heap; mend "" if there is nothing to do */
    size_t recipients; /* the number whose replies it explains */
    size_t noted;      /* the number of domains, services and the like of which it is true */
};

struct exam {
    const struct doctor_request *request;
    const struct settings *settings;

    struct table *table; /* NULL if it cannot be read */
    struct error table_error;
    size_t entries, all_domains; /* of the table */

    struct daemon_state daemon;

    struct endpoint where; /* the mail server */
    bool answers;
    struct smtp server;  /* its first session, which is closed */
    struct ip client;    /* of --as */
    const struct ip *as; /* the client that it is asked as; NULL: we */
    struct timespec end; /* of all that is asked over SMTP */

    const struct mta *mta;               /* NULL: unknown */
    const struct specialist *specialist; /* in it; NULL: likewise */
    void *view;   /* the specialist's, of the configuration; NULL if that cannot be read here */
    int services; /* how many services or ports of it take mail */
    int door;     /* the number of the one that is asked; -1: unknown */

    struct asked_domain domains[DOMAINS_MAX];
    size_t domain_count;
    struct asked *recipients; /* on the heap */
    size_t recipient_count;

    /* Where a symptom is looked for. */
    int service;                       /* from 0; -1: unknown */
    const struct asked_domain *domain; /* NULL: none */
    struct asked *asked;               /* NULL: none */

    struct facts facts;
    struct finding *findings; /* on the heap */
    size_t finding_count;
};

/* ---- symptoms: what can be wrong with a mail server, a row each */

/* What a symptom is a property of: it is looked for once in each. */
enum of {
    OF_SERVER,
    OF_SERVICE, /* of each port or service that takes mail */
    OF_DOMAIN,  /* of each domain that is asked about */
    OF_REPLY,   /* of the reply alone */
};

/* Conditions under which a symptom explains a reply. */
enum {
    IF_OURS = 1,     /* milter-moved should have replied */
    IF_LISTED = 2,   /* the same, or it should have forwarded */
    IF_ABROAD = 4,   /* a stranger asked for a domain that nobody serves */
    IF_MILTER = 8,   /* the daemon's milter socket answers */
    IF_LOOKUPS = 16, /* its lookup socket answers */
    IF_VIEW = 32,    /* the configuration can be read */
};

/* A reply that is not as expected is explained by the first row that fits. */
struct symptom {
    const char *name; /* "soft-bounce"; NULL after the last row */
    enum weight weight;
    enum of of;
    bool (*is)(struct exam *exam); /* may set facts for the texts; NULL: always */
    const char *reply;             /* a pattern of the replies that it causes; NULL: none */
    int conditions;                /* IF_... */
    const char *why, *mend;        /* with ${FACT} */
};

/* One kind of mail server. */
struct specialist {
    /* Reads the configuration, and sets view, services and door of exam. Returns 0, or -1 with err. */
    int (*look)(struct exam *exam, struct error *err);
    void (*look_free)(void *view);

    /* Sets the kind of each domain, for the symptoms. Returns 0, or -1 with err. */
    int (*classify)(struct exam *exam, struct error *err);

    /* Asks its rules whether they take a stranger's mail to the recipient, where no session can ask as a stranger. Returns 1 if
     * they do, 0, or -1 if they cannot be asked. NULL: a session can (XCLIENT). */
    int (*relays)(const struct exam *exam, const char *recipient);

    /* Sets the facts about the server, the service and the domain. exam->view may be NULL. */
    void (*tell)(struct exam *exam);

    const struct symptom *symptoms; /* the last has no name */
};

extern const struct specialist postfix_specialist, sendmail_specialist;

/* ---- findings.c */

/* Returns the index of the finding with this name and mend, which is added if it is new; -1 if memory is out. The
 * texts are filled in with the facts. */
int exam_find(struct exam *exam, const char *name, enum weight weight, const char *why,
              const char *mend);

/* Finds or adds it in the same way, and counts one more thing of which it is true. */
void exam_note(struct exam *exam, const char *name, enum weight weight, const char *why,
               const char *mend);

/* The gravest weight among the findings; NOTE if there are none. */
enum weight exam_worst(const struct exam *exam);

/* Whether the account user may not open the socket at path. Sets the facts stops and let: what keeps it out,
 * and what lets it pass. */
bool exam_is_shut_out(struct exam *exam, const char *path, const char *user);

/* Whether the server may be one that listens at this host and port, each a name or a number: any name but localhost and
 * loopback-only may be an address of it, and "" is every address. */
bool exam_is_server_at(const struct exam *exam, const char *host, const char *port);

/* A text whose lines end with a NUL each. */
struct text_lines {
    char *text; /* on the heap */
    size_t size;
};

/* Takes over the text; NULL: no lines. */
struct text_lines text_lines_of(char *text);

/* The next line from *at on, an offset, that begins so: what follows its beginning. NULL for none. */
const char *text_lines_next(const struct text_lines *lines, size_t *at, const char *begins);

/* ---- compare.c */

/* Whether the text of the reply fits an extended regular expression (regex(7)), in any case. */
bool asked_matches(const struct asked *asked, const char *pattern);

#define ANY_REPLY    ""
#define DENIES_RELAY "relay access denied|relaying denied|unable to relay"
#define VERIFIES                                                                                   \
    "unverified address|undeliverable address|address verification|address lookup failed"

/* Whether the reply is the wanted one. Sendmail may put the recipient before the text. */
bool asked_has_wanted(const struct asked *asked);

/* Whether the reply to exam->asked is our text of this kind, as the settings have it for the recipient's domain. */
bool reply_is_text(const struct exam *exam, enum text_kind kind);

/* For is of struct symptom: whether it is our text for a table that cannot be read; whether it has the wanted text, whatever
 * the codes before it; whether it begins as the wanted one and goes on. */
bool reply_misses_table(struct exam *exam);
bool reply_has_text(struct exam *exam);
bool reply_goes_on(struct exam *exam);

/* Writes a reply of ours in the form of struct smtp_reply; REPLY_TEXT_SIZE cuts nothing. */
void asked_format(char *out, size_t size, const struct reply *reply);

/* Writes the lines of a reply as one, " / " between them, cut to fit. */
void asked_join_lines(char *out, size_t size, const char *text);

/* ---- ourselves.c */

/* Each looks at the table, at the daemon on both of its sockets, and at what movedctl follow has written of itself where the
 * table follows a store. What is wrong becomes a finding. */
void exam_table(struct exam *exam);
void exam_daemon(struct exam *exam);
void exam_following(struct exam *exam);

/* For is of struct symptom: whether the map listed answers about the recipient by another table than the one that was read
 * here. */
bool exam_daemon_differs(struct exam *exam);

/* ---- ask.c */

/* Takes the recipients of the request, at most DOMAINS_MAX; without any, chooses of each domain some entries, and a
 * mailbox that cannot exist. Returns 0, or -1 with err. */
int exam_choose(struct exam *exam, struct error *err);

/* Opens the first session with the mail server, as the client of --as, and closes it. */
void exam_greet(struct exam *exam);

/* Asks it about all recipients, and judges each reply. Where recipients were chosen and no session can be a stranger's, asks
 * its rules about a stranger's mail to somebody elsewhere: one more recipient. */
void exam_ask(struct exam *exam);

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

/* Its table cannot be read: found by the reply of any mail server. */
#define DAEMON_TABLE_WHY  "milter-moved cannot read its table: ${daemon_table}."
#define DAEMON_TABLE_MEND "${mend_table}"

/* ---- outcome.c */

/* Prints the outcome to out; status is the exit status. Returns 0, or -1 with err. */
int exam_print(const struct exam *exam, int status, FILE *out, struct error *err);

#endif
