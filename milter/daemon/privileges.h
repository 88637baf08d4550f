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

/* Finds the user that root becomes; "", or who is not root, stays who he is. Borrows user. Returns 0, or -1 with err
 * (EX_CONFIG). */
int privileges_find(struct owner *out, const char *user, struct error *err);

/* Root becomes the owner for good: his groups alone, no capability. For the time being the effective group is
 * socket_group, which is the group of every socket bound meanwhile. Who is not root keeps his own. Returns 0, or -1 with
 * err (EX_OSERR). */
int privileges_drop(const struct owner *owner, gid_t socket_group, struct error *err);

/* Gives socket_group up again. Returns 0, or -1 with err (EX_OSERR). */
int privileges_settle(const struct owner *owner, struct error *err);

#endif
