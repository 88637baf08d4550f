#include "daemon/folder.h"

#include "base/place.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static int refuse(const char *path, struct error *err)
{
    errno = EACCES;
    return error_set(
        err, EX_NOPERM,
        "'%s' is not root's alone: write a folder that, like all above it, only root may write in",
        path);
}

int folder_open_of_root(const char *path, struct error *err)
{
    struct place place;
    if (place_find(&place, path, NULL) != 0)
        return errno == EPERM || errno == EACCES
                   ? refuse(path, err)
                   : error_set(err, EX_CANTCREAT, "'%s': %s", path, strerror(errno));
    errno = place.there ? ENOTDIR : ENOENT;
    int fd = *place.name == '\0' ? openat(place.folder, ".", FOLDER_FLAGS) : -1;
    int rc = place.owner != 0 ? refuse(path, err)
             : fd < 0         ? error_set(err, EX_CANTCREAT, "'%s': %s", path, strerror(errno))
                              : fd;
    if (rc < 0 && fd >= 0)
        close(fd);
    place_free(&place);
    return rc;
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
    int fd = geteuid() == 0 ? folder_open_of_root(parent, &why)
                            : open(parent, FOLDER_FLAGS & ~O_NOFOLLOW);
    int rc = fd < 0 ? -1 : make_in(fd, basename(name), uid, gid);
    if (rc != 0)
        error_set(err, EX_CANTCREAT,
                  "cannot make the folder '%s': %s: make it, for the daemon's user", folder,
                  strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}
