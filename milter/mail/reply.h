/* mail/reply.h: one SMTP reply line: code, enhanced status code, text. RFC 5321 section 4.2, RFC
 * 3463. A template is such a line with ${old} and ${new} in its text, checked once, filled in
 * often. No I/O. */
#ifndef MAIL_REPLY_H
#define MAIL_REPLY_H

#include "base/error.h"

#include <stdbool.h>

#define REPLY_LINE_MAX 510 /* octets without CRLF: RFC 5321 section 4.5.3.1.5 says 512 with it */

/* A reply in the three parts in which smfi_setreply takes it. */
struct reply {
    char code[4];                  /* "551" */
    char enhanced[12];             /* "5.1.6": RFC 3463 allows 1.3.3 digits */
    char text[REPLY_LINE_MAX + 1]; /* printable, one line; '%' is an ordinary character here */
};

/* Which class of code a reply must have. */
enum reply_class { REPLY_TRANSIENT = 4, REPLY_PERMANENT = 5 };

/* Checks a template such as "551 5.1.6 User not local; please try <${new}>": the code belongs to
 * class, is not 421 (RFC 5321 section 3.8: it would end the session), the enhanced code agrees
 * with it (the same class digit, RFC 3463 section 2), a text follows, of printable ASCII in one
 * line, with no ${name} but ${old} and ${new}; with needs_new it has ${new}. Returns 0; or -1
 * with err (EX_CONFIG) that says what would be right. */
int reply_check(const char *template, enum reply_class class, bool needs_new, struct error *err);

/* Fills in a template that reply_check accepted. old and new may be NULL where there are none
 * (then they are written as nothing); octets in them that could end or forge a line become '?'.
 * Returns 0; or -1 where the line would be longer than REPLY_LINE_MAX: then use a shorter
 * template. */
int reply_fill(struct reply *out, const char *template, const char *old, const char *new);

#endif
