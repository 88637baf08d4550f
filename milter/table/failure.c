/* SPDX-License-Identifier: BSD-2-Clause */
/* table/failure.c: what LMDB's codes mean to people */
#include "table/table_internal.h"

#include <errno.h>
#include <string.h>

enum table_result table_result_of(const struct table *table, int rc, struct error *err)
{
    if (rc == 0 || rc == MDB_NOTFOUND)
        return rc == 0 ? TABLE_FOUND : TABLE_ABSENT;
    table_lmdb_error(err, table, rc);
    return TABLE_FAILED;
}

int table_lmdb_error(struct error *err, const struct table *table, int rc)
{
    switch (rc) {
    case MDB_MAP_FULL: return error_set(err, EX_IOERR, "%s: the table is full", table->path);
    case MDB_READERS_FULL:
        return error_set(err, EX_TEMPFAIL, "%s: more than %d readers: stop some", table->path,
                         READERS_MAX);
    case PAGE_MISSING:
        return error_set(
            err, EX_DATAERR,
            "%s/data.mdb: cut short, or on a disk that fails: restore a copy of the table",
            table->path);
    case LOCKS_DAMAGED:
        return error_set(err, EX_TEMPFAIL,
                         "%s/lock.mdb: removed, cut short or overwritten while programs use the "
                         "table: end them, or try again in some seconds",
                         table->path);
    case FORMAT_NEWER:
        return error_set(err, EX_DATAERR,
                         "%s: its format is newer than this program's %d: "
                         "use the milter-moved that wrote it",
                         table->path, TABLE_FORMAT_FOLLOWS);
    case NEVER_SYNCED:
        return error_set(err, EX_NOINPUT,
                         "%s: never synced with its store: see movedctl follow --status",
                         table->path);
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_CURSOR_FULL:
    case MDB_INCOMPATIBLE:
    case MDB_MAP_RESIZED: /* no table outgrows MAP_SIZE */
        return error_set(
            err, EX_DATAERR,
            "%s/data.mdb: not an LMDB file, or a damaged one: restore a copy of the table",
            table->path);
    case ENOSPC:
    case EDQUOT:
        return error_set(err, EX_IOERR, "%s: %s: make room on its disk", table->path, strerror(rc));
    case EIO: /* also LMDB's code for a short write */
        return error_set(err, EX_IOERR, "%s: %s: make room on its disk, or see the kernel's log",
                         table->path, strerror(rc));
    default:
        return error_set(err, rc > 0 ? error_status(rc) : EX_IOERR, "%s: %s", table->path,
                         mdb_strerror(rc));
    }
}
