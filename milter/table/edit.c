/* table/edit.c: writing, all or nothing */
#include "table/record.h"
#include "table/table_internal.h"

#include <fcntl.h>
#include <stdlib.h>

#define SPARE                                                                                      \
    (256 * 1024) /* octets by which the file is longer than it needs to be when an edit begins */

struct table_edit {
    struct table *table;
    MDB_txn *txn;
};

/* Pages that a transaction took at the end of the file and freed again are never written, so the
 * file can end before its last page, which table_check would call cut short. So an edit begins
 * with some pages to spare, and a great one is filled up when it is done. Only for the holder of
 * the writer's lock. */
static void fill_up(struct table *table, size_t spare)
{
    int fd;
    long long size = table_file_size(table), needed = table_needed_size(table);
    if (size < 0 || needed == LLONG_MAX || mdb_env_get_fd(table->env, &fd) != 0)
        return;
    needed += (long long)spare;
    if (size < needed)
        (void)posix_fallocate(fd, size, needed - size); /* a full disk shows in the commit */
}

struct table_edit *table_edit_begin(struct table *table, struct error *err)
{
    int dead;
    struct table_edit *edit = calloc(1, sizeof *edit);
    if (edit == NULL) {
        error_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    edit->table = table;
    mdb_reader_check(table->env, &dead); /* a killed reader would hold old pages for ever */
    int rc = mdb_txn_begin(table->env, NULL, 0, &edit->txn);
    if (rc != 0) {
        table_lmdb_error(err, table, rc);
        free(edit);
        return NULL;
    }
    fill_up(table, SPARE);
    return edit;
}

static int entry_key(MDB_val *out, char *key, const struct entry *entry, struct error *err)
{
    out->mv_data = key;
    out->mv_size = record_key(key, entry->scope, entry->local, entry->domain);
    if (out->mv_size > 0)
        return 0;
    return error_set(err, EX_DATAERR, "old: over %d octets: no SMTP client could write it",
                     RECORD_KEY_MAX);
}

enum table_result table_edit_put(struct table_edit *edit, const struct entry *entry, bool replace,
                                 struct error *err)
{
    char name[RECORD_KEY_MAX];
    unsigned char record[RECORD_VALUE_MAX];
    const MDB_val whole = {.mv_size = record_encode(record, entry), .mv_data = record};
    MDB_val key, value = whole;
    if (entry_key(&key, name, entry, err) != 0)
        return TABLE_FAILED;

    int rc = mdb_put(edit->txn, edit->table->entries, &key, &value, MDB_NOOVERWRITE);
    if (rc == 0)
        return TABLE_ABSENT;
    if (rc == MDB_KEYEXIST && replace) {
        value = whole; /* LMDB has pointed it at what is there */
        rc = mdb_put(edit->txn, edit->table->entries, &key, &value, 0);
    }
    if (rc == 0 || rc == MDB_KEYEXIST)
        return TABLE_FOUND;
    table_lmdb_error(err, edit->table, rc);
    return TABLE_FAILED;
}

enum table_result table_edit_del(struct table_edit *edit, const struct entry *old,
                                 struct error *err)
{
    char name[RECORD_KEY_MAX];
    MDB_val key;
    if (entry_key(&key, name, old, err) != 0)
        return TABLE_FAILED;
    int rc = mdb_del(edit->txn, edit->table->entries, &key, NULL);
    if (rc == 0 || rc == MDB_NOTFOUND)
        return rc == 0 ? TABLE_FOUND : TABLE_ABSENT;
    table_lmdb_error(err, edit->table, rc);
    return TABLE_FAILED;
}

int table_edit_clear(struct table_edit *edit, struct error *err)
{
    int rc = mdb_drop(edit->txn, edit->table->entries, 0);
    if (rc == 0)
        rc = table_put_metas(edit->txn, edit->table);
    return rc == 0 ? 0 : table_lmdb_error(err, edit->table, rc);
}

int table_edit_commit(struct table_edit *edit, struct error *err)
{
    struct table *table = edit->table;
    int rc = mdb_txn_commit(edit->txn);
    free(edit);
    if (rc != 0)
        return table_lmdb_error(err, table, rc);

    MDB_txn *txn = NULL;
    if (table_file_size(table) < table_needed_size(table) &&
        mdb_txn_begin(table->env, NULL, 0, &txn) == 0) {
        fill_up(table, 0);
        mdb_txn_abort(txn);
    }
    return 0;
}

void table_edit_abort(struct table_edit *edit)
{
    if (edit == NULL)
        return;
    mdb_txn_abort(edit->txn);
    free(edit);
}
