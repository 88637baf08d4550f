/* SPDX-License-Identifier: BSD-2-Clause */
/* net/probe.h: asks a running daemon on its sockets. No call takes more than a few seconds. */
#ifndef NET_PROBE_H
#define NET_PROBE_H

#include "base/error.h"

#include <stddef.h>
#include <sys/types.h>

/* Connects to a socket as the configuration writes it: "unix:PATH", "inet:PORT@HOST",
 * "inet6:PORT@HOST". Returns the descriptor; or -1 with err (EX_UNAVAILABLE, EX_NOPERM, EX_CONFIG). */
int probe_connect(const char *socket, struct error *err);

/* The process that listens on a unix socket (unix(7), SO_PEERCRED); 0 if it cannot be determined. */
pid_t probe_listener(const char *socket);

/* Asks the daemon on its lookup socket ("unix:PATH") for its counters. Calls each with the name and the value of
 * one, in the daemon's order, until it returns other than 0. Returns what each returned last; or -1 with
 * err (EX_UNAVAILABLE; EX_PROTOCOL if another program answers). */
int probe_stats(const char *socket,
                int (*each)(const char *name, const char *value, void *data, struct error *err),
                void *data, struct error *err);

/* Sends the request "MAP KEY" (at most 2,000 octets) to the lookup socket: the answer, "OK VALUE" or "NOTFOUND ",
 * is written to out[size]. Returns 0, or -1 with err as for probe_stats. */
int probe_lookup(const char *socket, const char *request, char *out, size_t size,
                 struct error *err);

/* Opens a session on its milter socket, as a mail server does: while it is open the map listed may say yes. Returns
 * the descriptor, for probe_milter_close; or -1 with err as for probe_stats. */
int probe_milter_open(const char *socket, struct error *err);

/* Ends the session. -1 is allowed. */
void probe_milter_close(int fd);

#endif
