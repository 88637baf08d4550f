/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/bench/lookups.c: the socketmap protocol, both ends.
 * usage: lookups serve SOCKET
 *   answers every request with a fixed address, and looks nothing up
 * usage: lookups ask SOCKET CONNECTIONS SECONDS ENTRIES
 *   asks listed for u0000000@old.example up to this number, each connection with one request under way
 * prints: look-ups a second, median and 99th percentile of the latency in microseconds */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MAX 4000000

struct connection {
    int fd;
    size_t used;
    uint64_t sent_ns;
    char buffer[4096];
};

static void fail(const char *what)
{
    fprintf(stderr, "lookups: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The length of the whole netstring that the buffer begins with; 0 where it is not whole. */
static size_t whole(const char *data, size_t size)
{
    const char *colon = memchr(data, ':', size);
    if (colon == NULL)
        return 0;
    size_t total = (size_t)(colon - data) + 1 + strtoul(data, NULL, 10) + 1;
    return total <= size ? total : 0;
}

static int watch(int epoll, int fd, void *data)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = data}};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

/* ---- serve */

static int answer(struct connection *at)
{
    static const char fixed[] = "20:OK fixed@new.example,";
    ssize_t got = recv(at->fd, at->buffer + at->used, sizeof at->buffer - at->used, 0);
    size_t length;
    if (got <= 0)
        return -1;
    at->used += (size_t)got;
    while ((length = whole(at->buffer, at->used)) > 0) {
        at->used -= length;
        memmove(at->buffer, at->buffer + length, at->used);
        if (send(at->fd, fixed, sizeof fixed - 1, MSG_NOSIGNAL) < 0)
            return -1;
    }
    return 0;
}

static void serve(const char *path)
{
    struct sockaddr_un address = address_of(path);
    struct epoll_event events[64];
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), epoll = epoll_create1(0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 1024) != 0 || watch(epoll, listener, NULL) != 0)
        fail(path);
    for (;;) {
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            struct connection *at = events[i].data.ptr;
            if (at == NULL) {
                at = calloc(1, sizeof *at);
                at->fd = accept(listener, NULL, NULL);
                watch(epoll, at->fd, at);
            } else if (answer(at) != 0) {
                close(at->fd);
                free(at);
            }
        }
    }
}

/* ---- ask */

static uint32_t *samples; /* nanoseconds */
static size_t sample_count;
static unsigned long answers;
static unsigned entries, asked;

static void ask_next(struct connection *at)
{
    char request[64];
    unsigned number = asked++ * 7919U % entries; /* all over the table */
    int length = snprintf(request, sizeof request, "27:listed u%07u@old.example,", number);
    at->sent_ns = now_ns();
    if (send(at->fd, request, (size_t)length, MSG_NOSIGNAL) != length)
        fail("send");
}

static void take(struct connection *at)
{
    ssize_t got = recv(at->fd, at->buffer + at->used, sizeof at->buffer - at->used, 0);
    if (got <= 0)
        fail("recv");
    at->used += (size_t)got;
    if (whole(at->buffer, at->used) == 0)
        return;
    const char *said = memchr(at->buffer, ':', at->used);
    if (strncmp(said, ":OK ", 4) != 0) {
        fprintf(stderr, "lookups: answered %.*s\n", (int)at->used, at->buffer);
        exit(EXIT_FAILURE);
    }
    at->used = 0;
    answers++;
    if (sample_count < SAMPLES_MAX)
        samples[sample_count++] = (uint32_t)(now_ns() - at->sent_ns);
    ask_next(at);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void ask(const char *path, unsigned connections, double seconds)
{
    struct sockaddr_un address = address_of(path);
    struct epoll_event events[256];
    struct connection *all = calloc(connections, sizeof *all);
    int epoll = epoll_create1(0);
    for (unsigned i = 0; i < connections; i++) {
        all[i].fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (connect(all[i].fd, (struct sockaddr *)&address, sizeof address) != 0 ||
            watch(epoll, all[i].fd, &all[i]) != 0)
            fail(path);
        ask_next(&all[i]);
    }
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9);
    while (now_ns() < end) {
        int count = epoll_wait(epoll, events, 256, 1000);
        for (int i = 0; i < count; i++)
            take(events[i].data.ptr);
    }
    double took = (double)(now_ns() - start) / 1e9;
    qsort(samples, sample_count, sizeof *samples, by_size);
    printf("%.0f %.2f %.2f\n", (double)answers / took, samples[sample_count / 2] / 1e3,
           samples[sample_count * 99 / 100] / 1e3);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        serve(argv[2]);
    samples = malloc(SAMPLES_MAX * sizeof *samples);
    if (argc != 6 || strcmp(argv[1], "ask") != 0 || samples == NULL) {
        fputs("usage: lookups serve SOCKET | ask SOCKET CONNECTIONS SECONDS ENTRIES\n", stderr);
        return EXIT_FAILURE;
    }
    entries = (unsigned)strtoul(argv[5], NULL, 10);
    ask(argv[2], (unsigned)strtoul(argv[3], NULL, 10), strtod(argv[4], NULL));
    return EXIT_SUCCESS;
}
