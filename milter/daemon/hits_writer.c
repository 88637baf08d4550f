/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/hits_writer.h"

#include "daemon/hits_queue.h"
#include "daemon/logger.h"
#include "daemon/service.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#define QUIET_MS     3600000
#define STOP_SECONDS 2

static struct {
    pthread_t thread;
    struct pollfd stop;     /* eventfd(2); -1: the thread was not started */
    uint32_t day;           /* noted in hits/; 0: none, or hits/ could not be written since */
    uint32_t swept;         /* the day on which all rows were looked at */
    struct hit_place place; /* up to which they were, since then */
    int64_t due_ms;         /* when the next flush is due, on the monotonic clock */
    char paused[PATH_MAX];  /* the table whose hits/ says that nothing is counted; "": none */
    uint64_t noted;         /* mails lost that hits/ knows of */
    uint64_t told;          /* mails lost that the log knows of */
    int64_t quiet_ms;       /* no line before this, on the monotonic clock */
} writer = {.stop = {.fd = -1, .events = POLLIN}};

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
    uint64_t lost = hits_queue_lost();
    log_line(LOG_ERR, "hits: %s; mails that were answered and not counted: %" PRIu64, what,
             lost - writer.told);
    writer.quiet_ms = milliseconds() + QUIET_MS;
    writer.told = lost;
}

/* ---- one flush */

static int lend(void *unused, int (*use)(struct table *table, void *data), void *data)
{
    (void)unused;
    return service_use_table(use, data);
}

static int is_open(struct table *table, void *unused)
{
    (void)table;
    (void)unused;
    return 1;
}

/* Compares hits/ with the table. All rows are looked at once a day, as far as there is time between two flushes. */
static int tend(struct hit_file *file, const struct service_hits *hits, struct error *err)
{
    uint32_t since = today() > hits->rules.keep ? today() - hits->rules.keep : 0;
    int rc = hit_file_follow(file, lend, NULL, today(), err);
    while (rc == 0 && writer.swept != today() && !is_due(0)) {
        rc = hit_file_sweep(file, lend, NULL, &writer.place, since, err);
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
    uint64_t mails = 0, lost = hits_queue_lost();
    const struct hit *taken = hits_queue_take(&count);
    /* Without a table there is no folder, and nobody is answered by an entry. */
    if (count == 0 && lost == writer.noted && service_use_table(is_open, NULL) == 0)
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
    hits_queue_lose(mails);
    return rc;
}

/* Where hits.enabled is false. hits/ is not made where nothing was counted before. */
static int pause_writing(struct hit_file **file, const struct service_hits *hits, struct error *err)
{
    size_t count;
    writer.noted = hits_queue_lost();
    (void)hits_queue_take(&count);
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
    } else if (hits_queue_lost() > writer.told) {
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
        hits_queue_enable(hits.enabled);
        flush(&hits);
    }
    return NULL;
}

int hits_writer_start(struct error *err)
{
    struct service_hits hits;
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0)
        return error_set(err, EX_OSERR, "hits: no descriptor is left: raise LimitNOFILE");
    service_describe_hits(&hits);
    hits_queue_enable(hits.enabled);
    writer.stop.fd = fd;
    int rc = pthread_create(&writer.thread, NULL, run, NULL);
    if (rc != 0) {
        writer.stop.fd = -1;
        return error_set(err, EX_OSERR, "cannot start a thread: %s", strerror(rc));
    }
    return 0;
}

void hits_writer_stop(void)
{
    struct timespec until;
    if (writer.stop.fd < 0)
        return;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_SECONDS;
    (void)eventfd_write(writer.stop.fd, 1);
    (void)pthread_timedjoin_np(writer.thread, NULL, &until);
}
