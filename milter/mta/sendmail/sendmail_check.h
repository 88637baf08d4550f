/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/sendmail/sendmail_check.h: what attach checks in the text of a sendmail.cf, cf, before and after
 * milter-moved is in it. Each int function returns 0, or -1 with err (EX_CONFIG) unless it says otherwise.
 * cf_path and mc_path are for messages. */
#ifndef MTA_SENDMAIL_SENDMAIL_CHECK_H
#define MTA_SENDMAIL_SENDMAIL_CHECK_H

#include "base/error.h"

/* Whether Sendmail is willing and able to open this socket of ours. */
int sendmail_check_reach(const char *cf, const char *socket, struct error *err);

/* Whether the name of our map is free: it is part of what the lookup server is asked. */
int sendmail_check_map_name(const char *cf, const char *cf_path, struct error *err);

/* Whether the milter called filter is asked, and says which ports have a list without it. */
int sendmail_check_filters(const char *cf, const char *mc_path, const char *filter,
                           struct error *err);
void sendmail_say_ports(const char *cf, const char *filter, void (*say)(const char *format, ...));

/* Whether our rule is the first of Local_check_rcpt. Rules before it may change the address. */
int sendmail_check_first_rule(const char *cf, const char *mc_path, struct error *err);

#endif
