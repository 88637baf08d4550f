/* SPDX-License-Identifier: BSD-2-Clause */
/* table/hit_tend.c: keeps the rows in step with the entries of the table, and drops old ones */
#include "table/changelog.h"
#include "table/guard.h"
#include "table/hit_internal.h"

#include <string.h>

int hit_lend_table(void *from, int (*use)(struct table *table, void *data), void *data)
{
    return use(from, data);
}

/* ---- reading the change log */

struct log_reading {
    struct hit_file *file;
    struct table *table; /* borrowed during the call of hit_lend */
    uint32_t today, day; /* day: of the current change */
    struct error *err;
};

/* Returns one of LMDB's codes. */
static int take_entry(const struct change_entry *changed, void *data, struct error *err)
{
    struct log_reading *reading = data;
    const struct entry *entry = changed->after != NULL ? changed->after : changed->before;
    char name[RECORD_KEY_MAX];
    struct hit_row row;
    (void)err;
    if (changed->before != NULL && changed->after != NULL)
        return 0;
    MDB_val key = {record_key(name, entry->scope, entry->local, entry->domain), name};
    int rc = changed->after == NULL ? mdb_del(reading->file->txn, reading->file->rows, &key, NULL)
                                    : hit_file_get(reading->file, &key, &row);
    if (changed->after != NULL && (rc == 0 || rc == MDB_NOTFOUND)) {
        row.born = reading->day;
        rc = hit_file_put(reading->file, &key, &row);
    }
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int take_change(struct log_reading *reading, const struct change *change)
{
    struct hit_state *state = &reading->file->state;
    reading->day = (uint32_t)(change->when / HIT_DAY_SECONDS);
    if (!change->held) {
        if (change->added > 0 && reading->day > state->unknown)
            state->unknown = reading->day;
        return 0;
    }
    int rc =
        changelog_each_entry(reading->table, change->number, take_entry, reading, reading->err);
    return rc == -1 ? HIT_TOLD : rc; /* no code of LMDB's is -1 */
}

/* Changes that the log has dropped are unknown. If the log ends earlier than before, the table was restored from a copy, and
 * what came after that is unknown too. When counting begins, all entries count as old. */
static int take_news(struct log_reading *reading)
{
    struct hit_state *state = &reading->file->state;
    struct change change = {.number = 0};
    int rc = 0;
    if (changelog_get(reading->table, 0, &change, reading->err) == TABLE_FAILED)
        return HIT_TOLD;
    uint64_t number = state->log_next, newest = change.number;
    bool is_incomplete = newest + 1 < number || newest >= number + CHANGELOG_CHANGES_MAX;
    if (is_incomplete && newest >= number)
        number = newest + 1 - CHANGELOG_CHANGES_MAX;
    for (; state->log_next > 0 && rc == 0 && number <= newest; number++)
        switch (changelog_get(reading->table, number, &change, reading->err)) {
        case TABLE_FOUND: rc = take_change(reading, &change); break;
        case TABLE_ABSENT: is_incomplete = true; break;
        case TABLE_FAILED: rc = HIT_TOLD; break;
        }
    if (rc != 0)
        return rc;
    if (state->log_next > 0 && is_incomplete)
        state->unknown = reading->today;
    state->log_next = newest + 1;
    return 0;
}

/* Returns, whatever happens, so that the lender gets its table back. */
static int take_lent(struct table *table, void *data)
{
    struct log_reading *reading = data;
    int rc;
    reading->table = table;
    GUARDED(rc, take_news(reading));
    return rc;
}

int hit_file_follow(struct hit_file *file, hit_lend *lend, void *from, uint32_t today,
                    struct error *err)
{
    struct log_reading reading = {.file = file, .today = today, .err = err};
    int rc = hit_begin(file, 0);
    return hit_end(file, rc == 0 ? lend(from, take_lent, &reading) : rc, err);
}

/* ---- what is too old, or has no entry */

#define SWEEP 2000 /* rows of one transaction */

struct sweep {
    struct hit_file *file;
    struct hit_place *place;
    uint64_t since;          /* rows without a mail since this day are dropped */
    struct table *table;     /* borrowed during the call of hit_lend */
    struct table_view *view; /* of it; NULL: rows without an entry stay */
    bool more;
    struct error *err;
};

static int has_entry(const struct sweep *sweep, const MDB_val *key, bool *has)
{
    struct table_record record;
    int rc = table_view_seek(sweep->view, key, &record);
    *has = rc == 0 && table_same(key, &record.key);
    if (rc == 0 || rc == MDB_NOTFOUND)
        return 0;
    table_lmdb_error(sweep->err, sweep->table, rc);
    return HIT_TOLD;
}

/* Drops also a row that cannot be decoded. */
static int look_at(const struct sweep *sweep, MDB_cursor *cursor, const MDB_val *key,
                   const MDB_val *value)
{
    struct hit_row row;
    bool stays = hit_row_decode(&row, value->mv_data, value->mv_size) == 0 &&
                 (row.born >= sweep->since || (row.count > 0 && row.last >= sweep->since));
    int rc = stays && sweep->view != NULL ? has_entry(sweep, key, &stays) : 0;
    if (rc == 0 && !stays)
        return mdb_cursor_del(cursor, 0);
    return rc == 0 && hit_row_forget(&row, sweep->since) ? hit_file_put(sweep->file, key, &row)
                                                         : rc;
}

static int sweep_some(struct sweep *sweep)
{
    struct hit_place *place = sweep->place;
    MDB_cursor *cursor;
    MDB_val value, key = {place->length, place->key};
    int rc = mdb_cursor_open(sweep->file->txn, sweep->file->rows, &cursor);
    if (rc != 0)
        return rc;
    rc = mdb_cursor_get(cursor, &key, &value, place->length == 0 ? MDB_FIRST : MDB_SET_RANGE);
    for (int i = 0; rc == 0 && i < SWEEP; i++) {
        if (key.mv_size > sizeof place->key) {
            rc = MDB_CORRUPTED; /* no program of ours wrote such a key */
            break;
        }
        place->length = key.mv_size;
        memcpy(place->key, key.mv_data, key.mv_size);
        key.mv_data = place->key; /* writing moves the page */
        rc = look_at(sweep, cursor, &key, &value);
        if (rc == 0)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    sweep->more = rc == 0;
    return rc;
}

static int sweep_lent(struct table *table, void *data)
{
    struct sweep *sweep = data;
    int rc;
    sweep->table = table;
    sweep->view = table_view_open(table, sweep->err);
    if (sweep->view == NULL)
        return HIT_TOLD;
    GUARDED(rc, sweep_some(sweep));
    table_view_close(sweep->view);
    return rc;
}

int hit_file_sweep(struct hit_file *file, hit_lend *lend, void *from, struct hit_place *place,
                   uint32_t since, struct error *err)
{
    struct sweep sweep = {.file = file, .place = place, .since = since, .err = err};
    int rc = hit_begin(file, 0);
    if (rc == 0 && lend != NULL)
        rc = lend(from, sweep_lent, &sweep);
    else if (rc == 0)
        GUARDED(rc, sweep_some(&sweep));
    return hit_end(file, rc, err) != 0 ? -1 : sweep.more;
}

int hit_file_clear_until(struct hit_file *file, uint32_t until, struct error *err)
{
    struct hit_place place = {.length = 0};
    int rc = hit_begin(file, 0);
    if (file->state.began < until)
        file->state.began = until;
    rc = hit_end(file, rc, err) == 0 ? 1 : -1;
    while (rc > 0)
        rc = hit_file_sweep(file, NULL, NULL, &place, until, err);
    return rc;
}
