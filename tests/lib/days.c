/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/lib/days.c: a process on another day (LD_PRELOAD): the clock is ahead by as many seconds as stand in the file that
 * $TEST_DAYS names, read again each time, so that a test can have the day pass while a daemon runs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static time_t ahead(void)
{
    char text[16] = "";
    const char *path = getenv("TEST_DAYS");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    return length > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int (*next)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int rc = next(clock, now);
    if (rc == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += ahead();
    return rc;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}
