/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/lib/later.c: a process that takes itself to have run for an hour (LD_PRELOAD): the first look at the
 * monotonic clock is right, and from then on it is an hour later. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static atomic_int looks;
    int (*next)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int rc = next(clock, now);
    if (rc == 0 && clock == CLOCK_MONOTONIC && atomic_fetch_add(&looks, 1) > 0)
        now->tv_sec += 3600;
    return rc;
}
