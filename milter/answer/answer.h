/* answer/answer.h: what to say of one recipient. The daemon, the lookup server and movedctl test
 * all ask here, so they cannot disagree. No libmilter, no socket, no clock: the time is an
 * argument. */
#ifndef ANSWER_ANSWER_H
#define ANSWER_ANSWER_H

#include "answer/limit.h"
#include "answer/settings.h"
#include "base/error.h"
#include "base/network.h"
#include "mail/reply.h"
#include "table/table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_STEPS_MAX 8 /* entries that a chain may have */

/* Who asks. */
struct client {
    /* As the MTA gives it where the address has this name and the name this address; else NULL. Lent. */
    const char *confirmed_name;
    bool has_ip; /* without one it is local submission: trusted (non_smtpd_milters, sendmail -bs) */
    struct ip ip;
    bool authenticated; /* as the MTA says (RFC 4954) */
    bool smtputf8;      /* this transaction may carry UTF-8 (RFC 6531) */
    bool loses_quotes;  /* its mail server cannot say a quoted mailbox name: Sendmail's rules */
};

struct question {
    const char *recipient; /* as the client wrote it: "<al@old.example>"; length octets */
    size_t length;
    struct client client;
    int64_t now; /* seconds since 1970 */
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

/* Which rule decided: the words for a log line, for movedctl test, and for the maps of the
 * lookup socket. */
enum rule {
    RULE_NOT_LISTED,
    RULE_NOT_AN_ADDRESS, /* cannot be read, so it cannot be in the table: the MTA's own business */
    RULE_NO_DOMAIN,
    RULE_STAY,
    RULE_MOVED,
    RULE_FORWARD,
    RULE_GONE,
    RULE_LOOP, /* a chain in a circle, or longer than 8: as gone, 451 where it says forward */
    RULE_NOT_DISCLOSED,
    RULE_OVER_LIMIT,
    RULE_UNWRITABLE, /* the new address needs SMTPUTF8, or is too long for a path */
    RULE_LOCAL, /* would be refused, but then local submission stays in the maildrop for ever */
    RULE_TABLE_ERROR,
};
#define RULES (RULE_TABLE_ERROR + 1)

struct answer {
    enum verdict verdict;
    enum rule rule;
    struct reply reply;            /* VERDICT_REPLY */
    char old[ADDRESS_TEXT_SIZE];   /* the recipient in plain spelling, "" if it is no address */
    char new[ADDRESS_TEXT_SIZE];   /* where to, disclosed or not: not for clients; "" for none */
    char entry[ADDRESS_TEXT_SIZE]; /* the old address of the entry that matched first, or "" */
    unsigned steps;                /* entries on the way: 1, more for a chain */
    enum trust trust;
    /* The strictest on the way; ENTRY_DEFAULT where nothing has moved. */
    enum entry_disclose disclose;
    bool concealed;             /* the reply is that of a mailbox that was never here */
    struct limit_outcome limit; /* RULE_OVER_LIMIT */
    struct error error;         /* RULE_TABLE_ERROR, RULE_NOT_AN_ADDRESS: why */
};

/* Decides. table may be NULL where it cannot be opened: then table_error says why. limit may be
 * NULL for a limit that is unused and stays so. Mode is the caller's affair: an observing daemon
 * asks the same and says nothing. */
void answer_ask(struct answer *out, const struct question *question,
                const struct settings *settings, struct table *table,
                const struct error *table_error, struct limit *limit);

/* The way from an address through the table, whoever asks: for movedctl lint. */
struct answer_trace {
    enum rule rule; /* where it ends: RULE_NOT_LISTED, RULE_STAY, RULE_MOVED, RULE_GONE, RULE_LOOP,
                     * RULE_UNWRITABLE, RULE_TABLE_ERROR */
    unsigned steps; /* new addresses on the way: 1, more for a chain */
    struct address end; /* RULE_MOVED: the last of them */
    unsigned met;       /* entries that matched: a stay at the end too */
    char old[ANSWER_STEPS_MAX + 1][ADDRESS_TEXT_SIZE]; /* their old addresses, in order */
};

#define ANSWER_ANY_TIME INT64_MIN /* each entry counts, whenever it is in force */

/* Follows the entries as answer_ask does. without, where not NULL, is an entry to be passed over.
 * err says why of RULE_TABLE_ERROR. */
void answer_trace(struct answer_trace *out, const struct address *from, int64_t now,
                  const struct entry *without, const struct settings *settings,
                  struct table_view *view, struct error *err);

/* Whether a RULE_LOOP is a circle, and not merely a chain that is too long. */
bool answer_trace_circles(const struct answer_trace *trace);

/* "moved", "gone", "over limit": a word or two for each rule. */
const char *answer_rule_name(enum rule rule);

/* "authenticated", "network", "domain", "local"; "" for a client that is not trusted. */
const char *answer_trust_name(enum trust trust);

/* Which setting or macro says so, for movedctl test; "" for TRUST_NONE. */
const char *answer_trust_explain(enum trust trust);

/* A sentence for each rule, for movedctl test. */
const char *answer_rule_explain(enum rule rule);

#endif
