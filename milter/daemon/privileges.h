/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/privileges.h: from root to the user that the daemon runs as. */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include "base/error.h"

#include <sys/types.h>

/* Who the daemon runs as. */
struct owner {
    uid_t uid;
    gid_t gid;
    const char *name; /* NULL: the user that started it */
};

/* Finds the user that root becomes; if user is "" or the process is not root, that is the present user. Borrows user.
 * Returns 0, or -1 with err (EX_CONFIG). */
int privileges_find(struct owner *out, const char *user, struct error *err);

/* Root becomes the owner permanently: with the groups of that user only, and without capabilities. Until
 * privileges_settle the effective group is socket_group, which is then the group of every socket that is bound. A
 * process that is not root keeps its own. Returns 0, or -1 with err (EX_OSERR). */
int privileges_drop(const struct owner *owner, gid_t socket_group, struct error *err);

/* Gives up socket_group, and the capabilities with which a process that is not root was started. Returns 0, or -1 with
 * err (EX_OSERR). */
int privileges_settle(const struct owner *owner, struct error *err);

#endif
