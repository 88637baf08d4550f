/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/dialogue.h: one connection of the lookup socket as bytes: requests in, answers out. The protocol is that of
 * socketmap_table(5), the maps are those of answer/map.h, and for movedctl there are the counters. No socket. */
#ifndef DAEMON_DIALOGUE_H
#define DAEMON_DIALOGUE_H

#include "answer/map.h"
#include "base/netstring.h"
#include "daemon/counters.h"

#include <stddef.h>

/* Octets, with the frame. A longer request is no address, so it is not found. Every answer fits. */
#define DIALOGUE_REQUEST_MAX 2048
#define DIALOGUE_ANSWER_MAX  (sizeof "OK " + COUNTERS_SIZE + NETSTRING_OVERHEAD)

/* All zero at the beginning. The owner appends to input and takes from output, and changes in and out accordingly. */
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

/* Takes the first request from the input and answers it. The output must be empty. */
enum dialogue_result dialogue_answer(struct dialogue *dialogue);

#endif
