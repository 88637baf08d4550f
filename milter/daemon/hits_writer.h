/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/hits_writer.h: the thread that writes what was answered into hits/ (table/hit_file.h), at each hits.flush_interval.
 * Whatever goes wrong there, answers are as before: it is logged once an hour, and what was not counted is. */
#ifndef DAEMON_HITS_WRITER_H
#define DAEMON_HITS_WRITER_H

#include "base/error.h"

/* Starts the thread. Returns 0, or -1 with err. */
int hits_writer_start(struct error *err);

/* Has it write once more and end; waits two seconds at most. Does nothing where it was not started. */
void hits_writer_stop(void);

#endif
