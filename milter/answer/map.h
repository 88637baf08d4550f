/* answer/map.h: the answer as a look-up in a map, for mail servers that would refuse a recipient
 * before a milter is heard: the maps listed, relocated and reply of milter-moved(8). No socket, no
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
    MAP_LISTED,    /* ADDRESS -> the same: an old address that would be refused or forwarded now */
    MAP_RELOCATED, /* ADDRESS -> its new address, where anyone may know it */
    MAP_REPLY,     /* CLIENT-IP AUTHENTICATED SMTPUTF8 ADDRESS -> VERDICT ADDRESS */
    MAP_UNKNOWN,   /* a mistake in the mail server's configuration: TEMP, since NOTFOUND hides it */
};

struct map_answer {
    enum map_result result;
    char value[ADDRESS_TEXT_SIZE + 16]; /* MAP_OK: the value; MAP_TEMP: why */
    enum map_name map;
    struct client client; /* MAP_REPLY: of the key */
    struct answer answer; /* what the milter would have said; unset for what was not asked */
    bool asked;
};

/* Looks up a request, "MAP KEY" of length octets (NUL not needed, any octets). now is in seconds
 * since 1970; the rest is as for answer_ask. In observe mode every outcome but an unknown map is
 * MAP_NOTFOUND, lest a mail server accepts a recipient that nobody then refuses. */
void map_ask(struct map_answer *out, const char *request, size_t length, int64_t now,
             const struct settings *settings, struct table *table, const struct error *table_error,
             struct limit *limit);

/* "listed", "relocated", "reply"; "" for MAP_UNKNOWN. */
const char *map_name(enum map_name map);

#endif
