/* net/smtp.h: asks a mail server about recipients: EHLO, MAIL, RCPT, RSET, and never DATA (RFC 5321). Each reply is
 * waited for in a bounded time, and kept in a bounded size. */
#ifndef NET_SMTP_H
#define NET_SMTP_H

#include "base/error.h"
#include "base/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define SMTP_SECONDS                                                                               \
    60 /* for one reply: the server may have to look up much, and milters of its own */

/* Room for all lines of a reply that are kept: more than any of ours has. */
#define SMTP_TEXT_SIZE 5000

/* What the server said, in UTF-8. Control characters and what is no UTF-8 are '?'. */
struct smtp_reply {
    int code; /* 551; 0: nothing was said yet */
    char text
        [SMTP_TEXT_SIZE]; /* its lines, "551 5.1.6 …", parted by line feeds; '-' behind a code is a blank */
    char first[600]; /* the first of them (RFC 5321 allows 512 octets) */
};

/* A session. smtp_close it. */
struct smtp {
    int fd;
    struct ip client; /* our address, as the server sees it if nothing translates it */
    bool has_client;
    bool is_here;  /* the server is on this host */
    bool begun;    /* a recipient was asked about: RSET before the next */
    bool smtputf8; /* it takes UTF-8 in addresses (RFC 6531) */
    struct smtp_reply greeting;
    const struct timespec *end; /* when all is to be over (CLOCK_MONOTONIC); lent, NULL: never */
    size_t used;
    char input[2048]; /* what has come and was not looked at yet */
};

/* Reads "HOST", "HOST:PORT", "[2001:db8::1]:PORT" as probe_connect writes it, "inet:PORT@HOST", into
 * out[size]. Port 25 if none is named. Returns 0, or -1 with err (EX_USAGE). */
int smtp_where(char *out, size_t size, const char *text, struct error *err);

/* Connects to "inet:PORT@HOST" and says EHLO. Returns 0; or -1 with err (EX_UNAVAILABLE) and nothing open. */
int smtp_open(struct smtp *smtp, const char *where, const struct timespec *end, struct error *err);

/* Asks about one recipient, for a message from nobody: *out becomes the reply to RCPT, or the one to MAIL
 * where that is refused; in_mail says which. Returns 0; or -1 with err (EX_UNAVAILABLE) where the server went
 * away, out then being what it said last. */
int smtp_ask(struct smtp *smtp, const char *recipient, bool smtputf8, struct smtp_reply *out,
             bool *in_mail, struct error *err);

/* Says QUIT, and does not wait. */
void smtp_close(struct smtp *smtp);

#endif
