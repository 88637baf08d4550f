/* SPDX-License-Identifier: BSD-2-Clause */
/* net/resolver.h: asks the system's name servers many questions at a time, each with a deadline. It needs c-ares:
 * without it every call is an error. RFC 1035; RFC 5321 section 5.1. */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "base/error.h"
#include "base/network.h"

#include <stddef.h>

#define RESOLVER_HOSTS_MAX     16 /* of one answer; the others are dropped */
#define RESOLVER_ADDRESSES_MAX 16

enum resolver_type { RESOLVER_MX, RESOLVER_A, RESOLVER_AAAA };

struct resolver_question {
    const char *name; /* A-labels, no trailing dot; borrowed until the answer */
    enum resolver_type type;
    void *data; /* the caller's own */
};

enum resolver_result {
    RESOLVER_FOUND,
    RESOLVER_NOTHING, /* the name exists, but has no record of this type */
    RESOLVER_NO_NAME, /* NXDOMAIN */
    RESOLVER_FAILED,  /* there is no answer: see why */
};

struct resolver_answer {
    enum resolver_result result;
    const char *why; /* RESOLVER_FAILED: "no answer", "SERVFAIL" */
    size_t count;    /* RESOLVER_FOUND: of hosts, or of addresses */

    /* RESOLVER_MX: the most preferred first; "" is the root. Borrowed until answered returns. */
    const char *hosts[RESOLVER_HOSTS_MAX];

    struct ip addresses[RESOLVER_ADDRESSES_MAX]; /* RESOLVER_A and _AAAA: aliases are followed */
};

/* The caller's functions. */
struct resolver_asker {
    /* Writes the next question. Returns false if there are no more. */
    bool (*next)(struct resolver_question *out, void *data);
    void (*answered)(const struct resolver_question *question, const struct resolver_answer *answer,
                     void *data);
    void *data;
};

struct resolver;

/* Uses the name servers in servers, a list of ADDRESS[:PORT] separated by commas; NULL: those of /etc/resolv.conf.
 * Returns 0 with *out, which the caller frees with resolver_free; or -1 with err: EX_USAGE if servers is not such a
 * list, EX_UNAVAILABLE if this program was built without c-ares. */
int resolver_new(struct resolver **out, const char *servers, struct error *err);

/* NULL is fine. */
void resolver_free(struct resolver *resolver);

/* Asks all questions, 64 at a time, and returns when they are answered. A question takes at most 7.5 s for each name
 * server, which is asked twice, and as long again if the answer needs TCP. Returns 0; or -1 with err
 * (EX_UNAVAILABLE) once no name server answers, not even about the root: then it asks no more. */
int resolver_ask(struct resolver *resolver, const struct resolver_asker *asker, struct error *err);

#endif
