/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/signals.h: HUP reads the configuration again; TERM and INT drain and end the daemon; USR1 and USR2, which other
 * daemons are sent to open their log again, do nothing. */
#ifndef DAEMON_SIGNALS_H
#define DAEMON_SIGNALS_H

#include <signal.h>

#define DRAIN_SECONDS 10 /* for open sessions, after TERM: systemd would wait for 90 */

/* Blocks the signals that the daemon takes, in this thread and those that it starts, and ignores those that would end it
 * for nothing. Call it before the first thread. */
void signals_block(void);

/* libmilter's smfi_main() starts a thread that waits with sigwait(3) for HUP, TERM and INT, and on the first of them cuts off
 * all open sessions and ends. A second thread that waits for these signals would race with it. So this function takes the place
 * of sigwait(3) in libmilter's thread. It handles the signals as the daemon needs it, and never returns. */
int sigwait(const sigset_t *set, int *signal_number);

#endif
