/* net/probe.h: asks a running daemon whether it is there. Bounded to a few seconds. */
#ifndef NET_PROBE_H
#define NET_PROBE_H

#include "base/error.h"

#include <stddef.h>
#include <sys/types.h>

/* Connects to a socket as the configuration writes it: "unix:PATH", "inet:PORT@HOST",
 * "inet6:PORT@HOST". Returns the descriptor, or -1 with err (EX_UNAVAILABLE, EX_NOPERM). */
int probe_connect(const char *socket, struct error *err);

/* The process that listens on a unix socket (unix(7), SO_PEERCRED); 0 where that cannot be told. */
pid_t probe_listener(const char *socket);

/* Asks the daemon on its lookup socket ("unix:PATH") for its counters: each is called with "NAME VALUE"
 * parted, in the daemon's order, until it returns other than 0. Returns what it returned last; or -1 with
 * err (EX_UNAVAILABLE; EX_PROTOCOL where it is another program that answers). */
int probe_stats(const char *socket,
                int (*each)(const char *name, const char *value, void *data, struct error *err),
                void *data, struct error *err);

/* Asks it on its lookup socket for "MAP KEY" (at most 2,000 octets): the answer, "OK VALUE" or "NOTFOUND ", in out[size].
 * Returns 0, or -1 with err as for probe_stats. */
int probe_lookup(const char *socket, const char *request, char *out, size_t size,
                 struct error *err);

/* Asks on its milter socket what it wants to hear, as a mail server begins. Returns 0, or -1 with err as for
 * probe_stats. */
int probe_milter(const char *socket, struct error *err);

#endif
