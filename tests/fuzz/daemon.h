/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/fuzz/daemon.h: the daemon inside of a fuzz target: its service on a small table in a temporary folder, and
 * its callbacks in the real libmilter on a unix socket. */
#ifndef FUZZ_DAEMON_H
#define FUZZ_DAEMON_H

#include "answer/settings.h"

/* Starts it, once; what it says in its log is made and thrown away. Returns the settings in force, which a target
 * may change while no session is open. Ends the process where that fails. */
struct settings *fuzz_daemon_start(void);

/* Connects to the milter's socket. Returns the descriptor. */
int fuzz_daemon_connect(void);

#endif
