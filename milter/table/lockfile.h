/* table/lockfile.h: lock.mdb, where LMDB keeps who reads, and the locks that all programs share. LMDB maps the file and
 * trusts it. Cut short, removed or overwritten while it is in use, it hides readers from writers, and a program that waits for
 * one of its locks may wait for ever: so it is asked first. */
#ifndef TABLE_LOCKFILE_H
#define TABLE_LOCKFILE_H

#include <stdbool.h>
#include <sys/types.h>

/* The file as LMDB has opened it. */
struct lockfile {
    int fd; /* -1: none */
    off_t size;
};

/* Before LMDB opens the file in this folder: false where other programs use it and it is damaged, and then LMDB must not
 * open it. If no program uses it, LMDB recreates it, whatever it contains. */
bool lockfile_can_be_opened(const char *folder);

/* Once LMDB has opened it. Returns 0, or -1 with errno. */
int lockfile_open(struct lockfile *out, const char *folder);

/* Whether it is still the file that it was. */
bool lockfile_is_whole(const struct lockfile *file);

/* Only after mdb_env_close: it takes the locks of this process away (fcntl(2)). */
void lockfile_close(struct lockfile *file);

#endif
