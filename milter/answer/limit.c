#include "answer/limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Two tables of fixed size, each cut into stripes with a lock of their own. A stripe is a few
 * sets; a client or a told address has one set where it may be, and takes the place of the
 * oldest there. What is forgotten so costs a client a little more or less than its due, never
 * memory. */
#define STRIPES     64
#define CLIENT_SETS 128 /* a stripe */
#define TOLD_SETS   512
#define WAYS        8

struct client_count {
    uint64_t client; /* hash; 0: free */
    int64_t since;   /* when its period began */
    unsigned told;
};

struct told {
    uint64_t pair; /* hash of client and new address; 0: free */
    int64_t since; /* the beginning of the client's period in which it was told */
};

struct stripe {
    pthread_mutex_t lock;
    struct client_count clients[CLIENT_SETS][WAYS];
    struct told told[TOLD_SETS][WAYS];
};

struct limit {
    unsigned limit;
    int64_t period;
    uint64_t secret; /* so that nobody can choose clients or addresses that share a set */
    struct stripe stripes[STRIPES];
};

struct limit *limit_new(unsigned limit, unsigned period)
{
    struct limit *made = calloc(1, sizeof *made); /* pages that no client needs stay untouched */
    if (made == NULL)
        return NULL;
    made->limit = limit;
    made->period = period;
    if (getrandom(&made->secret, sizeof made->secret, GRND_NONBLOCK) < 0)
        made->secret = (uint64_t)(uintptr_t)made;
    for (int i = 0; i < STRIPES; i++)
        pthread_mutex_init(&made->stripes[i].lock, NULL);
    return made;
}

void limit_free(struct limit *limit)
{
    if (limit == NULL)
        return;
    for (int i = 0; i < STRIPES; i++)
        pthread_mutex_destroy(&limit->stripes[i].lock);
    free(limit);
}

/* A keyed mix (the finaliser of SplitMix64 over each 8 octets): the result is never shown, so that
 * it need only be hard to steer. */
static uint64_t mix(uint64_t state, const void *data, size_t length)
{
    const unsigned char *at = data;
    for (; length > 0;) {
        uint64_t word = 0;
        size_t take = length < sizeof word ? length : sizeof word;
        memcpy(&word, at, take);
        at += take;
        length -= take;
        state = (state ^ word) + 0x9e3779b97f4a7c15ULL + take;
        state = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9ULL;
        state = (state ^ (state >> 27)) * 0x94d049bb133111ebULL;
        state ^= state >> 31;
    }
    return state == 0 ? 1 : state;
}

/* An IPv4 client is one address; an IPv6 client its /64, since all of that is one subscriber's
 * (RFC 6177). */
static uint64_t client_hash(const struct limit *limit, const struct ip *client)
{
    return mix(limit->secret, client->octets, ip_is_v4(client) ? 16 : 8);
}

/* The client's row in its set: its own, or the oldest made anew. */
static struct client_count *client_row(struct stripe *stripe, uint64_t client, int64_t now,
                                       int64_t period)
{
    struct client_count *set = stripe->clients[(client >> 8) % CLIENT_SETS], *oldest = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].client == client) {
            if (now >= set[i].since + period || now < set[i].since)
                set[i] = (struct client_count){.client = client, .since = now};
            return &set[i];
        }
        if (set[i].client == 0 || (oldest->client != 0 && set[i].since < oldest->since))
            oldest = &set[i];
    }
    *oldest = (struct client_count){.client = client, .since = now};
    return oldest;
}

/* Whether the pair was told in the period that began at since; if not, and note is set, it is
 * now. */
static bool was_told(struct stripe *stripe, uint64_t pair, int64_t since, bool note)
{
    struct told *set = stripe->told[(pair >> 8) % TOLD_SETS], *oldest = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].pair == pair && set[i].since == since)
            return true;
        if (set[i].pair == 0 || (oldest->pair != 0 && set[i].since < oldest->since))
            oldest = &set[i];
    }
    if (note)
        *oldest = (struct told){.pair = pair, .since = since};
    return false;
}

bool limit_allows(struct limit *limit, const struct ip *client, const char *new_address,
                  int64_t now)
{
    uint64_t hash = client_hash(limit, client);
    uint64_t pair = mix(hash, new_address, strlen(new_address));
    struct stripe *stripe = &limit->stripes[hash % STRIPES];

    pthread_mutex_lock(&stripe->lock);
    struct client_count *row = client_row(stripe, hash, now, limit->period);
    bool left = row->told < limit->limit;
    bool known = was_told(stripe, pair, row->since, left);
    if (left && !known)
        row->told++;
    pthread_mutex_unlock(&stripe->lock);
    return known || left;
}
