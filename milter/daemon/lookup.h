/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/lookup.h: the lookup socket: a socketmap server (socketmap_table(5)) whose maps are those
 * of answer/map.h. One thread serves every connection; a look-up never waits, so that no client
 * can hold another up. */
#ifndef DAEMON_LOOKUP_H
#define DAEMON_LOOKUP_H

#include "base/error.h"

/* Serves the listening socket fd until the process ends: a mail server keeps connections open while
 * it is idle, and sessions that are being drained still look up. Does nothing with fd -1. Returns
 * 0, or -1 with err. Call it once, when the service has started. */
int lookup_start(int fd, struct error *err);

#endif
