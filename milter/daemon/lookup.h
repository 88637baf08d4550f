/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/lookup.h: the lookup socket: a socketmap server (socketmap_table(5)) with the maps of answer/map.h. One thread serves
 * all connections; a look-up never waits, so no client can delay another. */
#ifndef DAEMON_LOOKUP_H
#define DAEMON_LOOKUP_H

#include "base/error.h"

/* Serves the listening socket fd until the process ends, because sessions that are being drained still look up. Does nothing
 * if fd is -1. Returns 0, or -1 with err. Call it once, when the service has started. */
int lookup_start(int fd, struct error *err);

#endif
