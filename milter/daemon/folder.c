#include "daemon/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define LINKS_MAX    8 /* /var/run is one */

/* In a sticky folder others can make names, and not take away those of root. */
static bool is_roots(int fd, bool sticky_will_do)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || status.st_uid != 0)
        return false;
    bool others = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    return !others || (sticky_will_do && (status.st_mode & S_ISVTX) != 0);
}

static int walk(int fd, char *path, unsigned links);

/* Goes on from fd along a link of root's; another's would lead root where he wants. */
static int follow(int fd, const char *name, unsigned links)
{
    char target[PATH_MAX];
    struct stat status;
    if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return -1;
    ssize_t length = readlinkat(fd, name, target, sizeof target - 1);
    if (status.st_uid != 0 || length < 0 || links >= LINKS_MAX) {
        errno = status.st_uid != 0 ? EACCES : length < 0 ? ENOTDIR : ELOOP;
        return -1;
    }
    target[length] = '\0';
    return walk(target[0] == '/' ? open("/", FOLDER_FLAGS) : openat(fd, ".", FOLDER_FLAGS), target,
                links + 1);
}

/* From one folder, which it closes, into the next. Returns that, or -1 with errno: EACCES where it is not root's. */
static int enter(int fd, const char *name, unsigned links)
{
    int next = -1;
    if (!is_roots(fd, true))
        errno = EACCES;
    else if ((next = openat(fd, name, FOLDER_FLAGS)) < 0 && (errno == ELOOP || errno == ENOTDIR))
        next = follow(fd, name, links);
    int saved = errno;
    close(fd);
    errno = saved;
    return next;
}

/* Along all of path, name by name. Closes fd. */
static int walk(int fd, char *path, unsigned links)
{
    char *rest = NULL;
    for (char *name = strtok_r(path, "/", &rest); name != NULL && fd >= 0;
         name = strtok_r(NULL, "/", &rest))
        fd = enter(fd, name, links);
    return fd;
}

int folder_open_of_root(const char *path, struct error *err)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = walk(open("/", FOLDER_FLAGS), copy, 0);
    if (fd >= 0 && is_roots(fd, false))
        return fd;
    if (fd < 0 && errno != EACCES)
        return error_set(err, EX_CANTCREAT, "'%s': %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    errno = EACCES;
    return error_set(
        err, EX_NOPERM,
        "'%s' is not root's alone: write a folder that, like all above it, only root may write in",
        path);
}

/* The new folder's mode is set through a descriptor, whatever the umask was. */
static int make_in(int above, const char *name, uid_t uid, gid_t gid)
{
    if (mkdirat(above, name, 0700) != 0)
        return -1;
    int fd = openat(above, name, FOLDER_FLAGS);
    if (fd < 0)
        return -1;
    int rc = geteuid() == 0 ? fchown(fd, uid, gid) : 0;
    if (rc == 0)
        rc = fchmod(fd, 0755);
    close(fd);
    return rc;
}

int folder_make(const char *socket_path, uid_t uid, gid_t gid, struct error *err)
{
    char path[PATH_MAX], above[PATH_MAX], name[PATH_MAX];
    struct stat status;
    snprintf(path, sizeof path, "%s", socket_path);
    const char *folder = dirname(path);
    if (stat(folder, &status) == 0)
        return 0;

    snprintf(above, sizeof above, "%s", folder);
    snprintf(name, sizeof name, "%s", folder);
    const char *parent = dirname(above);
    struct error why;
    int fd = geteuid() == 0 ? folder_open_of_root(parent, &why) : open(parent, FOLDER_FLAGS);
    int rc = fd < 0 ? -1 : make_in(fd, basename(name), uid, gid);
    if (rc != 0)
        error_set(err, EX_CANTCREAT,
                  "cannot make the folder '%s': %s: make it, for the daemon's user", folder,
                  strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}
