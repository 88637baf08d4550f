#include "answer/limit.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

/* Tables of sets: a key has one set where it may be, with WAYS places. The sets share LOCKS locks, each
 * held for some tens of nanoseconds. */
#define WAYS       8
#define LOCKS      64
#define CACHE_LINE 64

/* The count of one client, network, or everyone. */
struct row {
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

struct lock {
    alignas(CACHE_LINE) pthread_mutex_t mutex;
};

struct level {
    unsigned most, ipv4_bits, ipv6_bits; /* bits of the 128 that its members share */
    size_t sets;
    struct row (*rows)[WAYS];
    atomic_int_least64_t
        crowded; /* when a newcomer found no place the last time that it was said */
    struct lock locks[LOCKS];
};

struct limit {
    int64_t period;
    size_t memory;
    uint64_t secret; /* so that nobody can choose clients or addresses that share a set */
    struct level levels[LIMIT_LEVELS];
    size_t sets;
    struct pair (*pairs)[WAYS];
    struct lock locks[LOCKS];
};

/* What a question means at one level. */
struct place {
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

/* ---- counts; the caller holds the lock of the set */

/* A clock that was set back by more than a period ends the period too, one that differs by a second
 * between two threads does not. */
static bool is_over(uint32_t since, int64_t now, int64_t period)
{
    int64_t age = now - (int64_t)since;
    return age >= period || age <= -period;
}

static unsigned told_now(const struct row *row, int64_t now, int64_t period)
{
    return row->key == 0 || is_over(row->since, now, period) ? 0 : row->told;
}

/* The key's own row, or else the one that it would take over: that with the least count, the oldest
 * of several. */
static struct row *find_row(struct row *set, uint64_t key, int64_t now, int64_t period)
{
    struct row *least = &set[0];
    for (int i = 0; i < WAYS; i++) {
        unsigned told = told_now(&set[i], now, period), least_told = told_now(least, now, period);
        if (set[i].key == key)
            return &set[i];
        if (told < least_told || (told == least_told && set[i].since < least->since))
            least = &set[i];
    }
    return least;
}

static void add_one(struct row *row, uint64_t key, int64_t now, int64_t period)
{
    unsigned told = told_now(row, now, period);
    if (row->key != key || told == 0)
        *row = (struct row){.key = key, .since = (uint32_t)now};
    row->told = told + 1;
}

/* Whether a period has gone by since this was last asked with yes for an answer. */
static bool is_due(atomic_int_least64_t *last, int64_t now, int64_t period)
{
    int64_t before = atomic_load(last);
    return (before == 0 || now - before >= period) &&
           atomic_compare_exchange_strong(last, &before, now);
}

static void say_full(struct limit_outcome *out, const struct limit *limit, struct level *level,
                     struct row *row, uint64_t key, int64_t now)
{
    out->most = level->most;
    out->crowded = row->key != key;
    if (out->crowded) {
        out->first = is_due(&level->crowded, now, limit->period);
    } else {
        out->first = !row->said;
        row->said = 1;
    }
}

/* Whether there is room for one more at this level; with take it is taken. */
static bool has_room(struct limit *limit, const struct place *place, int64_t now, bool take,
                     struct limit_outcome *out)
{
    struct level *level = place->level;
    size_t set = place->key % level->sets;
    pthread_mutex_t *lock = &level->locks[set % LOCKS].mutex;

    pthread_mutex_lock(lock);
    struct row *row = find_row(level->rows[set], place->key, now, limit->period);
    bool room = told_now(row, now, limit->period) < level->most;
    if (room && take)
        add_one(row, place->key, now, limit->period);
    if (!room)
        say_full(out, limit, level, row, place->key, now);
    pthread_mutex_unlock(lock);
    return room;
}

/* ---- told addresses */

/* Whether the pair was told within the last period. With note it now is; and what is known stays so from
 * now on, since nothing new is told. */
static bool was_told(struct limit *limit, uint64_t hash, int64_t now, bool note)
{
    size_t at = hash % limit->sets;
    uint32_t mark = (uint32_t)(hash >> 32) | 1;
    struct pair *set = limit->pairs[at], *found = NULL, *oldest = &set[0];
    pthread_mutex_t *lock = &limit->locks[at % LOCKS].mutex;

    pthread_mutex_lock(lock);
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
    pthread_mutex_unlock(lock);
    return known;
}

/* ---- asking */

/* With many clients none of it is in a cache: all that is needed comes at the same time. */
static void fetch(const struct limit *limit, const struct place *place)
{
    const char *row = (const char *)&place->level->rows[place->key % place->level->sets];
    __builtin_prefetch(row, 1);
    __builtin_prefetch(row + CACHE_LINE, 1);
    __builtin_prefetch(&limit->pairs[place->pair % limit->sets], 1);
}

/* The levels that have a limit. Returns how many. */
static int find_places(struct place *places, struct limit *limit, const struct ip *client,
                       const char *new_address)
{
    uint64_t name = mix(limit->secret, new_address, strlen(new_address));
    int count = 0;
    for (int i = 0; i < LIMIT_LEVELS; i++) {
        struct level *level = &limit->levels[i];
        if (level->most == 0)
            continue;
        uint64_t key = key_of(limit, level, client);
        places[count] =
            (struct place){.level = level, .key = key, .pair = mix(key, &name, sizeof name)};
        fetch(limit, &places[count++]);
    }
    return count;
}

void limit_ask(struct limit_outcome *out, struct limit *limit, const struct ip *client,
               const char *new_address, int64_t now)
{
    struct place places[LIMIT_LEVELS];
    int count = find_places(places, limit, client, new_address);

    *out = (struct limit_outcome){.allowed = true};
    for (int i = 0; i < count && out->allowed; i++) {
        places[i].known = was_told(limit, places[i].pair, now, false);
        if (places[i].known && places[i].level == &limit->levels[LIMIT_CLIENT])
            return;
        out->level = (enum limit_level)(places[i].level - limit->levels);
        out->allowed = places[i].known || has_room(limit, &places[i], now, false, out);
    }
    for (int i = 0; i < count && out->allowed; i++) {
        if (places[i].known)
            continue;
        out->level = (enum limit_level)(places[i].level - limit->levels);
        out->allowed = has_room(limit, &places[i], now, true, out); /* another thread was first? */
    }
    /* Only when every level has room: what is known costs nothing, at no level. */
    for (int i = 0; i < count && out->allowed; i++)
        if (!places[i].known)
            (void)was_told(limit, places[i].pair, now, true);
}

const char *limit_level_name(enum limit_level level)
{
    static const char *const names[] = {
        [LIMIT_CLIENT] = "client", [LIMIT_NETWORK] = "network", [LIMIT_EVERYONE] = "everyone"};
    return names[level];
}

/* ---- making one */

static void init_locks(struct lock *locks)
{
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_init(&locks[i].mutex, NULL);
}

static void destroy_locks(struct lock *locks)
{
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&locks[i].mutex);
}

/* On cache lines of their own; pages that nobody needs stay untouched. */
static void *make_sets(size_t sets, size_t size)
{
    void *made =
        mmap(NULL, sets * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return made == MAP_FAILED ? NULL : made;
}

static void free_sets(void *made, size_t sets, size_t size)
{
    if (made != NULL)
        munmap(made, sets * size);
}

static void set_share(struct level *level, const struct limit_share *share)
{
    level->most = share->most;
    level->ipv4_bits = 96 + share->ipv4_prefix;
    level->ipv6_bits = share->ipv6_prefix;
}

static void set_rules(struct limit *limit, const struct limit_rules *rules)
{
    limit->period = rules->period;
    limit->memory = rules->memory;
    set_share(&limit->levels[LIMIT_CLIENT], &rules->client);
    set_share(&limit->levels[LIMIT_NETWORK], &rules->network);
    limit->levels[LIMIT_EVERYONE].most = rules->everyone; /* all share 0 bits */
}

static int make_level(struct level *level, size_t memory)
{
    level->sets = memory / sizeof *level->rows + 1;
    level->rows = make_sets(level->sets, sizeof *level->rows);
    init_locks(level->locks);
    return level->rows == NULL ? -1 : 0;
}

/* Half for told addresses, three eighths for clients, one for networks: each is rarer than the last. */
static int make_tables(struct limit *limit)
{
    int rc = make_level(&limit->levels[LIMIT_CLIENT], limit->memory / 8 * 3);
    rc |= make_level(&limit->levels[LIMIT_NETWORK], limit->memory / 8);
    rc |= make_level(&limit->levels[LIMIT_EVERYONE], 0);
    limit->sets = limit->memory / 2 / sizeof *limit->pairs + 1;
    limit->pairs = make_sets(limit->sets, sizeof *limit->pairs);
    init_locks(limit->locks);
    return rc != 0 || limit->pairs == NULL ? -1 : 0;
}

/* Where places are fewer now, what was told least gives way. */
static void carry_level(struct level *to, const struct level *from)
{
    for (size_t i = 0; i < from->sets * WAYS; i++) {
        const struct row *row = &from->rows[i / WAYS][i % WAYS];
        struct row *set = to->rows[row->key % to->sets], *place = &set[0];
        for (int way = 0; way < WAYS; way++)
            if (set[way].told < place->told)
                place = &set[way];
        if (row->key != 0 && row->told > place->told)
            *place = *row;
    }
}

/* But for the pairs: they do not tell where they would be in a table of another size. */
static void carry(struct limit *to, const struct limit *from)
{
    to->secret = from->secret;
    for (int i = 0; i < LIMIT_LEVELS; i++)
        carry_level(&to->levels[i], &from->levels[i]);
}

struct limit *limit_new(const struct limit_rules *rules, const struct limit *old)
{
    struct limit *made = aligned_alloc(alignof(struct limit), sizeof *made);
    if (made == NULL)
        return NULL;
    memset(made, 0, sizeof *made);
    set_rules(made, rules);
    if (getrandom(&made->secret, sizeof made->secret, GRND_NONBLOCK) < 0)
        made->secret = (uint64_t)(uintptr_t)made;
    if (make_tables(made) != 0) {
        limit_free(made);
        return NULL;
    }
    if (old != NULL)
        carry(made, old);
    return made;
}

bool limit_adapt(struct limit *limit, const struct limit_rules *rules)
{
    if (rules->memory != limit->memory)
        return false;
    set_rules(limit, rules);
    return true;
}

void limit_free(struct limit *limit)
{
    if (limit == NULL)
        return;
    for (int i = 0; i < LIMIT_LEVELS; i++) {
        destroy_locks(limit->levels[i].locks);
        free_sets(limit->levels[i].rows, limit->levels[i].sets, sizeof *limit->levels[i].rows);
    }
    destroy_locks(limit->locks);
    free_sets(limit->pairs, limit->sets, sizeof *limit->pairs);
    free(limit);
}
