/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/logger.h: log lines go through a bounded queue to one thread, since syslog(3) can block and a reply must not wait for
 * it. Lines that do not fit in the queue are counted, and their number is logged when there is room again. */
#ifndef DAEMON_LOGGER_H
#define DAEMON_LOGGER_H

#include "answer/settings.h"
#include "base/error.h"

#include <stdbool.h>
#include <syslog.h>

/* Starts the thread. Lines written before this wait in the queue. Returns 0, or -1 with err. */
int log_start(const struct settings *settings, struct error *err);

/* Takes up another target, facility or level. */
void log_reconfigure(const struct settings *settings);

/* Whether a line of this level (LOG_ERR to LOG_DEBUG) would be written. */
bool log_wants(int level);

/* Queues one line; control characters in it become '?'. Never blocks for long and never fails. */
void log_line(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes what is queued and ends the thread, but waits for a log that blocks no longer than a second. Without
 * log_start, what is queued is lost. */
void log_stop(void);

/* How many lines were lost since the start. */
unsigned long log_count_lost(void);

#endif
