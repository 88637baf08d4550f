/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/probe.h"

#include "base/netstring.h"
#include "net/io.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 16384 /* octets: the counters are the longest */
#define SECONDS    5     /* to connect; and then for a request with its answer */

int probe_connect(const char *socket, struct error *err)
{
    struct endpoint where;
    const struct timespec end = io_deadline(SECONDS);
    if (endpoint_parse(&where, socket, err) != 0)
        return -1;
    return io_connect(&where, &end, err);
}

pid_t probe_listener(const char *socket)
{
    struct ucred peer = {.pid = 0};
    socklen_t size = sizeof peer;
    struct error err;
    int fd = endpoint_path(socket) != NULL ? probe_connect(socket, &err) : -1;
    if (fd < 0)
        return 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        peer.pid = 0;
    close(fd);
    return peer.pid;
}

/* ---- questions on the lookup socket */

/* Sends a request of at most 2,000 octets, and receives its answer, NUL-terminated, into out[size]. */
static int exchange(int fd, const char *request, char *out, size_t size)
{
    char frame[ANSWER_MAX];
    struct netstring answer;
    enum netstring_result result = NETSTRING_PART;
    const struct timespec end = io_deadline(SECONDS);
    size_t used = netstring_write(frame, sizeof frame, request, strlen(request));

    if (used == 0 || io_send(fd, frame, used, &end) != 0)
        return -1;
    for (used = 0; result == NETSTRING_PART && used < sizeof frame;) {
        ssize_t got = io_receive(fd, frame + used, sizeof frame - used, &end);
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
    int fd = probe_connect(socket, err);
    if (fd < 0)
        return -1;
    int rc = exchange(fd, request, out, size);
    close(fd);
    return rc == 0 ? 0 : no_answer(socket, err);
}

int probe_milter_open(const char *socket, struct error *err)
{
    /* Length, command 'O' (SMFIC_OPTNEG), version 6, all actions, all steps. */
    static const unsigned char hello[] = {0, 0, 0, 13,   'O', 0,    0,    0,   6,
                                          0, 0, 1, 0xff, 0,   0x1f, 0xff, 0xff};
    unsigned char answer[17] = {0};
    const struct timespec end = io_deadline(SECONDS);
    int fd = probe_connect(socket, err);
    if (fd < 0)
        return -1;
    ssize_t got = io_send(fd, hello, sizeof hello, &end) == 0;
    for (size_t used = 0; got > 0 && used<sizeof answer; used += got> 0 ? (size_t)got : 0)
        got = io_receive(fd, answer + used, sizeof answer - used, &end);
    if (got > 0 && answer[4] == 'O')
        return fd;
    close(fd);
    return no_answer(socket, err);
}

void probe_milter_close(int fd)
{
    static const unsigned char quit[] = {0, 0, 0, 1, 'Q'};
    const struct timespec now = io_deadline(0);
    if (fd < 0)
        return;
    (void)io_send(fd, quit, sizeof quit, &now);
    close(fd);
}

int probe_stats(const char *socket,
                int (*each)(const char *name, const char *value, void *data, struct error *err),
                void *data, struct error *err)
{
    char answer[ANSWER_MAX], *rest = answer + 3;
    if (probe_lookup(socket, "stats", answer, sizeof answer, err) != 0)
        return -1;
    int rc = strncmp(answer, "OK ", 3) == 0 ? 0 : no_answer(socket, err);
    for (char *line; rc == 0 && (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
        char *value = line + strcspn(line, " ");
        if (*value != '\0')
            *value++ = '\0';
        rc = each(line, value, data, err);
    }
    return rc;
}
