/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/socket.h"

#include "base/endpoint.h"
#include "base/place.h"
#include "daemon/logger.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <libmilter/mfapi.h>
#include <limits.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

/* sessions that an MTA opens at once after a pause; the kernel cuts it to somaxconn */
#define BACKLOG 1024

/* A unix socket of our own; path "" where there is none. */
struct bound_socket {
    char path[PATH_MAX];
    struct stat made;
};
static struct bound_socket milter_place, lookup_place;
static int handed_milter = -1; /* what systemd hands over for the milter; -1: nothing */
static int lookup_listener = -1;

/* ---- what systemd hands over (sd_listen_fds(3)) */

#ifdef HAVE_SYSTEMD
#define NAME_SIZE 300 /* a path, or an address with its port */

/* Returns whether it is a unix socket with a path. */
static bool name_socket(char *out, int fd)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    struct sockaddr_storage address = {0};
    const struct sockaddr_un *local = (const struct sockaddr_un *)&address;
    socklen_t length = sizeof address;

    snprintf(out, NAME_SIZE, "descriptor %d", fd);
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return false;
    bool has_path = address.ss_family == AF_UNIX && local->sun_path[0] != '\0';
    if (has_path)
        snprintf(out, NAME_SIZE, "%.*s", (int)sizeof local->sun_path, local->sun_path);
    else if (address.ss_family != AF_UNIX &&
             getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                         NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(out, NAME_SIZE, "%.64s port %.16s", host, port);
    return has_path;
}

/* Through links too: /var/run is one. */
static bool is_same_place(const char *a, const char *b)
{
    struct stat first, second;
    return strcmp(a, b) == 0 || (stat(a, &first) == 0 && stat(b, &second) == 0 &&
                                 first.st_dev == second.st_dev && first.st_ino == second.st_ino);
}

/* Whether the unit as it is shipped put the socket at the usual place, and the settings want it elsewhere. */
static bool is_left_behind(const char *name, const char *usual, const char *wanted)
{
    const char *path = endpoint_path(wanted);
    return strcmp(name, endpoint_path(usual)) == 0 && (path == NULL || !is_same_place(name, path));
}

/* The socket that is bound where lookup_socket leads to is the lookup socket, another one the milter's. */
static int take(int fd, const struct settings *settings, struct error *err)
{
    const char *lookup_path = endpoint_path(settings->lookup_socket);
    char name[NAME_SIZE], other[NAME_SIZE];
    bool has_path = name_socket(name, fd);
    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
        return error_set(err, EX_CONFIG,
                         "'%s', handed over by systemd, is no stream socket that listens: write "
                         "ListenStream= in the socket unit",
                         name);
    if (has_path && (is_left_behind(name, SETTINGS_SOCKET, settings->socket) ||
                     is_left_behind(name, SETTINGS_LOOKUP_SOCKET, settings->lookup_socket))) {
        log_line(LOG_WARNING,
                 "'%s', handed over by systemd, is served by nobody: the configuration has another "
                 "place: write that into ListenStream= (systemctl edit milter-moved.socket)",
                 name);
        return close(fd);
    }
    bool is_lookup = has_path && lookup_path != NULL && is_same_place(name, lookup_path);
    int *place = is_lookup ? &lookup_listener : &handed_milter;
    if (*place < 0) {
        *place = fd;
        return 0;
    }
    (void)name_socket(other, *place);
    return error_set(err, EX_CONFIG,
                     "'%s', handed over by systemd, would be served by nobody: '%s' is %s, and "
                     "lookup_socket is '%s': "
                     "let the socket unit and lookup_socket agree",
                     name, other, is_lookup ? "the lookup socket" : "the milter's",
                     lookup_path == NULL ? "" : lookup_path);
}
#endif

/* ---- the folder of a socket */

static const char *folder_of(char copy[PATH_MAX], const char *path)
{
    snprintf(copy, PATH_MAX, "%s", path);
    return dirname(copy);
}

/* Makes the folder if it is missing, with mode 0755: a mail server has to pass through. Root makes it for the owner, and
 * only in a folder of root's. */
static int make_folder(const char *path, const struct owner *owner, struct error *err)
{
    char copy[PATH_MAX], above[PATH_MAX], last[PATH_MAX];
    struct stat status;
    const char *folder = folder_of(copy, path);
    int made = -1, rc = -1;
    if (stat(folder, &status) == 0)
        return 0;

    snprintf(last, sizeof last, "%s", folder);
    const char *name = basename(last);
    int parent = place_open_of_root(folder_of(above, folder), NULL);
    if (parent >= 0 && mkdirat(parent, name, 0700) == 0)
        made = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (made >= 0 && (geteuid() != 0 || fchown(made, owner->uid, owner->gid) == 0))
        rc = fchmod(made, 0755); /* mkdir(2) would heed the umask */
    if (rc != 0)
        error_set(err, EX_CANTCREAT,
                  "cannot make the folder '%s': %s: make it, for the daemon's user", folder,
                  strerror(errno));
    if (made >= 0)
        close(made);
    if (parent >= 0)
        close(parent);
    return rc;
}

/* ---- the group and the mode: of a socket that is bound, the effective group and the umask at that moment */

static const char *wanted_group(const struct settings *settings)
{
    return *settings->socket_group == '\0' ? "postfix" : settings->socket_group;
}

int socket_find_group(gid_t *out, const struct settings *settings, const struct owner *owner,
                      struct error *err)
{
    const struct group *group = getgrnam(wanted_group(settings));
    bool any = endpoint_path(settings->socket) != NULL || *settings->lookup_socket != '\0';
    if (any && group == NULL && *settings->socket_group != '\0')
        return error_set(err, EX_CONFIG, "socket_group: no such group '%s': write one of this host",
                         settings->socket_group);
    *out = !any || group == NULL ? owner->gid : group->gr_gid;
    return 0;
}

/* A folder with the setgid bit gives its own group, and one with a default ACL its own mode. */
static int check_made(const char *key, const char *path, const struct stat *made,
                      const struct settings *settings, gid_t group, struct error *err)
{
    char copy[PATH_MAX];
    const char *folder = folder_of(copy, path), *name = wanted_group(settings);
    if ((made->st_mode & 07777) != settings->socket_mode)
        return error_set(
            err, EX_CANTCREAT,
            "%s: '%s' gets the mode %04o, not %04o: take the default ACL from its folder", key,
            path, (unsigned)made->st_mode & 07777, settings->socket_mode);
    bool is_set = *settings->socket_group != '\0';
    if (made->st_gid == group || (!is_set && made->st_gid != getegid())) /* the folder's group */
        return 0;
    error_set(err, EX_NOPERM,
              "%s: '%s' does not get the group '%s': start milter-moved as root, or give the "
              "folder that group (chgrp %s %s; chmod g+s %s)",
              key, path, name, name, folder, folder);
    if (is_set)
        return -1;
    log_line(LOG_WARNING, "%s", err->text);
    return 0;
}

/* ---- listening */

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

/* Moves fresh to path, without a moment in which nothing is there. If another process listens on the socket there, that is kept
 * as PATH.old. */
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
    char copy[PATH_MAX], fresh[PATH_MAX], connection[PATH_MAX + 8];
    const char *folder = folder_of(copy, path);
    struct stat status;

    if (make_folder(path, owner, err) != 0)
        return error_at(err, key, 0);
    if (access(folder, W_OK | X_OK) != 0)
        return error_set(err, EX_CANTCREAT, "%s: '%s': %s: give the folder to the daemon's user",
                         key, folder, strerror(errno));
    if (lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
        return error_set(err, EX_CANTCREAT,
                         "%s: '%s' is there and is no socket: write another path", key, path);
    snprintf(fresh, sizeof fresh, "%s.%u", path, (unsigned)(getpid() % 100000));
    snprintf(connection, sizeof connection, "unix:%s", fresh);
    mode_t mask = umask(0777 & ~settings->socket_mode);
    int rc = lookup_fd == NULL ? listen_milter(connection, path, err)
                               : (*lookup_fd = listen_lookup(fresh, path, err));
    umask(mask);
    if (rc < 0)
        return -1;
    bool made = lstat(fresh, &status) == 0;
    rc = made ? check_made(key, path, &status, settings, group, err) : 0;
    if (rc == 0 && (!made || put(key, fresh, path) != 0))
        rc = error_set(err, EX_CANTCREAT, "%s: '%s': %s", key, path, strerror(errno));
    if (rc != 0) {
        unlink(fresh);
        return -1;
    }
    snprintf(place->path, sizeof place->path, "%s", path);
    place->made = status;
    return 0;
}

int socket_prepare(const struct settings *settings, const struct owner *owner, struct error *err)
{
    const char *milter = endpoint_path(settings->socket);
    const char *lookup = endpoint_path(settings->lookup_socket);
#ifdef HAVE_SYSTEMD
    int end = SD_LISTEN_FDS_START + sd_listen_fds(1);
    for (int fd = SD_LISTEN_FDS_START; fd < end; fd++)
        if (take(fd, settings, err) != 0)
            return -1;
#else
    (void)err;
#endif
    /* What root cannot make the daemon's user may be able to: socket_open tries, and says why not. */
    if (milter != NULL && handed_milter < 0)
        (void)make_folder(milter, owner, NULL);
    if (lookup != NULL && lookup_listener < 0)
        (void)make_folder(lookup, owner, NULL);
    return 0;
}

int socket_open(const struct settings *settings, const struct owner *owner, gid_t group,
                struct error *err)
{
    char fd[32];
    const char *milter = endpoint_path(settings->socket);
    const char *lookup = endpoint_path(settings->lookup_socket);
    int rc;

    snprintf(fd, sizeof fd, "fd:%d", handed_milter); /* Debian's libmilter takes this */
    if (handed_milter >= 0)
        rc = listen_milter(fd, "the socket handed over by systemd", err);
    else if (milter != NULL)
        rc = open_unix(&milter_place, "socket", milter, NULL, settings, owner, group, err);
    else
        rc = listen_milter(settings->socket, settings->socket, err);
    if (rc != 0 || lookup == NULL || lookup_listener >= 0)
        return rc;
    if (open_unix(&lookup_place, "lookup_socket", lookup, &lookup_listener, settings, owner, group,
                  err) == 0)
        return 0;
    if (settings->lookup_socket_is_set) {
        socket_remove();
        return -1;
    }
    log_line(LOG_WARNING, "%s: no look-ups are answered",
             err->text); /* the configuration does not ask for them */
    return 0;
}

int socket_lookup(void)
{
    return lookup_listener;
}

/* Where another instance listened before us, and still does, its socket comes back. */
static void remove_place(struct bound_socket *place)
{
    char old[PATH_MAX];
    struct stat status;
    name_old(old, place->path);
    bool is_ours = place->path[0] != '\0' && lstat(place->path, &status) == 0 &&
                   status.st_dev == place->made.st_dev && status.st_ino == place->made.st_ino;
    if (is_ours && (!is_answered(old) || rename(old, place->path) != 0)) {
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

/* libmilter has no call for this, and does not tell its descriptor. Apart from the lookup socket it is the only
 * listening socket of the process, opened among the first. It is replaced by a socket that nobody can connect to:
 * libmilter goes on waiting there, and takes an accept() that finds nothing for a passing trouble (EAGAIN). */
void socket_stop_accepting(void)
{
    int nobody = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const struct sockaddr_un unnamed = {.sun_family = AF_UNIX};
    if (nobody < 0 || bind(nobody, (const struct sockaddr *)&unnamed, sizeof(sa_family_t)) != 0 ||
        listen(nobody, 1) != 0)
        return; /* then new sessions are served as long as the open ones are */
    for (int fd = STDERR_FILENO + 1; fd < nobody; fd++) {
        int listens = 0;
        socklen_t size = sizeof listens;
        if (fd != lookup_listener &&
            getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0)
            (void)dup2(nobody, fd);
    }
}
