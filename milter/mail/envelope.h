/* SPDX-License-Identifier: BSD-2-Clause */
/* mail/envelope.h: the arguments of MAIL and RCPT, as a mail server passes them to a milter: args[0] is the path, then
 * come parameters, then NULL. No I/O; the caller owns all memory. */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include <stddef.h>

/* The size of the output of envelope_orcpt: an octet becomes at most three ("+2B"). */
#define ENVELOPE_ORCPT_SIZE(octets) (sizeof "ORCPT=rfc822;" + 3 * (octets))

/* The length of the path in args[0]: up to its closing '>', or, without brackets, up to a blank. Sendmail up to 8.17.1
 * can leave parameters after it in the same argument. */
size_t envelope_path_length(const char *text);

/* Finds the mailbox in a path of *length octets, without brackets and source route (RFC 5321 appendix C). Returns its
 * start, and sets *length to its length. */
const char *envelope_mailbox(const char *path, size_t *length);

/* Finds a parameter by name, in any case, in whichever argument the mail server has left it. Returns the whole
 * parameter, "NOTIFY=NEVER", with its length in *length; NULL if there is none. */
const char *envelope_parameter(char **args, const char *name, size_t *length);

/* Writes the ORCPT parameter for a mailbox of length octets to out[ENVELOPE_ORCPT_SIZE(length)]: in xtext, or unchanged
 * if it is UTF-8 (RFC 3461 section 4.2, RFC 6533 section 3). Returns 0; or -1 if UTF-8 has an octet that must be
 * encoded, because mail servers disagree on the encoding. */
int envelope_orcpt(char *out, const char *mailbox, size_t length);

#endif
