/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/bench/load.c: asks a milter for as long as it is told to, from many connections at once, each with one question
 * under way, and checks every reply. It asks as Postfix does (src/milter/milter8.c): in front of each event, and in
 * one write with it, go the macros that the milter wants.
 * usage: load SOCKET CONNECTIONS SECONDS ENTRIES EXPECT [RATE]
 *   ENTRIES  recipients are u0000000@old.example up to this number, all of them moved
 *   EXPECT   own: the reply is u…@new.example; fixed: fixed@new.example
 *   RATE     at most so many replies a second
 * prints: replies a second, median and 99th percentile of the latency in microseconds, wrong replies, its own CPU time in
 * microseconds a reply */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_RCPTS 100 /* then the next MAIL */
#define SAMPLES_MAX   4000000

struct connection {
    int fd;
    unsigned asked, left;          /* recipients; of this message */
    unsigned skip;                 /* replies to pass over: to MAIL, where the milter answers it */
    bool sends_mail, mail_replies; /* as negotiated */
    uint64_t sent_ns;
    char buffer[1024];
    size_t used;
};

static uint32_t *samples; /* nanoseconds */
static size_t sample_count;
static unsigned long replies, wrong;
static unsigned entries;
static bool fixed;

static void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static uint64_t ns_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t now_ns(void)
{
    return ns_of(CLOCK_MONOTONIC);
}

/* Appends one packet of the milter protocol. */
static size_t packet(char *out, char command, const void *data, size_t length)
{
    uint32_t size = htonl((uint32_t)length + 1);
    memcpy(out, &size, 4);
    out[4] = command;
    memcpy(out + 5, data, length);
    return 5 + length;
}

static void send_all(const struct connection *c, const char *data, size_t length)
{
    if (send(c->fd, data, length, MSG_NOSIGNAL) != (ssize_t)length)
        fail("send");
}

/* Recipients are spread over the whole table, each connection in an order of its own. */
static unsigned recipient_of(const struct connection *c)
{
    return (unsigned)(((uint64_t)c->asked * 7919 + (uint64_t)c->fd * 104729) % entries);
}

/* Ends one message and begins the next. */
static size_t mail(struct connection *c, char *out)
{
    size_t length = c->asked > 0 ? packet(out, 'A', "", 0) : 0;
    length += packet(out + length, 'D', "M", 1);
    if (c->sends_mail)
        length += packet(out + length, 'M', "<s@client.example>", 19);
    c->skip = c->sends_mail && c->mail_replies ? 1 : 0;
    c->left = MESSAGE_RCPTS;
    return length;
}

static size_t rcpt(const struct connection *c, char *out)
{
    static const char macro[] = "R{rcpt_addr}";
    char macros[64], recipient[64];
    int size = snprintf(recipient, sizeof recipient, "<u%07u@old.example>", recipient_of(c));

    memcpy(macros, macro, sizeof macro);
    memcpy(macros + sizeof macro, recipient + 1, (size_t)size - 2);
    macros[sizeof macro + (size_t)size - 2] = '\0';
    size_t length = packet(out, 'D', macros, sizeof macro + (size_t)size - 1);
    return length + packet(out + length, 'R', recipient, (size_t)size + 1);
}

static void ask(struct connection *c)
{
    char out[512];
    size_t length = c->left == 0 ? mail(c, out) : 0;
    length += rcpt(c, out + length);
    c->left--;
    c->sent_ns = now_ns();
    send_all(c, out, length);
}

/* Takes one packet out of the buffer into reply[size]; false where it is not all there. */
static bool take_packet(struct connection *c, char *reply, uint32_t *size)
{
    if (c->used < 4)
        return false;
    memcpy(size, c->buffer, 4);
    *size = ntohl(*size);
    if (*size > sizeof c->buffer - 4)
        fail("a reply that is too long");
    if (c->used < 4 + *size)
        return false;
    memcpy(reply, c->buffer + 4, *size);
    c->used -= 4 + *size;
    memmove(c->buffer, c->buffer + 4 + *size, c->used);
    return true;
}

/* Costs the same whatever is expected: the load shares the machine with the milter. */
static void check_reply(const struct connection *c, const char *reply, uint32_t size)
{
    static const char same[] = "y551 5.1.6 User not local; please try <fixed@new.example>";
    char own[128];
    snprintf(own, sizeof own, "y551 5.1.6 User not local; please try <u%07u@new.example>",
             recipient_of(c));
    const char *expected = fixed ? same : own;
    if (size < strlen(expected) || memcmp(reply, expected, strlen(expected)) != 0)
        wrong++;
}

/* Takes what has come; whether the reply to the recipient is there, which then is checked and
 * counted. */
static bool take(struct connection *c)
{
    char reply[1024];
    uint32_t size;
    ssize_t got = recv(c->fd, c->buffer + c->used, sizeof c->buffer - c->used, MSG_DONTWAIT);
    if (got <= 0 && !(got < 0 && errno == EAGAIN))
        fail("the milter hung up");
    c->used += got > 0 ? (size_t)got : 0;
    while (c->skip > 0 && take_packet(c, reply, &size))
        c->skip--;
    if (c->skip > 0 || !take_packet(c, reply, &size))
        return false;

    uint64_t took = now_ns() - c->sent_ns;
    check_reply(c, reply, size);
    replies++;
    if (sample_count < SAMPLES_MAX)
        samples[sample_count++] = (uint32_t)took;
    c->asked++;
    return true;
}

static void open_session(struct connection *c, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint32_t offer[3] = {htonl(6), htonl(0x1ff), htonl(0x1fffff)};
    char out[128], mta[] = "Cv\0Postfix 3.7",
                   client[] = "localhost\0004\x30\x39"
                              "127.0.0.1";

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    *c = (struct connection){.fd = socket(AF_UNIX, SOCK_STREAM, 0)};
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail(path);
    send_all(c, out, packet(out, 'O', offer, sizeof offer));
    uint32_t size;
    if (recv(c->fd, &size, 4, MSG_WAITALL) != 4 || ntohl(size) > sizeof c->buffer ||
        recv(c->fd, c->buffer, ntohl(size), MSG_WAITALL) != (ssize_t)ntohl(size) ||
        c->buffer[0] != 'O')
        fail("negotiation");
    uint32_t steps;
    memcpy(&steps, c->buffer + 9, 4);
    steps = ntohl(steps);
    c->sends_mail = (steps & 0x4) == 0;
    c->mail_replies = (steps & 0x4000) == 0;
    if ((steps & 0x1) != 0)
        return;
    size_t length = packet(out, 'D', mta, sizeof mta);
    send_all(c, out, length + packet(out + length, 'C', client, sizeof client));
    if ((steps & 0x1000) == 0 &&
        (recv(c->fd, &size, 4, MSG_WAITALL) != 4 ||
         recv(c->fd, c->buffer, ntohl(size), MSG_WAITALL) != (ssize_t)ntohl(size)))
        fail("reply to the connection");
}

/* Waits until as many replies are due as have come. */
static void pace(uint64_t start, double rate)
{
    uint64_t now = now_ns(), due = start + (uint64_t)((double)replies / rate * 1e9);
    if (now < due)
        nanosleep(&(struct timespec){0, (long)(due - now)}, NULL);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 6 && argc != 7)
        return EXIT_FAILURE;
    unsigned count = (unsigned)atoi(argv[2]);
    double seconds = atof(argv[3]);
    entries = (unsigned)atoi(argv[4]);
    fixed = strcmp(argv[5], "fixed") == 0;
    double rate = argc == 7 ? atof(argv[6]) : 0;
    struct connection *connections = calloc(count, sizeof *connections);
    struct epoll_event events[256];
    samples = malloc(SAMPLES_MAX * sizeof *samples);
    int poller = epoll_create1(0);
    if (connections == NULL || samples == NULL || poller < 0 || count == 0 || entries == 0)
        fail("start");

    for (unsigned i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
        open_session(&connections[i], argv[1]);
        if (epoll_ctl(poller, EPOLL_CTL_ADD, connections[i].fd, &event) != 0)
            fail("epoll");
    }
    uint64_t cpu = ns_of(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9);
    for (unsigned i = 0; i < count; i++)
        ask(&connections[i]);
    while (now_ns() < end) {
        int ready = epoll_wait(poller, events, 256, 5000);
        if (ready <= 0)
            fail("no reply for 5 s");
        for (int i = 0; i < ready; i++)
            if (take(events[i].data.ptr))
                ask(events[i].data.ptr);
        if (rate > 0)
            pace(start, rate);
    }
    double took = (double)(now_ns() - start) / 1e9;
    cpu = ns_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    qsort(samples, sample_count, sizeof *samples, by_size);
    printf("%.0f %.1f %.1f %lu %.3f\n", (double)replies / took, samples[sample_count / 2] / 1e3,
           samples[sample_count * 99 / 100] / 1e3, wrong, (double)cpu / 1e3 / (double)replies);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
