/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/evidence.h: what doctor has seen of the table, the daemon and the mail server's replies. The symptoms of
 * each mail server are judged by it, and by the mail server's configuration. */
#ifndef DOCTOR_EVIDENCE_H
#define DOCTOR_EVIDENCE_H

#include "answer/answer.h"
#include "base/endpoint.h"
#include "base/network.h"
#include "net/smtp.h"

#include <stdbool.h>
#include <stddef.h>

/* A client that nobody knows: 198.51.100.1 (RFC 5737). */
extern const struct ip doctor_stranger;
#define DOCTOR_STRANGER "198.51.100.1"

/* A domain of the table about which the mail server is asked. */
struct asked_domain {
    char name[ADDRESS_DOMAIN_MAX + 1];
    int kind; /* as the driver's classify has it */
};

/* One recipient that the mail server was asked about. */
struct asked {
    char recipient[ADDRESS_TEXT_SIZE];
    const struct asked_domain *domain;
    bool invented;              /* there is no such mailbox */
    bool abroad;                /* the domain is none of this server, and a stranger asks */
    struct answer expected;     /* what milter-moved should answer us */
    char want[REPLY_TEXT_SIZE]; /* the same as the text of got; "" if it answers nothing */
    struct smtp_reply got;      /* code 0: not asked */
    bool in_mail;               /* got is the reply to MAIL */
    bool well;                  /* got is what it should be */
    int finding;                /* what explains it, an index; -1: none */
};

/* A socket of the daemon. */
enum socket_state {
    SOCKET_UNSEEN, /* this user may not open it */
    SOCKET_SILENT,
    SOCKET_ANSWERS,
};

/* What the daemon tells of itself on its sockets. */
struct daemon_state {
    enum socket_state milter, lookups;
    bool observes;    /* its mode; the one of the configuration if it cannot be asked */
    char version[64]; /* "" if it does not tell */
    char table[256];  /* "good", or why it cannot be read; "" if it does not tell */
};

/* What the mail server tells of itself over SMTP. */
struct server_state {
    struct endpoint where;
    const struct ip *as; /* the client that it is asked as; NULL: we */
    bool answers;
    bool is_here; /* it is on this host */
    bool smtputf8, xclient;
    struct ip client;  /* our address, as the server sees it */
    struct ip address; /* its own */
    struct smtp_reply greeting;
};

/* Borrows the settings. */
struct evidence {
    const struct settings *settings;
    const char *conf;       /* the file of the settings */
    const char *config_dir; /* of the mail server's configuration; NULL: the usual folder */
    size_t entries;         /* of the table */
    struct daemon_state daemon;
    struct server_state server;
    struct asked_domain *domains;
    size_t domain_count;
    struct asked **asked; /* each on the heap */
    size_t asked_count;
};

/* Whether the server may be one that listens at this host and port, each a name or a number: any name but localhost and
 * loopback-only may be an address of it, and "" is every address. */
bool server_is_at(const struct server_state *server, const char *host, const char *port);

/* Whether the reply has these words, in any case. */
bool asked_says(const struct asked *asked, const char *words);

/* Whether the first line of the reply begins with these codes, "550 5.1.1". */
bool asked_has_codes(const struct asked *asked, const char *codes);

/* The first digit of its code. */
int asked_class(const struct asked *asked);

/* Whether milter-moved should have answered. */
bool asked_is_ours(const struct asked *asked);

/* Whether it says that the server does not relay to this domain. */
bool asked_denies_relaying(const struct asked *asked);

/* Whether the reply is the wanted one. Sendmail may put the recipient before the text. */
bool asked_has_wanted(const struct asked *asked);

/* Whether it has the wanted text, whatever the codes before it. */
bool asked_has_wanted_text(const struct asked *asked);

/* Whether it is our text of this kind, as the settings have it for the recipient's domain. */
bool asked_is_text(const struct asked *asked, const struct settings *settings, enum text_kind kind);

/* Writes a reply of ours in the form of struct smtp_reply; REPLY_TEXT_SIZE cuts nothing. */
void asked_format(char *out, size_t size, const struct reply *reply);

/* Writes the lines of a reply as one, " / " between them, cut to fit. */
void asked_join_lines(char *out, size_t size, const char *text);

#endif
