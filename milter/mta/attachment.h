/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/attachment.h: what the drivers of all mail servers need to put milter-moved into a configuration and to
 * take it out again. */
#ifndef MTA_ATTACHMENT_H
#define MTA_ATTACHMENT_H

#include "mta/files.h"
#include "mta/mta.h"

/* One run of attach or detach, or a step of it. Free the changes. */
struct attachment {
    const struct mta_request *request;
    /* Its name in attach.conf: "postfix", "postfix:/etc/postfix-in", "sendmail". Borrowed. */
    const char *server;
    bool is_step; /* more follows: nothing is said to be done yet */
    /* Nothing changes, and the server has not read its files since they were changed */
    bool is_unread;
    struct file_changes changes;
};

/* What attach sets in our own configuration stands in a file of its own, in the folder FILE.d of milter-moved.conf. */
#define ATTACH_CONF "attach.conf"

/* Plans that this server too needs the lines of that file; with mode = "observe" if --observe was given (not in a step), and
 * with these values of socket and lookup_socket (NULL: as they are). attachment_carry_out makes the daemon read it.
 * Returns 0, or -1 with err, also if another server needs another value. */
int attachment_share(struct attachment *a, const char *socket, const char *lookups,
                     struct error *err);

/* Plans that this server no longer needs them: a line that no server needs is removed, and so is an empty file. Returns 0, or
 * -1 with err. */
int attachment_forget(struct attachment *a, struct error *err);

/* Whether the changes remove a line with this text from that file. */
bool attachment_unsets(const struct attachment *a, const char *line);

/* Checks that lookup_socket is set: title, "Postfix", would refuse removed mailboxes itself. Returns 0, or -1 with err. */
int attachment_check_lookups(const struct attachment *a, const char *title, struct error *err);

/* Checks that the daemon answers on both sockets and can read its table: else all mail would be deferred from now on.
 * Returns 0, or -1 with err; without changes, and for --dry-run, that is a warning. */
int attachment_check_daemon(const struct attachment *a, const char *socket, const char *lookups,
                            struct error *err);

/* Has the changes confirmed, makes them, and then calls activate, which checks them and makes the running server read them.
 * If it fails the changes are taken back, and it is called once more, with taken_back. Without changes it is called for a
 * server that has not read its files, because an earlier run was killed. Returns 0, also if the changes were
 * only to be shown; or -1 with err and all files as they were. */
int attachment_carry_out(struct attachment *a,
                         int (*activate)(void *data, bool taken_back, struct error *err),
                         void *data, struct error *err);

#endif
