/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/hits_queue.h"

#include "base/siphash.h"
#include "table/record.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#define PAIRS_MAX  8192 /* of an entry and a domain; of some 90 octets each */
#define TEXT_MAX   (PAIRS_MAX * 96)
#define BUCKETS    (2 * PAIRS_MAX)
#define DOMAIN_MAX 255

static_assert(PAIRS_MAX < UINT16_MAX, "struct pairs numbers them so");

/* One is filled while the other is written. */
struct pairs {
    struct hit hits[PAIRS_MAX]; /* count of them; they point into text */
    size_t count, used;
    char text[TEXT_MAX];
    struct bucket {
        uint16_t number; /* of a hit, plus 1; 0: free */
        uint16_t tag;    /* of its hash: who differs in it need not be looked at */
    } buckets[BUCKETS];  /* by hash */
};

static struct pairs both[2];

static struct {
    pthread_mutex_t lock;
    struct pairs *filled;
    uint64_t key[2];
    atomic_bool enabled;
    _Atomic uint64_t lost; /* mails, since the start */
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = &both[0]};

void hits_queue_enable(bool enabled)
{
    if (queue.key[0] == 0)
        (void)!getrandom(queue.key, sizeof queue.key, 0);
    atomic_store(&queue.enabled, enabled);
}

static bool is_same(const struct hit *a, const struct hit *b)
{
    return a->day == b->day && a->key_length == b->key_length &&
           a->domain_length == b->domain_length && memcmp(a->key, b->key, a->key_length) == 0 &&
           memcmp(a->domain, b->domain, a->domain_length) == 0;
}

/* Puts the hit, whose key and domain stand side by side. Returns whether there was room. */
static bool put(struct pairs *pairs, const struct hit *hit, uint64_t hash)
{
    size_t length = hit->key_length + hit->domain_length;
    const uint16_t tag = (uint16_t)(hash >> 48);
    struct bucket *bucket = &pairs->buckets[hash % BUCKETS];
    for (; bucket->number != 0; bucket = &pairs->buckets[++hash % BUCKETS]) {
        struct hit *there = &pairs->hits[bucket->number - 1];
        if (bucket->tag == tag && is_same(there, hit)) {
            there->mails++;
            return true;
        }
    }
    if (pairs->count == PAIRS_MAX || pairs->used + length > TEXT_MAX)
        return false;
    char *text = memcpy(pairs->text + pairs->used, hit->key, length);
    pairs->used += length;
    struct hit *made = &pairs->hits[pairs->count++];
    *made = *hit;
    made->key = text;
    made->domain = text + hit->key_length;
    *bucket = (struct bucket){(uint16_t)pairs->count, tag};
    return true;
}

/* What follows the last '@'. */
static size_t find_domain(const char **out, const char *sender, size_t length)
{
    *out = HIT_NULL_PATH;
    if (length == 0 || (length == 2 && memcmp(sender, HIT_NULL_PATH, 2) == 0))
        return sizeof HIT_NULL_PATH - 1;
    const char *at = memrchr(sender, '@', length);
    *out = at == NULL ? "" : at + 1;
    size_t domain_length = at == NULL ? 0 : (size_t)(sender + length - at) - 1;
    return domain_length > DOMAIN_MAX ? 0 : domain_length;
}

void hits_queue_add(const struct answer *answer, const char *sender, size_t length, int64_t now)
{
    const struct entry *entry = &answer->chain.first;
    char text[RECORD_KEY_MAX + DOMAIN_MAX];
    const char *domain;
    struct hit hit = {.key = text, .mails = 1, .day = (uint32_t)(now / HIT_DAY_SECONDS)};

    if (!atomic_load_explicit(&queue.enabled, memory_order_relaxed) || answer->chain.met == 0 ||
        entry->action == ENTRY_STAY || answer->rule == RULE_TABLE_ERROR)
        return;
    hit.key_length = record_key(text, entry->scope, entry->local, entry->domain);
    hit.domain_length = find_domain(&domain, sender, length);
    hit.domain = memcpy(text + hit.key_length, domain, hit.domain_length);
    uint64_t hash = siphash(queue.key, text, hit.key_length + hit.domain_length);

    pthread_mutex_lock(&queue.lock);
    queue.lost += !put(queue.filled, &hit, hash);
    pthread_mutex_unlock(&queue.lock);
}

const struct hit *hits_queue_take(size_t *count)
{
    struct pairs *taken = queue.filled; /* only this thread changes it */
    struct pairs *next = taken == &both[0] ? &both[1] : &both[0];
    if (next->count > 0)
        memset(next->buckets, 0, sizeof next->buckets);
    next->count = next->used = 0;

    pthread_mutex_lock(&queue.lock);
    queue.filled = next;
    pthread_mutex_unlock(&queue.lock);
    *count = taken->count;
    return taken->hits;
}

void hits_queue_lose(uint64_t mails)
{
    queue.lost += mails;
}

uint64_t hits_queue_lost(void)
{
    return queue.lost;
}
