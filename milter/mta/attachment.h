/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/attachment.h: what the drivers of all mail servers need to put milter-moved into a configuration and to
 * take it out again. */
#ifndef MTA_ATTACHMENT_H
#define MTA_ATTACHMENT_H

#include "mta/files.h"
#include "mta/mta.h"

/* What is run after the files were changed. checks and reloads are NULL-terminated lists of argv, each
 * NULL-terminated; NULL for none. */
struct aftermath {
    int (*first)(void *data,
                 struct error *err); /* runs first; NULL: nothing. Returns 0, or -1 with err */
    void *data;
    const char *const *const *checks;  /* if one fails the change is taken back */
    const char *const *const *reloads; /* make the running server read its files again; likewise */
    bool names_all_copies;             /* the dated copies of earlier changes too */
};

/* What attach sets in our own configuration stands in a file of its own, in the folder FILE.d of milter-moved.conf. */
#define ATTACH_CONF "attach.conf"

/* Plan what it has for a server, "postfix"; a line that is for none goes, and so does an empty file. Each returns 0, or -1
 * with err. The first sets key to a string; the second takes the server's lines out; the third makes what is there the
 * server's too, and adds mode = "observe" if --observe was given: attachment_carry_out makes the daemon read it. */
int attachment_set_key(const struct mta_request *request, struct file_changes *changes,
                       const char *server, const char *key, const char *value, struct error *err);
int attachment_forget(const struct mta_request *request, struct file_changes *changes,
                      const char *server, struct error *err);
int attachment_share(const struct mta_request *request, struct file_changes *changes,
                     const char *server, struct error *err);

/* Whether the changes take out a line there that has this text. */
bool attachment_unsets(const struct file_changes *changes, const char *line);

/* Checks that the daemon answers on both sockets and can read its table: else all mail would be deferred from now on.
 * Returns 0, or -1 with err; without changes, and for --dry-run, that is a warning. */
int attachment_check_daemon(const struct mta_request *request, const struct file_changes *changes,
                            const char *socket, const char *lookups, struct error *err);

/* Has the changes confirmed, makes them, runs the aftermath, and says done; without changes it says nothing.
 * Returns 0, also if the changes were only to be shown; or -1 with err and all files as they were. */
int attachment_carry_out(const struct mta_request *request, struct file_changes *changes,
                         const struct aftermath *aftermath, const char *nothing, const char *done,
                         struct error *err);

#endif
