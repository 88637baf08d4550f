/* SPDX-License-Identifier: BSD-2-Clause */
/* net/io.h: connects, sends and receives with a deadline: no wait here is endless. */
#ifndef NET_IO_H
#define NET_IO_H

#include "base/endpoint.h"
#include "base/error.h"

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/* A moment from now on, of CLOCK_MONOTONIC. */
struct timespec io_deadline(int seconds);
struct timespec io_deadline_ms(int milliseconds);

/* The earlier of two moments. */
struct timespec io_earlier(struct timespec a, struct timespec b);

/* For poll(2): until the deadline, 0 once it has passed. */
int io_milliseconds_left(const struct timespec *deadline);

/* Waits until poll(2) reports any of events for fd. Returns 0; or -1 with errno, ETIMEDOUT at the deadline. */
int io_wait(int fd, short events, const struct timespec *deadline);

/* Connects. Returns a descriptor with O_NONBLOCK for the functions below; or -1 with err (EX_UNAVAILABLE,
 * EX_NOPERM), which begins with where. A name of a host takes as long as resolv.conf(5) allows. */
int io_connect(const struct endpoint *where, const struct timespec *deadline, struct error *err);

/* Sends all of it over a socket. Returns 0; or -1 with errno. */
int io_send(int fd, const void *data, size_t length, const struct timespec *deadline);

/* Receives what there is, at most size octets, and waits for the first. Returns how many; 0 at the end of the
 * stream; or -1 with errno. */
ssize_t io_receive(int fd, void *out, size_t size, const struct timespec *deadline);

/* Writes all of it to a file, which needs no deadline. Returns 0; or -1 with errno. */
int io_write(int fd, const void *data, size_t length);

#endif
