/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/reach.h: whether a mail server's account can open one of our sockets. */
#ifndef MTA_REACH_H
#define MTA_REACH_H

#include "base/error.h"

/* Tries, as the account user with all its groups, to pass through every folder of path, which is absolute, and to write to
 * the socket at its end. Only root can try it; anybody else finds nothing. Returns 0; or -1 with err, which names the first
 * part that stops it and, behind the last ": ", what lets the account pass: EX_NOINPUT for one that is not there,
 * EX_NOPERM. */
int reach_check(const char *path, const char *user, struct error *err);

#endif
