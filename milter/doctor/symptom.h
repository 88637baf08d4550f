/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/symptom.h: what can be wrong with a mail server, a row each. A new diagnosis is a row in a driver's
 * table, or in the one of doctor/explain.c for any mail server. */
#ifndef DOCTOR_SYMPTOM_H
#define DOCTOR_SYMPTOM_H

#include "base/facts.h"
#include "doctor/evidence.h"

#include <stdbool.h>

/* What a finding means for the exit status. */
enum weight {
    NOTE,   /* worth knowing, and nothing is wrong */
    UNSEEN, /* this user or host cannot see it */
    RISK,   /* each recipient gets what it should, and will not once something else fails */
    FAULT,  /* mail is not answered as it should be; with no such mail seen it becomes a risk */
    DOWN,   /* the daemon or the mail server cannot be asked */
};

/* What a symptom is a property of: it is looked for once in each. */
enum of {
    OF_SERVER,
    OF_SERVICE, /* of each port or service that takes mail */
    OF_DOMAIN,  /* of each domain that is asked about */
    OF_REPLY,   /* of the reply alone */
};

/* Where a symptom is looked for. */
struct subject {
    const struct evidence *evidence;
    const void *view; /* the driver's own, of the configuration; NULL if it cannot be read */
    int service; /* OF_SERVICE: its number, from 0; else of the one that was asked, -1 if unknown */
    const struct asked_domain *domain; /* OF_DOMAIN; else the one of the recipient, NULL for none */
    const struct asked *asked;         /* OF_REPLY, and for shows; else NULL */
    struct facts *facts;               /* for the texts */
};

/* A reply that is not as expected is explained by the first row that fits. */
struct symptom {
    const char *name; /* "soft-bounce"; NULL after the last row */
    enum weight weight;
    enum of of;
    bool (*is)(const struct subject *subject);    /* may set facts that the texts name */
    bool (*shows)(const struct subject *subject); /* whether the reply may come of it; NULL: none */
    const char *why, *mend;                       /* with ${FACT} */
};

/* What is known of one kind of mail server. */
struct specialist {
    /* Reads the configuration. Returns a view of the driver's own, for look_free; or NULL with err. */
    void *(*look)(const struct evidence *evidence, struct error *err);
    void (*look_free)(void *view);

    /* How many services or ports take mail. *asked becomes the number of the one that has the server's address and
     * greets as it does, from 0; -1 if none does: the server has another configuration. */
    int (*services)(void *view, const struct server_state *server, int *asked);

    /* Sets the kind of each domain of the evidence, for the symptoms. Returns 0, or -1 with err. */
    int (*classify)(const void *view, struct evidence *evidence, struct error *err);

    /* Asks its rules whether they take a stranger's mail to the recipient, where no session can ask as a stranger. Returns 0,
     * or -1 with err. NULL: a session can (XCLIENT). */
    int (*relays)(const void *view, const char *recipient, bool *relays, struct error *err);

    /* Sets the facts about the server, service and domain of the subject, whose view may be NULL. */
    void (*tell)(const struct subject *subject);

    const struct symptom *symptoms; /* the last has no name */
};

extern const struct specialist postfix_specialist, sendmail_specialist;

/* For is of OF_REPLY and for shows: the reply is temporary, is ours and then goes on, tells of a probe of the destination,
 * refuses to relay. */
bool reply_is_deferred(const struct subject *subject);
bool reply_goes_on(const struct subject *subject);
bool reply_verifies(const struct subject *subject);
bool reply_denies_relaying(const struct subject *subject);

/* Whether the account user may not open the socket at path. Sets the facts stops and let: what keeps it out,
 * and what lets it pass. */
bool symptom_is_shut_out(const struct subject *subject, const char *path, const char *user);

/* The daemon's table cannot be read: found by the reply of any mail server. */
#define DAEMON_TABLE_WHY  "milter-moved cannot read its table: ${daemon_table}."
#define DAEMON_TABLE_MEND "${mend_table}"

#endif
