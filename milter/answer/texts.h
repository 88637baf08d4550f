/* answer/texts.h: the texts of the replies: those of the configuration's group replies, and those that
 * a domain has of its own. milter-moved.conf(5) is the manual. */
#ifndef ANSWER_TEXTS_H
#define ANSWER_TEXTS_H

#include "base/conf.h"
#include "base/error.h"
#include "mail/reply.h"

#include <stddef.h>

enum text_kind {
    TEXT_MOVED,
    TEXT_WITHHELD,
    TEXT_GONE,
    TEXT_DEFERRED,
    TEXT_TABLE_ERROR,
    TEXT_UNKNOWN, /* as the mail server says of a mailbox that it does not know */
};
#define TEXTS (TEXT_UNKNOWN + 1)

/* A template for each kind, see mail/reply.h: as it is configured, and as texts_check has read it. */
struct texts {
    char *of[TEXTS];
    struct reply_template read[TEXTS];
};

/* The texts of one domain of old addresses. */
struct domain_texts {
    char *domain; /* A-labels, lower case; ".old.example" is every subdomain of it */
    struct texts texts;
};

/* One element of the list replies.by_domain. */
extern const struct conf_group texts_group;

const char *texts_default(enum text_kind kind);

/* A line that no addresses make too long, and that fits into every session: what is said instead of a text
 * that does not. */
const char *texts_fallback(enum text_kind kind);

/* "moved", "withheld", …: the keys of the group replies. */
const char *texts_name(enum text_kind kind);

/* Checks and reads the texts and the list of struct domain_texts as they are configured, fills in what a
 * domain has not of its own, and sorts the list by domain. Returns 0; or -1 with err (EX_CONFIG,
 * EX_OSERR) that begins with the key. */
int texts_check(struct texts *texts, struct conf_groups *by_domain, struct error *err);

/* The texts for an old address in this domain (A-labels, lower case): of the domain, else of the nearest
 * parent, else the general ones. */
const struct texts *texts_find(const struct texts *texts, const struct conf_groups *by_domain,
                               const char *domain);

/* Calls say with a line for each text moved from which programs cannot read the new address. */
void texts_warn(const struct texts *texts, const struct conf_groups *by_domain,
                void (*say)(const char *line, void *data), void *data);

#endif
