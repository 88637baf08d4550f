/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/limit.h"

#include "base/siphash.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Tables of sets: a key has one set where it may be, with WAYS places. */
#define WAYS 8

/* The count of one client, network, or everyone. */
struct limit_row {
    uint64_t key;       /* hash */
    uint32_t since;     /* when its period began */
    uint32_t told : 31; /* 0: the row is free */
    uint32_t said : 1;  /* that the limit is reached */
};

/* An address that somebody was told. Two that pass for one (mark and set the same) are one in a
 * thousand million. */
struct pair {
    uint32_t mark; /* half of the hash; 0: free */
    uint32_t at;   /* when it was told last */
};

struct level {
    unsigned most, ipv4_bits, ipv6_bits; /* bits of the 128 that its members share */
    size_t sets;
    struct limit_row (*rows)[WAYS];
    int64_t crowded; /* when a newcomer found no place the last time that it was said; 0: never */
};

struct limit {
    pthread_mutex_t lock; /* of all the rest */
    int64_t period;
    uint64_t secret[2]; /* so that nobody can choose clients or addresses that share a set */
    struct level levels[LIMIT_LEVELS];
    size_t sets;
    struct pair (*pairs)[WAYS];
};

const char *const limit_level_names[LIMIT_LEVELS] = {
    [LIMIT_CLIENT] = "client", [LIMIT_NETWORK] = "network", [LIMIT_EVERYONE] = "everyone"};

/* ---- keys */

static uint64_t hash_client(const struct limit *limit, const struct level *level,
                            const struct ip *ip)
{
    unsigned bits = ip_is_v4(ip) ? level->ipv4_bits : level->ipv6_bits;
    uint8_t prefix[sizeof ip->octets + 1] = {0};
    memcpy(prefix, ip->octets, bits / 8);
    if (bits % 8 != 0)
        prefix[bits / 8] = (uint8_t)(ip->octets[bits / 8] & (0xff00 >> bits % 8));
    prefix[sizeof prefix - 1] = (uint8_t)bits; /* a network is not its first address */
    return siphash(limit->secret, prefix, sizeof prefix);
}

static uint64_t hash_mailbox(const struct limit *limit, const struct address *address)
{
    char text[sizeof address->local + sizeof address->domain];
    const char *end = stpcpy(stpcpy(text, address->local) + 1, address->domain);
    return siphash(limit->secret, text, (size_t)(end - text));
}

/* ---- counts */

/* A clock that was set back by more than a period ends the period too. One that differs by a second
 * between two threads does not. */
static bool is_over(uint32_t since, int64_t now, int64_t period)
{
    int64_t age = now - (int64_t)since;
    return age >= period || age <= -period;
}

static unsigned told_now(const struct limit_row *row, int64_t now, int64_t period)
{
    return is_over(row->since, now, period) ? 0 : row->told;
}

/* The key's own row, or else the one that it would take over: that with the least count, the oldest
 * of several. */
static struct limit_row *find_row(const struct level *level, uint64_t key, int64_t now,
                                  int64_t period)
{
    struct limit_row *set = level->rows[key % level->sets], *least = &set[0];
    for (int i = 0; i < WAYS; i++) {
        unsigned told = told_now(&set[i], now, period), least_told = told_now(least, now, period);
        if (set[i].key == key)
            return &set[i];
        if (told < least_told || (told == least_told && set[i].since < least->since))
            least = &set[i];
    }
    return least;
}

/* Says once in a period that a limit is reached: for the client, or for all that have no place in the table. */
static void say_full(struct limit_outcome *out, struct level *level, struct limit_row *row,
                     bool is_own, int64_t now, int64_t period)
{
    out->allowed = false;
    out->most = level->most;
    out->crowded = !is_own;
    if (is_own) {
        out->first = !row->said;
        row->said = 1;
    } else {
        out->first = level->crowded == 0 || now - level->crowded >= period;
        level->crowded = out->first ? now : level->crowded;
    }
}

/* Whether the pair was told within the last period. With note it now is; and what is known stays so from
 * now on, since nothing new is told. */
static bool was_told(struct limit *limit, uint64_t hash, int64_t now, bool note)
{
    uint32_t mark = (uint32_t)(hash >> 32) | 1;
    struct pair *set = limit->pairs[hash % limit->sets], *oldest = &set[0];

    for (int i = 0; i < WAYS; i++) {
        if (set[i].mark == mark && !is_over(set[i].at, now, limit->period)) {
            set[i].at = (uint32_t)now;
            return true;
        }
        if (set[i].at < oldest->at)
            oldest = &set[i];
    }
    if (note)
        *oldest = (struct pair){.mark = mark, .at = (uint32_t)now};
    return false;
}

/* ---- asking */

/* A known address costs nothing, at no level. A new one is counted only if every level has room. */
static void ask(struct limit_outcome *out, struct limit *limit, const struct ip *client,
                const struct address *new, int64_t now)
{
    const uint64_t mailbox = hash_mailbox(limit, new);
    uint64_t keys[LIMIT_LEVELS], pairs[LIMIT_LEVELS];
    struct limit_row *rows[LIMIT_LEVELS] = {NULL}; /* where it counts */

    *out = (struct limit_outcome){.allowed = true};
    for (int i = 0; i < LIMIT_LEVELS; i++) {
        struct level *level = &limit->levels[i];
        if (level->most == 0)
            continue;
        keys[i] = hash_client(limit, level, client);
        pairs[i] = siphash(limit->secret, (const uint64_t[]){keys[i], mailbox}, 2 * sizeof mailbox);
        bool known = was_told(limit, pairs[i], now, false);
        if (known && i == LIMIT_CLIENT)
            return;
        if (known)
            continue;
        rows[i] = find_row(level, keys[i], now, limit->period);
        if (told_now(rows[i], now, limit->period) >= level->most) {
            out->level = (enum limit_level)i;
            say_full(out, level, rows[i], rows[i]->key == keys[i], now, limit->period);
            return;
        }
    }
    for (int i = 0; i < LIMIT_LEVELS; i++) {
        struct limit_row *row = rows[i];
        if (row == NULL)
            continue;
        unsigned told = told_now(row, now, limit->period);
        if (row->key != keys[i] || told == 0)
            *row = (struct limit_row){.key = keys[i], .since = (uint32_t)now};
        row->told = told + 1;
        (void)was_told(limit, pairs[i], now, true);
    }
}

void limit_ask(struct limit_outcome *out, struct limit *limit, const struct ip *client,
               const struct address *new, int64_t now)
{
    pthread_mutex_lock(&limit->lock);
    ask(out, limit, client, new, now);
    pthread_mutex_unlock(&limit->lock);
}

/* ---- making one */

static void set_share(struct level *level, const struct limit_share *share)
{
    level->most = share->most;
    level->ipv4_bits = 96 + share->ipv4_prefix;
    level->ipv6_bits = share->ipv6_prefix;
}

void limit_adapt(struct limit *limit, const struct limit_rules *rules)
{
    limit->period = rules->period;
    set_share(&limit->levels[LIMIT_CLIENT], &rules->client);
    set_share(&limit->levels[LIMIT_NETWORK], &rules->network);
    limit->levels[LIMIT_EVERYONE].most = rules->everyone; /* all share 0 bits */
}

struct limit *limit_new(const struct limit_rules *rules)
{
    /* Of the memory; the other half is for told addresses. */
    static const unsigned eighths[] = {
        [LIMIT_CLIENT] = 3, [LIMIT_NETWORK] = 1, [LIMIT_EVERYONE] = 0};
    struct limit *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    pthread_mutex_init(&made->lock, NULL);
    limit_adapt(made, rules);
    if (getrandom(made->secret, sizeof made->secret, GRND_NONBLOCK) < 0)
        made->secret[0] = (uint64_t)(uintptr_t)made;
    made->sets = rules->memory / 2 / sizeof *made->pairs + 1;
    made->pairs = calloc(made->sets, sizeof *made->pairs);
    bool whole = made->pairs != NULL;
    for (int i = 0; i < LIMIT_LEVELS; i++) {
        struct level *level = &made->levels[i];
        level->sets = rules->memory / 8 * eighths[i] / sizeof *level->rows + 1;
        level->rows = calloc(level->sets, sizeof *level->rows);
        whole = whole && level->rows != NULL;
    }
    if (whole)
        return made;
    limit_free(made);
    return NULL;
}

void limit_free(struct limit *limit)
{
    if (limit == NULL)
        return;
    for (int i = 0; i < LIMIT_LEVELS; i++)
        free(limit->levels[i].rows);
    free(limit->pairs);
    pthread_mutex_destroy(&limit->lock);
    free(limit);
}
