/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/socket.h"

#include "base/endpoint.h"
#include "base/place.h"
#include "daemon/handed_over.h"
#include "daemon/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <libmilter/mfapi.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG                                                                                    \
    1024 /* sessions that an MTA opens at once after a pause; the kernel cuts it to somaxconn */

/* A unix socket of our own; path "" where there is none. */
struct bound_socket {
    char path[PATH_MAX];
    dev_t device;
    ino_t inode;
};
static struct bound_socket milter_place, lookup_place;
static struct handed_over handed;
static int lookup_listener = -1;

static int cannot_listen(const char *key, const char *where, struct error *err)
{
    return error_set(err, EX_CANTCREAT, "%s: cannot listen on '%s': %s", key, where,
                     errno == 0 ? "libmilter does not take it" : strerror(errno));
}

static int listen_milter(const char *connection, const char *name, struct error *err)
{
    char copy[PATH_MAX + 32];
    snprintf(copy, sizeof copy, "%s", connection); /* libmilter's argument is not const */
    errno = 0;
    if (smfi_setconn(copy) == MI_SUCCESS && smfi_setbacklog(BACKLOG) == MI_SUCCESS &&
        smfi_opensocket(1) == MI_SUCCESS)
        return 0;
    return cannot_listen("socket", name, err);
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strnlen(path, sizeof address.sun_path - 1));
    return address;
}

/* Returns the descriptor, or -1 with err, which names the socket. */
static int listen_lookup(const char *path, const char *name, struct error *err)
{
    const struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)unlink(path);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    cannot_listen("lookup_socket", name, err);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* ---- the folder of a socket */

static const char *folder_of(char copy[PATH_MAX], const char *path)
{
    snprintf(copy, PATH_MAX, "%s", path);
    return dirname(copy);
}

/* The new folder's mode is set through a descriptor, whatever the umask was. */
static int make_in(int above, const char *name, const struct owner *owner)
{
    if (mkdirat(above, name, 0700) != 0)
        return -1;
    int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = geteuid() == 0 ? fchown(fd, owner->uid, owner->gid) : 0;
    if (rc == 0)
        rc = fchmod(fd, 0755);
    close(fd);
    return rc;
}

/* Makes the folder if it is missing, with mode 0755: a mail server has to pass through. Root makes it for the owner, and
 * only in a folder of root's. */
static int make_folder(const char *path, const struct owner *owner, struct error *err)
{
    char copy[PATH_MAX], above[PATH_MAX], name[PATH_MAX];
    struct stat status;
    const char *folder = folder_of(copy, path);
    if (stat(folder, &status) == 0)
        return 0;

    snprintf(name, sizeof name, "%s", folder);
    int fd = place_open_of_root(folder_of(above, folder), NULL);
    int rc = fd < 0 ? -1 : make_in(fd, basename(name), owner);
    if (rc != 0)
        error_set(err, EX_CANTCREAT,
                  "cannot make the folder '%s': %s: make it, for the daemon's user", folder,
                  strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

static int check_folder(const char *key, const char *path, struct error *err)
{
    char copy[PATH_MAX];
    const char *folder = folder_of(copy, path);
    if (access(folder, W_OK | X_OK) == 0)
        return 0;
    return error_set(err, EX_CANTCREAT, "%s: '%s': %s: give the folder to the daemon's user", key,
                     folder, strerror(errno));
}

/* A socket that someone listens on is an instance that is being replaced; any other file was not
 * meant. */
static int check_place(const char *key, const char *path, struct error *err)
{
    struct stat status;
    if (lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
        return error_set(err, EX_CANTCREAT,
                         "%s: '%s' is there and is no socket: write another path", key, path);
    return 0;
}

/* ---- the group and the mode: of a socket that is bound, the effective group and the umask at that moment */

static const char *wanted_group(const struct settings *settings)
{
    return *settings->socket_group == '\0' ? "postfix" : settings->socket_group;
}

static int find_group(gid_t *out, const struct settings *settings, gid_t own, struct error *err)
{
    const struct group *group = getgrnam(wanted_group(settings));
    if (group == NULL && *settings->socket_group != '\0')
        return error_set(err, EX_CONFIG, "socket_group: no such group '%s': write one of this host",
                         settings->socket_group);
    *out = group == NULL ? own : group->gr_gid;
    return 0;
}

int socket_check(const struct settings *settings, struct error *err)
{
    gid_t group;
    bool any = endpoint_path(settings->socket) != NULL || *settings->lookup_socket != '\0';
    return any ? find_group(&group, settings, 0, err) : 0;
}

static int wrong_group(const char *key, const char *path, const struct settings *settings,
                       struct error *err)
{
    char copy[PATH_MAX];
    const char *name = folder_of(copy, path), *group = wanted_group(settings);
    return error_set(
        err, EX_NOPERM,
        "%s: '%s' does not get the group '%s': start milter-moved as root, or give the "
        "folder that group (chgrp %s %s; chmod g+s %s)",
        key, path, group, group, name, name);
}

/* A folder with the setgid bit gives its own group, and one with a default ACL its own mode. */
static int check_made(const char *key, const char *path, const struct stat *made,
                      const struct settings *settings, gid_t group, struct error *err)
{
    if ((made->st_mode & 07777) != settings->socket_mode)
        return error_set(
            err, EX_CANTCREAT,
            "%s: '%s' gets the mode %04o, not %04o: take the default ACL from its folder", key,
            path, (unsigned)made->st_mode & 07777, settings->socket_mode);
    if (made->st_gid == group)
        return 0;
    if (*settings->socket_group != '\0')
        return wrong_group(key, path, settings, err);
    struct error why;
    if (made->st_gid == getegid()) { /* then it is not the folder that says otherwise */
        wrong_group(key, path, settings, &why);
        log_line(LOG_WARNING, "%s", why.text);
    }
    return 0;
}

/* ---- a place, which another instance may have */

static bool is_answered(const char *path)
{
    const struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool answered =
        fd >= 0 && (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ||
                    errno == EAGAIN || errno == EACCES); /* full, or not for us */
    if (fd >= 0)
        close(fd);
    return answered;
}

static void name_old(char *out, const char *path)
{
    snprintf(out, PATH_MAX, "%.*s.old", PATH_MAX - 5, path);
}

/* Moves fresh to path, without a moment in which nothing is there. What somebody listens on there is kept beside it. */
static int put(const char *key, const char *fresh, const char *path)
{
    char old[PATH_MAX];
    if (renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_EXCHANGE) != 0)
        return rename(fresh, path); /* nothing there, or a file system that cannot exchange */
    name_old(old, path);
    if (!is_answered(fresh))
        return unlink(fresh);
    log_line(LOG_NOTICE,
             "%s: another process listens on '%s': it is reached again when this one ends", key,
             path);
    return rename(fresh, old);
}

/* Makes the unix socket under another name, and moves it to its place when all is right. lookup_fd
 * NULL: libmilter makes it, else we do. */
static int open_unix(struct bound_socket *place, const char *key, const char *path, int *lookup_fd,
                     const struct settings *settings, const struct owner *owner, gid_t group,
                     struct error *err)
{
    char fresh[PATH_MAX], connection[PATH_MAX + 8];
    struct stat status;

    if (make_folder(path, owner, err) != 0)
        return error_at(err, key, 0);
    if (check_folder(key, path, err) != 0 || check_place(key, path, err) != 0)
        return -1;
    snprintf(fresh, sizeof fresh, "%s.%u", path, (unsigned)(getpid() % 100000));
    snprintf(connection, sizeof connection, "unix:%s", fresh);
    mode_t mask = umask(0777 & ~settings->socket_mode);
    int rc = lookup_fd == NULL ? listen_milter(connection, path, err)
                               : (*lookup_fd = listen_lookup(fresh, path, err));
    umask(mask);
    if (rc < 0)
        return -1;
    rc = lstat(fresh, &status);
    if (rc == 0)
        rc = check_made(key, path, &status, settings, group, err);
    else
        error_set(err, EX_CANTCREAT, "%s: '%s': %s", key, path, strerror(errno));
    if (rc == 0 && put(key, fresh, path) != 0)
        rc = error_set(err, EX_CANTCREAT, "%s: '%s': %s", key, path, strerror(errno));
    if (rc != 0) {
        unlink(fresh);
        return -1;
    }
    snprintf(place->path, sizeof place->path, "%s", path);
    place->device = status.st_dev;
    place->inode = status.st_ino;
    return 0;
}

/* ---- both sockets */

int socket_prepare(gid_t *group, const struct settings *settings, const struct owner *owner,
                   struct error *err)
{
    const char *milter = endpoint_path(settings->socket),
               *lookup = endpoint_path(settings->lookup_socket);

    *group = owner->gid;
    if (handed_over_find(&handed, settings, err) != 0)
        return -1;
    if ((milter != NULL || lookup != NULL) && find_group(group, settings, owner->gid, err) != 0)
        return -1;
    /* What root cannot make the daemon's user may be able to: socket_open tries, and says why not. */
    if (milter != NULL && handed.milter < 0)
        (void)make_folder(milter, owner, NULL);
    if (lookup != NULL && handed.lookup < 0)
        (void)make_folder(lookup, owner, NULL);
    return 0;
}

static int open_milter(const struct settings *settings, const struct owner *owner, gid_t group,
                       struct error *err)
{
    char connection[32];
    const char *path = endpoint_path(settings->socket);
    if (handed.milter >= 0) {
        /* Debian's libmilter takes this */
        snprintf(connection, sizeof connection, "fd:%d", handed.milter);
        return listen_milter(connection, "the socket handed over by systemd", err);
    }
    if (path != NULL)
        return open_unix(&milter_place, "socket", path, NULL, settings, owner, group, err);
    return listen_milter(settings->socket, settings->socket, err);
}

int socket_open(const struct settings *settings, const struct owner *owner, gid_t group,
                struct error *err)
{
    const char *lookup = endpoint_path(settings->lookup_socket);

    if (open_milter(settings, owner, group, err) != 0)
        return -1;
    lookup_listener = handed.lookup;
    if (lookup == NULL || lookup_listener >= 0 ||
        open_unix(&lookup_place, "lookup_socket", lookup, &lookup_listener, settings, owner, group,
                  err) == 0)
        return 0;
    if (settings->lookup_socket_is_set) {
        socket_remove();
        return -1;
    }
    log_line(LOG_WARNING, "%s: no look-ups are answered",
             err->text); /* and nobody asked for them */
    return 0;
}

int socket_lookup(void)
{
    return lookup_listener;
}

static bool is_ours(const struct bound_socket *place)
{
    struct stat status;
    return place->path[0] != '\0' && lstat(place->path, &status) == 0 &&
           status.st_dev == place->device && status.st_ino == place->inode;
}

/* Where another instance listened before us, and still does, its socket comes back. */
static void remove_place(struct bound_socket *place)
{
    char old[PATH_MAX];
    name_old(old, place->path);
    if (is_ours(place) && (!is_answered(old) || rename(old, place->path) != 0)) {
        (void)unlink(place->path);
        (void)unlink(old);
    }
    place->path[0] = '\0';
}

void socket_remove(void)
{
    remove_place(&milter_place);
    remove_place(&lookup_place);
}

void socket_remove_milter(void)
{
    remove_place(&milter_place);
}

static bool is_listening(int fd)
{
    int listening = 0;
    socklen_t size = sizeof listening;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

/* libmilter has no call for this, and does not tell its descriptor; beside the lookup socket it is
 * the one listening socket of the process, opened among the first. In its place comes a socket that nobody can
 * connect to: libmilter goes on waiting there, and takes an accept() that finds nothing for a
 * passing trouble (EAGAIN). */
void socket_stop_accepting(void)
{
    int nobody = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const struct sockaddr_un unnamed = {.sun_family = AF_UNIX};
    if (nobody < 0 || bind(nobody, (const struct sockaddr *)&unnamed, sizeof(sa_family_t)) != 0 ||
        listen(nobody, 1) != 0)
        return; /* then new sessions are served as long as the open ones are */
    for (int fd = STDERR_FILENO + 1; fd < nobody; fd++)
        if (fd != lookup_listener && is_listening(fd))
            (void)dup2(nobody, fd);
}
