/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "base/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

void descriptors_occupy_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0) /* open(2) takes the lowest free number */
            (void)open("/", O_PATH);
}
