/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/place.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LINKS_MAX 40 /* symbolic links in one path, as in the kernel (path_resolution(7)) */

/* ---- root as another user */

/* The identity of root while the process works as another user. */
static struct {
    gid_t group, *groups;
    int count;
} root;

static int remember_groups(void)
{
    root.group = getegid();
    root.count = getgroups(0, NULL);
    root.groups = root.count < 0 ? NULL : calloc((size_t)root.count + 1, sizeof *root.groups);
    if (root.groups == NULL)
        return -1;
    root.count = getgroups(root.count, root.groups);
    return root.count < 0 ? -1 : 0;
}

/* A user without an account has no groups. The group of a folder is no evidence: setgid folders pass theirs on. */
static int take_groups(uid_t user)
{
    const struct passwd *account = getpwuid(user);
    if (account == NULL)
        return setgroups(0, NULL) == 0 ? setegid((gid_t)65534) : -1;
    return initgroups(account->pw_name, account->pw_gid) == 0 ? setegid(account->pw_gid) : -1;
}

static void be_root(void)
{
    /* Root must not continue with half an identity. */
    if (seteuid(0) != 0 || setegid(root.group) != 0 ||
        setgroups((size_t)root.count, root.groups) != 0)
        abort();
    free(root.groups);
    root.groups = NULL;
}

static int be(uid_t user, struct error *err)
{
    if (user == 0)
        return 0;
    if (remember_groups() == 0 && take_groups(user) == 0 && seteuid(user) == 0)
        return 0;
    int reason = errno;
    if (root.groups != NULL)
        be_root();
    errno = reason;
    return error_set(err, EX_NOPERM, "cannot work as user %lu: %s", (unsigned long)user,
                     strerror(reason));
}

int place_enter(const struct place *place, struct error *err)
{
    return be(place->owner, err);
}

void place_leave(const struct place *place)
{
    if (place->owner != 0)
        be_root();
}

/* ---- the way */

struct way {
    struct place *place;
    const char *path;             /* as it was given */
    char rest[2 * PATH_MAX];      /* not resolved yet */
    int links;                    /* followed so far */
    bool is_root, shares_entries; /* the folder is sticky: each name in it is its owner's */
};

static int cannot(const struct way *way, struct error *err)
{
    return error_set(err, error_status(errno), "%s: %s", way->path, strerror(errno));
}

static int work_as(struct way *way, uid_t owner, struct error *err)
{
    if (!way->is_root || way->place->owner != 0 || owner == 0)
        return 0;
    if (be(owner, err) != 0)
        return error_at(err, way->path, 0);
    way->place->owner = owner;
    return 0;
}

/* Switches to the user who controls the contents of the folder, before anything is looked up there. */
static int check_folder(struct way *way, bool holds_all, struct error *err)
{
    struct stat status;
    way->shares_entries = false;
    if (!way->is_root || way->place->owner != 0)
        return 0;
    if (fstat(way->place->folder, &status) != 0)
        return cannot(way, err);
    if (status.st_uid != 0)
        return work_as(way, status.st_uid, err);
    if ((status.st_mode & S_IWOTH) == 0 && ((status.st_mode & S_IWGRP) == 0 || status.st_gid == 0))
        return 0;
    way->shares_entries = (status.st_mode & S_ISVTX) != 0;
    if (way->shares_entries && !holds_all)
        return 0;
    errno = EPERM;
    return error_set(err, EX_NOPERM,
                     "%s: leads through a folder of root's that others may write: "
                     "give that folder to one of them, or chmod go-w",
                     way->path);
}

static int start(struct way *way, struct error *err)
{
    size_t length = strlen(way->path), used = 0;
    errno = length == 0 ? ENOENT : ENAMETOOLONG;
    if (length == 0 || length >= PATH_MAX)
        return cannot(way, err);
    if (*way->path != '/') {
        if (getcwd(way->rest, PATH_MAX) == NULL)
            return cannot(way, err);
        used = strlen(way->rest);
        way->rest[used++] = '/';
    }
    memcpy(way->rest + used, way->path, length + 1);
    way->place->folder = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return way->place->folder < 0 ? cannot(way, err) : 0;
}

/* Moves the next component from rest to place->name. Returns whether there was one. */
static bool next_name(struct way *way)
{
    char *from = way->rest + strspn(way->rest, "/");
    size_t length = strcspn(from, "/");
    if (length > NAME_MAX)
        length = NAME_MAX; /* does not exist */
    memcpy(way->place->name, from, length);
    way->place->name[length] = '\0';
    memmove(way->rest, from + length, strlen(from + length) + 1);
    return length > 0;
}

/* Opens a folder as a directory, so that an automount is triggered. */
static int open_name(const struct place *place, int more)
{
    int fd = openat(place->folder, place->name, O_PATH | O_DIRECTORY | O_CLOEXEC | more);
    return fd < 0 && errno == ENOTDIR
               ? openat(place->folder, place->name, O_PATH | O_CLOEXEC | more)
               : fd;
}

static void move_to(struct place *place, int folder)
{
    close(place->folder);
    place->folder = folder;
    place->name[0] = '\0';
}

/* Puts the target of the link in front of the rest of the path. */
static int follow(struct way *way, int link, struct error *err)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(link, "", target, sizeof target);
    size_t left = strlen(way->rest);
    if (++way->links > LINKS_MAX)
        errno = ELOOP;
    else if (length >= 0 && (size_t)length + left + 2 > sizeof way->rest)
        errno = ENAMETOOLONG;
    else if (length > 0) {
        memmove(way->rest + length, way->rest, left + 1);
        memcpy(way->rest, target, (size_t)length);
        way->place->name[0] = '\0';
        if (*target != '/')
            return 0;
        move_to(way->place, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
        return way->place->folder < 0 ? cannot(way, err) : 0;
    }
    return cannot(way, err);
}

/* The kernel resolves the links in /proc to open files; their text is not a path to follow. */
static bool is_in_proc(int fd)
{
    struct statfs system;
    return fstatfs(fd, &system) == 0 && system.f_type == PROC_SUPER_MAGIC;
}

static int open_next(struct way *way, struct stat *status, struct error *err)
{
    int fd = open_name(way->place, O_NOFOLLOW);
    if (fd >= 0 && fstat(fd, status) == 0 && S_ISLNK(status->st_mode) && is_in_proc(fd)) {
        close(fd);
        fd = open_name(way->place, 0);
    }
    if (fd >= 0 && fstat(fd, status) == 0)
        return fd;
    if (fd < 0 && errno == ENOENT && way->rest[strspn(way->rest, "/")] == '\0')
        return -1; /* the last may be missing */
    cannot(way, err);
    if (fd >= 0)
        close(fd);
    return -2;
}

/* Resolves one component. Returns 0; 1 if it was the last; or -1 with err. */
static int step(struct way *way, struct error *err)
{
    struct stat status;
    if (check_folder(way, false, err) != 0)
        return -1;
    int fd = open_next(way, &status, err);
    if (fd < 0)
        return fd == -1 ? 1 : -1;
    if (way->shares_entries && work_as(way, status.st_uid, err) != 0) {
        close(fd);
        return -1;
    }
    if (S_ISDIR(status.st_mode)) {
        move_to(way->place, fd);
        return 0;
    }
    int rc = 1;
    way->place->there = !S_ISLNK(status.st_mode);
    if (S_ISLNK(status.st_mode))
        rc = follow(way, fd, err);
    else if (way->rest[strspn(way->rest, "/")] != '\0') {
        errno = ENOTDIR;
        rc = cannot(way, err);
    }
    close(fd);
    return rc;
}

int place_find(struct place *out, const char *path, struct error *err)
{
    struct way way = {.place = out, .path = path, .is_root = geteuid() == 0};
    *out = (struct place){.folder = -1};
    int rc = start(&way, err);
    while (rc == 0 && next_name(&way))
        rc = step(&way, err);
    if (rc == 0) {
        out->there = true;
        rc = check_folder(&way, true, err);
    }
    int reason = errno;
    place_leave(out);
    if (rc < 0)
        place_free(out);
    errno = reason;
    return rc < 0 ? -1 : 0;
}

void place_free(struct place *place)
{
    if (place->folder >= 0)
        close(place->folder);
    place->folder = -1;
}

void place_path(const struct place *place, const char *typed, char out[PATH_MAX])
{
    if (place->owner == 0)
        snprintf(out, PATH_MAX, "%s", typed);
    else
        snprintf(out, PATH_MAX, "/proc/self/fd/%d", place->folder);
}

int place_open_of_root(const char *path, struct error *err)
{
    struct place place;
    if (place_find(&place, path, NULL) == 0) {
        if (place.owner == 0 && *place.name == '\0')
            return place.folder;
        place_free(&place);
        errno = place.owner != 0 ? EACCES : place.there ? ENOTDIR : ENOENT;
    }
    if (errno != EPERM && errno != EACCES)
        return error_set(err, EX_CANTCREAT, "'%s': %s", path, strerror(errno));
    return error_set(err, EX_NOPERM,
                     "'%s' is not root's alone: write a folder that, like all above it, only root "
                     "may write in",
                     path);
}
