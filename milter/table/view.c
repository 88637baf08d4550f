/* SPDX-License-Identifier: BSD-2-Clause */
/* table/view.c: reading: one consistent state of the table, look-ups in it, and the walk through
 * it */
#include "table/record.h"
#include "table/table_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEPTH_MAX 32 /* pages above each other: LMDB follows no more */

struct call {
    struct table_view *view;
    int (*touch)(struct table_view *view, void *data);
    void *data;
};

static int call(void *data)
{
    const struct call *call = data;
    return call->touch(call->view, call->data);
}

int view_guarded(struct table_view *view, int (*touch)(struct table_view *view, void *data),
                 void *data)
{
    struct call what = {view, touch, data};
    return guard_call(call, &what);
}

/* Another program may have made it a table of a newer format: asked once for each transaction. Or it has written something
 * else over the file, which would say of every mailbox that it has not moved: a tree that is no table's shows that. */
static int make_ready(struct table_view *view, void *unused)
{
    struct table *table = view->table;
    size_t id = mdb_txn_id(view->txn);
    MDB_stat tree;
    int format;
    (void)unused;
    int rc = mdb_cursor_renew(view->txn, view->cursor);
    if (rc == 0)
        rc = mdb_cursor_renew(view->txn, view->seeker);
    if (rc == 0)
        rc = mdb_stat(view->txn, table->entries, &tree);
    if (rc == 0 &&
        (tree.ms_depth == 0 || tree.ms_depth > DEPTH_MAX || tree.ms_entries < META_COUNT))
        rc = MDB_CORRUPTED;
    if (rc != 0 || atomic_load_explicit(&table->format_checked, memory_order_relaxed) == id)
        return rc;
    rc = table_check_format(table, view->txn, &format);
    if (rc == 0)
        atomic_store_explicit(&table->format_checked, id, memory_order_relaxed);
    return rc;
}

/* The size is asked at each tick of the clock, every few milliseconds: at each view it would be a fortieth of an answer. */
static int check_each_tick(struct table *table, struct error *err)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    long long tick = (long long)now.tv_sec * 1000000000 + now.tv_nsec;
    if (atomic_exchange_explicit(&table->checked, tick, memory_order_relaxed) == tick)
        return 0;
    int rc = table_check_size(table, err);
    if (rc != 0)
        atomic_store_explicit(&table->checked, 0, memory_order_relaxed);
    return rc;
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
        rc = mdb_cursor_open(view->txn, table->entries, &view->seeker);
    if (rc == 0)
        return view;
    table_lmdb_error(err, table, rc);
    view_free(view);
    return NULL;
}

static int renew(void *data)
{
    const struct table_view *view = data;
    return mdb_txn_renew(view->txn);
}

static int reset(void *data)
{
    const struct table_view *view = data;
    mdb_txn_reset(view->txn);
    return 0;
}

struct table_view *table_view_open(struct table *table, struct error *err)
{
    if (check_each_tick(table, err) != 0)
        return NULL;
    struct table_view *view = pool_take(table);
    int rc = 0;
    if (view != NULL)
        rc = table_slot_guarded(table, renew, view);
    else if ((view = new_view(table, err)) == NULL)
        return NULL;
    if (rc == 0)
        rc = view_guarded(view, make_ready, NULL);
    if (rc == 0)
        return view;
    table_lmdb_error(err, table, rc);
    view_free(view);
    return NULL;
}

void table_view_close(struct table_view *view)
{
    if (view == NULL)
        return;
    if (table_slot_guarded(view->table, reset, view) == 0)
        pool_put(view);
    else
        view_free(view);
}

/* ---- looking up */

struct lookup {
    MDB_val key;
    struct entry *out;
    struct error *err;
};

static int touch_entry(struct table_view *view, void *data)
{
    const struct lookup *lookup = data;
    MDB_val value, key = lookup->key;
    /* Not with the cursor of the view: a walk that looks up what it finds needs its place. */
    int rc = mdb_get(view->txn, view->table->entries, &key, &value);
    if (rc == 0 && record_decode(lookup->out, key.mv_data, key.mv_size, value.mv_data,
                                 value.mv_size, lookup->err) != 0)
        rc = MDB_CORRUPTED;
    return rc;
}

enum table_result table_find(struct table_view *view, enum entry_scope scope, const char *local,
                             const char *domain, struct entry *out, struct error *err)
{
    char key[RECORD_KEY_MAX];
    struct lookup lookup = {
        .key = {.mv_size = record_key(key, scope, local, domain), .mv_data = key},
        .out = out,
        .err = err};
    if (lookup.key.mv_size == 0)
        return TABLE_ABSENT;
    int rc = view_guarded(view, touch_entry, &lookup);
    if (rc == 0 || rc == MDB_NOTFOUND)
        return rc == 0 ? TABLE_FOUND : TABLE_ABSENT;
    table_lmdb_error(err, view->table, rc);
    return TABLE_FAILED;
}

static int touch_domain(struct table_view *view, void *data)
{
    const MDB_val *prefix = data;
    MDB_val value, key = *prefix;
    int rc = mdb_cursor_get(view->seeker, &key, &value, MDB_SET_RANGE);
    if (rc == 0 && (key.mv_size < prefix->mv_size ||
                    memcmp(key.mv_data, prefix->mv_data, prefix->mv_size) != 0))
        rc = MDB_NOTFOUND;
    return rc;
}

enum table_result table_find_domain(struct table_view *view, const char *domain, struct error *err)
{
    char key[RECORD_KEY_MAX];
    MDB_val prefix = {.mv_size = record_key(key, ENTRY_DOMAIN, "", domain), .mv_data = key};
    int rc = view_guarded(view, touch_domain, &prefix);
    if (rc == 0 || rc == MDB_NOTFOUND)
        return rc == 0 ? TABLE_FOUND : TABLE_ABSENT;
    table_lmdb_error(err, view->table, rc);
    return TABLE_FAILED;
}

/* ---- walking */

#define FIRST_OCTET "\1" /* behind the NUL of the metas: where the entries begin */

struct walk {
    MDB_val prefix;
    bool all; /* the prefix is where to begin, and no more */
    MDB_cursor_op op;
    struct entry *out;
    struct error *err;
};

/* The entry that walk->op leads to into walk->out; MDB_NOTFOUND after the last. */
static int touch_next(struct table_view *view, void *data)
{
    const struct walk *walk = data;
    MDB_val value, key = walk->prefix;
    int rc = mdb_cursor_get(view->cursor, &key, &value, walk->op);
    if (rc != 0)
        return rc;
    if (!walk->all && (key.mv_size < walk->prefix.mv_size ||
                       memcmp(key.mv_data, walk->prefix.mv_data, walk->prefix.mv_size) != 0))
        return MDB_NOTFOUND;
    return record_decode(walk->out, key.mv_data, key.mv_size, value.mv_data, value.mv_size,
                         walk->err) == 0
               ? 0
               : MDB_CORRUPTED;
}

/* From walk->prefix on. */
static int go_on(struct table_view *view, struct walk *walk,
                 int (*each)(const struct entry *entry, void *data, struct error *err), void *data)
{
    int rc;
    walk->op = MDB_SET_RANGE;
    while ((rc = view_guarded(view, touch_next, walk)) == 0) {
        int said = each(walk->out, data, walk->err);
        if (said != 0)
            return said;
        walk->op = MDB_NEXT;
    }
    return rc == MDB_NOTFOUND ? 0 : table_lmdb_error(walk->err, view->table, rc);
}

int table_each(struct table_view *view, const char *domain,
               int (*each)(const struct entry *entry, void *data, struct error *err), void *data,
               struct error *err)
{
    char prefix[RECORD_KEY_MAX] = FIRST_OCTET;
    struct entry entry;
    struct walk walk = {.prefix = {.mv_size = 1, .mv_data = prefix},
                        .all = domain == NULL,
                        .out = &entry,
                        .err = err};
    if (domain != NULL)
        walk.prefix.mv_size = record_key(prefix, ENTRY_DOMAIN, "", domain);
    return go_on(view, &walk, each, data);
}

int table_each_after(struct table_view *view, const struct entry *after,
                     int (*each)(const struct entry *entry, void *data, struct error *err),
                     void *data, struct error *err)
{
    char key[RECORD_KEY_MAX + 1];
    struct entry entry;
    struct walk walk = {
        .prefix = {.mv_size = record_key(key, after->scope, after->local, after->domain),
                   .mv_data = key},
        .all = true,
        .out = &entry,
        .err = err};
    key[walk.prefix.mv_size++] = '\0'; /* the least key that is greater */
    return go_on(view, &walk, each, data);
}

int table_each_domain(struct table_view *view,
                      int (*each)(const struct entry *first, void *data, struct error *err),
                      void *data, struct error *err)
{
    char prefix[RECORD_KEY_MAX + 1] = FIRST_OCTET;
    struct entry entry;
    struct walk walk = {.prefix = {.mv_size = 1, .mv_data = prefix},
                        .all = true,
                        .op = MDB_SET_RANGE,
                        .out = &entry,
                        .err = err};
    int rc;

    while ((rc = view_guarded(view, touch_next, &walk)) == 0) {
        int said = each(&entry, data, err);
        if (said != 0)
            return said;
        walk.prefix.mv_size = record_key(
            prefix, entry.scope == ENTRY_SUBDOMAINS ? entry.scope : ENTRY_DOMAIN, "", entry.domain);
        prefix[walk.prefix.mv_size - 1]++; /* after the last "domain@…" */
    }
    return rc == MDB_NOTFOUND ? 0 : table_lmdb_error(err, view->table, rc);
}

/* ---- records as they are */

struct step {
    const MDB_val *key; /* NULL: the next one */
    struct table_record *out;
};

static int touch_record(struct table_view *view, void *data)
{
    const struct step *step = data;
    struct table_record *out = step->out;
    MDB_val value, key = step->key == NULL ? (MDB_val){0, NULL} : *step->key;
    int rc =
        mdb_cursor_get(view->cursor, &key, &value, step->key == NULL ? MDB_NEXT : MDB_SET_RANGE);
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
    const MDB_val start = {1, first};
    struct step step = {key == NULL ? &start : key, out};
    return view_guarded(view, touch_record, &step);
}

int table_view_next(struct table_view *view, struct table_record *out)
{
    struct step step = {NULL, out};
    return view_guarded(view, touch_record, &step);
}
