/* SPDX-License-Identifier: BSD-2-Clause */
/* table/whole.c: checks that the files of an open table are complete */
#include "table/guard.h"
#include "table/table_internal.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

long long table_file_size(const struct table *table)
{
    int fd;
    struct stat status;
    return mdb_env_get_fd(table->env, &fd) == 0 && fstat(fd, &status) == 0
               ? (long long)status.st_size
               : -1;
}

long long table_needed_size(const struct table *table)
{
    MDB_envinfo info;
    MDB_stat status;
    long long size;
    if (mdb_env_info(table->env, &info) != 0 || mdb_env_stat(table->env, &status) != 0 ||
        __builtin_mul_overflow(info.me_last_pgno + 1, status.ms_psize, &size))
        return LLONG_MAX; /* the number of a page in a damaged file may be anything */
    return size;
}

static long long guarded_needed_size(const struct table *table)
{
    long long size = LLONG_MAX;
    int rc;
    GUARDED(rc, (size = table_needed_size(table), 0));
    return rc == 0 ? size : LLONG_MAX;
}

int table_check_size(struct table *table, struct error *err)
{
    long long known = atomic_load_explicit(&table->size, memory_order_relaxed);
    long long size = table_file_size(table);
    if (size == known)
        return 0;
    /* An import that was aborted because the disk was full may have left part of a page after the last one in use. */
    if ((size % sysconf(_SC_PAGESIZE) != 0 || size < known) && size < guarded_needed_size(table))
        return table_lmdb_error(err, table, PAGE_MISSING);
    atomic_store_explicit(&table->size, size, memory_order_relaxed);
    return 0;
}

/* Touches each page that holds data. */
static int walk(MDB_cursor *cursor)
{
    MDB_val key, value;
    int rc;
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
        if (value.mv_size > 0)
            (void)((const volatile char *)value.mv_data)[value.mv_size - 1];
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int walk_all(MDB_txn *txn, MDB_dbi of)
{
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn, of, &cursor);
    if (rc != 0)
        return rc;
    GUARDED(rc, walk(cursor));
    mdb_cursor_close(cursor);
    return rc;
}

/* Pages that a transaction took at the end of the file and freed again are never written. So a table whose writer was killed
 * at that moment is complete, although it ends before its last page. LMDB's free list is database 0. */
int table_check_whole(const struct table *table, MDB_txn *txn, struct error *err)
{
    return table_file_size(table) >= table_needed_size(table) ||
                   (walk_all(txn, table->entries) == 0 && walk_all(txn, 0) == 0)
               ? 0
               : table_lmdb_error(err, table, PAGE_MISSING);
}

/* Whether fd is open on the file that now has this name in the folder. */
static bool is_there(const struct table *table, const char *name, int fd)
{
    char file[PATH_MAX + 16];
    struct stat there, ours;
    snprintf(file, sizeof file, "%s/%s", table->path, name);
    return fstat(fd, &ours) == 0 && stat(file, &there) == 0 && there.st_ino == ours.st_ino &&
           there.st_dev == ours.st_dev;
}

int table_check(struct table *table, struct error *err)
{
    int fd = -1;
    if (mdb_env_get_fd(table->env, &fd) != 0 || !is_there(table, "data.mdb", fd))
        return error_set(err, EX_NOINPUT, "%s/data.mdb: removed, or replaced by another file",
                         table->path);
    if (atomic_load(&table->lost) || !is_there(table, "lock.mdb", table->lockfile.fd) ||
        !lockfile_is_whole(&table->lockfile))
        return table_lmdb_error(err, table, LOCKS_DAMAGED);
    return table_check_size(table, err);
}
