/* SPDX-License-Identifier: BSD-2-Clause */
/* mail/reply.h: one SMTP reply: code, enhanced status code, one or more lines of text. RFC 5321 section 4.2, RFC 3463.
 * A template is a reply with ${old}, ${new} and ${recipient} in its text. Its lines are separated by line feeds, and
 * only the first has the codes. No I/O. */
#ifndef MAIL_REPLY_H
#define MAIL_REPLY_H

#include "base/error.h"
#include "mail/address.h"

#include <stdbool.h>
#include <stddef.h>

#define REPLY_LINE_MAX  510 /* octets without CRLF: RFC 5321 section 4.5.3.1.5 says 512 with it */
#define REPLY_LINES_MAX 8   /* libmilter takes 32; nobody reads so many */

/* A reply, in the parts that smfi_setmlreply takes. */
struct reply {
    char code[4];      /* "551" */
    char enhanced[12]; /* "5.1.6": RFC 3463 allows 1.3.3 digits */
    unsigned lines;    /* 1 or more */
    bool needs_utf8; /* an octet is over 127: for SMTPUTF8 sessions alone (RFC 6531 section 3.1) */
    /* Printable; '%' is an ordinary character here. */
    char text[REPLY_LINES_MAX][REPLY_LINE_MAX + 1];
};

/* Room for a reply as SMTP writes it, with line feeds between its lines, and a NUL. */
#define REPLY_TEXT_SIZE (REPLY_LINES_MAX * (REPLY_LINE_MAX + 1))

/* The values for a template. Nothing is written for one that is NULL. */
struct reply_words {
    const struct address *old;
    const char *new;
    /* The old address as the client wrote it, recipient_length octets: a path or a mailbox.
     * Brackets, source route, quotes and backslashes are left out, as Postfix does in its replies. */
    const char *recipient;
    size_t recipient_length;
};

/* Which class of code a reply must have. */
enum reply_class { REPLY_TRANSIENT = 4, REPLY_PERMANENT = 5 };

/* Checks a template such as "551 5.1.6 User not local; please try <${new}>": that the code is of this class and not 421,
 * which would end the session (RFC 5321 section 3.8); that the enhanced code has the same class digit (RFC 3463 section
 * 2); that a text of printable ASCII follows; that no line is empty or too long; and that there are no other variables
 * than those of struct reply_words. With needs_new the first line must have ${new}. Returns 0; or -1 with err
 * (EX_CONFIG). */
int reply_check(const char *template, enum reply_class class, bool needs_new, struct error *err);

/* The length of an enhanced status code, class.subject.detail, and the blank after it at the beginning of text; 0 if there
 * is none. RFC 3463 section 2. */
size_t reply_enhanced_length(const char *text);

/* Fills in a template that reply_check takes. Octets of the words that could end or forge a line, or control a terminal, become
 * '?'. Returns 0; or -1 if a line would be longer than REPLY_LINE_MAX: use a shorter template. */
int reply_fill(struct reply *out, const char *template, const struct reply_words *words);

/* Replaces octets that could end or forge a line, or control a terminal, with '?'; without utf8 also each octet over
 * 127. Returns whether octets over 127 remain. */
bool reply_make_printable(char *text, bool utf8);

/* Doubles each '%', for programs that use the text as a format. out has twice the size of text. Returns out; or text
 * itself if it has no '%'. */
const char *reply_double_percent(char *out, const char *text);

/* Formats the reply as a client receives it: "551-5.1.6 User...", line feed, "551 5.1.6 See...". A size of
 * REPLY_TEXT_SIZE is always enough. */
void reply_format(char *out, size_t size, const struct reply *reply);

#endif
