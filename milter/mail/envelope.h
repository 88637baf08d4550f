/* mail/envelope.h: the arguments of MAIL and RCPT, as a mail server hands them to a milter: args[0] is
 * the path, the rest are parameters, then NULL. No I/O; memory is the caller's. */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include <stddef.h>

/* Room for what envelope_orcpt writes: no octet becomes more than three ("+2B"). */
#define ENVELOPE_ORCPT_SIZE(octets) (sizeof "ORCPT=rfc822;" + 3 * (octets))

/* The length of the path in args[0]: up to its closing '>', or without brackets up to a blank.
 * Sendmail up to 8.17.1 can leave parameters behind it in the same argument. */
size_t envelope_path_length(const char *text);

/* The mailbox in a path of *length octets: without brackets and without a source route (RFC 5321
 * appendix C). Returns its begin; *length becomes its length. */
const char *envelope_mailbox(const char *path, size_t *length);

/* Finds the parameter of this name, in any case, wherever the mail server has left it. Returns the
 * whole of it, "NOTIFY=NEVER", in *length octets; NULL where there is none. */
const char *envelope_parameter(char **args, const char *name, size_t *length);

/* Writes the parameter ORCPT for a mailbox of length octets into out[ENVELOPE_ORCPT_SIZE(length)]: in
 * xtext, or in UTF-8 as it is (RFC 3461 section 4.2, RFC 6533 section 3). Returns 0; or -1 where
 * UTF-8 has an octet that wants an encoding, since mail servers do not agree on which. */
int envelope_orcpt(char *out, const char *mailbox, size_t length);

#endif
