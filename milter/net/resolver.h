/* net/resolver.h: asks the system's name servers, many questions at a time, and never waits for ever. Through c-ares;
 * built without it nothing can be asked. RFC 1035; RFC 5321 section 5.1. */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "base/error.h"
#include "base/network.h"

#include <stddef.h>

#define RESOLVER_HOSTS_MAX     16 /* of one answer; of more, some */
#define RESOLVER_ADDRESSES_MAX 16

enum resolver_type { RESOLVER_MX, RESOLVER_A, RESOLVER_AAAA };

struct resolver_question {
    const char *name; /* A-labels, no trailing dot; lent until it is answered */
    enum resolver_type type;
    void *data; /* the caller's own */
};

enum resolver_result {
    RESOLVER_FOUND,
    RESOLVER_NOTHING, /* the name is there, and has nothing of this type */
    RESOLVER_NO_NAME, /* there is no such name */
    RESOLVER_FAILED,  /* nobody knows: see why */
};

struct resolver_answer {
    enum resolver_result result;
    const char *why; /* RESOLVER_FAILED: "no answer", "SERVFAIL" */
    size_t count;    /* RESOLVER_FOUND: how many there are of the following */
    const char *hosts
        [RESOLVER_HOSTS_MAX]; /* RESOLVER_MX: best first; "" is the root. Lent until answered returns */
    struct ip addresses[RESOLVER_ADDRESSES_MAX]; /* the others: aliases are followed */
};

/* Who asks. */
struct resolver_asker {
    /* Writes the next question. Returns false where there are no more. */
    bool (*next)(struct resolver_question *out, void *data);
    void (*answered)(const struct resolver_question *question, const struct resolver_answer *answer,
                     void *data);
    void *data;
};

struct resolver;

/* Takes the name servers of /etc/resolv.conf, or those in servers: ADDRESS[:PORT], parted by commas; NULL for none.
 * Returns 0 with *out, which the caller gives to resolver_free; or -1 with err: EX_USAGE where servers is not such
 * a list, EX_UNAVAILABLE where this program was built without c-ares. */
int resolver_new(struct resolver **out, const char *servers, struct error *err);

/* NULL is fine. */
void resolver_free(struct resolver *resolver);

/* Asks all questions and returns when they are answered, 64 at a time. Each takes at most 7.5 s and a name server, in
 * which that one is asked twice, and as long again where the answer has to come over TCP. Returns 0; or -1 with err
 * (EX_UNAVAILABLE) where no name server is there any more, not even for the root: then no more are asked. */
int resolver_ask(struct resolver *resolver, const struct resolver_asker *asker, struct error *err);

#endif
