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

    /* The next entry of the file, and of the table; mv_data of the key is NULL at the end. */
    MDB_val key, value;
    struct table_record there;

    /* The previous entry of the file, and its line. */
    char last[RECORD_KEY_MAX];
    unsigned char last_value[RECORD_VALUE_MAX];
    size_t last_length, last_value_length;
    unsigned long last_line;
};

struct merge *merge_new(size_t memory, const char *folder, bool replaces_all,
                        const struct merge_watch *watch)
{
    struct merge *merge = calloc(1, sizeof *merge);
    if (merge == NULL)
        return NULL;
    merge->replaces_all = replaces_all;
    merge->watch = watch;
    merge->sort = sort_new(memory, folder);
    if (merge->sort == NULL) {
        free(merge);
        return NULL;
    }
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

static int tell_repeated(struct merge *merge, const struct sort_record *record, struct error *err)
{
    struct entry entry;
    merge->counts.repeated++;
    if (merge->told || merge->watch->repeated == NULL)
        return 0;
    if (record_decode(&entry, record->key, record->key_length, record->value, record->value_length,
                      err) != 0)
        return -1;
    bool same = record->value_length == merge->last_value_length &&
                memcmp(record->value, merge->last_value, record->value_length) == 0;
    merge->watch->repeated(&entry, record->line, merge->last_line, same, merge->watch->data);
    return 0;
}

/* Reads the next entry of the file with another old address than the last one. */
static int next_of_file(struct merge *merge, struct error *err)
{
    struct sort_record record;
    for (;;) {
        if (!sort_next(merge->sort, &record)) {
            merge->key.mv_data = NULL;
            return 0;
        }
        merge->done++;
        if (record.key_length != merge->last_length ||
            memcmp(record.key, merge->last, record.key_length) != 0)
            break;
        if (tell_repeated(merge, &record, err) != 0)
            return -1;
    }
    merge->key = (MDB_val){record.key_length, (void *)record.key}; /* only read */
    merge->value = (MDB_val){record.value_length, (void *)record.value};
    memcpy(merge->last, record.key, record.key_length);
    merge->last_length = record.key_length;
    memcpy(merge->last_value, record.value, record.value_length);
    merge->last_value_length = record.value_length;
    merge->last_line = record.line;
    return 0;
}

static int stepped(struct merge *merge, const struct table_view *view, int rc, struct error *err)
{
    if (rc == MDB_NOTFOUND)
        merge->there.key.mv_data = NULL;
    return rc == 0 || rc == MDB_NOTFOUND ? 0 : table_lmdb_error(err, view->table, rc);
}

/* Negative: the next entry of the file is not in the table. Positive: that of the table is not in the file. */
static int compare(const struct merge *merge)
{
    const MDB_val *ours = &merge->key, *theirs = &merge->there.key;
    if (ours->mv_data == NULL || theirs->mv_data == NULL)
        return (ours->mv_data == NULL) - (theirs->mv_data == NULL);
    size_t less = ours->mv_size < theirs->mv_size ? ours->mv_size : theirs->mv_size;
    int rc = memcmp(ours->mv_data, theirs->mv_data, less);
    return rc != 0 ? rc : (ours->mv_size > theirs->mv_size) - (ours->mv_size < theirs->mv_size);
}

/* Called by a pass for an old address: before is the value in the table, after the one that it shall have; NULL if
 * there is none. edit is NULL if nothing is to be written. Returns 0, or -1 with err. */
typedef int visitor(struct merge *merge, const MDB_val *key, const MDB_val *before,
                    const MDB_val *after, struct table_edit *edit, struct error *err);

/* Takes one old address, and goes on to the next. Where all are replaced each of the table's is
 * visited, else only those that may differ. */
static int take(struct merge *merge, struct table_view *view, visitor *visit,
                struct table_edit *edit, struct error *err)
{
    struct table_record *there = &merge->there;
    int order = compare(merge);

    if (order > 0 && !merge->replaces_all) /* the table's may be far behind */
        return merge->key.mv_data == NULL
                   ? stepped(merge, view, MDB_NOTFOUND, err)
                   : stepped(merge, view, table_view_seek(view, &merge->key, there), err);
    int rc = visit(merge, order > 0 ? &there->key : &merge->key, order < 0 ? NULL : &there->value,
                   order <= 0 ? &merge->value : NULL, edit, err);
    if (rc == 0 && order >= 0)
        rc = stepped(merge, view, table_view_next(view, there), err);
    merge->done += merge->replaces_all && order >= 0;
    if (rc == 0 && order <= 0)
        rc = next_of_file(merge, err);
    return rc;
}

static int begin_pass(struct merge *merge, struct table_view *view, struct error *err)
{
    size_t there = 0;
    merge->last_length = merge->done = 0;
    int rc = merge->replaces_all ? table_view_count(view, &there) : 0;
    merge->all = merge->lines + there;
    if (rc == 0)
        rc = table_view_seek(view, NULL, &merge->there);
    if (stepped(merge, view, rc, err) != 0 || sort_rewind(merge->sort, err) != 0)
        return -1;
    return next_of_file(merge, err);
}

static int pass(struct merge *merge, struct table_view *view, visitor *visit,
                struct table_edit *edit, struct error *err)
{
    size_t steps = 0;
    int rc = begin_pass(merge, view, err);
    while (rc == 0 && (merge->key.mv_data != NULL || merge->there.key.mv_data != NULL)) {
        rc = take(merge, view, visit, edit, err);
        if (++steps % TELL_EACH == 0 && merge->watch->progress != NULL)
            merge->watch->progress(merge->done, merge->all, merge->watch->data);
    }
    return rc;
}

/* ---- comparing */

static int decode(struct entry *out, const MDB_val *key, const MDB_val *value, struct error *err)
{
    return value == NULL ? 0
                         : record_decode(out, key->mv_data, key->mv_size, value->mv_data,
                                         value->mv_size, err);
}

static int tell_difference(const struct merge *merge, const MDB_val *key, const MDB_val *before,
                           const MDB_val *after, struct error *err)
{
    struct entry old, new;
    if (merge->told || merge->watch->difference == NULL)
        return 0;
    if (decode(&old, key, before, err) != 0 || decode(&new, key, after, err) != 0)
        return -1;
    return merge->watch->difference(before == NULL ? NULL : &old, after == NULL ? NULL : &new,
                                    merge->watch->data, err);
}

static size_t log_octets(const MDB_val *key, const MDB_val *before, const MDB_val *after)
{
    const struct change_item item = {.key_length = key->mv_size,
                                     .before_length = before == NULL ? 0 : before->mv_size,
                                     .after_length = after == NULL ? 0 : after->mv_size};
    return change_item_length(&item);
}

static int count(struct merge *merge, const MDB_val *key, const MDB_val *before,
                 const MDB_val *after, struct table_edit *edit, struct error *err)
{
    struct merge_counts *counts = &merge->counts;
    (void)edit;
    if (before != NULL && after != NULL && table_same(before, after)) {
        counts->same++;
        return merge->watch->tells_same ? tell_difference(merge, key, before, after, err) : 0;
    }
    counts->log_octets += log_octets(key, before, after);
    counts->added += before == NULL;
    counts->changed += before != NULL && after != NULL;
    counts->removed += after == NULL;
    return tell_difference(merge, key, before, after, err);
}

int merge_compare(struct merge *merge, struct table_view *view, struct merge_counts *out,
                  struct error *err)
{
    size_t state = mdb_txn_id(view->txn);
    if (state == 0 || merge->compared != state) {
        merge->compared = 0;
        merge->counts = (struct merge_counts){0};
        if (pass(merge, view, count, NULL, err) != 0)
            return -1;
        merge->told = true;
        merge->compared = state;
    }
    *out = merge->counts;
    return 0;
}

/* ---- writing */

static int write_one(struct merge *merge, const MDB_val *key, const MDB_val *before,
                     const MDB_val *after, struct table_edit *edit, struct error *err)
{
    if (before != NULL && after != NULL && table_same(before, after))
        return 0;
    if (merge->there.key.mv_data == NULL)
        edit->put_flags = MDB_APPEND;
    int rc = table_edit_change(edit, key, before, after);
    return rc == 0 ? 0 : table_lmdb_error(err, edit->table, rc);
}

int merge_write(struct merge *merge, struct table_view *view, struct table_edit *edit,
                struct error *err)
{
    const struct merge_counts *counts = &merge->counts;
    if (counts->added + counts->changed + counts->removed == 0)
        return 0;
    return pass(merge, view, write_one, edit, err);
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
