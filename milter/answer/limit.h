/* SPDX-License-Identifier: BSD-2-Clause */
/* answer/limit.h: counts how many different new addresses strangers are told in a period, so that
 * nobody can collect them all. Counts for each client, for each network, and for everyone together.
 * The memory is fixed at creation, whatever the number of clients. Threads may share it. */
#ifndef ANSWER_LIMIT_H
#define ANSWER_LIMIT_H

#include "base/network.h"
#include "mail/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a count is kept for. */
enum limit_level { LIMIT_CLIENT, LIMIT_NETWORK, LIMIT_EVERYONE, LIMIT_LEVELS };

/* At most so many different new addresses to all that share the first bits of an IP address. */
struct limit_share {
    unsigned most; /* 0: no limit at this level */
    unsigned ipv4_prefix, ipv6_prefix;
};

struct limit_rules {
    unsigned period; /* seconds, from the first address that a client is told */
    struct limit_share client, network;
    unsigned everyone; /* to all strangers together; 0: no limit */
    size_t memory;     /* octets */
};

struct limit_outcome {
    bool allowed;
    enum limit_level level; /* not allowed: whose limit is reached */
    unsigned most;          /* not allowed: how many that is */
    bool first;             /* not allowed: for the first time in this period */
    /* not allowed, because the memory is full of clients that have reached theirs; first is then about all clients together */
    bool crowded;
};

struct limit; /* limit_new, limit_free */

/* Returns NULL if memory is out. */
struct limit *limit_new(const struct limit_rules *rules);

/* Changes the rules, except for the memory, and keeps the counts. No other thread may call limit_ask meanwhile. */
void limit_adapt(struct limit *limit, const struct limit_rules *rules);

/* NULL is fine. */
void limit_free(struct limit *limit);

/* Decides whether the client may be told the new address at the moment now (seconds since 1970), and if so counts it.
 * An address that the client was told within the last period, in whatever form, is not counted again. One that another
 * client of its network was told is not counted for the network.
 *
 * If there are more clients than memory, a new client takes the place of the one that was told least, and starts with
 * its count. So a client gains nothing by being replaced, and one that has reached its limit is not replaced before
 * its period ends. An address whose record was dropped counts once more. Too little memory thus makes the limit
 * stricter, first for new clients. */
void limit_ask(struct limit_outcome *out, struct limit *limit, const struct ip *client,
               const struct address *new, int64_t now);

/* "client", "network", "everyone". */
extern const char *const limit_level_names[LIMIT_LEVELS];

#endif
