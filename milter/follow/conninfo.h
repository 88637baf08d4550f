/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/conninfo.h: a connection string of libpq, together with what libpq would take from elsewhere: the environment, a
 * service file, its own defaults. The hosts in it are connected to one by one, since libpq does not go on to the second
 * one if the first accepts the connection and then sends nothing. */
#ifndef FOLLOW_CONNINFO_H
#define FOLLOW_CONNINFO_H

#include "base/error.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

struct conninfo;

/* Reads the connection string or URI, which is the value of key. If passfile is not "", it replaces libpq's own. It
 * must outlive the result, which is freed with conninfo_free. Returns NULL with err: EX_CONFIG if the string is
 * invalid, names too many hosts, or names a host that is neither a unix socket nor loopback without sslmode=verify-full,
 * or if others may read passfile; EX_NOPERM if passfile is missing or cannot be read. Connects to nothing. */
struct conninfo *conninfo_new(const char *key, const char *text, const char *passfile,
                              struct error *err);

void conninfo_free(struct conninfo *info); /* NULL is allowed */

size_t conninfo_hosts(const struct conninfo *info);

/* Starts to connect to this host, as PQconnectStart does. writes: a standby is refused. Returns NULL if memory is out. */
PGconn *conninfo_start(const struct conninfo *info, size_t host, bool writes);

#endif
