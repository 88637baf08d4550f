/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/dialogue.h: one connection of the lookup socket as bytes: requests in, answers out. The protocol
 * is socketmap_table(5)'s, the maps are those of answer/map.h and, for movedctl, the counters. No socket. */
#ifndef DAEMON_DIALOGUE_H
#define DAEMON_DIALOGUE_H

#include "answer/map.h"
#include "base/netstring.h"
#include "daemon/counters.h"

#include <stddef.h>

/* Octets, with the frame. A longer request is no address: it is not found. Every answer fits. */
#define DIALOGUE_REQUEST_MAX 2048
#define DIALOGUE_ANSWER_MAX  (sizeof "OK " + COUNTERS_SIZE + NETSTRING_OVERHEAD)

/* All zero: a connection that has just begun. Its owner appends to input, takes from output, and keeps
 * in and out right. */
struct dialogue {
    size_t in, out; /* octets of input and output */
    size_t skip;    /* octets of a request that is too long, still to come */
    char input[DIALOGUE_REQUEST_MAX], output[DIALOGUE_ANSWER_MAX];
};

enum dialogue_result {
    DIALOGUE_ANSWERED, /* output has the answer: write it out before the next call */
    DIALOGUE_PART,     /* the input has no whole request: there is room for more of it */
    DIALOGUE_BAD,      /* this is no socketmap request: close the connection */
};

/* Takes the first request from the input and answers it from what the service has in force. The output must
 * be empty. */
enum dialogue_result dialogue_answer(struct dialogue *dialogue);

#endif
