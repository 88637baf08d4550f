/* SPDX-License-Identifier: BSD-2-Clause */
/* table/view.c: reads one snapshot of the table: looks up an entry, and walks through all */
#include "table/record.h"
#include "table/table_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Another program may have changed the table to a newer format, or written another file over this one, in which no
 * mailbox seems to have moved. */
static int make_ready(struct table_view *view)
{
    int format;
    int rc = mdb_cursor_renew(view->txn, view->cursor);
    return rc == 0 ? table_check_format(view->table, view->txn, &format) : rc;
}

/* Checks the size of the file at each tick of the clock, every few milliseconds. At each view that would take a
 * fortieth of the time of an answer. */
static int check_each_tick(struct table *table, struct error *err)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    long long tick = (long long)now.tv_sec * 1000000000 + now.tv_nsec;
    if (atomic_load_explicit(&table->checked, memory_order_relaxed) == tick)
        return 0;
    int rc = table_check_size(table, err);
    atomic_store_explicit(&table->checked, rc == 0 ? tick : 0, memory_order_relaxed);
    return rc;
}

static void view_free(struct table_view *view)
{
    if (view->cursor != NULL)
        mdb_cursor_close(view->cursor);
    table_end_read(view->txn);
    free(view);
}

void table_free_views(struct table *table)
{
    while (table->idle != NULL) {
        struct table_view *view = table->idle;
        table->idle = view->next;
        view_free(view);
    }
}

static struct table_view *new_view(struct table *table, struct error *err)
{
    struct table_view *view = calloc(1, sizeof *view);
    if (view == NULL) {
        error_no_memory(err);
        return NULL;
    }
    view->table = table;
    int rc = table_begin_read(table, &view->txn);
    if (rc == 0)
        rc = mdb_cursor_open(view->txn, table->entries, &view->cursor);
    if (rc == 0)
        return view;
    table_lmdb_error(err, table, rc);
    view_free(view);
    return NULL;
}

struct table_view *table_view_open(struct table *table, struct error *err)
{
    if (check_each_tick(table, err) != 0)
        return NULL;
    pthread_mutex_lock(&table->lock);
    struct table_view *view = table->idle;
    if (view != NULL)
        table->idle = view->next;
    pthread_mutex_unlock(&table->lock);
    int rc = 0;
    if (view != NULL)
        SLOT_GUARDED(rc, table, mdb_txn_renew(view->txn));
    else if ((view = new_view(table, err)) == NULL)
        return NULL;
    if (rc == 0)
        GUARDED(rc, make_ready(view));
    if (rc == 0)
        return view;
    table_lmdb_error(err, table, rc);
    view_free(view);
    return NULL;
}

void table_view_close(struct table_view *view)
{
    int rc;
    if (view == NULL)
        return;
    struct table *table = view->table;
    SLOT_GUARDED(rc, table, (mdb_txn_reset(view->txn), 0));
    (void)rc; /* after a fault, no view of the table is used again: table_view_open frees it */
    pthread_mutex_lock(&table->lock);
    view->next = table->idle;
    table->idle = view;
    pthread_mutex_unlock(&table->lock);
}

/* ---- looking up */

static int decode(struct entry *out, const MDB_val *key, const MDB_val *value, struct error *err)
{
    return record_decode(out, key->mv_data, key->mv_size, value->mv_data, value->mv_size, err) == 0
               ? 0
               : MDB_CORRUPTED;
}

/* Does not use the cursor of the view: a walk whose callback looks up entries must keep its position. */
static int get_entry(struct table_view *view, MDB_val *key, struct entry *out, struct error *err)
{
    MDB_val value;
    int rc = mdb_get(view->txn, view->table->entries, key, &value);
    return rc == 0 ? decode(out, key, &value, err) : rc;
}

enum table_result table_find(struct table_view *view, enum entry_scope scope, const char *local,
                             const char *domain, struct entry *out, struct error *err)
{
    char text[RECORD_KEY_MAX];
    MDB_val key = {record_key(text, scope, local, domain), text};
    int rc;
    GUARDED(rc, get_entry(view, &key, out, err));
    return table_result_of(view->table, rc, err);
}

enum table_result table_get_mark(struct table *table, struct mark *out, struct error *err)
{
    int rc;
    struct table_view *view = table_view_open(table, err);
    if (view == NULL)
        return TABLE_FAILED;
    GUARDED(rc, table_read_mark(view->txn, table->entries, out));
    table_view_close(view);
    return table_result_of(table, rc, err);
}

enum table_result table_look_up(struct table *table, const struct entry *old, struct entry *out,
                                struct error *err)
{
    struct table_view *view = table_view_open(table, err);
    if (view == NULL)
        return TABLE_FAILED;
    enum table_result result = table_find(view, old->scope, old->local, old->domain, out, err);
    table_view_close(view);
    return result;
}

/* ---- records as they are */

#define FIRST_OCTET "\1" /* entries begin after the metas, whose keys begin with NUL */

static int read_record(MDB_cursor *cursor, MDB_val key, MDB_cursor_op op, struct table_record *out)
{
    MDB_val value;
    int rc = mdb_cursor_get(cursor, &key, &value, op);
    if (rc != 0)
        return rc;
    if (key.mv_size > sizeof out->key_text || value.mv_size > sizeof out->value_text)
        return MDB_CORRUPTED;
    memcpy(out->key_text, key.mv_data, key.mv_size);
    memcpy(out->value_text, value.mv_data, value.mv_size);
    out->key = (MDB_val){key.mv_size, out->key_text};
    out->value = (MDB_val){value.mv_size, out->value_text};
    return 0;
}

int table_view_seek(struct table_view *view, const MDB_val *key, struct table_record *out)
{
    char first[] = FIRST_OCTET;
    const MDB_val from = key == NULL ? (MDB_val){1, first} : *key;
    int rc;
    GUARDED(rc, read_record(view->cursor, from, MDB_SET_RANGE, out));
    return rc;
}

int table_view_next(struct table_view *view, struct table_record *out)
{
    int rc;
    GUARDED(rc, read_record(view->cursor, (MDB_val){0, NULL}, MDB_NEXT, out));
    return rc;
}

/* ---- walking */

enum walk {
    WALK_ON,      /* to the last entry */
    WALK_WITHIN,  /* while the keys have the prefix */
    WALK_DOMAINS, /* to the last entry, but only the first of each domain */
};

static bool begins_with(const MDB_val *key, const MDB_val *prefix)
{
    return key->mv_size >= prefix->mv_size &&
           memcmp(key->mv_data, prefix->mv_data, prefix->mv_size) == 0;
}

/* Walks from the key on. WALK_DOMAINS changes the key. */
static int walk(struct table_view *view, MDB_val *from, enum walk how, table_visit *each,
                void *data, struct error *err)
{
    char *text = from->mv_data;
    struct table_record record;
    struct entry entry;
    int rc = table_view_seek(view, from, &record);
    while (rc == 0 && (how != WALK_WITHIN || begins_with(&record.key, from)) &&
           (rc = decode(&entry, &record.key, &record.value, err)) == 0) {
        int said = each(&entry, data, err);
        if (said != 0)
            return said;
        if (how != WALK_DOMAINS) {
            rc = table_view_next(view, &record);
            continue;
        }
        from->mv_size = record_key(
            text, entry.scope == ENTRY_SUBDOMAINS ? entry.scope : ENTRY_DOMAIN, "", entry.domain);
        text[from->mv_size - 1]++; /* the first key after all "domain@…" */
        rc = table_view_seek(view, from, &record);
    }
    return rc == 0 || rc == MDB_NOTFOUND ? 0 : table_lmdb_error(err, view->table, rc);
}

int table_each(struct table_view *view, const char *domain, table_visit *each, void *data,
               struct error *err)
{
    char text[RECORD_KEY_MAX] = FIRST_OCTET;
    MDB_val from = {1, text};
    if (domain != NULL)
        from.mv_size = record_key(text, ENTRY_DOMAIN, "", domain);
    return walk(view, &from, domain == NULL ? WALK_ON : WALK_WITHIN, each, data, err);
}

int table_each_after(struct table_view *view, const struct entry *after, table_visit *each,
                     void *data, struct error *err)
{
    char text[RECORD_KEY_MAX + 1];
    MDB_val from = {record_key(text, after->scope, after->local, after->domain), text};
    text[from.mv_size++] = '\0'; /* the smallest key that is greater */
    return walk(view, &from, WALK_ON, each, data, err);
}

int table_each_domain(struct table_view *view, table_visit *each, void *data, struct error *err)
{
    char text[RECORD_KEY_MAX] = FIRST_OCTET;
    MDB_val from = {1, text};
    return walk(view, &from, WALK_DOMAINS, each, data, err);
}
