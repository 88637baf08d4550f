/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/report.h: the log line of an answer, in the words that postmasters grep for:
 * QUEUE-ID: to=<old>, client=host[ip], entry=E, reply=551 … */
#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H

#include "answer/answer.h"
#include "answer/map.h"

#include <stdbool.h>

/* What a line tells. All of it is borrowed. */
struct report {
    const char *id;     /* the MTA's queue id; NULL or "" where there is none yet */
    const char *host;   /* the client's name as the MTA knows it */
    const char *map;    /* NULL: the milter was asked, no map */
    const char *sender; /* sender_length octets, without brackets; NULL where it is not known */
    size_t sender_length;
    const char *recipient; /* as the client wrote it: for what is no address */
    const struct client *client;
    const struct answer *answer;
    bool counts; /* false: it was observed, and nothing came of it */
};

/* Whether there is a line of this answer at all, at the level that is set. */
bool report_wants(const struct answer *answer);
void report_answer(const struct report *report);

/* Says that a limit is reached, where this answer is the first of which it decides in the period of the
 * client or network: and counts it. host is the client's name as the MTA knows it. */
void report_limit(const struct answer *answer, const struct client *client, const char *host);

/* A look-up that decided what a sender reads (reply, relocated) at the level of an answer, one of
 * listed for LOG_DEBUG: the milter is asked of the same recipient in a moment. */
void report_lookup(const struct map_answer *found, bool counts);

#endif
