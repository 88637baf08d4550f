#include "ctl/probe.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SECONDS 5 /* for a connection, a request, an answer */

static void set_patience(int fd)
{
    const struct timeval patience = {.tv_sec = SECONDS};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience); /* connect(2) too */
}

static int try_connect(int family, const struct sockaddr *address, socklen_t length)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_patience(fd);
    if (connect(fd, address, length) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    return try_connect(AF_UNIX, (const struct sockaddr *)&address, sizeof address);
}

/* PORT@HOST; a host in brackets or without. */
static int connect_inet(const char *where)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8] = "", host[256] = "";
    int fd = -1;

    if (sscanf(where, "%7[0-9]@%255s", port, host) != 2)
        return -1;
    size_t length = strlen(host);
    bool bracketed = length > 1 && host[0] == '[' && host[length - 1] == ']';
    if (bracketed)
        host[length - 1] = '\0';
    if (getaddrinfo(host + (bracketed ? 1 : 0), port, &hints, &found) != 0)
        return -1;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
        fd = try_connect(at->ai_family, at->ai_addr, at->ai_addrlen);
    freeaddrinfo(found);
    return fd;
}

int probe_connect(const char *socket, struct error *err)
{
    errno = EINVAL;
    int fd = strncmp(socket, "unix:", 5) == 0 ? connect_unix(socket + 5)
                                              : connect_inet(strchr(socket, ':') + 1);
    if (fd < 0)
        error_set(err, errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE, "%s: %s", socket,
                  strerror(errno));
    return fd;
}

pid_t probe_listener(const char *socket)
{
    struct ucred peer = {.pid = 0};
    socklen_t size = sizeof peer;
    struct error err;
    int fd = strncmp(socket, "unix:", 5) == 0 ? probe_connect(socket, &err) : -1;
    if (fd < 0)
        return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        peer.pid = 0;
    close(fd);
    return peer.pid;
}
