/* answer/map.h: the answer as a look-up in a map, for mail servers that would refuse a recipient
 * before a milter is heard: the maps listed, refused, relocated and reply of milter-moved(8). No socket, no
 * clock. Postfix's socketmap_table(5) and Sendmail's socket map have the same three outcomes. */
#ifndef ANSWER_MAP_H
#define ANSWER_MAP_H

#include "answer/answer.h"

#include <stddef.h>
#include <stdint.h>

/* Nothing is ever PERM: Postfix would answer 451 for that recipient until it is asked again, and
 * that is for ever. */
enum map_result { MAP_OK, MAP_NOTFOUND, MAP_TEMP };

enum map_name {
    MAP_LISTED, /* ADDRESS -> its canonical form: an old address that would be refused or forwarded now */
    MAP_REFUSED,   /* ADDRESS -> "OK", for access(5): an old address that would be refused now */
    MAP_RELOCATED, /* ADDRESS -> its new address, where anyone may know it */
    MAP_REPLY,     /* CLIENT-IP AUTHENTICATED SMTPUTF8 <ADDRESS> SENDER -> VERDICT ADDRESS */
    MAP_UNKNOWN,   /* a mistake in the mail server's configuration: TEMP, since NOTFOUND hides it */
};

/* How long after its start the daemon may be asked by a mail server whose session with the milter the
 * restart has cut: Postfix's smtpd_timeout. */
#define MAP_RESTART_SECONDS 300

/* A look-up, and the moment at which it is asked. The request is borrowed. */
struct map_question {
    const char *request; /* "MAP KEY": length octets of any kind, no NUL needed */
    size_t length;
    int64_t now;    /* seconds since 1970 */
    int64_t uptime; /* of the daemon, in seconds */
    unsigned
        sessions; /* milter sessions that are open: without one, listed and refused find nothing */
};

struct map_answer {
    enum map_result result;
    char value[ADDRESS_TEXT_SIZE + 16]; /* MAP_OK: the value; MAP_TEMP: why */
    enum map_name map;
    struct client client; /* MAP_REPLY: of the key */
    const char *sender;   /* MAP_REPLY: points into the request; NULL where the key has none */
    size_t sender_length;
    struct answer answer; /* what the milter would have said; unset for what was not asked */
    bool asked;
};

/* Looks a request up; otherwise as answer_ask. The addresses in the value of reply have each '%'
 * doubled, as Sendmail's map_rewrite wants it. In observe mode every outcome but an unknown map is
 * MAP_NOTFOUND, lest a mail server accepts a recipient that nobody then refuses. */
void map_ask(struct map_answer *out, const struct map_question *asked,
             const struct answer_source *from);

/* "listed", "refused", "relocated", "reply"; "" for MAP_UNKNOWN. */
const char *map_name(enum map_name map);

#endif
