/* SPDX-License-Identifier: BSD-2-Clause */
/* table/lockfile.h: checks lock.mdb, in which LMDB keeps the readers and the locks of all processes. LMDB maps the file
 * and trusts it. If it is truncated, removed or overwritten while in use, readers become invisible to writers, and a
 * process may wait for a lock forever. */
#ifndef TABLE_LOCKFILE_H
#define TABLE_LOCKFILE_H

#include <stdbool.h>
#include <sys/types.h>

/* The file that LMDB opened. */
struct lockfile {
    int fd; /* -1: none */
    off_t size;
};

/* Call this before LMDB opens the file in this folder. Returns false if other programs use it and it is damaged; then
 * LMDB must not open it. LMDB recreates a file that no program uses, whatever it contains. */
bool lockfile_can_be_opened(const char *folder);

/* Call this after LMDB has opened it. Returns 0, or -1 with errno. */
int lockfile_open(struct lockfile *out, const char *folder);

/* Whether the file is still there and undamaged. */
bool lockfile_is_whole(const struct lockfile *file);

/* Call this only after mdb_env_close: closing a file drops all locks that the process has on it (fcntl(2)). */
void lockfile_close(struct lockfile *file);

#endif
