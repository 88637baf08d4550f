/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/logger.h"

#include "base/printable.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-journal.h>
#include <unistd.h>
#endif

#define QUEUE_MAX    4096 /* lines */
#define STOP_SECONDS 1
#define LINE_SIZE    4096 /* octets: a reply, three addresses and a host name fit */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct line {
        int level;
        char *text;     /* on the heap */
    } lines[QUEUE_MAX]; /* a ring: count of them from first on */
    size_t first, count;
    atomic_ulong lost;  /* lines, since the start */
    unsigned long said; /* how many of these the log tells of */
    bool started, stopping;
    pthread_t thread;
    int target, facility;
    atomic_int level;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .more = PTHREAD_COND_INITIALIZER,
           .target = LOG_TARGET_STDERR,
           .level = LOG_INFO};

static void write_line(int target, int facility, int level, const char *text)
{
    switch ((enum settings_log_target)target) {
    case LOG_TARGET_STDERR: fprintf(stderr, "milter-moved: %s\n", text); return;
    case LOG_TARGET_JOURNAL:
#ifdef HAVE_SYSTEMD
        /* Without a journal sd_journal_send succeeds too. */
        if (access("/run/systemd/journal/socket", F_OK) == 0 &&
            sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", level, "SYSLOG_FACILITY=%i",
                            facility >> 3, "SYSLOG_IDENTIFIER=milter-moved", NULL) >= 0)
            return;
#endif
        /* fall through */ /* no journal here: the line must not be lost */
    case LOG_TARGET_SYSLOG: syslog(facility | level, "%s", text); return;
    }
}

static void *write_queue(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&queue.lock);
    for (;;) {
        while (queue.count == 0 && !queue.stopping)
            pthread_cond_wait(&queue.more, &queue.lock);
        if (queue.count == 0)
            break;
        const struct line line = queue.lines[queue.first];
        queue.first = (queue.first + 1) % QUEUE_MAX;
        queue.count--;
        unsigned long lost = queue.lost - queue.said;
        queue.said = queue.lost;
        int target = queue.target, facility = queue.facility;
        pthread_mutex_unlock(&queue.lock);

        write_line(target, facility, line.level, line.text);
        free(line.text);
        if (lost > 0) {
            char text[64];
            snprintf(text, sizeof text, "%lu log lines lost: the log is too slow", lost);
            write_line(target, facility, LOG_WARNING, text);
        }
        pthread_mutex_lock(&queue.lock);
    }
    pthread_mutex_unlock(&queue.lock);
    return NULL;
}

void log_reconfigure(const struct settings *settings)
{
    pthread_mutex_lock(&queue.lock);
    queue.target = settings->log_target;
    queue.facility = settings->log_facility;
    pthread_mutex_unlock(&queue.lock);
    atomic_store(&queue.level, settings->log_level);
}

int log_start(const struct settings *settings, struct error *err)
{
    openlog("milter-moved", LOG_PID | LOG_NDELAY,
            settings->log_facility); /* libmilter logs there too */
    log_reconfigure(settings);
    int rc = pthread_create(&queue.thread, NULL, write_queue, NULL);
    if (rc != 0)
        return error_set(err, EX_OSERR, "cannot start a thread: %s", strerror(rc));
    queue.started = true;
    return 0;
}

void log_stop(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_SECONDS;

    pthread_mutex_lock(&queue.lock);
    queue.stopping = true;
    pthread_cond_signal(&queue.more);
    pthread_mutex_unlock(&queue.lock);
    if (queue.started)
        (void)pthread_timedjoin_np(queue.thread, NULL, &until);
}

bool log_wants(int level)
{
    return level <= atomic_load_explicit(&queue.level, memory_order_relaxed);
}

void log_line(int level, const char *format, ...)
{
    char text[LINE_SIZE];
    va_list args;
    if (!log_wants(level))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    printable_make(text);
    char *copy = strdup(text);

    pthread_mutex_lock(&queue.lock);
    if (copy == NULL || queue.count == QUEUE_MAX || queue.stopping) {
        queue.lost++;
        free(copy);
    } else {
        queue.lines[(queue.first + queue.count++) % QUEUE_MAX] = (struct line){level, copy};
        pthread_cond_signal(&queue.more);
    }
    pthread_mutex_unlock(&queue.lock);
}

unsigned long log_count_lost(void)
{
    return queue.lost;
}
