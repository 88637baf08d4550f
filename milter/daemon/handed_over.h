/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/handed_over.h: the sockets that systemd hands over (sd_listen_fds(3)), and which of ours each is. */
#ifndef DAEMON_HANDED_OVER_H
#define DAEMON_HANDED_OVER_H

#include "answer/settings.h"
#include "base/error.h"

/* Descriptors that listen; -1: not handed over. */
struct handed_over {
    int milter, lookup;
};

/* The socket that is bound where lookup_socket leads to is the lookup socket, another one the milter's. One at our usual
 * place, while the settings name another place, is closed with a line in the log: then the settings count.
 * Returns 0; or -1 with err (EX_CONFIG), which names a socket that would be served by nobody. */
int handed_over_find(struct handed_over *out, const struct settings *settings, struct error *err);

#endif
