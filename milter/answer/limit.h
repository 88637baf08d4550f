/* answer/limit.h: how many different new addresses strangers have been told in this period, so that
 * nobody collects them all. Counted for each client, for each network, and for everyone together.
 * Memory is fixed when it is made, whatever the number of clients. Threads may share it. */
#ifndef ANSWER_LIMIT_H
#define ANSWER_LIMIT_H

#include "base/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whom a count is kept for. */
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
    bool crowded; /* not allowed: since the memory is full of others who reached theirs; first
                               is then for the first time of anybody in a period */
};

struct limit; /* limit_new, limit_free */

/* What old has counted is counted on, but an address that was told counts once more (old may be NULL, and
 * stays the caller's). Returns NULL where memory is out. */
struct limit *limit_new(const struct limit_rules *rules, const struct limit *old);

/* Puts other rules in force, at once, with what is counted so far. Nobody may ask meanwhile. Returns false,
 * and changes nothing, where they give another amount of memory: then make a new one of it. */
bool limit_adapt(struct limit *limit, const struct limit_rules *rules);

/* NULL is fine. */
void limit_free(struct limit *limit);

/* Takes note that the client is told new_address at the moment now (seconds since 1970), and
 * says in *out whether it may be. One that it was told within the last period costs nothing, and one
 * that another client of its network was told costs the network nothing.
 *
 * Where more clients come than there is memory for, the one that was told least gives up its place,
 * and the newcomer begins with its count: to be forgotten is no gain, and whoever has reached a
 * limit is not forgotten before his period is over. A told address that is forgotten counts once
 * more. So too little memory makes the limit stricter, for newcomers first. */
void limit_ask(struct limit_outcome *out, struct limit *limit, const struct ip *client,
               const char *new_address, int64_t now);

/* "client", "network", "everyone". */
const char *limit_level_name(enum limit_level level);

#endif
