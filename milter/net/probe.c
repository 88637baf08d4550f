#include "net/probe.h"

#include "base/netstring.h"

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
    size_t size = strlen(path) + 1;
    if (size > sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, size);
    return try_connect(AF_UNIX, (const struct sockaddr *)&address, sizeof address);
}

/* PORT@HOST; a host in brackets or without. *why is set where the host has no address. */
static int connect_inet(const char *where, const char **why)
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
    int rc = getaddrinfo(host + (bracketed ? 1 : 0), port, &hints, &found);
    if (rc != 0) {
        *why = gai_strerror(rc);
        return -1;
    }
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
        fd = try_connect(at->ai_family, at->ai_addr, at->ai_addrlen);
    freeaddrinfo(found);
    return fd;
}

int probe_connect(const char *socket, struct error *err)
{
    const char *why = NULL; /* where errno does not say it */
    errno = EINVAL;
    int fd = strncmp(socket, "unix:", 5) == 0 ? connect_unix(socket + 5)
                                              : connect_inet(strchr(socket, ':') + 1, &why);
    if (fd < 0)
        error_set(err, why == NULL && errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE, "%s: %s",
                  socket, why == NULL ? strerror(errno) : why);
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

/* ---- questions on the lookup socket */

static int send_request(int fd, const char *request)
{
    char frame[2048];
    size_t length = netstring_write(frame, sizeof frame, request, strlen(request));
    return send(fd, frame, length, MSG_NOSIGNAL) == (ssize_t)length ? 0 : -1;
}

/* Reads one answer, NUL-terminated, into out[size]. */
static int receive_answer(int fd, char *out, size_t size)
{
    char frame[2048];
    size_t used = 0;
    struct netstring answer;
    enum netstring_result result = NETSTRING_PART;
    while (result == NETSTRING_PART && used < sizeof frame) {
        ssize_t got = recv(fd, frame + used, sizeof frame - used, 0);
        if (got <= 0)
            return -1;
        used += (size_t)got;
        result = netstring_parse(&answer, frame, used);
    }
    if (result != NETSTRING_WHOLE || answer.length >= size)
        return -1;
    memcpy(out, answer.payload, answer.length);
    out[answer.length] = '\0';
    return 0;
}

static int no_answer(const char *socket, struct error *err)
{
    return error_set(err, EX_PROTOCOL, "%s: no answer: is it milter-moved that listens there?",
                     socket);
}

int probe_lookup(const char *socket, const char *request, char *out, size_t size, struct error *err)
{
    int fd = probe_connect(socket, err), rc = fd < 0 ? -1 : 0;
    if (rc == 0 && (send_request(fd, request) != 0 || receive_answer(fd, out, size) != 0))
        rc = no_answer(socket, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

int probe_milter(const char *socket, struct error *err)
{
    /* Length, command 'O', version 6, all actions, all steps; and then the command 'Q'. */
    static const unsigned char hello[] = {0, 0, 0, 13,   'O', 0,    0,    0,   6,
                                          0, 0, 1, 0xff, 0,   0x1f, 0xff, 0xff};
    static const unsigned char quit[] = {0, 0, 0, 1, 'Q'};
    unsigned char answer[17] = {0};
    int fd = probe_connect(socket, err), rc = fd < 0 ? -1 : 0;
    if (rc == 0 &&
        (send(fd, hello, sizeof hello, MSG_NOSIGNAL) != sizeof hello ||
         recv(fd, answer, sizeof answer, MSG_WAITALL) != sizeof answer || answer[4] != 'O'))
        rc = no_answer(socket, err);
    if (rc == 0)
        (void)send(fd, quit, sizeof quit, MSG_NOSIGNAL);
    if (fd >= 0)
        close(fd);
    return rc;
}

int probe_stats(const char *socket,
                int (*each)(const char *name, const char *value, void *data, struct error *err),
                void *data, struct error *err)
{
    char request[32], answer[2048];
    int fd = probe_connect(socket, err), rc = fd < 0 ? -1 : 0;
    for (unsigned number = 0; rc == 0; number++) {
        snprintf(request, sizeof request, "stats %u", number);
        if (send_request(fd, request) != 0 || receive_answer(fd, answer, sizeof answer) != 0) {
            rc = no_answer(socket, err);
            break;
        }
        if (strncmp(answer, "OK ", 3) != 0)
            break;
        char *value = answer + 3 + strcspn(answer + 3, " ");
        if (*value != '\0')
            *value++ = '\0';
        rc = each(answer + 3, value, data, err);
    }
    if (fd >= 0)
        close(fd);
    return rc;
}
