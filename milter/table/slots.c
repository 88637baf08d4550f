/* SPDX-License-Identifier: BSD-2-Clause */
/* table/slots.c: the slots of readers in lock.mdb */
#include "table/guard.h"
#include "table/table_internal.h"

#include <stdlib.h>

int table_slot_result(struct table *table, int rc)
{
    if (rc != GUARD_FAULT && rc != MDB_BAD_RSLOT)
        return rc;
    atomic_store(&table->lost, true);
    return LOCKS_DAMAGED;
}

static int begin(MDB_env *env, MDB_txn **out)
{
    int dead = 0;
    int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, out);
    if (rc == MDB_READERS_FULL && mdb_reader_check(env, &dead) == 0 && dead > 0)
        rc = mdb_txn_begin(env, NULL, MDB_RDONLY, out);
    return rc;
}

/* One thread at a time: if a fault interrupts it while it holds LMDB's lock, no other thread waits for that lock. */
int table_begin_read(struct table *table, MDB_txn **out)
{
    int rc;
    *out = NULL;
    pthread_mutex_lock(&table->beginning);
    if (!lockfile_is_whole(&table->lockfile))
        atomic_store(&table->lost, true);
    SLOT_GUARDED(rc, table, begin(table->env, out));
    pthread_mutex_unlock(&table->beginning);
    return rc;
}

void table_end_read(MDB_txn *txn)
{
    int rc;
    GUARDED(rc, (mdb_txn_abort(txn), 0));
    (void)rc; /* a slot that is gone need not be given back */
}

/* ---- idle views */

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
