/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/lookup.h"

#include "daemon/dialogue.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PEERS_MAX    4096 /* an MTA of 500 processes has 500; beyond, the one longest silent goes */
#define HALF_SECONDS 10   /* for the rest of a request, and for taking an answer */
#define EVENTS       64

/* One connection. It is not read while its answer is not taken, so what waits in it is bounded. */
struct peer {
    TAILQ_ENTRY(peer) link; /* by the last event, oldest first */
    int fd;
    time_t active;
    bool blocked; /* epoll waits until the client takes its answer, not for input */
    struct dialogue dialogue;
};

static struct {
    int listener, epoll;
    TAILQ_HEAD(, peer) peers;
    unsigned count;
} server = {.peers = TAILQ_HEAD_INITIALIZER(server.peers)};

static time_t seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec;
}

/* ---- the list of peers */

static void close_peer(struct peer *peer)
{
    TAILQ_REMOVE(&server.peers, peer, link);
    close(peer->fd); /* and with it epoll forgets it */
    free(peer);
    server.count--;
}

static void open_peer(int fd)
{
    struct peer *peer = calloc(1, sizeof *peer);
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = peer}};
    if (peer == NULL || epoll_ctl(server.epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(peer);
        close(fd);
        return;
    }
    peer->fd = fd;
    peer->active = seconds();
    TAILQ_INSERT_TAIL(&server.peers, peer, link);
    server.count++;
}

/* ---- one connection's turn */

/* Reads what is there. There is room: a part of a request leaves some, and while an answer waits nothing is read. Returns -1
 * where the connection is over. */
static int fill(int fd, struct dialogue *dialogue)
{
    size_t room = sizeof dialogue->input - dialogue->in;
    ssize_t got = recv(fd, dialogue->input + dialogue->in, room, MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    dialogue->in += (size_t)got;
    return 0;
}

/* Answers what was read, one request after another, until the rest is not a whole request or the client does
 * not take an answer. Returns -1 where the connection is over. */
static int answer_all(int fd, struct dialogue *dialogue)
{
    enum dialogue_result result = DIALOGUE_ANSWERED;
    while (result == DIALOGUE_ANSWERED) {
        ssize_t sent = 0;
        if (dialogue->out > 0)
            sent = send(fd, dialogue->output, dialogue->out, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        dialogue->out -= (size_t)sent;
        memmove(dialogue->output, dialogue->output + sent, dialogue->out);
        if (dialogue->out > 0)
            return 0;
        result = dialogue_answer(dialogue);
    }
    return result == DIALOGUE_BAD ? -1 : 0;
}

static void serve(struct peer *peer, uint32_t events)
{
    int rc = (events & (EPOLLHUP | EPOLLERR)) != 0 ? -1 : 0; /* nobody would read the answers */
    if (rc == 0 && (events & EPOLLIN) != 0)
        rc = fill(peer->fd, &peer->dialogue);
    if (rc == 0)
        rc = answer_all(peer->fd, &peer->dialogue);
    if (rc != 0) {
        close_peer(peer);
        return;
    }
    peer->active = seconds();
    TAILQ_REMOVE(&server.peers, peer, link);
    TAILQ_INSERT_TAIL(&server.peers, peer, link);

    bool blocked = peer->dialogue.out > 0;
    struct epoll_event event = {.events = blocked ? EPOLLOUT : EPOLLIN, .data = {.ptr = peer}};
    if (blocked != peer->blocked)
        (void)epoll_ctl(server.epoll, EPOLL_CTL_MOD, peer->fd, &event);
    peer->blocked = blocked;
}

/* ---- all of them */

/* Accepts one connection a turn. If no descriptor is left, closes the connection that was silent longest: its MTA connects
 * again. */
static void accept_one(void)
{
    int fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0 && server.count >= PEERS_MAX)
        close_peer(TAILQ_FIRST(&server.peers));
    if (fd >= 0)
        open_peer(fd);
    else if ((errno == EMFILE || errno == ENFILE) && !TAILQ_EMPTY(&server.peers))
        close_peer(TAILQ_FIRST(&server.peers));
    else if (errno == EMFILE || errno == ENFILE)
        sleep(1); /* milter sessions have the descriptors: wait until some end */
}

/* Closes connections with an incomplete request, or an answer that the client does not take. Silence between requests is
 * normal. */
static void close_stuck(void)
{
    time_t now = seconds();
    struct peer *peer = TAILQ_FIRST(&server.peers), *next;
    for (; peer != NULL && now - peer->active > HALF_SECONDS; peer = next) {
        const struct dialogue *dialogue = &peer->dialogue;
        next = TAILQ_NEXT(peer, link);
        if (dialogue->in > 0 || dialogue->out > 0 || dialogue->skip > 0)
            close_peer(peer);
    }
}

static void *run(void *unused)
{
    struct epoll_event events[EVENTS];
    time_t looked = 0;
    (void)unused;
    for (;;) {
        int count = epoll_wait(server.epoll, events, EVENTS, 1000);
        bool knocks = false;
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                knocks = true;
            else
                serve(events[i].data.ptr, events[i].events);
        }
        if (knocks) /* last: it may close a connection that this round still had an event of */
            accept_one();
        if (seconds() != looked) {
            looked = seconds();
            close_stuck();
        }
    }
    return NULL;
}

int lookup_start(int fd, struct error *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};
    pthread_t thread;
    if (fd < 0)
        return 0;
    server.listener = fd;
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (server.epoll < 0 || epoll_ctl(server.epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return error_set(err, EX_OSERR, "lookup_socket: %s", strerror(errno));
    int rc = pthread_create(&thread, NULL, run, NULL);
    if (rc != 0)
        return error_set(err, EX_OSERR, "cannot start a thread: %s", strerror(rc));
    pthread_detach(thread);
    return 0;
}
