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

/* Whether this answer is logged at all, at the level that is set. */
bool report_wants(const struct answer *answer);
void report_answer(const struct report *report);

/* Logs and counts that a limit is reached, if this answer is the first one in the period of the client or network that
 * the limit decides. host is the client's name as the MTA knows it. */
void report_limit(const struct answer *answer, const struct client *client, const char *host);

/* Logs a look-up: in reply and relocated at the level of an answer, since it decides what a sender reads; in the other maps
 * at LOG_DEBUG, since the milter is asked about the same recipient in a moment. */
void report_lookup(const struct map_answer *found, bool counts);

#endif
