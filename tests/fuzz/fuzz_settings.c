/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration file: read, or refused with one line that begins with its name. What may stand before
 * it, an integer that fits no int is refused, and one that fits is read. */
#include "answer/settings.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns the limit that is read of data, or -1 where it is refused. */
static int read_limit(const uint8_t *data, size_t size, const char *more)
{
    char path[64];
    struct settings *settings;
    struct error err = {.status = 0};
    size_t more_size = strlen(more);
    int limit = -1;

    int fd = memfd_create("settings", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size ||
        write(fd, more, more_size) != (ssize_t)more_size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (settings_read(&settings, path, &err) == 0) {
        limit = settings->limit;
        if (limit < 0 || limit > 1000000)
            abort();
        settings_free(settings);
    } else if (err.status != EX_CONFIG || strncmp(err.text, path, strlen(path)) != 0) {
        abort();
    }
    close(fd);
    return limit;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (memmem(data, size, "@include", 8) !=
        NULL) /* files of this machine are not the test's affair */
        return 0;
    if (read_limit(data, size, "") < 0 || memmem(data, size, "disclosure", 10) != NULL)
        return 0;
    if (read_limit(data, size, "\ndisclosure:{limit\n=/* \" */7 # {\n}") != 7 ||
        read_limit(data, size, "\ndisclosure:{limit\n=/* \" */4294967303 # {\n}") >= 0 ||
        read_limit(data, size, "\ndisclosure:{limit\n=/* \" */0x100000007 # {\n}") >= 0)
        abort();
    return 0;
}
