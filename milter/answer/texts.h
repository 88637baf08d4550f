/* SPDX-License-Identifier: BSD-2-Clause */
/* answer/texts.h: the texts of the replies: those in the group replies of the configuration, and those of single
 * domains. See milter-moved.conf(5). */
#ifndef ANSWER_TEXTS_H
#define ANSWER_TEXTS_H

#include "base/conf.h"
#include "base/error.h"
#include "mail/reply.h"

enum text_kind {
    TEXT_MOVED,
    TEXT_WITHHELD,
    TEXT_GONE,
    TEXT_DEFERRED,
    TEXT_TABLE_ERROR,
    TEXT_UNKNOWN, /* the mail server's reply for an unknown mailbox */
};
#define TEXTS (TEXT_UNKNOWN + 1)

/* A template (mail/reply.h) for each kind. */
struct texts {
    char *of[TEXTS];
};

/* The texts of one domain of old addresses. */
struct domain_texts {
    char *domain; /* A-labels, lower case; ".old.example" is all its subdomains */
    struct texts texts;
};

/* One element of the list replies.by_domain. */
extern const struct conf_group texts_group;

/* The default text of a kind, which fits into a line with any address, and into any session. */
const char *texts_fallback(enum text_kind kind);

/* "moved", "withheld" and so on: the keys of the group replies. */
const char *texts_name(enum text_kind kind);

/* Checks the texts and the list of struct domain_texts as configured, and sorts the list by domain. A general text
 * that is missing becomes the default one, and a text that a domain lacks the general one. Returns 0; or -1 with err
 * (EX_CONFIG, EX_OSERR), which begins with the key. */
int texts_check(struct texts *texts, struct conf_groups *by_domain, struct error *err);

/* The texts for an old address in this domain (A-labels, lower case): those of the domain or its nearest parent,
 * otherwise the general ones. */
const struct texts *texts_find(const struct texts *texts, const struct conf_groups *by_domain,
                               const char *domain);

/* Calls say with a line for each text moved from which programs cannot read the new address. */
void texts_warn(const struct texts *texts, const struct conf_groups *by_domain,
                void (*say)(const char *line));

/* Makes *text, a domain on the heap, its A-labels in lower case; a dot in front of it, if it may have one, is kept.
 * Returns 0, or -1 with err (EX_CONFIG). */
int texts_make_domain(char **text, bool may_have_dot, struct error *err);

#endif
