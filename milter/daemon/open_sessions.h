/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/open_sessions.h: counts the milter sessions that are open, and looks at what connections use up.
 * Threads may share it. */
#ifndef DAEMON_OPEN_SESSIONS_H
#define DAEMON_OPEN_SESSIONS_H

/* Counts a session that begins, and one that ends. */
void open_sessions_add(void);
void open_sessions_remove(void);

/* How many are open; and how many there have been since the start. */
unsigned open_sessions_count(void);
unsigned long open_sessions_total(void);

/* Waits until none is open, for at most so many seconds. Returns how many are left. */
unsigned open_sessions_wait(unsigned seconds);

/* Looks how many descriptors and threads the process has. Where connections use them up, whether they have negotiated
 * or not, that is logged, at most once a minute. Cheap enough to be called every few seconds; does nothing where there
 * is no /proc. */
void open_sessions_watch(void);

#endif
