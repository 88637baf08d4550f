/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/hits_queue.h"

#include "base/siphash.h"
#include "daemon/logger.h"
#include "daemon/service.h"
#include "table/hit_file.h"
#include "table/record.h"

#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>

#define PAIRS_MAX  8192 /* of an entry and a domain; of some 90 octets each */
#define TEXT_MAX   (PAIRS_MAX * 96)
#define BUCKETS    (2 * PAIRS_MAX)
#define DOMAIN_MAX 255

#define QUIET_MS     3600000
#define STOP_SECONDS 2

static_assert(PAIRS_MAX < UINT16_MAX, "struct pairs numbers them so");

/* One is filled while the other is written. */
struct pairs {
    struct hit hits[PAIRS_MAX]; /* count of them; they point into text */
    size_t count, used;
    char text[TEXT_MAX];
    struct bucket {
        uint16_t number; /* of a hit, plus 1; 0: free */
        uint16_t tag;    /* part of its hash: a hit with another tag need not be compared */
    } buckets[BUCKETS];  /* by hash */
};

static struct pairs both[2];

static struct {
    pthread_mutex_t lock;
    struct pairs *filled;
    uint64_t key[2];
    atomic_bool enabled; /* whether answers are taken; at first they are not */
    atomic_ulong lost;   /* mails, since the start */
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = &both[0]};

/* ---- the queue */

/* Counts the hit, whose key and domain are adjacent in memory. Returns whether there was room. */
static bool put(struct pairs *pairs, const struct hit *hit, uint64_t hash)
{
    size_t length = hit->key_length + hit->domain_length;
    const uint16_t tag = (uint16_t)(hash >> 48);
    struct bucket *bucket = &pairs->buckets[hash % BUCKETS];
    for (; bucket->number != 0; bucket = &pairs->buckets[++hash % BUCKETS]) {
        struct hit *there = &pairs->hits[bucket->number - 1];
        if (bucket->tag == tag && there->day == hit->day && there->key_length == hit->key_length &&
            there->domain_length == hit->domain_length &&
            memcmp(there->key, hit->key, length) == 0) {
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

/* Finds the domain of a sender: what follows the last '@'. Returns its length. */
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

uint64_t hits_queue_lost(void)
{
    return queue.lost;
}

/* Takes all that is there: *count hits, each pair of an entry and a domain once a day. They are valid until the next call. */
static const struct hit *take(size_t *count)
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

/* ---- the thread that empties it */

static struct {
    pthread_t thread;
    struct pollfd stop;     /* eventfd(2) */
    uint32_t day;           /* noted in hits/; 0: none, or hits/ could not be written since */
    uint32_t swept;         /* the day on which all rows were looked at */
    struct hit_place place; /* the last row that was looked at since */
    int64_t due_ms;         /* when the next flush is due, on the monotonic clock */
    char paused[PATH_MAX];  /* the table whose hits/ says that nothing is counted; "": none */
    uint64_t noted, told;   /* lost mails that hits/ knows of, and that the log knows of */
    int64_t quiet_ms;       /* no log line before this moment, on the monotonic clock */
} writer = {.stop = {.events = POLLIN}};

static uint32_t today(void)
{
    return (uint32_t)(time(NULL) / HIT_DAY_SECONDS);
}

static int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits for this time at most. Returns whether a flush is due: its time has come, or the daemon stops. */
static bool is_due(int64_t wait_ms)
{
    return poll(&writer.stop, 1, (int)wait_ms) > 0 || milliseconds() >= writer.due_ms;
}

static void say(const char *what)
{
    if (milliseconds() < writer.quiet_ms)
        return;
    uint64_t lost = queue.lost;
    log_line(LOG_ERR, "hits: %s; mails that were answered and not counted: %" PRIu64, what,
             lost - writer.told);
    writer.quiet_ms = milliseconds() + QUIET_MS;
    writer.told = lost;
}

/* ---- one flush */

/* Compares hits/ with the table. All rows are looked at once a day, as far as there is time between two flushes. */
static int tend(struct hit_file *file, const struct service_hits *hits, struct error *err)
{
    uint32_t since = today() > hits->rules.keep ? today() - hits->rules.keep : 0;
    int rc = hit_file_follow(file, service_lend_table, NULL, today(), err);
    while (rc == 0 && writer.swept != today() && !is_due(0)) {
        rc = hit_file_sweep(file, service_lend_table, NULL, &writer.place, since, err);
        if (rc <= 0) {
            writer.swept = today();
            writer.place.length = 0;
        }
        rc = rc > 0 ? 0 : rc;
    }
    return rc;
}

static int write_hits(struct hit_file **file, const struct service_hits *hits, struct error *err)
{
    size_t count;
    uint64_t mails = 0, lost = queue.lost;
    const struct hit *taken = take(&count);
    /* Without a table there is no folder, and nobody is answered by an entry. */
    if (count == 0 && lost == writer.noted && !hits->table_is_open)
        return 0;
    int rc = hit_file_open(file, hits->table, TABLE_WRITE, err);
    if (rc == 0 && writer.day > 0)
        hit_file_goes_on(*file);
    if (rc == 0 && (count > 0 || lost > writer.noted || writer.day != today()))
        rc = hit_file_write(*file, taken, count, lost - writer.noted, today(), &hits->rules, err);
    if (rc == 0) {
        writer.noted = lost;
        writer.day = today();
        return tend(*file, hits, err);
    }
    for (size_t i = 0; i < count; i++)
        mails += taken[i].mails;
    queue.lost += mails;
    return rc;
}

/* Where hits.enabled is false. hits/ is not made where nothing was counted before. */
static int pause_writing(struct hit_file **file, const struct service_hits *hits, struct error *err)
{
    size_t count;
    writer.noted = queue.lost;
    (void)take(&count);
    writer.day = 0;
    if (strcmp(writer.paused, hits->table) == 0)
        return 0;
    if (hit_file_open(file, hits->table, TABLE_READ, err) != 0)
        return err->status == EX_NOINPUT ? 0 : -1;
    hit_file_free(*file); /* first: LMDB's locks are the process's, not the handle's */
    *file = NULL;
    if (hit_file_open(file, hits->table, TABLE_WRITE, err) != 0 || hit_file_pause(*file, err) != 0)
        return -1;
    memcpy(writer.paused, hits->table, sizeof writer.paused);
    return 0;
}

struct flush {
    const struct service_hits *hits;
    struct hit_file *file;
    int rc;
    struct error err;
};

static void *flush_alone(void *data)
{
    struct flush *flush = data;
    flush->rc = flush->hits->enabled ? write_hits(&flush->file, flush->hits, &flush->err)
                                     : pause_writing(&flush->file, flush->hits, &flush->err);
    return NULL;
}

/* In a thread of its own: a fault inside LMDB can leave it with the write lock of hits/, a robust mutex. The lock becomes
 * free when the thread ends, and before that the file must not be closed (pthread_mutexattr_setrobust(3)). It is closed after
 * each flush, because LMDB keeps the memory of all pages that a transaction has written until then. */
static void flush(const struct service_hits *hits)
{
    pthread_t thread;
    struct flush flush = {.hits = hits};
    if (hits->enabled)
        writer.paused[0] = '\0';
    int rc = pthread_create(&thread, NULL, flush_alone, &flush);
    if (rc == 0) {
        pthread_join(thread, NULL);
        hit_file_free(flush.file);
    } else {
        flush.rc = error_set(&flush.err, EX_OSERR, "cannot start a thread: %s", strerror(rc));
    }
    if (flush.rc != 0) {
        writer.day = 0;
        say(flush.err.text);
    } else if (queue.lost > writer.told) {
        say("more senders and entries within hits.flush_interval than there is room for");
    }
}

/* ---- the thread */

static void *run(void *unused)
{
    struct service_hits hits;
    bool ends = false;
    (void)unused;
    while (!ends) { /* the first flush is due at once, and notes the day */
        int64_t left = writer.due_ms - milliseconds();
        (void)is_due(left > 0 ? left : 0);
        ends = writer.stop.revents != 0;
        service_describe_hits(&hits);
        writer.due_ms = milliseconds() + hits.interval_s * 1000;
        queue.enabled = hits.enabled;
        flush(&hits);
    }
    return NULL;
}

int hits_queue_start(struct error *err)
{
    struct service_hits hits;
    service_describe_hits(&hits);
    (void)!getrandom(queue.key, sizeof queue.key, 0);
    queue.enabled = hits.enabled;
    writer.stop.fd = eventfd(0, EFD_CLOEXEC);
    if (writer.stop.fd < 0)
        return error_set(err, EX_OSERR, "hits: no descriptor is left: raise LimitNOFILE");
    int rc = pthread_create(&writer.thread, NULL, run, NULL);
    return rc == 0 ? 0 : error_set(err, EX_OSERR, "cannot start a thread: %s", strerror(rc));
}

void hits_queue_stop(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_SECONDS;
    (void)eventfd_write(writer.stop.fd, 1);
    (void)pthread_timedjoin_np(writer.thread, NULL, &until);
}
