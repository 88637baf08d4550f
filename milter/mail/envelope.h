/* mail/envelope.h: the arguments of MAIL and RCPT, as a mail server hands them to a milter: args[0] is
 * the path, the rest are parameters, then NULL. No I/O; memory is the caller's. */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include <stddef.h>

/* Room for what envelope_orcpt writes: the longest type, and no octet becomes more than six
 * ("\x{2B}"). */
#define ENVELOPE_ORCPT_SIZE(octets) (sizeof "ORCPT=rfc822;" + 6 * (octets))

/* The length of the path in args[0]: up to its closing '>', or without brackets up to a blank.
 * Sendmail up to 8.17.1 can leave parameters behind it in the same argument. */
size_t envelope_path_length(const char *text);

/* The mailbox in a path of *length octets: without brackets and without a source route (RFC 5321
 * appendix C). Returns its begin; *length becomes its length. */
const char *envelope_mailbox(const char *path, size_t *length);

/* Finds the parameter of this name, in any case, wherever the mail server has left it. Returns the
 * whole of it, "NOTIFY=NEVER", in *length octets; NULL where there is none. */
const char *envelope_parameter(char **args, const char *name, size_t *length);

/* Writes the parameter ORCPT for a mailbox of length octets in UTF-8 into
 * out[ENVELOPE_ORCPT_SIZE(length)], in ASCII whatever the mailbox (RFC 3461 section 4.2, RFC 6533
 * section 3). */
void envelope_orcpt(char *out, const char *mailbox, size_t length);

#endif
