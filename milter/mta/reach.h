/* mta/reach.h: whether a mail server's account can open one of our sockets. */
#ifndef MTA_REACH_H
#define MTA_REACH_H

#include "base/error.h"

#include <stddef.h>

/* What keeps the account from the socket. */
enum reach {
    REACH_FREE,    /* nothing; or it cannot be tried: only root can become another account */
    REACH_MISSING, /* there is no such folder or socket */
    REACH_FOLDER,  /* a folder that the account may not pass through */
    REACH_SOCKET,  /* the socket, to which it may not write */
};

/* Tries, as the account user with all its groups, to pass through every folder of path and to write to the
 * socket at its end; path is absolute. The first part that stops it becomes part[size]. */
enum reach reach_find(char *part, size_t size, const char *path, const char *user);

/* The same as an error. Returns 0 for REACH_FREE; or -1 with err (EX_NOPERM, EX_NOINPUT), which names the part
 * and what lets the account pass. */
int reach_check(const char *path, const char *user, struct error *err);

#endif
