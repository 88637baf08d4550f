#include "config.h"

#include "daemon/socket.h"

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

static struct {
    char path[PATH_MAX]; /* "" where it is not a unix socket of our own */
    dev_t device;
    ino_t inode;
} ours;

static int handed_over(void)
{
#ifdef HAVE_SYSTEMD
    if (sd_listen_fds(1) > 0 && sd_is_socket(SD_LISTEN_FDS_START, AF_UNSPEC, SOCK_STREAM, 1) > 0)
        return SD_LISTEN_FDS_START;
#endif
    return -1;
}

static int listen_on(const char *connection, const char *name, struct error *err)
{
    char copy[PATH_MAX + 32];
    snprintf(copy, sizeof copy, "%s", connection); /* libmilter's argument is not const */
    errno = 0;
    if (smfi_setconn(copy) == MI_SUCCESS && smfi_setbacklog(BACKLOG) == MI_SUCCESS &&
        smfi_opensocket(1) == MI_SUCCESS)
        return 0;
    return error_set(err, EX_CANTCREAT, "socket: cannot listen on '%s': %s", name,
                     errno == 0 ? "libmilter does not take it" : strerror(errno));
}

/* In a fresh /run the folder is missing: made for the daemon's user, who has to remove the
 * socket from it. */
static int make_folder(const char *path, uid_t owner, gid_t group, struct error *err)
{
    char copy[PATH_MAX];
    struct stat status;
    snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);

    if (stat(folder, &status) == 0)
        return 0;
    if (mkdir(folder, 0755) != 0 || chown(folder, owner, group) != 0)
        return error_set(err, EX_CANTCREAT, "socket: cannot make the folder '%s': %s", folder,
                         strerror(errno));
    return 0;
}

/* A socket that someone listens on is an instance that is being replaced; any other file was not
 * meant. */
static int check_place(const char *path, struct error *err)
{
    struct stat status;
    if (lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
        return error_set(err, EX_CANTCREAT,
                         "socket: '%s' is there and is no socket: write another path", path);
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

static int open_unix(const struct settings *settings, uid_t owner, gid_t group, struct error *err)
{
    const char *path = settings->socket + strlen("unix:");
    char fresh[PATH_MAX], connection[PATH_MAX + 8];
    struct stat status;

    gid_t socket_gid = socket_group(settings, group, err);
    if (socket_gid == (gid_t)-1 || make_folder(path, owner, group, err) != 0 ||
        check_place(path, err) != 0)
        return -1;

    snprintf(fresh, sizeof fresh, "%s.%u", path, (unsigned)(getpid() % 100000));
    snprintf(connection, sizeof connection, "unix:%s", fresh);
    mode_t mask = umask(0177); /* nobody else connects before group and mode are set */
    int rc = listen_on(connection, path, err);
    umask(mask);
    if (rc != 0)
        return -1;
    if (chown(fresh, owner, socket_gid) != 0 || chmod(fresh, settings->socket_mode) != 0 ||
        rename(fresh, path) != 0 || lstat(path, &status) != 0) {
        error_set(err, EX_CANTCREAT, "socket: '%s': %s", path, strerror(errno));
        unlink(fresh);
        return -1;
    }
    snprintf(ours.path, sizeof ours.path, "%s", path);
    ours.device = status.st_dev;
    ours.inode = status.st_ino;
    return 0;
}

int socket_open(const struct settings *settings, uid_t owner, gid_t group, struct error *err)
{
    char connection[32];
    int fd = handed_over();
    if (fd >= 0) {
        snprintf(connection, sizeof connection, "fd:%d", fd); /* Debian's libmilter takes this */
        return listen_on(connection, "the socket handed over by systemd", err);
    }
    if (strncmp(settings->socket, "unix:", strlen("unix:")) == 0)
        return open_unix(settings, owner, group, err);
    return listen_on(settings->socket, settings->socket, err);
}

void socket_remove(void)
{
    struct stat status;
    if (ours.path[0] != '\0' && lstat(ours.path, &status) == 0 && status.st_dev == ours.device &&
        status.st_ino == ours.inode)
        (void)unlink(ours.path);
    ours.path[0] = '\0';
}

static bool is_listening(int fd)
{
    int listening = 0;
    socklen_t size = sizeof listening;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

/* libmilter has no call for this, and does not tell its descriptor; it is the one listening
 * socket of the process, opened among the first. In its place comes a socket that nobody can
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
        if (is_listening(fd))
            (void)dup2(nobody, fd);
}
