/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/pid_file.h"

#include "base/place.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *name_of(char copy[PATH_MAX], const char *path)
{
    snprintf(copy, PATH_MAX, "%s", path);
    return basename(copy);
}

/* Returns the folder's descriptor, or -1 with err. What is there in place of a file stays there, because only root can
 * affect the folder. */
static int open_folder(const char *path, struct error *err)
{
    char copy[PATH_MAX];
    struct stat status;
    snprintf(copy, sizeof copy, "%s", path);
    if (geteuid() != 0)
        return error_set(err, EX_CONFIG,
                         "pid_file: only root writes it: take the key out (systemd needs none), or "
                         "start as root");
    int folder = place_open_of_root(dirname(copy), err);
    if (folder < 0)
        return error_at(err, "pid_file", 0);
    if (fstatat(folder, name_of(copy, path), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        S_ISREG(status.st_mode))
        return folder;
    close(folder);
    return error_set(err, EX_CANTCREAT,
                     "pid_file: '%s' is there and is no file: write another path", path);
}

static int cannot_write(const char *path, struct error *err)
{
    return error_set(err, EX_CANTCREAT, "pid_file: '%s': %s", path, strerror(errno));
}

/* Returns the descriptor that holds the lock. It is opened for reading only, so that an attacker who takes over the
 * daemon later cannot write another number with it. */
static int lock_in(int folder, const char *name, const char *path, struct error *err)
{
    int fd = openat(folder, name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return cannot_write(path, err);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return error_set(err, EX_TEMPFAIL,
                     "pid_file: '%s' is held by a milter-moved that runs: stop it first", path);
}

int pid_file_write(const char *path, struct error *err)
{
    char copy[PATH_MAX];
    int rc = -1, fd = -1;
    if (*path == '\0')
        return 0;
    const char *name = name_of(copy, path);
    int folder = open_folder(path, err);
    if (folder < 0)
        return -1;
    if (lock_in(folder, name, path, err) >= 0) { /* which stays open */
        fd = openat(folder, name, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
        rc = fd >= 0 && fchmod(fd, 0644) == 0 && dprintf(fd, "%ld\n", (long)getpid()) > 0
                 ? 0
                 : cannot_write(path, err);
    }
    if (fd >= 0)
        close(fd);
    close(folder);
    return rc;
}

int pid_file_check(const char *path, struct error *err)
{
    if (*path == '\0')
        return 0;
    int folder = open_folder(path, err);
    return folder < 0 ? -1 : close(folder);
}
