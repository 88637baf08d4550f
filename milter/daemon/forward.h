/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/forward.h: the recipients of one message that are replaced by their new addresses at its end. No recipient is
 * ever lost: if something cannot be done, the recipient or the message is answered 451. A list belongs to one session;
 * sessions share nothing. */
#ifndef DAEMON_FORWARD_H
#define DAEMON_FORWARD_H

#include <libmilter/mfapi.h>
#include <stdbool.h>
#include <stddef.h>

#define FORWARDS_MAX       1000         /* recipients to replace in one message */
#define STAYING_MAX        10000        /* other recipients that are remembered */
#define STAYING_OCTETS_MAX (256 * 1024) /* of their RCPT commands */

struct forward; /* one recipient and its new address */
struct staying; /* one recipient that stays */

/* All zero but allowed and postfix: empty. */
struct forwards {
    struct forward *first, *end;
    unsigned count;

    struct staying *staying; /* staying_count of them, with room for staying_room */
    unsigned staying_count, staying_room;
    size_t staying_octets;
    bool crowded; /* there were more of them than are remembered */

    bool allowed; /* the MTA lets recipients be added and deleted */
    bool postfix; /* the MTA is Postfix: it compares recipients as text */
};

/* Notes that the recipient in args (of RCPT) will be replaced by new ("al@new.example"); old is its canonical form. Returns 0;
 * or -1 if that cannot be, and the client has to try the recipient again later. */
int forward_note(struct forwards *forwards, char **args, const char *old, const char *new);

/* Notes that the recipient in args stays as it is. Returns 0; -1 if memory is out. */
int forward_note_staying(struct forwards *forwards, char **args);

/* At the end of the message: has the MTA replace what was noted. Returns 0; or -1 if the MTA refuses, and the client has to try
 * the message again later. */
int forward_carry_out(const struct forwards *forwards, SMFICTX *ctx);

/* Forgets the message; allowed and postfix stay. */
void forward_forget(struct forwards *forwards);

#endif
