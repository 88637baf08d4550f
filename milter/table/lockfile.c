/* SPDX-License-Identifier: BSD-2-Clause */
/* table/lockfile.c: lock.mdb, in which LMDB keeps the readers and the locks of all processes. LMDB maps the file and trusts
 * it. If it is truncated, removed or overwritten while in use, readers become invisible to writers, and a process may wait
 * for a lock forever. So it is checked before a reader's slot is used. */
#include "table/table_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first four octets of LMDB's files, and the least size of a lock file, that for the default of 126 readers. From
 * mdb.c (MDB_MAGIC, mdb_env_setup_locks), unchanged since before version 0.9. */
#define MAGIC    0xBEEFC0DE
#define SIZE_MIN 8192

static int open_in(const char *folder)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/lock.mdb", folder);
    return open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static bool has_magic(int fd)
{
    uint32_t magic = 0;
    return pread(fd, &magic, sizeof magic, 0) == sizeof magic && magic == MAGIC;
}

bool lockfile_can_be_opened(const char *folder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    struct stat status;
    int fd = open_in(folder);
    if (fd < 0)
        return true; /* missing; any other error is reported by LMDB */
    /* Every process holds a lock on the first octet while it has the file open (mdb_env_excl_lock). */
    bool is_used = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    bool is_damaged = fstat(fd, &status) == 0 && (status.st_size < SIZE_MIN || !has_magic(fd));
    close(fd);
    return !is_used || !is_damaged;
}

int lockfile_open(struct lockfile *out, const char *folder)
{
    struct stat status;
    out->fd = open_in(folder);
    if (out->fd < 0 || fstat(out->fd, &status) != 0)
        return -1;
    out->size = status.st_size;
    return 0;
}

bool lockfile_is_whole(const struct lockfile *file)
{
    struct stat status;
    return fstat(file->fd, &status) == 0 && status.st_nlink > 0 && status.st_size >= file->size &&
           has_magic(file->fd);
}

void lockfile_close(struct lockfile *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* ---- the slots of readers */

int table_slot_result(struct table *table, int rc)
{
    if (rc != GUARD_FAULT && rc != MDB_BAD_RSLOT)
        return rc;
    atomic_store(&table->lost, true);
    return LOCKS_DAMAGED;
}

static int begin(MDB_env *env, MDB_txn **out)
{
    int dead = 0;
    int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, out);
    if (rc == MDB_READERS_FULL && mdb_reader_check(env, &dead) == 0 && dead > 0)
        rc = mdb_txn_begin(env, NULL, MDB_RDONLY, out);
    return rc;
}

/* One thread at a time: if a fault interrupts it while it holds LMDB's lock, no other thread waits for that lock. */
int table_begin_read(struct table *table, MDB_txn **out)
{
    int rc;
    *out = NULL;
    pthread_mutex_lock(&table->beginning);
    if (!lockfile_is_whole(&table->lockfile))
        atomic_store(&table->lost, true);
    SLOT_GUARDED(rc, table, begin(table->env, out));
    pthread_mutex_unlock(&table->beginning);
    return rc;
}

void table_end_read(MDB_txn *txn)
{
    int rc;
    GUARDED(rc, (mdb_txn_abort(txn), 0));
    (void)rc; /* a slot that is gone need not be given back */
}
