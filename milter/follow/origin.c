/* SPDX-License-Identifier: BSD-2-Clause */
#include "follow/origin.h"

#include <string.h>
#include <unistd.h>

void origin_host(char out[CHANGE_USER_MAX])
{
    out[0] = '@';
    gethostname(out + 1, CHANGE_USER_MAX - 1);
    out[CHANGE_USER_MAX - 1] = '\0';
}

bool origin_is_here(const char *author, const char *program)
{
    char host[CHANGE_USER_MAX];
    const char *at = strrchr(author, '@');
    origin_host(host);
    return at != NULL && strcmp(at, host) == 0 &&
           strncmp(program, ORIGIN_PROGRAM, sizeof ORIGIN_PROGRAM - 1) == 0;
}
