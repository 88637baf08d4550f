/* daemon/handed_over.h: the sockets that systemd hands over (sd_listen_fds(3)), and which of ours each is. */
#ifndef DAEMON_HANDED_OVER_H
#define DAEMON_HANDED_OVER_H

#include "base/error.h"

/* Descriptors that listen; -1: not handed over. */
struct handed_over {
    int milter, lookup;
};

/* The socket that is bound where lookup_path (NULL: nowhere) leads to is the lookup socket, another one the milter's.
 * Returns 0; or -1 with err (EX_CONFIG), which names a socket that would be served by nobody. */
int handed_over_find(struct handed_over *out, const char *lookup_path, struct error *err);

#endif
