/* SPDX-License-Identifier: BSD-2-Clause */
/* net/smtp.h: asks a mail server about recipients: EHLO, MAIL, RCPT, RSET, and never DATA (RFC 5321). The time for
 * each reply is bounded, and so is the size. */
#ifndef NET_SMTP_H
#define NET_SMTP_H

#include "base/endpoint.h"
#include "base/error.h"
#include "base/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* For one reply: the server may have to ask the DNS and milters of its own. */
#define SMTP_SECONDS 60

/* Room for the lines of a reply that are kept: more than any of ours has. */
#define SMTP_TEXT_SIZE 5000

/* A reply of the server, in UTF-8. Control characters and what is no UTF-8 are '?'. */
struct smtp_reply {
    int code; /* 551; 0: there is none yet */
    /* Its lines, "551 5.1.6 ...", separated by line feeds; each has a blank after its code, never a '-'. */
    char text[SMTP_TEXT_SIZE];
};

/* A session. smtp_close it. */
struct smtp {
    int fd;
    struct ip client;  /* our address, as the server sees it if nothing translates it */
    struct ip address; /* its own */
    bool is_here;      /* the server is on this host */
    bool begun;        /* a recipient was asked about: RSET before the next */
    bool smtputf8;     /* it offers SMTPUTF8 (RFC 6531) */
    bool xclient;      /* it offers XCLIENT with ADDR (XCLIENT_README of Postfix) */
    struct smtp_reply greeting;
    struct timespec end; /* of the whole session */
    size_t used;
    char input[2048]; /* received and not yet parsed */
};

/* Connects and says EHLO. The whole session is over at end (CLOCK_MONOTONIC). If as is not NULL and the server offers
 * XCLIENT, the session is one of the client with this address, and client becomes it. Returns 0; or -1 with err
 * (EX_UNAVAILABLE) and nothing open. */
int smtp_open(struct smtp *smtp, const struct endpoint *where, const struct ip *as,
              const struct timespec *end, struct error *err);

/* Asks about one recipient, with the null reverse-path: *out becomes the reply to RCPT, or the reply to MAIL if
 * that is refused; *in_mail tells which. Returns 0; or -1 with err (EX_UNAVAILABLE) if the server ended the
 * session, and then *out is its last reply. */
int smtp_ask(struct smtp *smtp, const char *recipient, bool smtputf8, struct smtp_reply *out,
             bool *in_mail, struct error *err);

/* Says QUIT and closes, without waiting for the reply. */
void smtp_close(struct smtp *smtp);

#endif
