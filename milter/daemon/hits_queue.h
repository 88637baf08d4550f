/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/hits_queue.h: the answers that wait to be counted. Who answers adds to it, and never waits for a disk: what does not
 * fit is counted as lost. Threads may share it. */
#ifndef DAEMON_HITS_QUEUE_H
#define DAEMON_HITS_QUEUE_H

#include "answer/answer.h"
#include "table/hit_file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether answers are taken; at first they are not. */
void hits_queue_enable(bool enabled);

/* Adds an answer by an entry; any other answer is passed over, and one by a `stay`. The sender is the mailbox of MAIL, length
 * octets without brackets, as the client wrote it; length 0 for <>. */
void hits_queue_add(const struct answer *answer, const char *sender, size_t length, int64_t now);

/* Takes all that is there: *count hits, each pair of an entry and a domain once a day. They are valid until the next call. For
 * one thread. */
const struct hit *hits_queue_take(size_t *count);

/* Counts mails that were taken and could not be written; and returns how many were lost since the start. */
void hits_queue_lose(uint64_t mails);
uint64_t hits_queue_lost(void);

#endif
