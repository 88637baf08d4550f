/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/socket.h: the listening sockets of the milter and of the look-ups, from the moment that
 * they are made until they are taken away. */
#ifndef DAEMON_SOCKET_H
#define DAEMON_SOCKET_H

#include "answer/settings.h"
#include "base/error.h"
#include "daemon/privileges.h"

#include <sys/types.h>

/* What is done with root's rights, if there are any: finds what systemd hands over (sd_listen_fds(3)) and *group, which
 * has to be the effective one when the sockets are bound, and makes a folder of theirs that is missing. Returns 0, or
 * -1 with err (EX_CONFIG). */
int socket_prepare(gid_t *group, const struct settings *settings, const struct owner *owner,
                   struct error *err);

/* Makes libmilter listen: on the socket that systemd hands over if there is one, else where the settings say; and makes
 * the lookup socket likewise, unless the settings say "" or, without a word about it, it cannot be made. A unix socket
 * has its group and mode from the moment that it is bound. It is made under another name and moved to its place, so
 * that one which an earlier instance still listens on is replaced without a gap. Returns 0; or -1 with err: EX_CANTCREAT,
 * EX_NOPERM where group is not to be had. Call it once, after smfi_register, as the owner. */
int socket_open(const struct settings *settings, const struct owner *owner, gid_t group,
                struct error *err);

/* Whether socket_prepare would know the group that the settings name. Returns 0, or -1 with err (EX_CONFIG). */
int socket_check(const struct settings *settings, struct error *err);

/* The descriptor of the listening lookup socket, or -1. */
int socket_lookup(void);

/* Takes the unix sockets away, unless another instance has put its own there meanwhile; or the
 * milter's alone. Where an instance of before still listens, its socket is put back. */
void socket_remove(void);
void socket_remove_milter(void);

/* From now on no new session is accepted; those that wait for it stay in the queue of a socket
 * that systemd holds. The lookup socket goes on: sessions that are open still need it. */
void socket_stop_accepting(void);

#endif
