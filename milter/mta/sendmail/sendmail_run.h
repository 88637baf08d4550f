/* mta/sendmail/sendmail_run.h: Sendmail's own programs, on a sendmail.cf: its makefile, sendmail -bt, the running
 * daemon. */
#ifndef MTA_SENDMAIL_SENDMAIL_RUN_H
#define MTA_SENDMAIL_SENDMAIL_RUN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Has the Makefile in the folder (Debian's, Red Hat's) make this sendmail.cf, however new that is. *made
 * becomes false where there is none that knows how, and nothing is done. Returns 0, or -1 with err
 * (EX_UNAVAILABLE). */
int sendmail_make(bool *made, const char *folder, const char *cf_path, struct error *err);

/* Has Sendmail read it (-bt). Returns 0, or -1 with err (EX_UNAVAILABLE) that has the first thing it says. */
int sendmail_try(const char *cf_path, struct error *err);

/* Asks Sendmail whether it would refuse to relay a stranger's mail to these domains. Returns for how many it would,
 * with *first one of domains; or -1 with err (EX_UNAVAILABLE). */
int sendmail_denied(const char *cf_path, const char *const *domains, size_t count,
                    const char **first, struct error *err);

/* Tells the Sendmail that runs by the file with this text to start itself anew. Returns whether there is
 * one that could be told. */
bool sendmail_restart(const char *cf);

#endif
