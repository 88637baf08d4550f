/* mta/sendmail/sendmail_run.h: runs Sendmail's makefile, its address test mode, and tells the running daemon to
 * restart. */
#ifndef MTA_SENDMAIL_SENDMAIL_RUN_H
#define MTA_SENDMAIL_SENDMAIL_RUN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Makes this sendmail.cf, even if it is up to date, with the Makefile in the folder (Debian's, Red Hat's).
 * *made becomes false if there is none with a rule for it. Returns 0, or -1 with err (EX_UNAVAILABLE). */
int sendmail_make(bool *made, const char *folder, const char *cf_path, struct error *err);

/* Checks that Sendmail reads it (-bt). Returns 0, or -1 with err (EX_UNAVAILABLE) and the first line of its
 * complaint. */
int sendmail_try(const char *cf_path, struct error *err);

/* Types the commands, a line each, at the prompt of Sendmail's address test mode (-bt). Returns what it
 * prints, on the heap; or NULL with err (EX_UNAVAILABLE). */
char *sendmail_try_rules(const char *cf_path, const char *commands, struct error *err);

/* Asks Sendmail whether it would refuse to relay a stranger's mail to these domains. Returns for how many it
 * would, with *first one of domains; or -1 with err (EX_UNAVAILABLE). */
int sendmail_denied(const char *cf_path, const char *const *domains, size_t count,
                    const char **first, struct error *err);

/* Tells the Sendmail that runs with this text of a sendmail.cf to restart (SIGHUP). Returns whether there is
 * one. */
bool sendmail_restart(const char *cf);

#endif
