/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/home.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int home_find(struct place *out, const char *path, struct error *err)
{
    if (place_find(out, path, err) != 0)
        return -1;
    if (!out->there)
        return 1;
    if (*out->name == '\0')
        return 0;
    place_free(out);
    errno = ENOTDIR;
    return error_set(err, EX_NOINPUT, "%s: not a folder: write the folder of the table", path);
}

int home_make(struct place *out, const struct place *above, mode_t mode, struct error *err)
{
    *out = (struct place){.folder = -1, .there = true, .owner = above->owner};
    if (place_enter(above, err) != 0)
        return -1;
    if (mkdirat(above->folder, above->name, mode) == 0)
        out->folder =
            openat(above->folder, above->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int reason = errno;
    place_leave(above);
    return out->folder >= 0 ? 0
                            : error_set(err, EX_CANTCREAT, "%s: %s", above->name, strerror(reason));
}

static int open_in(const struct place *place, const char *name)
{
    return openat(place->folder, *name == '\0' ? "." : name,
                  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

/* Closes fd, and sets err if rc is not 0. */
static int finish(int fd, int rc, const char *what, struct error *err)
{
    if (rc != 0)
        error_set(err, EX_CANTCREAT, "%s: %s", what, strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

int home_give(const struct place *place, const char *name, uid_t owner, gid_t group, mode_t mode,
              struct error *err)
{
    if (place_enter(place, err) != 0)
        return -1;
    int fd = open_in(place, name);
    int rc = fd < 0 ? -1 : fchown(fd, place->owner == 0 ? owner : (uid_t)-1, group);
    if (rc != 0 && fd >= 0 && errno == EPERM) {
        mode &= 0700;
        rc = 0;
    }
    if (rc == 0)
        rc = fchmod(fd, mode);
    rc = finish(fd, rc, *name == '\0' ? "the folder of the table" : name, err);
    place_leave(place);
    return rc;
}

/* A file system of its own has lost+found (mke2fs(8)). */
static bool is_empty(const struct place *place)
{
    int fd = open_in(place, "");
    DIR *names = fd < 0 ? NULL : fdopendir(fd);
    int count = 0;
    if (names == NULL)
        return finish(fd, 1, "", NULL) == 0;
    for (const struct dirent *at; (at = readdir(names)) != NULL;)
        count += strcmp(at->d_name, "lost+found") != 0;
    closedir(names);
    return count == 2; /* "." and ".." */
}

int home_settle(struct place *place, bool is_new, uid_t owner, gid_t group, struct error *err)
{
    bool gives = geteuid() == 0 && place->owner == 0 && owner != (uid_t)-1;
    if (!is_new && !(gives && is_empty(place)))
        return 0;
    if (home_give(place, "", owner, group, 02770, err) != 0)
        return -1;
    if (gives)
        place->owner = owner;
    return 0;
}

int home_sync(const struct place *place, struct error *err)
{
    if (place_enter(place, err) != 0)
        return -1;
    int fd = open_in(place, "");
    int rc = fd < 0 ? -1 : fsync(fd);
    if (rc != 0 && fd >= 0 && errno == EINVAL)
        rc = 0; /* not supported by this file system */
    rc = finish(fd, rc, "the folder of the table", err);
    place_leave(place);
    return rc;
}
