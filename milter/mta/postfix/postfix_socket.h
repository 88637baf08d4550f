/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/postfix/postfix_socket.h: the sockets of milter-moved as smtpd sees them: how smtpd_milters names ours,
 * whether Postfix can open it, and moving it to where a chrooted smtpd can. MILTER_README, master(5). */
#ifndef MTA_POSTFIX_POSTFIX_SOCKET_H
#define MTA_POSTFIX_POSTFIX_SOCKET_H

#include "base/endpoint.h"
#include "mta/mta.h"
#include "mta/postfix/postfix.h"

#include <stdbool.h>

/* The part of path below the queue folder; or path, if it is not in it. Borrowed from path. Every smtpd, in a chroot or not,
 * works in the queue folder. */
const char *postfix_see_path(const struct postfix *postfix, const char *path);

/* Whether a chrooted smtpd cannot see this socket, "unix:PATH" or "inet:PORT@HOST". */
bool postfix_is_out_of_chroot(const struct postfix *postfix, const char *socket);

/* Writes the socket into out[ENDPOINT_TEXT_SIZE] as smtpd_milters names it. A path in the queue folder becomes
 * relative to it, which is right with chroot and without. */
void postfix_name_milter(char *out, const struct postfix *postfix, const struct endpoint *socket);

/* Whether this address of a milter is our socket, in whatever form, to a service with or without chroot: smtpd works in the
 * queue folder, which with chroot is also its root. */
bool postfix_leads_to(const struct postfix *postfix, const char *address,
                      const struct endpoint *socket, bool chroot);

/* Whether a word of the text is such an address, with chroot or without. */
bool postfix_names(const struct postfix *postfix, const char *text, const struct endpoint *socket);

/* Checks that Postfix's account can open the socket. Returns 0, or -1 with err. */
int postfix_check_socket(const struct postfix *postfix, const char *socket, struct error *err);

/* Moves those of the daemon's two sockets that are not there into the queue folder, because the service called service is
 * chrooted to it: makes their folder, sets them in our configuration, and restarts the daemon if systemd runs it.
 * milter and lookups, each [ENDPOINT_TEXT_SIZE], become the new ones. Returns 0 if attach can go on; or -1 with err
 * (EX_TEMPFAIL: somebody else has to restart the daemon). */
int postfix_move_sockets(char *milter, char *lookups, const struct mta_request *request,
                         const struct postfix *postfix, const char *service, struct error *err);

/* After detach, once our configuration has no socket in the queue folder: removes the folder there, or says that it is left.
 * If it has been in use until now, the daemon is restarted before if systemd runs it. */
void postfix_leave_folder(const struct mta_request *request, const struct postfix *postfix,
                          bool in_use);

#endif
