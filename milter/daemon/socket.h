/* daemon/socket.h: the milter's listening socket, from the moment that it is made until it is
 * taken away. */
#ifndef DAEMON_SOCKET_H
#define DAEMON_SOCKET_H

#include "answer/settings.h"
#include "base/error.h"

#include <sys/types.h>

/* Makes libmilter listen: on the socket that systemd hands over (sd_listen_fds(3)) if there is
 * one, else where the settings say. A unix socket is made under another name and moved to its
 * place when owner, group and mode are right: nobody meets one half made, and one that an
 * earlier instance still listens on is replaced without a gap. owner is the user that the daemon
 * will run as. Returns 0, or -1 with err. Call it once, after smfi_register, with the rights to
 * make and hand over the socket. */
int socket_open(const struct settings *settings, uid_t owner, gid_t group, struct error *err);

/* Takes the unix socket away, unless another instance has put its own there meanwhile. */
void socket_remove(void);

/* From now on no new session is accepted; those that wait for it stay in the queue of a socket
 * that systemd holds. */
void socket_stop_accepting(void);

#endif
