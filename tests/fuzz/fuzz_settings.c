/* A configuration file: read, or refused with one line that begins with its name. */
#include "answer/settings.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct settings *settings;
    struct error err = {.status = 0};

    if (memmem(data, size, "@include", 8) !=
        NULL) /* files of this machine are not the test's affair */
        return 0;
    int fd = memfd_create("settings", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (settings_read(&settings, path, &err) == 0)
        settings_free(settings);
    else if (err.status != EX_CONFIG || strncmp(err.text, path, strlen(path)) != 0)
        abort();
    close(fd);
    return 0;
}
