#include "config.h"

#include "daemon/socket.h"

#include "daemon/log.h"

#include <errno.h>
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

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#define BACKLOG                                                                                    \
    1024 /* sessions that an MTA opens at once after a pause; the kernel cuts it to somaxconn */

/* A unix socket of our own; path "" where there is none. */
struct place {
    char path[PATH_MAX];
    dev_t device;
    ino_t inode;
};
static struct place milter_place, lookup_place;
static int lookup_listener = -1;

/* What systemd hands over: the socket at the path of lookup_socket is that one, another is the
 * milter's. */
static void find_handed_over(const char *lookup_path, int *milter_fd, int *lookup_fd)
{
    *milter_fd = *lookup_fd = -1;
#ifdef HAVE_SYSTEMD
    int count = sd_listen_fds(1);
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; fd++) {
        if (sd_is_socket_unix(fd, SOCK_STREAM, 1, lookup_path, 0) > 0)
            *lookup_fd = fd;
        else if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0)
            *milter_fd = fd;
    }
#else
    (void)lookup_path;
#endif
}

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

/* Returns the descriptor, or -1 with err. */
static int listen_lookup(const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, path, strnlen(path, sizeof address.sun_path - 1));
    (void)unlink(path);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    cannot_listen("lookup_socket", path, err);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* In a fresh /run the folder is missing: made for the daemon's user, who has to remove the
 * socket from it. */
static int make_folder(const char *key, const char *path, uid_t owner, gid_t group,
                       struct error *err)
{
    char copy[PATH_MAX];
    struct stat status;
    snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);

    if (stat(folder, &status) == 0)
        return 0;
    /* The mail server has to pass through it, whatever the umask is. */
    if (mkdir(folder, 0755) != 0 || chmod(folder, 0755) != 0 || chown(folder, owner, group) != 0)
        return error_set(err, EX_CANTCREAT,
                         "%s: cannot make the folder '%s': %s: make it, for the daemon's user", key,
                         folder, strerror(errno));
    return 0;
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

static gid_t socket_group(const struct settings *settings, gid_t own, struct error *err)
{
    const char *name = *settings->socket_group == '\0' ? "postfix" : settings->socket_group;
    const struct group *group = getgrnam(name);
    if (group != NULL)
        return group->gr_gid;
    if (*settings->socket_group == '\0')
        return own;
    error_set(err, EX_CONFIG, "socket_group: no such group '%s': write one of this host", name);
    return (gid_t)-1;
}

int socket_check(const struct settings *settings, struct error *err)
{
    bool any = strncmp(settings->socket, "unix:", strlen("unix:")) == 0 ||
               *settings->lookup_socket != '\0';
    return any && socket_group(settings, 0, err) == (gid_t)-1 ? -1 : 0;
}

/* Makes the unix socket under another name, and moves it to its place when all is right. lookup_fd
 * NULL: libmilter makes it, else we do. */
static int open_unix(struct place *place, const char *key, const char *path, int *lookup_fd,
                     const struct settings *settings, uid_t owner, gid_t group, struct error *err)
{
    char fresh[PATH_MAX], connection[PATH_MAX + 8];
    struct stat status;

    gid_t socket_gid = socket_group(settings, group, err);
    if (socket_gid == (gid_t)-1 || make_folder(key, path, owner, group, err) != 0 ||
        check_place(key, path, err) != 0)
        return -1;

    snprintf(fresh, sizeof fresh, "%s.%u", path, (unsigned)(getpid() % 100000));
    snprintf(connection, sizeof connection, "unix:%s", fresh);
    mode_t mask = umask(0177); /* nobody else connects before group and mode are set */
    int rc = lookup_fd == NULL ? listen_milter(connection, path, err)
                               : (*lookup_fd = listen_lookup(fresh, err));
    umask(mask);
    if (rc < 0)
        return -1;
    if (chown(fresh, owner, socket_gid) != 0 || chmod(fresh, settings->socket_mode) != 0 ||
        rename(fresh, path) != 0 || lstat(path, &status) != 0) {
        error_set(err, EX_CANTCREAT, "%s: '%s': %s", key, path, strerror(errno));
        unlink(fresh);
        return -1;
    }
    snprintf(place->path, sizeof place->path, "%s", path);
    place->device = status.st_dev;
    place->inode = status.st_ino;
    return 0;
}

static int open_milter(int fd, const struct settings *settings, uid_t owner, gid_t group,
                       struct error *err)
{
    char connection[32];
    if (fd >= 0) {
        snprintf(connection, sizeof connection, "fd:%d", fd); /* Debian's libmilter takes this */
        return listen_milter(connection, "the socket handed over by systemd", err);
    }
    if (strncmp(settings->socket, "unix:", strlen("unix:")) == 0)
        return open_unix(&milter_place, "socket", settings->socket + strlen("unix:"), NULL,
                         settings, owner, group, err);
    return listen_milter(settings->socket, settings->socket, err);
}

int socket_open(const struct settings *settings, uid_t owner, gid_t group, struct error *err)
{
    const char *lookup_path = settings->lookup_socket + strlen("unix:");
    int milter_fd;
    bool wants_lookup = *settings->lookup_socket != '\0';

    find_handed_over(wants_lookup ? lookup_path : NULL, &milter_fd, &lookup_listener);
    if (open_milter(milter_fd, settings, owner, group, err) != 0)
        return -1;
    if (!wants_lookup || lookup_listener >= 0 ||
        open_unix(&lookup_place, "lookup_socket", lookup_path, &lookup_listener, settings, owner,
                  group, err) == 0)
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

static void remove_place(struct place *place)
{
    struct stat status;
    if (place->path[0] != '\0' && lstat(place->path, &status) == 0 &&
        status.st_dev == place->device && status.st_ino == place->inode)
        (void)unlink(place->path);
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
