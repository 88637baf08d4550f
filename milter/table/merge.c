/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/merge.h"

#include "table/change.h"
#include "table/record.h"
#include "table/sort.h"
#include "table/table_internal.h"

#include <stdlib.h>
#include <string.h>

#define TELL_EACH 4096 /* steps between two updates of the progress */

struct merge {
    struct sort *sort;
    bool replaces_all;
    const struct merge_watch *watch;
    struct merge_counts counts;
    size_t compared;         /* the transaction that was compared; 0: none yet */
    bool told;               /* differences and repeated lines were reported */
    size_t lines, done, all; /* entries of the file; of a pass: processed, and all */

    /* The next entry of the file, and of the table; the key is NULL at the end. */
    struct sort_record ours;
    struct table_record there;
};

struct merge *merge_new(size_t memory, const char *folder, bool replaces_all,
                        const struct merge_watch *watch)
{
    struct merge *merge = calloc(1, sizeof *merge);
    if (merge == NULL || (merge->sort = sort_new(memory, folder)) == NULL) {
        free(merge);
        return NULL;
    }
    merge->replaces_all = replaces_all;
    merge->watch = watch;
    return merge;
}

void merge_free(struct merge *merge)
{
    if (merge == NULL)
        return;
    sort_free(merge->sort);
    free(merge);
}

int merge_add(struct merge *merge, const struct entry *entry, unsigned long line, struct error *err)
{
    char key[RECORD_KEY_MAX];
    unsigned char value[RECORD_VALUE_MAX];
    const struct sort_record record = {
        .key = key,
        .key_length = record_key(key, entry->scope, entry->local, entry->domain),
        .value = value,
        .value_length = record_encode(value, entry),
        .line = line};
    merge->lines++;
    return sort_add(merge->sort, &record, err);
}

/* ---- side by side */

/* Reports a record whose old address is also that of first. */
static int tell_repeated(struct merge *merge, const struct sort_record *first,
                         const struct sort_record *record, struct error *err)
{
    struct entry entry;
    if (merge->told || merge->watch->repeated == NULL)
        return 0;
    if (record_decode(&entry, record->key, record->key_length, record->value, record->value_length,
                      err) != 0)
        return -1;
    bool same = record->value_length == first->value_length &&
                memcmp(record->value, first->value, first->value_length) == 0;
    merge->watch->repeated(&entry, record->line, first->line, same, merge->watch->data);
    return 0;
}

/* Reads the next entry of the file that has another old address than the last one. */
static int next_of_file(struct merge *merge, struct error *err)
{
    struct sort_record *ours = &merge->ours;
    const struct sort_record last = *ours;
    for (;;) {
        if (!sort_next(merge->sort, ours)) {
            ours->key = NULL;
            return 0;
        }
        merge->done++;
        if (last.key == NULL ||
            record_compare(ours->key, ours->key_length, last.key, last.key_length) != 0)
            return 0;
        if (tell_repeated(merge, &last, ours, err) != 0)
            return -1;
    }
}

/* rc is that of a step in the table. */
static int stepped(struct merge *merge, const struct table_view *view, int rc, struct error *err)
{
    if (rc == MDB_NOTFOUND)
        merge->there.key.mv_data = NULL;
    return rc == 0 || rc == MDB_NOTFOUND ? 0 : table_lmdb_error(err, view->table, rc);
}

static int decode(struct entry *out, const MDB_val *key, const MDB_val *value, struct error *err)
{
    return value == NULL ? 0
                         : record_decode(out, key->mv_data, key->mv_size, value->mv_data,
                                         value->mv_size, err);
}

/* Counts an old address and reports it. before is its value in the table, after the value that it shall have; NULL if there
 * is none. */
static int count(struct merge *merge, const MDB_val *key, const MDB_val *before,
                 const MDB_val *after, struct error *err)
{
    struct merge_counts *counts = &merge->counts;
    const struct merge_watch *watch = merge->watch;
    struct entry old, new;
    bool same = before != NULL && after != NULL && table_same(before, after);
    counts->same += same;
    if (!same) {
        const struct change_item item = {.key_length = key->mv_size,
                                         .before_length = before == NULL ? 0 : before->mv_size,
                                         .after_length = after == NULL ? 0 : after->mv_size};
        counts->log_octets += change_item_length(&item);
        counts->added += before == NULL;
        counts->changed += before != NULL && after != NULL;
        counts->removed += after == NULL;
    }
    if (merge->told || watch->difference == NULL || (same && !watch->tells_same))
        return 0;
    if (decode(&old, key, before, err) != 0 || decode(&new, key, after, err) != 0)
        return -1;
    return watch->difference(before == NULL ? NULL : &old, after == NULL ? NULL : &new, watch->data,
                             err);
}

static int write_one(const struct merge *merge, const MDB_val *key, const MDB_val *before,
                     const MDB_val *after, struct table_edit *edit, struct error *err)
{
    if (before != NULL && after != NULL && table_same(before, after))
        return 0;
    if (merge->there.key.mv_data == NULL)
        edit->put_flags = MDB_APPEND;
    int rc = table_edit_change(edit, key, before, after);
    return rc == 0 ? 0 : table_lmdb_error(err, edit->table, rc);
}

/* Takes the next old address of both, and goes on. With replaces_all every one of the table's is visited, otherwise only those
 * that may differ. edit: writes it; NULL: counts it. */
static int take(struct merge *merge, struct table_view *view, struct table_edit *edit,
                struct error *err)
{
    const struct sort_record *ours = &merge->ours;
    struct table_record *there = &merge->there;
    const MDB_val key = {ours->key_length, (void *)ours->key}; /* only read */
    const MDB_val value = {ours->value_length, (void *)ours->value};
    /* Negative: ours is not in the table. Positive: the table's is not in the file. */
    int order =
        key.mv_data == NULL || there->key.mv_data == NULL
            ? (key.mv_data == NULL) - (there->key.mv_data == NULL)
            : record_compare(key.mv_data, key.mv_size, there->key.mv_data, there->key.mv_size);

    if (order > 0 && !merge->replaces_all) /* the next one that matters may be far away */
        return stepped(merge, view,
                       key.mv_data == NULL ? MDB_NOTFOUND : table_view_seek(view, &key, there),
                       err);
    const MDB_val *before = order < 0 ? NULL : &there->value, *after = order > 0 ? NULL : &value;
    int rc = edit == NULL
                 ? count(merge, order > 0 ? &there->key : &key, before, after, err)
                 : write_one(merge, order > 0 ? &there->key : &key, before, after, edit, err);
    if (rc == 0 && order >= 0)
        rc = stepped(merge, view, table_view_next(view, there), err);
    merge->done += merge->replaces_all && order >= 0;
    if (rc == 0 && order <= 0)
        rc = next_of_file(merge, err);
    return rc;
}

static void tell_progress(const struct merge *merge)
{
    if (merge->watch->progress != NULL)
        merge->watch->progress(merge->done, merge->all, merge->watch->data);
}

static int pass(struct merge *merge, struct table_view *view, struct table_edit *edit,
                struct error *err)
{
    size_t there = 0, steps = 0;
    merge->ours.key = NULL;
    merge->done = 0;
    int rc = merge->replaces_all ? table_view_count(view, &there) : 0;
    merge->all = merge->lines + there;
    if (rc == 0)
        rc = table_view_seek(view, NULL, &merge->there);
    if (stepped(merge, view, rc, err) != 0)
        return -1;
    tell_progress(merge);
    if (sort_rewind(merge->sort, err) != 0)
        return -1;
    tell_progress(merge);
    rc = next_of_file(merge, err);
    while (rc == 0 && (merge->ours.key != NULL || merge->there.key.mv_data != NULL)) {
        rc = take(merge, view, edit, err);
        if (++steps % TELL_EACH == 0)
            tell_progress(merge);
    }
    return rc;
}

int merge_compare(struct merge *merge, struct table_view *view, struct merge_counts *out,
                  struct error *err)
{
    size_t state = mdb_txn_id(view->txn);
    if (state == 0 || merge->compared != state) {
        merge->compared = 0;
        merge->counts = (struct merge_counts){0};
        if (pass(merge, view, NULL, err) != 0)
            return -1;
        merge->told = true;
        merge->compared = state;
    }
    *out = merge->counts;
    return 0;
}

int merge_write(struct merge *merge, struct table_view *view, struct table_edit *edit,
                struct error *err)
{
    const struct merge_counts *counts = &merge->counts;
    if (counts->added + counts->changed + counts->removed == 0)
        return 0;
    return pass(merge, view, edit, err);
}

/* ---- the guard */

bool merge_removes_too_many(size_t removed, size_t all, unsigned percent)
{
    return removed > MERGE_FEW && removed * 100 > all * percent;
}

unsigned merge_percent(size_t removed, size_t all)
{
    return all == 0 ? 0 : (unsigned)((removed * 100 + all - 1) / all);
}
