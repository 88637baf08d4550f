/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/sendmail/sendmail_m4.h: writes the rules by which Sendmail asks the map reply of the lookup socket about
 * each recipient, and answers with the texts of our configuration. cf.README of Sendmail, Local_check_rcpt. */
#ifndef MTA_SENDMAIL_SENDMAIL_M4_H
#define MTA_SENDMAIL_SENDMAIL_M4_H

#include "answer/settings.h"
#include "base/error.h"

#include <stdbool.h>

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
