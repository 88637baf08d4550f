/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/sendmail/sendmail_run.h: runs Sendmail's makefile, its address test mode, and tells the running daemon to
 * restart. */
#ifndef MTA_SENDMAIL_SENDMAIL_RUN_H
#define MTA_SENDMAIL_SENDMAIL_RUN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* What the Makefile in the folder (Debian's, Red Hat's) calls this sendmail.cf, made of the .mc: cf_path or a constant; NULL
 * if there is none with a rule for it. */
const char *sendmail_target(const char *folder, const char *mc_path, const char *cf_path);

/* Makes this sendmail.cf, even if it is up to date, with this target of the Makefile in the folder. Returns 0, or -1 with err
 * (EX_UNAVAILABLE). */
int sendmail_make(const char *folder, const char *target, const char *cf_path, struct error *err);

/* Checks that Sendmail reads it (-bt). Returns 0, or -1 with err (EX_UNAVAILABLE) and the first line of its
 * complaint. */
int sendmail_try(const char *cf_path, struct error *err);

/* Asks Sendmail's rules, in its address test mode, about a stranger's mail to mailbox + names[i], "postmaster@" +
 * "old.example". ruleset is check_rcpt, or Basic_check_rcpt, which has nothing of ours. Sets denied[count]: whether the
 * result has the words. Returns 0, or -1 with err (EX_UNAVAILABLE). */
#define SENDMAIL_DENIES  "elaying denied"
#define SENDMAIL_REFUSES "$# error" /* for whatever reason */
int sendmail_ask(bool *denied, const char *words, const char *cf_path, const char *ruleset,
                 const char *mailbox, const char *const *names, size_t count, struct error *err);

/* Whether a Sendmail runs with this text of a sendmail.cf, and has not read the file since it was changed. */
bool sendmail_is_unread(const char *cf_path, const char *cf);

/* Tells the Sendmail that runs with this text of a sendmail.cf to restart (SIGHUP), and waits until its ports are open
 * again: half a minute at most. Returns 0, or -1 with err (EX_UNAVAILABLE), which says what is left to do. */
int sendmail_restart(const char *cf, struct error *err);

#endif
