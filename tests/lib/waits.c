/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/lib/waits.c: how long poll(2) is asked to wait, in milliseconds, a line each in the file WAITS_LOG (LD_PRELOAD). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

int poll(struct pollfd *watched, nfds_t count, int milliseconds)
{
    int (*next)(struct pollfd *, nfds_t, int) = (int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll");
    FILE *log = fopen(getenv("WAITS_LOG"), "a");
    if (log != NULL) {
        fprintf(log, "%d\n", milliseconds);
        fclose(log);
    }
    return next(watched, count, milliseconds);
}

/* What poll(2) becomes with _FORTIFY_SOURCE where the compiler does not see the size. */
int __poll_chk(struct pollfd *watched, nfds_t count, int milliseconds, size_t size)
{
    (void)size;
    return poll(watched, count, milliseconds);
}
