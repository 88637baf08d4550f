/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Tables of sets: a key has one set where it may be, with WAYS places. */
#define WAYS 8

/* The count of one client, network, or everyone. */
struct limit_row {
    uint64_t key;   /* hash; 0: free */
    uint32_t since; /* when its period began */
    uint32_t told : 31;
    uint32_t said : 1; /* that the limit is reached */
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
    uint64_t secret; /* so that nobody can choose clients or addresses that share a set */
    struct level levels[LIMIT_LEVELS];
    size_t sets;
    struct pair (*pairs)[WAYS];
};

/* What a question means at one level. */
struct limit_place {
    struct level *level;
    uint64_t key, pair;
    bool known; /* the address was told here before */
};

/* ---- keys */

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

static uint64_t key_of(const struct limit *limit, const struct level *level, const struct ip *ip)
{
    unsigned bits = ip_is_v4(ip) ? level->ipv4_bits : level->ipv6_bits;
    uint8_t prefix[sizeof ip->octets + 1] = {0};
    memcpy(prefix, ip->octets, bits / 8);
    if (bits % 8 != 0)
        prefix[bits / 8] = (uint8_t)(ip->octets[bits / 8] & (0xff00 >> bits % 8));
    prefix[sizeof prefix - 1] = (uint8_t)bits; /* a network is not its first address */
    return mix(limit->secret, prefix, sizeof prefix);
}

/* ---- counts */

/* A clock that was set back by more than a period ends the period too, one that differs by a second
 * between two threads does not. */
static bool is_over(uint32_t since, int64_t now, int64_t period)
{
    int64_t age = now - (int64_t)since;
    return age >= period || age <= -period;
}

static unsigned told_now(const struct limit_row *row, int64_t now, int64_t period)
{
    return row->key == 0 || is_over(row->since, now, period) ? 0 : row->told;
}

/* The key's own row, or else the one that it would take over: that with the least count, the oldest
 * of several. */
static struct limit_row *find_row(struct limit_row *set, uint64_t key, int64_t now, int64_t period)
{
    struct limit_row *least = &set[0];
    for (int i = 0; i < WAYS; i++) {
        unsigned told = told_now(&set[i], now, period), least_told = told_now(least, now, period);
        if (set[i].key == key)
            return &set[i];
        if (told < least_told || (told == least_told && set[i].since < least->since))
            least = &set[i];
    }
    return least;
}

static struct limit_row *row_of(const struct limit *limit, const struct limit_place *place,
                                int64_t now)
{
    struct level *level = place->level;
    return find_row(level->rows[place->key % level->sets], place->key, now, limit->period);
}

static void take_room(const struct limit *limit, const struct limit_place *place, int64_t now)
{
    struct limit_row *row = row_of(limit, place, now);
    unsigned told = told_now(row, now, limit->period);
    if (row->key != place->key || told == 0)
        *row = (struct limit_row){.key = place->key, .since = (uint32_t)now};
    row->told = told + 1;
}

/* Says once in a period that a limit is reached: for the client, or where it has no place, for all of those. */
static void say_full(struct limit_outcome *out, const struct limit *limit,
                     const struct limit_place *place, struct limit_row *row, int64_t now)
{
    struct level *level = place->level;
    out->allowed = false;
    out->level = (enum limit_level)(level - limit->levels);
    out->most = level->most;
    out->crowded = row->key != place->key;
    if (!out->crowded) {
        out->first = !row->said;
        row->said = 1;
        return;
    }
    out->first = level->crowded == 0 || now - level->crowded >= limit->period;
    if (out->first)
        level->crowded = now;
}

/* Whether there is room for one more at this level; else *out says so. */
static bool has_room(struct limit_outcome *out, const struct limit *limit,
                     const struct limit_place *place, int64_t now)
{
    struct limit_row *row = row_of(limit, place, now);
    if (told_now(row, now, limit->period) < place->level->most)
        return true;
    say_full(out, limit, place, row, now);
    return false;
}

/* ---- told addresses */

/* Whether the pair was told within the last period. With note it now is; and what is known stays so from
 * now on, since nothing new is told. */
static bool was_told(struct limit *limit, uint64_t hash, int64_t now, bool note)
{
    uint32_t mark = (uint32_t)(hash >> 32) | 1;
    struct pair *set = limit->pairs[hash % limit->sets], *found = NULL, *oldest = &set[0];

    for (int i = 0; i < WAYS && found == NULL; i++) {
        if (set[i].mark == mark && !is_over(set[i].at, now, limit->period))
            found = &set[i];
        else if (set[i].at < oldest->at)
            oldest = &set[i];
    }
    bool known = found != NULL;
    if (known)
        found->at = (uint32_t)now;
    else if (note)
        *oldest = (struct pair){.mark = mark, .at = (uint32_t)now};
    return known;
}

/* ---- asking */

/* The levels that have a limit. Returns how many. */
static int find_places(struct limit_place *places, struct limit *limit, const struct ip *client,
                       const struct address *new)
{
    uint64_t local = mix(limit->secret, new->local, strlen(new->local) + 1); /* its NUL ends it */
    uint64_t name = mix(local, new->domain, strlen(new->domain));
    int count = 0;
    for (int i = 0; i < LIMIT_LEVELS; i++) {
        struct level *level = &limit->levels[i];
        if (level->most == 0)
            continue;
        uint64_t key = key_of(limit, level, client);
        places[count++] =
            (struct limit_place){.level = level, .key = key, .pair = mix(key, &name, sizeof name)};
    }
    return count;
}

/* What is known costs nothing, at no level; what is new is taken only where every level has room. */
static void ask(struct limit_outcome *out, struct limit *limit, const struct ip *client,
                const struct address *new, int64_t now)
{
    struct limit_place places[LIMIT_LEVELS];
    int count = find_places(places, limit, client, new);

    *out = (struct limit_outcome){.allowed = true};
    for (int i = 0; i < count; i++) {
        places[i].known = was_told(limit, places[i].pair, now, false);
        if (places[i].known && places[i].level == &limit->levels[LIMIT_CLIENT])
            return;
        if (!places[i].known && !has_room(out, limit, &places[i], now))
            return;
    }
    for (int i = 0; i < count; i++) {
        if (places[i].known)
            continue;
        take_room(limit, &places[i], now);
        (void)was_told(limit, places[i].pair, now, true);
    }
}

void limit_ask(struct limit_outcome *out, struct limit *limit, const struct ip *client,
               const struct address *new, int64_t now)
{
    pthread_mutex_lock(&limit->lock);
    ask(out, limit, client, new, now);
    pthread_mutex_unlock(&limit->lock);
}

const char *limit_level_name(enum limit_level level)
{
    static const char *const names[] = {
        [LIMIT_CLIENT] = "client", [LIMIT_NETWORK] = "network", [LIMIT_EVERYONE] = "everyone"};
    return names[level];
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

static int make_level(struct level *level, size_t memory)
{
    level->sets = memory / sizeof *level->rows + 1;
    level->rows = calloc(level->sets, sizeof *level->rows);
    return level->rows == NULL ? -1 : 0;
}

/* Half for told addresses, three eighths for clients, one for networks: each is rarer than the last. */
static int make_tables(struct limit *limit, size_t memory)
{
    int rc = make_level(&limit->levels[LIMIT_CLIENT], memory / 8 * 3);
    rc |= make_level(&limit->levels[LIMIT_NETWORK], memory / 8);
    rc |= make_level(&limit->levels[LIMIT_EVERYONE], 0);
    limit->sets = memory / 2 / sizeof *limit->pairs + 1;
    limit->pairs = calloc(limit->sets, sizeof *limit->pairs);
    return rc != 0 || limit->pairs == NULL ? -1 : 0;
}

struct limit *limit_new(const struct limit_rules *rules)
{
    struct limit *made = calloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    pthread_mutex_init(&made->lock, NULL);
    limit_adapt(made, rules);
    if (getrandom(&made->secret, sizeof made->secret, GRND_NONBLOCK) < 0)
        made->secret = (uint64_t)(uintptr_t)made;
    if (make_tables(made, rules->memory) != 0) {
        limit_free(made);
        return NULL;
    }
    return made;
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
