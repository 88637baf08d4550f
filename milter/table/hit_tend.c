/* SPDX-License-Identifier: BSD-2-Clause */
/* table/hit_tend.c: rows follow the entries of the table, and are not kept for ever; and clearing */
#include "table/changelog.h"
#include "table/guard.h"
#include "table/hit_internal.h"

#include <stdlib.h>
#include <string.h>

int hit_lend_table(void *from, int (*use)(struct table *table, void *data), void *data)
{
    return use(from, data);
}

/* ---- what the change log says */

struct log_reading {
    struct hit_file *file;
    hit_lend *lend;
    void *from;
    struct table *table;   /* while it is lent */
    uint64_t next, newest; /* the first change that is new; the last one of the log */
    uint32_t today, day;   /* day: of the change at hand */
    int rc;                /* of hits/, where an entry could not be taken */
    struct error *err;
};

static int take_entry(const struct change_entry *changed, void *data, struct error *err)
{
    struct log_reading *reading = data;
    const struct entry *entry = changed->after != NULL ? changed->after : changed->before;
    char name[RECORD_KEY_MAX];
    struct hit_row row = {.count = 0};
    MDB_val key = {0, name};
    int rc = 0;
    (void)err;
    if (changed->before != NULL && changed->after != NULL)
        return 0;
    key.mv_size = record_key(name, entry->scope, entry->local, entry->domain);
    if (changed->after == NULL) {
        rc = mdb_del(reading->file->txn, reading->file->rows, &key, NULL);
    } else if ((rc = hit_file_get(reading->file, &key, &row)) == 0 || rc == MDB_NOTFOUND) {
        row.born = reading->day;
        rc = hit_file_put(reading->file, &key, &row);
    }
    reading->rc = rc == MDB_NOTFOUND ? 0 : rc;
    return reading->rc == 0 ? 0 : -1;
}

static int take_change(struct log_reading *reading, const struct change *change)
{
    struct hit_state *state = &reading->file->state;
    reading->day = (uint32_t)(change->when / HIT_DAY_SECONDS);
    if (change->held &&
        changelog_each_entry(reading->table, change->number, take_entry, reading, reading->err) < 0)
        return reading->rc != 0 ? reading->rc : HIT_TOLD;
    if (!change->held && change->added > 0 && reading->day > state->unknown)
        state->unknown = reading->day;
    return 0;
}

/* What the log has dropped is not known; nor what came after it where it ends earlier than it did, since the table was
 * restored from a copy. Where counting begins all entries are as old as that. */
static int take_news(struct log_reading *reading)
{
    struct hit_state *state = &reading->file->state;
    uint64_t number = state->log_next, newest = reading->newest;
    bool is_incomplete = newest + 1 < number || newest >= number + CHANGELOG_CHANGES_MAX;
    struct change change;
    int rc = 0;
    if (is_incomplete && newest >= number)
        number = newest + 1 - CHANGELOG_CHANGES_MAX;
    for (; state->log_next > 0 && rc == 0 && number <= newest; number++)
        switch (changelog_get(reading->table, number, &change, reading->err)) {
        case TABLE_FOUND: rc = take_change(reading, &change); break;
        case TABLE_ABSENT: is_incomplete = true; break;
        case TABLE_FAILED: return HIT_TOLD;
        }
    if (rc != 0)
        return rc;
    if (state->log_next > 0 && is_incomplete)
        state->unknown = reading->today;
    state->log_next = newest + 1;
    return 0;
}

/* What is lent is given back, also from a table or a file that is cut short. */
static int take_lent(struct table *table, void *data)
{
    struct log_reading *reading = data;
    int rc;
    reading->table = table;
    GUARDED(rc, take_news(reading));
    return rc;
}

static int follow(struct hit_file *file, void *data)
{
    struct log_reading *reading = data;
    if (file->state.log_next != reading->next)
        return 0; /* another process has done it */
    return reading->lend(reading->from, take_lent, reading);
}

static int read_newest(struct table *table, void *data)
{
    struct log_reading *reading = data;
    struct change last = {.number = 0};
    enum table_result result = changelog_get(table, 0, &last, reading->err);
    reading->newest = result == TABLE_FOUND ? last.number : 0;
    return result == TABLE_FAILED ? -1 : 1;
}

int hit_file_follow(struct hit_file *file, hit_lend *lend, void *from, uint32_t today,
                    struct error *err)
{
    struct hit_state state;
    if (hit_file_state(file, &state, err) != 0)
        return -1;
    struct log_reading reading = {.file = file,
                                  .lend = lend,
                                  .from = from,
                                  .next = state.log_next,
                                  .today = today,
                                  .err = err};
    int rc = lend(from, read_newest, &reading);
    if (rc > 0 && reading.newest + 1 != state.log_next)
        rc = hit_file_do(file, 0, follow, &reading, err);
    return rc < 0 ? -1 : 0;
}

/* ---- what is too old, or has no entry */

#define SWEEP 2000 /* rows of one transaction */

struct sweep {
    struct hit_place *place;
    uint64_t since; /* the first day of what stays */
    hit_lend *lend; /* NULL: rows without an entry stay */
    void *from;
    struct table *table; /* while it is lent */
    struct table_view *view;
    struct hit_file *file;
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

/* A row that cannot be read goes too. */
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
            rc = MDB_CORRUPTED; /* no program of ours has written it */
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
    return rc == MDB_NOTFOUND ? 0 : rc;
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

static int sweep_txn(struct hit_file *file, void *data)
{
    struct sweep *sweep = data;
    sweep->file = file;
    return sweep->lend == NULL ? sweep_some(sweep) : sweep->lend(sweep->from, sweep_lent, sweep);
}

int hit_file_sweep(struct hit_file *file, hit_lend *lend, void *from, struct hit_place *place,
                   uint32_t since, struct error *err)
{
    struct sweep sweep = {.place = place, .since = since, .lend = lend, .from = from, .err = err};
    return hit_file_do(file, 0, sweep_txn, &sweep, err) != 0 ? -1 : sweep.more;
}

/* ---- clearing */

struct clearing {
    const MDB_val key;
    uint32_t day;
};

static int clear_entry(struct hit_file *file, void *data)
{
    const struct clearing *clearing = data;
    return hit_file_put(file, &clearing->key, &(struct hit_row){.born = clearing->day});
}

int hit_file_clear_entry(struct hit_file *file, const char *key, size_t length, uint32_t today,
                         struct error *err)
{
    struct clearing clearing = {{length, (void *)key}, today};
    return hit_file_do(file, 0, clear_entry, &clearing, err);
}

static int begin_on(struct hit_file *file, void *data)
{
    const uint32_t *day = data;
    if (file->state.began < *day)
        file->state.began = *day;
    return 0;
}

int hit_file_clear_until(struct hit_file *file, uint32_t until, struct error *err)
{
    struct hit_place place = {.length = 0};
    int rc = hit_file_do(file, 0, begin_on, &until, err) == 0 ? 1 : -1;
    while (rc > 0)
        rc = hit_file_sweep(file, NULL, NULL, &place, until, err);
    return rc;
}
