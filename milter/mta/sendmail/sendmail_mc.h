/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/sendmail/sendmail_mc.h: what attach puts into a sendmail.mc, between marker lines. Works on its text. */
#ifndef MTA_SENDMAIL_SENDMAIL_MC_H
#define MTA_SENDMAIL_SENDMAIL_MC_H

#include <stdbool.h>

/* The text without our blocks, on the heap; NULL if memory is out. */
char *sendmail_mc_strip(const char *text);

/* Whether there is a MAILER line, before which our rules have to be. */
bool sendmail_mc_has_mailer(const char *text);

/* The stripped text with our blocks: one includes the m4 file at this path, before the mailers; the other, at the end and so
 * after all other filters, adds our milter with this socket, in the form of Sendmail (NULL: none). On the heap; NULL if memory
 * is out. */
char *sendmail_mc_add(const char *stripped, const char *m4_path, const char *milter);

#endif
