/* daemon/socket.h: the listening sockets of the milter and of the look-ups, from the moment that
 * they are made until they are taken away. */
#ifndef DAEMON_SOCKET_H
#define DAEMON_SOCKET_H

#include "answer/settings.h"
#include "base/error.h"

#include <sys/types.h>

/* Makes libmilter listen: on the socket that systemd hands over (sd_listen_fds(3)) if there is
 * one, else where the settings say; and makes the lookup socket likewise, unless the settings say
 * "" or, without a word about it, it cannot be made. A unix socket is made under another name and moved to its place when owner, group and mode
 * are right: nobody meets one half made, and one that an earlier instance still listens on is
 * replaced without a gap. owner is the user that the daemon will run as. Returns 0, or -1 with err.
 * Call it once, after smfi_register, with the rights to make and hand over the sockets. */
int socket_open(const struct settings *settings, uid_t owner, gid_t group, struct error *err);

/* Whether socket_open would know the group that the settings name. Returns 0, or -1 with err (EX_CONFIG). */
int socket_check(const struct settings *settings, struct error *err);

/* The descriptor of the listening lookup socket, or -1. */
int socket_lookup(void);

/* Takes the unix sockets away, unless another instance has put its own there meanwhile; or the
 * milter's alone. */
void socket_remove(void);
void socket_remove_milter(void);

/* From now on no new session is accepted; those that wait for it stay in the queue of a socket
 * that systemd holds. The lookup socket goes on: sessions that are open still need it. */
void socket_stop_accepting(void);

#endif
