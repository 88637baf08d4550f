/* mta/reach.h: whether a mail server's account can open one of our sockets. */
#ifndef MTA_REACH_H
#define MTA_REACH_H

#include "base/error.h"

/* Tries, as the account user with all its groups, to pass through each folder of the absolute path and to
 * write to the socket. Returns 0 if that works, or if it cannot be tried because we are not root or there is
 * no such account; or -1 with err (EX_NOPERM, EX_NOINPUT), which names the first obstacle and how to remove
 * it. */
int reach_check(const char *path, const char *user, struct error *err);

#endif
