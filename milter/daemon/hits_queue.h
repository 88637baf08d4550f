/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/hits_queue.h: the answers that wait to be counted, and the thread that writes them into hits/ (table/hit_file.h) at
 * each hits.flush_interval. Adding one never waits for a disk: what does not fit is counted as lost. Whatever goes wrong with
 * hits/, answers are as before; it is logged once an hour. Threads may share it. */
#ifndef DAEMON_HITS_QUEUE_H
#define DAEMON_HITS_QUEUE_H

#include "answer/answer.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Starts the thread. Returns 0, or -1 with err. */
int hits_queue_start(struct error *err);

/* Has the thread write once more and end; waits two seconds at most. Call it once, after hits_queue_start. */
void hits_queue_stop(void);

/* Adds an answer by an entry other than a `stay`; ignores any other answer. The sender is the mailbox of MAIL, length octets
 * without brackets, as the client wrote it; length 0 for <>. */
void hits_queue_add(const struct answer *answer, const char *sender, size_t length, int64_t now);

/* How many mails were lost since the start. */
uint64_t hits_queue_lost(void);

#endif
