/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/sendmail/sendmail_m4.h: what attach writes for Sendmail: blocks between marker lines of sendmail.mc, and the m4 file that
 * they include: the rules by which Sendmail asks the map reply of the lookup socket about each recipient, and answers
 * with the texts of our configuration. Works on texts. cf.README of Sendmail, Local_check_rcpt. */
#ifndef MTA_SENDMAIL_SENDMAIL_M4_H
#define MTA_SENDMAIL_SENDMAIL_M4_H

#include "answer/settings.h"
#include "base/error.h"

#include <stdbool.h>

/* What our milter is called in a sendmail.cf. */
#define SENDMAIL_FILTER "milter-moved"

/* The text of sendmail.mc without our blocks, on the heap; NULL if memory is out. */
char *sendmail_mc_strip(const char *text);

/* Whether there is a MAILER line, before which our rules have to be. */
bool sendmail_mc_has_mailer(const char *text);

/* The stripped text with our blocks: one includes the m4 file at this path, before the mailers; the other, at the end and so
 * after all other filters, adds our milter with this socket, in the form of Sendmail (NULL: none). On the heap; NULL if memory
 * is out. */
char *sendmail_mc_add(const char *stripped, const char *m4_path, const char *milter);

/* Our first rule in Local_check_rcpt of sendmail.cf. */
#define SENDMAIL_M4_RULE "R$*\t\t\t$: $1 $| $>\"moved_rcpt\" $1"

/* The first of our texts, for any domain, that contains part; NULL for none. */
const char *sendmail_find_text(const struct settings *settings, const char *part);

/* The m4 file that sendmail.mc includes before its MAILER lines, on the heap; NULL with err. filter is the
 * name of our milter, which is added to the ports that have their own list of milters. unserved: also answer
 * for domains to which Sendmail refuses to relay. */
char *sendmail_m4(const struct settings *settings, const char *filter, bool unserved,
                  struct error *err);

#endif
