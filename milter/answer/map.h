/* SPDX-License-Identifier: BSD-2-Clause */
/* answer/map.h: the answer as a look-up in a map, for mail servers that would refuse a recipient before they ask a
 * milter: the maps listed, refused, relocated and reply of milter-moved(8). The results are those of socketmap_table(5)
 * and of Sendmail's socket map. No socket, no clock. */
#ifndef ANSWER_MAP_H
#define ANSWER_MAP_H

#include "answer/answer.h"

#include <stddef.h>
#include <stdint.h>

/* The result is never PERM: after one, Postfix answers 451 for that recipient forever. */
enum map_result { MAP_OK, MAP_NOTFOUND, MAP_TEMP };

enum map_name {
    MAP_LISTED, /* ADDRESS -> its canonical form, if mail to it would be refused or forwarded now */
    MAP_REFUSED,   /* ADDRESS -> "OK", for access(5), if mail to it would be refused now */
    MAP_RELOCATED, /* ADDRESS -> its new address, if anyone may know it */
    MAP_REPLY,     /* CLIENT-IP AUTHENTICATED SMTPUTF8 <ADDRESS> SENDER -> VERDICT ADDRESS */
    MAP_UNKNOWN, /* an error in the mail server's configuration: TEMP, because NOTFOUND would hide it */
};

/* How long after a start a mail server may ask whose milter session was cut by the restart: smtpd_timeout of Postfix,
 * in seconds. */
#define MAP_RESTART_SECONDS 300

/* A look-up. The request is borrowed. */
struct map_question {
    const char *request; /* "MAP KEY": length arbitrary octets, without NUL */
    size_t length;
    int64_t now;       /* seconds since 1970 */
    int64_t uptime;    /* of the daemon, in seconds */
    unsigned sessions; /* open milter sessions: without one, listed and refused find nothing */
};

struct map_answer {
    enum map_result result;
    char value[ADDRESS_TEXT_SIZE + 16]; /* MAP_OK: the value; MAP_TEMP: why */
    enum map_name map;
    struct client client; /* MAP_REPLY: of the key */
    const char *sender;   /* MAP_REPLY: points into the request; NULL if the key has none */
    size_t sender_length;
    struct answer answer; /* the answer of the milter; set if asked is */
    bool asked;
};

/* Looks up a request; otherwise as answer_ask. In the value of reply each '%' of the address is doubled, as map_rewrite
 * of Sendmail requires. In observe mode the result is MAP_NOTFOUND, except for an unknown map; otherwise a mail server
 * would accept a recipient that nobody refuses later. */
void map_ask(struct map_answer *out, const struct map_question *asked,
             const struct answer_source *from);

/* "listed", "refused", "relocated", "reply"; "" for MAP_UNKNOWN. */
extern const char *const map_names[MAP_UNKNOWN + 1];

#endif
