/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/service.h"

#include "daemon/logger.h"
#include "daemon/open_sessions.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WATCH_SECONDS 5

/* Answers hold the lock for reading, a few microseconds each; only a reload and a table that
 * comes or goes hold it for writing. */
static struct {
    pthread_rwlock_t lock;
    struct settings *settings;
    const struct settings *started; /* those of the start, never freed */
    struct table *table;            /* NULL: table_error says why */
    struct error table_error;
    struct limit *limit;
} service;

static struct answer_source source(void)
{
    return (struct answer_source){service.settings, service.table, &service.table_error,
                                  service.limit};
}

bool service_ask(struct answer *out, const struct question *question)
{
    pthread_rwlock_rdlock(&service.lock);
    const struct answer_source from = source();
    answer_ask(out, question, &from);
    bool counts = service.settings->mode == MODE_ENFORCE;
    pthread_rwlock_unlock(&service.lock);
    return counts;
}

bool service_observes(void)
{
    pthread_rwlock_rdlock(&service.lock);
    bool observes = service.settings->mode == MODE_OBSERVE;
    pthread_rwlock_unlock(&service.lock);
    return observes;
}

bool service_map(struct map_answer *out, const struct map_question *question)
{
    pthread_rwlock_rdlock(&service.lock);
    const struct answer_source from = source();
    map_ask(out, question, &from);
    bool counts = service.settings->mode == MODE_ENFORCE;
    pthread_rwlock_unlock(&service.lock);
    return counts;
}

void service_describe(struct service_state *out)
{
    pthread_rwlock_rdlock(&service.lock);
    *out = (struct service_state){.observes = service.settings->mode == MODE_OBSERVE,
                                  .table_error = service.table_error};
    if (service.table != NULL && table_count(service.table, &out->entries, &out->table_error) == 0)
        out->table_error.text[0] = '\0';
    pthread_rwlock_unlock(&service.lock);
}

void service_describe_hits(struct service_hits *out)
{
    pthread_rwlock_rdlock(&service.lock);
    const struct settings *s = service.settings;
    out->enabled = s->hits;
    out->interval_s = s->hits_interval;
    out->rules = (struct hit_rules){(unsigned)s->hits_senders, (unsigned)s->hits_keep,
                                    (unsigned)s->hits_memory};
    out->table_is_open = service.table != NULL;
    snprintf(out->table, sizeof out->table, "%s", s->table);
    pthread_rwlock_unlock(&service.lock);
}

int service_lend_table(void *unused, int (*use)(struct table *table, void *data), void *data)
{
    (void)unused;
    pthread_rwlock_rdlock(&service.lock);
    int rc = service.table == NULL ? 0 : use(service.table, data);
    pthread_rwlock_unlock(&service.lock);
    return rc;
}

int service_open_table(struct table **out, const struct settings *settings, struct error *err)
{
    if (table_open(out, settings->table, TABLE_READ, settings->fold_case, err) == 0)
        return 0;
    *out = NULL;
    const struct error why = *err;
    /* EROFS: the owner would change nothing. */
    if (why.status == EX_NOPERM && (access(settings->table, W_OK) == 0 || errno != EROFS))
        error_set(err, why.status,
                  "%s: who reads a table writes its locks: it has to be the daemon's user's (chown "
                  "-R %s %s)",
                  why.text, *settings->user == '\0' ? "USER" : settings->user, settings->table);
    return -1;
}

/* ---- the table; the caller holds the lock for writing */

static void say_table_error(void)
{
    log_line(LOG_ERR, "table: %s; answering %s meanwhile", service.table_error.text,
             service.settings->on_table_error == TABLE_ERROR_ACCEPT
                 ? "as if nothing had moved"
                 : service.settings->texts.of[TEXT_TABLE_ERROR]);
}

/* Opens a table that was missing. A table that was replaced, truncated or overwritten is closed and reopened; if no other
 * process uses lock.mdb, that creates a new one. */
static void tend_table(void)
{
    struct error err;
    size_t entries;

    pthread_rwlock_rdlock(&service.lock);
    bool is_open = service.table != NULL;
    bool well = is_open && table_check(service.table, &err) == 0 &&
                (table_count(service.table, &entries, &err) == 0 || err.status != EX_DATAERR);
    pthread_rwlock_unlock(&service.lock);
    if (well)
        return;
    if (is_open)
        log_line(LOG_WARNING, "table: %s: reopening it", err.text);

    pthread_rwlock_wrlock(&service.lock);
    /* Before the new one is opened: LMDB's locks are the process's, not the handle's. */
    table_free(service.table);
    if (service_open_table(&service.table, service.settings, &err) == 0) {
        log_line(LOG_NOTICE, "table: %s is open", service.settings->table);
        service.table_error.text[0] = '\0';
    } else if (strcmp(err.text, service.table_error.text) != 0) {
        service.table_error = err;
        say_table_error();
    }
    pthread_rwlock_unlock(&service.lock);
}

static void *tend(void *unused)
{
    (void)unused;
    for (unsigned round = 1;; round++) {
        sleep(1);
        tend_table();
        if (round % WATCH_SECONDS == 0)
            open_sessions_watch();
    }
    return NULL;
}

/* ---- settings */

static void warn(const char *line)
{
    log_line(LOG_WARNING, "%s", line);
}

static void say_needs_start(bool changed, const char *keys)
{
    if (changed)
        log_line(LOG_WARNING, "%s: changed; in force from the next start on", keys);
}

/* Changes over to the new table. Returns -1 where the new settings contradict it, and then the old
 * table is open again. */
static int change_table(const struct settings *new, struct error *err)
{
    const struct settings *old = service.settings;
    if (service.table != NULL && strcmp(old->table, new->table) == 0 &&
        old->fold_case == new->fold_case)
        return 0;
    table_free(service.table);
    if (service_open_table(&service.table, new, err) == 0) {
        service.table_error.text[0] = '\0';
        return 0;
    }
    if (err->status == EX_CONFIG) {
        struct error old_error;
        if (service_open_table(&service.table, old, &old_error) != 0)
            service.table_error = old_error;
        return -1;
    }
    service.table_error = *err; /* missing or unreadable: looked for from now on, as at a start */
    return 0;
}

int service_reload(struct error *err)
{
    struct settings *new, *old = service.settings; /* only this thread changes it */
    const struct settings *started = service.started;
    if (settings_read_for_daemon(&new, old->file, err) != 0)
        return -1;

    pthread_rwlock_wrlock(&service.lock);
    if (change_table(new, err) != 0) {
        pthread_rwlock_unlock(&service.lock);
        settings_locate(new, err);
        settings_free(new);
        return -1;
    }
    limit_adapt(service.limit, &new->limits);
    service.settings = new;
    log_reconfigure(new);
    if (service.table == NULL)
        say_table_error();
    pthread_rwlock_unlock(&service.lock);

    say_needs_start(strcmp(started->socket, new->socket) != 0 ||
                        strcmp(started->lookup_socket, new->lookup_socket) != 0 ||
                        started->socket_mode != new->socket_mode ||
                        strcmp(started->socket_group, new->socket_group) != 0,
                    "socket, lookup_socket, socket_group, socket_mode");
    say_needs_start(strcmp(started->user, new->user) != 0 ||
                        strcmp(started->pid_file, new->pid_file) != 0,
                    "user, pid_file");
    say_needs_start(started->memory != new->memory, "disclosure.memory");
    if (old != started)
        settings_free(old);
    settings_warn(new, warn);
    return 0;
}

int service_start(struct settings *settings, struct error *err)
{
    pthread_rwlockattr_t attributes;
    pthread_t thread;

    pthread_rwlockattr_init(&attributes);
    /* A steady stream of questions must not keep a reload waiting. */
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&service.lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);

    service.started = service.settings = settings;
    service.limit = limit_new(&settings->limits);
    if (service.limit == NULL)
        return error_set(err, EX_OSERR, "disclosure.memory: no %d MiB are left: write less",
                         settings->memory);
    settings_warn(settings, warn);
    if (service_open_table(&service.table, settings, &service.table_error) != 0) {
        if (service.table_error.status == EX_CONFIG) {
            *err = service.table_error;
            return -1;
        }
        say_table_error();
    }

    int rc = pthread_create(&thread, NULL, tend, NULL);
    if (rc != 0)
        return error_set(err, EX_OSERR, "cannot start a thread: %s", strerror(rc));
    pthread_detach(thread);
    return 0;
}
