/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/open_sessions.h: counts the open milter sessions, and watches what connections use up. Threads may share it. */
#ifndef DAEMON_OPEN_SESSIONS_H
#define DAEMON_OPEN_SESSIONS_H

/* Counts a session that begins, and one that ends. */
void open_sessions_add(void);
void open_sessions_remove(void);

/* How many are open; and how many there have been since the start. */
unsigned open_sessions_count(void);
unsigned long open_sessions_total(void);

/* Logs, at most once a minute, if connections use up the descriptors or threads of the process, whether they have negotiated or
 * not. Cheap enough to be called every few seconds; does nothing where there is no /proc. */
void open_sessions_watch(void);

#endif
