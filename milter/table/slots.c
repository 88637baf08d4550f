/* SPDX-License-Identifier: BSD-2-Clause */
/* table/slots.c: who reads: the slots of readers in lock.mdb */
#include "table/guard.h"
#include "table/table_internal.h"

#include <stdio.h>
#include <stdlib.h>

int table_slot_guarded(struct table *table, int (*touch)(void *data), void *data)
{
    int rc = atomic_load(&table->lost) ? LOCKS_DAMAGED : guard_call(touch, data);
    if (rc == GUARD_FAULT || rc == MDB_BAD_RSLOT) {
        atomic_store(&table->lost, true);
        rc = LOCKS_DAMAGED;
    }
    return rc;
}

struct slots_reading {
    struct table *table;
    MDB_txn *txn;
};

static int begin(void *data)
{
    struct slots_reading *reading = data;
    MDB_env *env = reading->table->env;
    int dead = 0;
    int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &reading->txn);
    if (rc == MDB_READERS_FULL && mdb_reader_check(env, &dead) == 0 && dead > 0)
        rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &reading->txn);
    return rc;
}

/* One thread at a time: where it is given up while it holds LMDB's lock, no other one waits for that. */
int table_begin_read(struct table *table, MDB_txn **out)
{
    struct slots_reading reading = {.table = table};
    pthread_mutex_lock(&table->beginning);
    if (!lockfile_is_whole(&table->lockfile))
        atomic_store(&table->lost, true);
    int rc = table_slot_guarded(table, begin, &reading);
    pthread_mutex_unlock(&table->beginning);
    *out = reading.txn;
    return rc;
}

static int end(void *txn)
{
    mdb_txn_abort(txn);
    return 0;
}

void table_end_read(MDB_txn *txn)
{
    (void)guard_call(end, txn); /* a slot that is not there needs no giving back */
}

struct oldest {
    long process;
    size_t txn; /* SIZE_MAX: none */
};

/* A line of LMDB's list of readers: process, thread, transaction; no number there where it has none open. */
static int take_reader(const char *line, void *data)
{
    struct oldest *oldest = data;
    long process;
    size_t txn;
    if (sscanf(line, "%ld %*x %zu", &process, &txn) == 2 && txn < oldest->txn)
        *oldest = (struct oldest){process, txn};
    return 0;
}

struct readers {
    MDB_env *env;
    MDB_envinfo info;
    struct oldest oldest;
};

static int list_readers(void *data)
{
    struct readers *readers = data;
    return mdb_reader_list(readers->env, take_reader, &readers->oldest) < 0
               ? -1
               : mdb_env_info(readers->env, &readers->info);
}

size_t table_oldest_reader(struct table *table, pid_t *process)
{
    struct readers readers = {.env = table->env, .oldest = {.txn = SIZE_MAX}};
    if (guard_call(list_readers, &readers) != 0 || readers.oldest.txn > readers.info.me_last_txnid)
        return 0;
    *process = (pid_t)readers.oldest.process;
    return readers.info.me_last_txnid - readers.oldest.txn;
}

/* ---- views that wait */

struct table_view *pool_take(struct table *table)
{
    pthread_mutex_lock(&table->lock);
    struct table_view *view = table->idle;
    if (view != NULL)
        table->idle = view->next;
    pthread_mutex_unlock(&table->lock);
    return view;
}

void pool_put(struct table_view *view)
{
    struct table *table = view->table;
    pthread_mutex_lock(&table->lock);
    view->next = table->idle;
    table->idle = view;
    pthread_mutex_unlock(&table->lock);
}

void view_free(struct table_view *view)
{
    if (view->cursor != NULL)
        mdb_cursor_close(view->cursor);
    if (view->seeker != NULL)
        mdb_cursor_close(view->seeker);
    table_end_read(view->txn);
    free(view);
}

void pool_free(struct table *table)
{
    while (table->idle != NULL) {
        struct table_view *view = table->idle;
        table->idle = view->next;
        view_free(view);
    }
}
