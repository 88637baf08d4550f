/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- deadlines */

struct timespec io_deadline(int seconds)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += seconds;
    return end;
}

struct timespec io_deadline_ms(int milliseconds)
{
    struct timespec end = io_deadline(milliseconds / 1000);
    end.tv_nsec += milliseconds % 1000 * 1000000L;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    return end;
}

struct timespec io_earlier(struct timespec a, struct timespec b)
{
    return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec) ? a : b;
}

int io_milliseconds_left(const struct timespec *deadline)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long long left =
        (deadline->tv_sec - now.tv_sec) * 1000LL + (deadline->tv_nsec - now.tv_nsec) / 1000000;
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

int io_wait(int fd, short events, const struct timespec *deadline)
{
    struct pollfd watched = {.fd = fd, .events = events};
    int rc;
    do
        rc = poll(&watched, 1, io_milliseconds_left(deadline));
    while (rc < 0 && errno == EINTR);
    if (rc == 0)
        errno = ETIMEDOUT;
    return rc > 0 ? 0 : -1;
}

/* ---- connecting */

/* connect(2) of a unix socket whose queue is full cannot be waited for with poll(2), so the kernel keeps the
 * deadline: SO_SNDTIMEO, socket(7). It then reports what it would of a socket with O_NONBLOCK. */
static int connect_to(const struct sockaddr *address, socklen_t size,
                      const struct timespec *deadline)
{
    int left_ms = io_milliseconds_left(deadline) + 1; /* 0 would be no limit */
    const struct timeval left = {.tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000};
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left) == 0 &&
        connect(fd, address, size) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        return fd;
    int why = errno == EINPROGRESS || errno == EAGAIN ? ETIMEDOUT : errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return -1;
}

static int connect_unix(const char *path, const struct timespec *deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(path) + 1;
    if (size > sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, size);
    return connect_to((const struct sockaddr *)&address, sizeof address, deadline);
}

/* Tries each address of the host. Sets *why if it has none, else errno. */
static int connect_inet(const struct endpoint *where, const struct timespec *deadline,
                        const char **why)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[12];
    int fd = -1;

    snprintf(port, sizeof port, "%u", where->port);
    int rc = getaddrinfo(where->name, port, &hints, &found);
    if (rc != 0) {
        *why = gai_strerror(rc);
        return -1;
    }
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
        fd = connect_to(at->ai_addr, at->ai_addrlen, deadline);
    int saved = errno;
    freeaddrinfo(found);
    errno = saved;
    return fd;
}

int io_connect(const struct endpoint *where, const struct timespec *deadline, struct error *err)
{
    const char *why = NULL;
    char text[ENDPOINT_TEXT_SIZE];
    int fd = where->kind == ENDPOINT_UNIX ? connect_unix(where->name, deadline)
                                          : connect_inet(where, deadline, &why);
    if (fd < 0)
        error_set(err, why == NULL && errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE, "%s: %s",
                  endpoint_format_host(text, sizeof text, where),
                  why == NULL ? strerror(errno) : why);
    return fd;
}

/* ---- sending, receiving */

static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR;
}

int io_send(int fd, const void *data, size_t length, const struct timespec *deadline)
{
    for (const char *at = data; length > 0;) {
        if (io_wait(fd, POLLOUT, deadline) != 0)
            return -1;
        ssize_t sent = send(fd, at, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && !is_passing(errno))
            return -1;
        at += sent > 0 ? sent : 0;
        length -= sent > 0 ? (size_t)sent : 0;
    }
    return 0;
}

ssize_t io_receive(int fd, void *out, size_t size, const struct timespec *deadline)
{
    ssize_t got;
    do {
        if (io_wait(fd, POLLIN, deadline) != 0)
            return -1;
        got = recv(fd, out, size, MSG_DONTWAIT);
    } while (got < 0 && is_passing(errno));
    return got;
}

int io_write(int fd, const void *data, size_t length)
{
    for (const char *at = data; length > 0;) {
        ssize_t written = write(fd, at, length);
        if (written < 0 && errno != EINTR)
            return -1;
        at += written > 0 ? written : 0;
        length -= written > 0 ? (size_t)written : 0;
    }
    return 0;
}
