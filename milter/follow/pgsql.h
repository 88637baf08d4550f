/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/pgsql.h: one connection to PostgreSQL, and statements over it, each wait of which has a deadline. For pgsql.c and the
 * files beside it that know what is asked.
 *
 * libpq's own waits know no deadline once the server has stopped (SIGSTOP, a cut cable): PQexec and PQcancel hang, and
 * connect_timeout is not kept by PQconnectPoll, which never tries a second host either. So only its asynchronous calls are used,
 * one host at a time, and a connection that is too slow is closed. */
#ifndef FOLLOW_PGSQL_H
#define FOLLOW_PGSQL_H

#include "follow/conninfo.h"
#include "follow/store.h"

#include <libpq-fe.h>

struct store {
    struct store_address address;
    struct conninfo *info;
    char schema[2 * 64 + 4]; /* quoted, with a dot after it */
    size_t host;             /* to try first */
    PGconn *conn;            /* NULL: none */
    bool has_prepared;       /* this connection has the statement of pgsql_ask_often */
    bool is_pool;            /* connections are handed round: they keep no such statement */
    bool listens;            /* this store is to be told of changes */
    bool writing;            /* between store_write_begin and commit or abort */
    bool copying;            /* rows are being sent */
    size_t unsent;           /* octets of them, roughly */
    int idle;                /* milliseconds since the server was last heard, at most */
};

/* Connects, unless it is connected. Returns 0, or -1 with err. */
int pgsql_connect(struct store *store, struct error *err);

/* Closes the connection, whatever state it is in. */
void pgsql_close(struct store *store);

/* Sends one statement, in which "@." stands for the schema, with count parameters as text. Connects before, if it has to and no
 * transaction is open. Returns 0, or -1 with err. */
int pgsql_send(struct store *store, const char *statement, int count, const char *const *values,
               struct error *err);

/* The next result, to be given to PQclear; NULL at the end of them, with *rc 0, or with *rc -1 and err. An error of the server is
 * an error here. */
PGresult *pgsql_next(struct store *store, int *rc, struct error *err);

/* Sends the statement, and returns its one result, the caller's; or NULL with err. */
PGresult *pgsql_ask(struct store *store, const char *statement, int count,
                    const char *const *values, struct error *err);

/* As pgsql_ask, for the one statement that is asked all the time: prepared, it costs the server half. */
PGresult *pgsql_ask_often(struct store *store, const char *statement, struct error *err);

/* As pgsql_ask where the result has no rows: 0, or -1. */
int pgsql_run(struct store *store, const char *statement, struct error *err);

/* One line of COPY ... TO STDOUT, to be given to PQfreemem: its length; 0 at the end; or -1 with err. */
int pgsql_copy_line(struct store *store, char **line, struct error *err);

/* Sends octets of COPY ... FROM STDIN. Returns 0, or -1 with err. */
int pgsql_copy_send(struct store *store, const char *data, int length, struct error *err);

/* Ends it. Returns 0, or -1 with err: what the server says of the rows. */
int pgsql_copy_end(struct store *store, struct error *err);

/* Reads to the end of the results of a statement. Returns 0, or -1 with err. */
int pgsql_drain(struct store *store, struct error *err);

/* The number in a column of the first row. */
int64_t pgsql_number(const PGresult *result, int column);

#endif
