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

#define QUIET_MS 3600000
#define STOP_MS  2000

static struct {
    uint32_t day;   /* that is noted in hits/; 0: none, or hits/ could not be written since */
    uint32_t swept; /* the day on which all rows were looked at */
    struct hit_place place; /* up to which they were, since then */
    int64_t due_ms;         /* when the next flush is due, on the monotonic clock */
    char paused[PATH_MAX];  /* the table whose hits/ says that nothing is counted; "": none */
    uint64_t told;          /* mails lost that a line has told of */
    int64_t quiet_ms;       /* no line before this, on the monotonic clock */
    struct pollfd stop;     /* eventfd(2) */
    int stopped;            /* one more */
} writer = {.stop = {.fd = -1, .events = POLLIN}, .stopped = -1};

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

/* Waits for so long at most. Whether a flush is due: its time has come, or the daemon stops. */
static bool is_due(int64_t wait_ms)
{
    return poll(&writer.stop, 1, (int)wait_ms) > 0 || milliseconds() >= writer.due_ms;
}

static void say(const struct error *err)
{
    if (milliseconds() < writer.quiet_ms)
        return;
    uint64_t lost = hits_queue_lost();
    log_line(LOG_ERR, "hits: %s; mails that were answered and not counted: %" PRIu64, err->text,
             lost - writer.told);
    writer.quiet_ms = milliseconds() + QUIET_MS;
    writer.told = lost;
}

/* ---- what the table says */

static int lend(void *unused, int (*use)(struct table *table, void *data), void *data)
{
    (void)unused;
    return service_use_table(use, data);
}

/* All rows are looked at once a day, as far as there is time between two flushes. */
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

/* ---- writing */

static int is_open(struct table *table, void *unused)
{
    (void)table;
    (void)unused;
    return 1;
}

/* Of what was taken, and what the table says. */
static int write_taken(struct hit_file **file, const struct service_hits *hits,
                       const struct hit *taken, size_t count, uint64_t lost, struct error *err)
{
    int rc = hit_file_open(file, hits->table, TABLE_WRITE, err);
    if (rc == 0 && writer.day > 0)
        hit_file_goes_on(*file);
    if (rc == 0 && (count > 0 || lost > 0 || writer.day != today()))
        rc = hit_file_write(*file, taken, count, lost, today(), &hits->rules, err);
    return rc;
}

static int write_hits(struct hit_file **file, const struct service_hits *hits, struct error *err)
{
    size_t count;
    uint64_t lost, mails = 0;
    const struct hit *taken = hits_queue_take(&count, &lost);
    /* Without a table there is no folder, and nobody is answered by an entry. */
    if (count == 0 && lost == 0 && service_use_table(is_open, NULL) == 0)
        return 0;
    int rc = write_taken(file, hits, taken, count, lost, err);
    if (rc == 0) {
        hits_queue_noted(lost);
        writer.day = today();
        return tend(*file, hits, err);
    }
    for (size_t i = 0; i < count; i++)
        mails += taken[i].mails;
    hits_queue_lose(mails);
    return rc;
}

/* hits/ is not made where nothing was counted before. */
static int note_pause(struct hit_file **file, const struct service_hits *hits, struct error *err)
{
    if (hit_file_open(file, hits->table, TABLE_READ, err) != 0)
        return -1;
    hit_file_free(*file); /* first: LMDB's locks are the process's, not the handle's */
    *file = NULL;
    return hit_file_open(file, hits->table, TABLE_WRITE, err) == 0 ? hit_file_pause(*file, err)
                                                                   : -1;
}

/* Where hits.enabled is false. */
static int pause_writing(struct hit_file **file, const struct service_hits *hits, struct error *err)
{
    size_t count;
    uint64_t lost;
    (void)hits_queue_take(&count, &lost);
    hits_queue_noted(lost);
    writer.day = 0;
    if (strcmp(writer.paused, hits->table) == 0)
        return 0;
    if (note_pause(file, hits, err) != 0)
        return err->status == EX_NOINPUT ? 0 : -1;
    memcpy(writer.paused, hits->table, sizeof writer.paused);
    return 0;
}

struct flush {
    const struct service_hits *hits;
    struct hit_file *file;
    int rc;
    struct error err;
};

static void *write_alone(void *data)
{
    struct flush *flush = data;
    flush->rc = flush->hits->enabled ? write_hits(&flush->file, flush->hits, &flush->err)
                                     : pause_writing(&flush->file, flush->hits, &flush->err);
    return NULL;
}

/* In a thread of its own: a fault inside LMDB can leave it with the write lock of hits/, a robust mutex. The lock becomes
 * free when the thread ends, and before that the file must not be closed (pthread_mutexattr_setrobust(3)). It is closed after
 * each flush, for LMDB keeps the memory of all pages that a transaction has written until then. */
static int write_in_thread(const struct service_hits *hits, struct error *err)
{
    pthread_t thread;
    struct flush flush = {.hits = hits};
    int rc = pthread_create(&thread, NULL, write_alone, &flush);
    if (rc != 0)
        return error_set(err, EX_OSERR, "cannot start a thread: %s", strerror(rc));
    pthread_join(thread, NULL);
    hit_file_free(flush.file);
    *err = flush.err;
    return flush.rc;
}

static void flush(const struct service_hits *hits)
{
    struct error err;
    if (hits->enabled)
        writer.paused[0] = '\0';
    if (write_in_thread(hits, &err) != 0) {
        writer.day = 0;
        say(&err);
    } else if (hits_queue_lost() > writer.told) {
        error_set(&err, EX_TEMPFAIL,
                  "more senders and entries within hits.flush_interval than there is room for");
        say(&err);
    }
}

static void *run(void *unused)
{
    struct service_hits hits = {.interval_s = 0}; /* the day of a start is noted at once */
    bool ends = false;
    (void)unused;
    while (!ends) {
        int64_t left = writer.due_ms - milliseconds();
        (void)is_due(left > 0 ? left : 0);
        ends = writer.stop.revents != 0;
        service_describe_hits(&hits);
        writer.due_ms = milliseconds() + hits.interval_s * 1000;
        hits_queue_enable(hits.enabled);
        flush(&hits);
    }
    (void)eventfd_write(writer.stopped, 1);
    return NULL;
}

int hits_writer_start(struct error *err)
{
    pthread_t thread;
    struct service_hits hits;
    writer.stop.fd = eventfd(0, EFD_CLOEXEC);
    writer.stopped = eventfd(0, EFD_CLOEXEC);
    if (writer.stop.fd < 0 || writer.stopped < 0)
        return error_set(err, EX_OSERR, "hits: no descriptor is left: raise LimitNOFILE");
    service_describe_hits(&hits);
    hits_queue_enable(hits.enabled);
    int rc = pthread_create(&thread, NULL, run, NULL);
    if (rc != 0)
        return error_set(err, EX_OSERR, "cannot start a thread: %s", strerror(rc));
    pthread_detach(thread);
    return 0;
}

void hits_writer_stop(void)
{
    struct pollfd stopped = {.fd = writer.stopped, .events = POLLIN};
    if (writer.stopped < 0)
        return;
    (void)eventfd_write(writer.stop.fd, 1);
    (void)poll(&stopped, 1, STOP_MS);
}
