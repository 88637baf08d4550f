/* SPDX-License-Identifier: BSD-2-Clause */
/* answer/answer.h: decides the answer for one recipient. The daemon, the lookup server and movedctl
 * test all use it, so they cannot disagree. No libmilter, no socket, no clock: the time is an
 * argument. */
#ifndef ANSWER_ANSWER_H
#define ANSWER_ANSWER_H

#include "answer/chain.h"
#include "answer/limit.h"
#include "answer/rule.h"
#include "answer/settings.h"
#include "base/error.h"
#include "base/network.h"
#include "mail/reply.h"
#include "table/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who asks. */
struct client {
    /* The client's name, if the MTA has verified that name and address resolve to each other; else NULL.
     * Borrowed. */
    const char *confirmed_name;
    bool anybody; /* stands for every stranger: never trusted by network, even if that is ::/0 */
    bool has_ip; /* without one it is local submission: trusted (non_smtpd_milters, sendmail -bs) */
    struct ip ip;
    bool authenticated; /* as the MTA says (RFC 4954) */
    bool smtputf8;      /* this transaction may carry UTF-8 (RFC 6531) */
    bool loses_quotes;  /* its mail server cannot send a quoted mailbox name: Sendmail's rules */
};

struct question {
    const char *recipient; /* as the client wrote it: "<al@old.example>"; length octets */
    size_t length;
    struct client client;
    int64_t now; /* seconds since 1970 */
    /* Returns the address as the mail server resolves it, NUL-terminated and borrowed, or NULL. Postfix, for
     * instance, reads old.example!al, al%old.example and al as al@old.example, and asks its maps for that.
     * Called within answer_ask if nothing is found for the recipient as written. May be NULL. */
    const char *(*resolve)(void *data);
    void *data;
};

/* Why a client is trusted. */
enum trust {
    TRUST_NONE,
    TRUST_LOCAL, /* submitted on this host */
    TRUST_AUTHENTICATED,
    TRUST_NETWORK, /* disclosure.trusted_networks */
    TRUST_DOMAIN,  /* disclosure.trusted_domains */
};

enum verdict {
    VERDICT_CONTINUE, /* none of our business */
    VERDICT_REPLY,    /* refuse with the reply */
    VERDICT_FORWARD,  /* accept, and deliver to new instead */
};

struct answer {
    enum verdict verdict;
    enum rule rule;
    struct reply reply;  /* VERDICT_REPLY */
    enum text_kind text; /* VERDICT_REPLY: what it says */
    struct address old;  /* the recipient; domain "" where it is no address, or has none */
    /* the entries found; if the table was not asked, met and steps are 0, the rest is unset */
    struct chain chain;
    char new[ADDRESS_TEXT_SIZE]; /* where to, disclosed or not: not for clients; "" for none */
    enum trust trust;
    /* The strictest on the way; ENTRY_DEFAULT where nothing has moved. */
    enum entry_disclose disclose;
    bool concealed;             /* the reply is that of a mailbox that was never here */
    struct limit_outcome limit; /* RULE_OVER_LIMIT */
    struct error error;         /* RULE_TABLE_ERROR, RULE_NOT_AN_ADDRESS: why */
};

/* The sources of an answer. All are borrowed. */
struct answer_source {
    const struct settings *settings;
    struct table *table;             /* NULL: it cannot be opened */
    const struct error *table_error; /* table NULL: why; or NULL */
    struct limit *limit;             /* NULL: none, and nothing is counted */
};

/* Decides the answer. The caller handles the mode: in observe mode it asks too, but sends no answer. */
void answer_ask(struct answer *out, const struct question *question,
                const struct answer_source *from);

/* For people: writes the recipient in canonical form, or the old address of the entry that matched first, into
 * out[ADDRESS_TEXT_SIZE]; "" if there is none. */
void answer_format_old(char *out, const struct answer *answer);
void answer_format_entry(char *out, const struct answer *answer);

/* "authenticated", "network", "domain", "local"; "" for a client that is not trusted. */
const char *answer_trust_name(enum trust trust);

/* The setting or macro that makes a client trusted, for movedctl test; "" for TRUST_NONE. */
const char *answer_trust_explain(enum trust trust);

#endif
