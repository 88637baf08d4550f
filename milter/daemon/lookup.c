#include "daemon/lookup.h"

#include "base/netstring.h"
#include "daemon/log.h"
#include "daemon/report.h"
#include "daemon/service.h"
#include "daemon/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PEERS_MAX    4096 /* an MTA of 500 processes has 500; beyond, who was silent longest goes */
#define HALF_SECONDS 10   /* for the rest of a request, and for taking an answer */
#define REQUEST_MAX  2048 /* octets with frame: what is longer is no address, and not found */
#define ANSWER_MAX   1024
#define EVENTS       64

/* One connection. What waits in it is bounded: it is not read while its answers are not taken. */
struct peer {
    struct peer *older, *newer; /* by the last request or answer */
    int fd;
    time_t active;
    size_t skip; /* octets of an oversized request still to come */
    size_t in, out;
    uint32_t events; /* as epoll was last told */
    char input[REQUEST_MAX], output[2 * ANSWER_MAX];
};

static struct {
    int listener, epoll;
    struct peer *oldest, *newest;
    unsigned count;
} server;

static time_t seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec;
}

/* ---- the list of peers */

static void unlink_peer(struct peer *peer)
{
    *(peer->older == NULL ? &server.oldest : &peer->older->newer) = peer->newer;
    *(peer->newer == NULL ? &server.newest : &peer->newer->older) = peer->older;
}

static void link_newest(struct peer *peer)
{
    peer->older = server.newest;
    peer->newer = NULL;
    *(server.newest == NULL ? &server.oldest : &server.newest->newer) = peer;
    server.newest = peer;
    peer->active = seconds();
}

static void close_peer(struct peer *peer)
{
    unlink_peer(peer);
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
    peer->events = EPOLLIN;
    link_newest(peer);
    server.count++;
}

/* ---- answering */

static const char *const words[] = {
    [MAP_OK] = "OK ", [MAP_NOTFOUND] = "NOTFOUND ", [MAP_TEMP] = "TEMP "};

static void log_lookup(const struct map_answer *found, const char *request, size_t length,
                       bool counts)
{
    if (found->map == MAP_UNKNOWN)
        log_line(LOG_ERR, "lookup: '%.*s': %s", (int)(length < 200 ? length : 200), request,
                 found->value);
    else if (found->asked)
        report_lookup(found, counts);
}

static void answer_with(struct peer *peer, const struct map_answer *found)
{
    char text[ANSWER_MAX - NETSTRING_OVERHEAD];
    int length = snprintf(text, sizeof text, "%s%s", words[found->result], found->value);
    peer->out += netstring_write(peer->output + peer->out, sizeof peer->output - peer->out, text,
                                 (size_t)length);
}

static void count_lookup(const struct map_answer *found)
{
    static const enum stats_group groups[] = {
        [MAP_LISTED] = STATS_LISTED, [MAP_RELOCATED] = STATS_RELOCATED, [MAP_REPLY] = STATS_REPLY};
    if (found->asked)
        stats_count(groups[found->map], found->answer.rule);
}

/* "stats NUMBER": no map of a mail server, but for movedctl. */
static bool is_about_stats(const char *request, size_t length)
{
    const size_t name = strlen(STATS_MAP);
    return length > name && memcmp(request, STATS_MAP " ", name + 1) == 0;
}

static void tell_stats(struct peer *peer, const char *request, size_t length)
{
    struct map_answer found = {.result = MAP_NOTFOUND};
    const size_t begin = strlen(STATS_MAP) + 1;
    size_t number = 0, at = begin;
    while (at < length && request[at] >= '0' && request[at] <= '9' && number < 1000000)
        number = 10 * number + (size_t)(request[at++] - '0');
    if (at > begin && at == length && stats_line(found.value, sizeof found.value, number))
        found.result = MAP_OK;
    answer_with(peer, &found);
}

static void look_up(struct peer *peer, const char *request, size_t length)
{
    struct map_answer found;
    if (is_about_stats(request, length)) {
        tell_stats(peer, request, length);
        return;
    }
    bool counts = service_map(&found, request, length);
    count_lookup(&found);
    log_lookup(&found, request, length, counts);
    answer_with(peer, &found);
}

static bool has_room(const struct peer *peer)
{
    return sizeof peer->output - peer->out >= ANSWER_MAX;
}

/* Passes over what is left of a request that is too long to be about an address. Returns the
 * octets that it took. */
static size_t skip(struct peer *peer, size_t size)
{
    static const struct map_answer not_found = {.result = MAP_NOTFOUND};
    size_t used = peer->skip < size ? peer->skip : size;
    peer->skip -= used;
    if (peer->skip == 0)
        answer_with(peer, &not_found);
    return used;
}

/* Answers the request that data[size] begins with. Returns the octets that it took, 0 where it is
 * not complete, or -1 where it is none. */
static ssize_t take_request(struct peer *peer, const char *data, size_t size)
{
    struct netstring request;
    if (peer->skip > 0)
        return (ssize_t)skip(peer, size);
    switch (netstring_parse(&request, data, size)) {
    case NETSTRING_BAD: return -1;
    case NETSTRING_PART:
        if (request.total <= sizeof peer->input)
            return 0;
        peer->skip = request.total;
        return (ssize_t)skip(peer, size);
    case NETSTRING_WHOLE: break;
    }
    look_up(peer, request.payload, request.length);
    return (ssize_t)request.total;
}

/* Answers what is complete while there is room for answers. Returns -1 where something is no
 * socketmap request. */
static int take_requests(struct peer *peer)
{
    size_t at = 0;
    ssize_t used = 1;
    while (used > 0 && at < peer->in && has_room(peer)) {
        used = take_request(peer, peer->input + at, peer->in - at);
        at += used > 0 ? (size_t)used : 0;
    }
    peer->in -= at;
    memmove(peer->input, peer->input + at, peer->in);
    return used < 0 ? -1 : 0;
}

/* ---- one connection's turn */

/* Reads what is there and has room. Returns -1 where the connection is over. */
static int fill(struct peer *peer)
{
    size_t room = sizeof peer->input - peer->in;
    if (room == 0)
        return 0;
    ssize_t got = recv(peer->fd, peer->input + peer->in, room, MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    peer->in += (size_t)got;
    return 0;
}

static int flush(struct peer *peer)
{
    ssize_t sent = 0;
    if (peer->out > 0)
        sent = send(peer->fd, peer->output, peer->out, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    peer->out -= (size_t)sent;
    memmove(peer->output, peer->output + sent, peer->out);
    return 0;
}

/* What was read is answered until a request is not complete, or the client does not take its
 * answers. */
static int answer_all(struct peer *peer)
{
    size_t before;
    do {
        before = peer->in;
        if (take_requests(peer) != 0 || flush(peer) != 0)
            return -1;
    } while (peer->out == 0 && peer->in > 0 && peer->in < before);
    return 0;
}

/* For input while there is room for answers, and for the client to take those that are left. */
static void wait_for(struct peer *peer)
{
    struct epoll_event event = {.data = {.ptr = peer}};
    event.events = (has_room(peer) ? EPOLLIN : 0U) | (peer->out > 0 ? EPOLLOUT : 0U);
    if (event.events != peer->events)
        (void)epoll_ctl(server.epoll, EPOLL_CTL_MOD, peer->fd, &event);
    peer->events = event.events;
}

static void serve(struct peer *peer, uint32_t events)
{
    int rc = (events & (EPOLLHUP | EPOLLERR)) != 0 ? -1 : 0; /* nobody would read the answers */
    if (rc == 0 && (events & EPOLLIN) != 0)
        rc = fill(peer);
    if (rc == 0)
        rc = answer_all(peer);
    if (rc != 0) {
        close_peer(peer);
        return;
    }
    unlink_peer(peer);
    link_newest(peer);
    wait_for(peer);
}

/* ---- all of them */

/* One connection a turn. With no descriptor left the one that was silent longest goes: its MTA
 * connects again. */
static void accept_one(void)
{
    int fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0 && server.count >= PEERS_MAX)
        close_peer(server.oldest);
    if (fd >= 0)
        open_peer(fd);
    else if ((errno == EMFILE || errno == ENFILE) && server.oldest != NULL)
        close_peer(server.oldest);
    else if (errno == EMFILE || errno == ENFILE)
        sleep(1); /* nothing to give up: whoever has the descriptors has to */
}

/* A request that stays half, or an answer that nobody takes; silence between requests is as it
 * should be. */
static void close_stuck(void)
{
    time_t now = seconds();
    struct peer *next;
    for (struct peer *peer = server.oldest; peer != NULL && now - peer->active > HALF_SECONDS;
         peer = next) {
        next = peer->newer;
        if (peer->in > 0 || peer->out > 0 || peer->skip > 0)
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
