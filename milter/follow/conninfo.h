/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/conninfo.h: a connection string of libpq, with all that libpq would take from elsewhere: the environment, a service
 * file, its own defaults. One set of parameters for each host, since libpq never gets to the second one where the first one
 * takes the connection and says nothing. */
#ifndef FOLLOW_CONNINFO_H
#define FOLLOW_CONNINFO_H

#include "base/error.h"

#include <stddef.h>

struct conninfo;

/* Reads the connection string or URI, which is the value of key. passfile "": libpq's own. Returns it, to be given to
 * conninfo_free; or NULL with err: EX_CONFIG not one, too many hosts, a host that is neither a unix socket nor loopback without
 * sslmode=verify-full, a passfile that others may read; EX_NOPERM a passfile that is missing or cannot be read. Connects to
 * nothing. */
struct conninfo *conninfo_new(const char *key, const char *text, const char *passfile,
                              struct error *err);

/* NULL is fine. */
void conninfo_free(struct conninfo *info);

size_t conninfo_hosts(const struct conninfo *info);

/* What to call this host in a message: "db1.example", "/run/postgresql", "192.0.2.7". */
const char *conninfo_host_name(const struct conninfo *info, size_t host);

/* The parameters of this host for PQconnectStartParams, with expand_dbname 0; without application_name where none is set.
 * Borrowed. */
void conninfo_params(const struct conninfo *info, size_t host, const char *const **keywords,
                     const char *const **values);

#endif
