/* mta/reach.h: whether an account of a mail server may open a socket of ours. */
#ifndef MTA_REACH_H
#define MTA_REACH_H

#include "base/error.h"

/* Tries, as the account user with all its groups, to pass through every folder of path and to write
 * to the socket at its end; path is absolute. Returns 0 where it may, and where that cannot be tried
 * (only root can become another account; there is no such account); or -1 with err (EX_NOPERM, EX_NOINPUT) that
 * names the first obstacle and what mends it. */
int reach_check(const char *path, const char *user, struct error *err);

#endif
