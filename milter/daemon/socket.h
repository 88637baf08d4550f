/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/socket.h: the listening sockets of the milter and of the look-ups, from the moment that
 * they are made until they are taken away. */
#ifndef DAEMON_SOCKET_H
#define DAEMON_SOCKET_H

#include "answer/settings.h"
#include "base/error.h"
#include "daemon/privileges.h"

#include <sys/types.h>

/* The group that a unix socket is to have, or the owner's if there is none. Returns 0; or -1 with err (EX_CONFIG) if the
 * settings name a group that this host does not know. */
int socket_find_group(gid_t *out, const struct settings *settings, const struct owner *owner,
                      struct error *err);

/* Does what may need root: finds out which sockets systemd hands over, and makes missing folders of the others. A socket that
 * is bound where lookup_socket leads to is the lookup socket, another one the milter's. One at our usual place, while the
 * settings name another place, is closed with a line in the log. Returns 0; or -1 with err (EX_CONFIG), which names a socket
 * that nobody would serve. */
int socket_prepare(const struct settings *settings, const struct owner *owner, struct error *err);

/* Makes libmilter listen, on the socket that systemd hands over or else where the settings say, and the lookup socket
 * likewise. A lookup socket that cannot be made is an error only if the settings name it. A unix socket has its group, which
 * must be the effective one, and its mode from the moment that it is bound. It is made under another name and then renamed,
 * so that one which an earlier instance still listens on is replaced without a gap. Returns 0; or -1 with err: EX_CANTCREAT,
 * or EX_NOPERM if the group cannot be had. Call it once, after smfi_register, as the owner. */
int socket_open(const struct settings *settings, const struct owner *owner, gid_t group,
                struct error *err);

/* The descriptor of the listening lookup socket, or -1. */
int socket_lookup(void);

/* Removes the unix sockets, or the milter's alone, unless another instance has put its own there. A socket that an earlier
 * instance still listens on is put back. */
void socket_remove(void);
void socket_remove_milter(void);

/* From now on no new session is accepted. Those that wait stay in the queue of a socket that systemd holds. The lookup socket
 * goes on, because open sessions still need it. */
void socket_stop_accepting(void);

#endif
