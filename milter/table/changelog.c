/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/changelog.h"

#include "table/table_internal.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PREFIX        "\0log" /* no key of an entry begins with this */
#define PREFIX_LENGTH 4
#define BEHIND_LOG    "\0loh" /* sorts after all keys of the log, and before the entries */
#define KEY_LENGTH    (PREFIX_LENGTH + 8 + 4)

_Static_assert(CHANGE_ITEM_MAX <= CHANGELOG_ITEMS_MAX && CHANGE_HEAD_MAX <= CHANGELOG_ITEMS_MAX,
               "a record holds a head, and an item");

/* ---- keys */

static MDB_val log_key(unsigned char *out, uint64_t number, uint32_t record)
{
    const uint64_t first = htobe64(number);
    const uint32_t second = htobe32(record);
    memcpy(out, PREFIX, PREFIX_LENGTH);
    memcpy(out + PREFIX_LENGTH, &first, sizeof first);
    memcpy(out + PREFIX_LENGTH + sizeof first, &second, sizeof second);
    return (MDB_val){.mv_size = KEY_LENGTH, .mv_data = out};
}

static bool is_log_key(const MDB_val *key)
{
    return key->mv_size == KEY_LENGTH && memcmp(key->mv_data, PREFIX, PREFIX_LENGTH) == 0;
}

static uint64_t number_of(const MDB_val *key)
{
    uint64_t number;
    memcpy(&number, (const char *)key->mv_data + PREFIX_LENGTH, sizeof number);
    return be64toh(number);
}

/* ---- heads: all return one of LMDB's codes; MDB_NOTFOUND where the log is empty */

static int read_head(MDB_cursor *cursor, uint64_t number, struct change *out)
{
    unsigned char name[KEY_LENGTH];
    MDB_val value, key = log_key(name, number, 0);
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_KEY);
    if (rc == 0 &&
        (change_decode_head(out, value.mv_data, value.mv_size) != 0 || out->number != number))
        rc = MDB_CORRUPTED;
    return rc;
}

static int first_head(MDB_cursor *cursor, struct change *out)
{
    MDB_val value, key = {.mv_size = PREFIX_LENGTH, .mv_data = (void *)PREFIX};
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (rc == 0)
        rc = is_log_key(&key) ? read_head(cursor, number_of(&key), out) : MDB_NOTFOUND;
    return rc;
}

static int last_head(MDB_cursor *cursor, struct change *out)
{
    MDB_val value, key = {.mv_size = sizeof BEHIND_LOG - 1, .mv_data = (void *)BEHIND_LOG};
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (rc == 0 || rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(cursor, &key, &value, rc == 0 ? MDB_PREV : MDB_LAST);
    if (rc == 0)
        rc = is_log_key(&key) ? read_head(cursor, number_of(&key), out) : MDB_NOTFOUND;
    return rc;
}

int changelog_head(MDB_cursor *cursor, uint64_t number, struct change *out)
{
    return number == 0 ? last_head(cursor, out) : read_head(cursor, number, out);
}

/* ---- counting the entries */

/* Subtracts the records that are no entries: the metas, the mark and those of the log. */
static int count_entries(const struct table_view *view, size_t *out)
{
    MDB_stat status;
    struct mark mark;
    struct change first, last;
    int rc = mdb_stat(view->txn, view->table->entries, &status);
    if (rc != 0)
        return rc;
    *out = status.ms_entries - META_COUNT;
    rc = table_read_mark(view->txn, view->table->entries, &mark);
    *out -= rc == 0;
    if (rc == 0 || rc == MDB_NOTFOUND)
        rc = first_head(view->cursor, &first);
    if (rc == 0)
        rc = last_head(view->cursor, &last);
    if (rc == 0)
        *out -= last.records_end - first.records_end + first.records;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int table_view_count(struct table_view *view, size_t *out)
{
    int rc;
    GUARDED(rc, count_entries(view, out));
    return rc;
}

int table_count(struct table *table, size_t *out, struct error *err)
{
    struct table_view *view = table_view_open(table, err);
    if (view == NULL)
        return -1;
    int rc = table_view_count(view, out);
    table_view_close(view);
    return rc == 0 ? 0 : table_lmdb_error(err, table, rc);
}

/* ---- noting */

int changelog_note(struct table_edit *edit, const MDB_val *key, const MDB_val *before,
                   const MDB_val *after)
{
    struct change_item item = {.key = key->mv_data, .key_length = key->mv_size};
    if (before != NULL)
        item.before = before->mv_data, item.before_length = before->mv_size;
    if (after != NULL)
        item.after = after->mv_data, item.after_length = after->mv_size;

    edit->change.added += before == NULL;
    edit->change.changed += before != NULL && after != NULL;
    edit->change.removed += after == NULL;
    size_t length = change_item_length(&item);
    /* Too long: not a value of an entry. Too many: the change is logged without its entries. */
    if (length > CHANGE_ITEM_MAX || edit->used + length > CHANGELOG_CHANGE_MAX) {
        edit->change.held = false;
        free(edit->items);
        edit->items = NULL;
    }
    if (!edit->change.held)
        return 0;
    if (edit->size - edit->used < length) {
        size_t size = 2 * edit->size + CHANGE_ITEM_MAX;
        unsigned char *items = realloc(edit->items, size);
        if (items == NULL)
            return ENOMEM;
        edit->items = items;
        edit->size = size;
    }
    change_encode_item(edit->items + edit->used, &item);
    edit->used += length;
    return 0;
}

/* ---- writing */

static void copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text == NULL ? "" : text);
}

/* Writes the items in as few records as possible, and counts these. */
static int put_items(struct table_edit *edit, uint64_t number, uint64_t *records)
{
    unsigned char name[KEY_LENGTH];
    struct change_item item;
    int rc = 0;
    for (size_t at = 0, length; rc == 0 && at < edit->used; at += length) {
        size_t next;
        for (length = 0; (next = change_first_item(&item, edit->items + at + length,
                                                   edit->used - at - length)) > 0 &&
                         length + next <= CHANGELOG_ITEMS_MAX;)
            length += next;
        MDB_val key = log_key(name, number, (uint32_t)(*records)++);
        MDB_val value = {.mv_size = length, .mv_data = edit->items + at};
        rc = mdb_put(edit->txn, edit->table->entries, &key, &value, 0);
    }
    return rc;
}

static int drop_change(MDB_cursor *cursor, uint64_t number)
{
    unsigned char name[KEY_LENGTH];
    MDB_val value, key = log_key(name, number, 0);
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && is_log_key(&key) && number_of(&key) == number) {
        rc = mdb_cursor_del(cursor, 0);
        if (rc == 0)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    return rc;
}

/* Finds the last change, and drops the oldest ones until there is room for a new one of this size. */
static int find_place(struct table_edit *edit, struct change *last, uint64_t octets)
{
    struct change first;
    int rc = last_head(edit->cursor, last);
    while (rc == 0 && (rc = first_head(edit->cursor, &first)) == 0 &&
           (last->number - first.number + 1 >= CHANGELOG_CHANGES_MAX ||
            last->octets_end - first.octets_end + first.octets + octets > CHANGELOG_OCTETS_MAX))
        rc = drop_change(edit->cursor, first.number);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int changelog_write(struct table_edit *edit)
{
    const struct table_author *author = &edit->table->author;
    struct change last = {.number = 0}, *change = &edit->change;
    unsigned char head[CHANGE_HEAD_MAX], name[KEY_LENGTH];
    size_t used = change->held ? edit->used : 0;

    change->when = (int64_t)time(NULL);
    change->uid = getuid();
    copy_text(change->user, sizeof change->user, author->user);
    copy_text(change->behind, sizeof change->behind, author->behind);
    copy_text(change->command, sizeof change->command, author->command);
    change->octets = change_encode_head(head, change) + used;
    int rc = find_place(edit, &last, change->octets);
    change->number = last.number + 1;
    change->records = 1; /* the head */
    if (rc == 0 && used > 0)
        rc = put_items(edit, change->number, &change->records);
    if (rc != 0)
        return rc;
    change->octets_end = last.octets_end + change->octets;
    change->records_end = last.records_end + change->records;
    MDB_val key = log_key(name, change->number, 0);
    MDB_val value = {.mv_size = change_encode_head(head, change), .mv_data = head};
    return mdb_put(edit->txn, edit->table->entries, &key, &value, 0);
}

/* ---- reading */

int changelog_items(MDB_txn *txn, MDB_dbi entries, uint64_t number, uint64_t record,
                    unsigned char *out, size_t *length)
{
    unsigned char name[KEY_LENGTH];
    MDB_val value, key = log_key(name, number, (uint32_t)record);
    int rc = mdb_get(txn, entries, &key, &value);
    if (rc == 0 && value.mv_size > CHANGELOG_ITEMS_MAX)
        rc = MDB_CORRUPTED;
    if (rc == 0) {
        memcpy(out, value.mv_data, value.mv_size);
        *length = value.mv_size;
    }
    return rc;
}

enum table_result changelog_get(struct table *table, uint64_t number, struct change *out,
                                struct error *err)
{
    int rc;
    struct table_view *view = table_view_open(table, err);
    if (view == NULL)
        return TABLE_FAILED;
    GUARDED(rc, changelog_head(view->cursor, number, out));
    table_view_close(view);
    return table_result_of(table, rc, err);
}

static enum table_result look_up_items(struct table *table, uint64_t number, uint64_t record,
                                       unsigned char *out, size_t *length, struct error *err)
{
    int rc;
    struct table_view *view = table_view_open(table, err);
    if (view == NULL)
        return TABLE_FAILED;
    GUARDED(rc, changelog_items(view->txn, table->entries, number, record, out, length));
    table_view_close(view);
    return table_result_of(table, rc, err);
}

int changelog_each(struct table *table, changelog_visit *each, void *data, struct error *err)
{
    struct change change;
    enum table_result result = changelog_get(table, 0, &change, err);
    while (result == TABLE_FOUND) {
        int said = each(&change, data, err);
        if (said != 0)
            return said;
        if (change.number == 1)
            return 0;
        result = changelog_get(table, change.number - 1, &change, err);
    }
    return result == TABLE_FAILED ? -1 : 0;
}

static int decode_item(struct entry *before, struct entry *after, struct change_entry *out,
                       const struct change_item *item, struct error *err)
{
    *out = (struct change_entry){item->before == NULL ? NULL : before,
                                 item->after == NULL ? NULL : after};
    if (out->before != NULL && record_decode(before, item->key, item->key_length, item->before,
                                             item->before_length, err) != 0)
        return -1;
    return out->after == NULL ? 0
                              : record_decode(after, item->key, item->key_length, item->after,
                                              item->after_length, err);
}

int changelog_each_entry(struct table *table, uint64_t number, changelog_visit_entry *each,
                         void *data, struct error *err)
{
    unsigned char items[CHANGELOG_ITEMS_MAX];
    struct change_item item;
    struct change_entry entry;
    struct entry before, after;
    size_t left, length;
    enum table_result result;
    for (uint64_t record = 1;
         (result = look_up_items(table, number, record, items, &left, err)) == TABLE_FOUND;
         record++) {
        for (const unsigned char *at = items; (length = change_first_item(&item, at, left)) > 0;
             at += length, left -= length) {
            int said = decode_item(&before, &after, &entry, &item, err);
            if (said == 0)
                said = each(&entry, data, err);
            if (said != 0)
                return said;
        }
        if (left > 0)
            return table_lmdb_error(err, table, MDB_CORRUPTED);
    }
    return result == TABLE_FAILED ? -1 : 0;
}
