/* daemon/watch.h: says in the log when the process runs out of what connections take. */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H

/* Looks how many descriptors and threads the process has. Where connections use them up, whether they have negotiated
 * or not, that is said, at most once a minute. Cheap enough to be called every few seconds; does nothing where there
 * is no /proc. */
void watch_connections(void);

#endif
