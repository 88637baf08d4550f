/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/lockfile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
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

/* Every process holds a lock on the first octet while it has the file open (mdb_env_excl_lock). */
static bool is_used(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool lockfile_can_be_opened(const char *folder)
{
    struct stat status;
    int fd = open_in(folder);
    if (fd < 0)
        return true; /* missing; any other error is reported by LMDB */
    bool damaged =
        fstat(fd, &status) == 0 && is_used(fd) && (status.st_size < SIZE_MIN || !has_magic(fd));
    close(fd);
    return !damaged;
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
