/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/pgsql.h: one connection to PostgreSQL, and statements over it. For the files pgsql*.c.
 *
 * libpq's own waits have no deadline once the server has stopped (SIGSTOP, a cut cable): PQexec and PQcancel hang, and
 * PQconnectPoll ignores connect_timeout and never tries a second host. So only the asynchronous calls are used, one host at
 * a time, each wait has a deadline, and a connection that is too slow is closed. */
#ifndef FOLLOW_PGSQL_H
#define FOLLOW_PGSQL_H

#include "follow/conninfo.h"
#include "follow/store.h"

#include <libpq-fe.h>

struct store {
    struct store_address address;
    struct conninfo *info;
    char schema[2 * 64 + 4]; /* quoted, followed by a dot */
    size_t host;             /* to try first */
    PGconn *conn;            /* NULL: none */
    bool has_prepared;       /* this connection has the statement of pgsql_ask_often */
    bool is_pool;            /* the server changes from one transaction to the next */
    bool writing;            /* between store_write_begin and commit or abort */
    bool copying;            /* rows are being sent */
    size_t unsent;           /* octets of them, roughly */
    size_t rows;             /* of this transaction: with many the server works for longer */
    int idle;                /* milliseconds since the server last sent something, at most */
};

/* Closes the connection, whatever state it is in. */
void pgsql_close(struct store *store);

/* Sends one statement, in which "@." stands for the schema, with count parameters as text. Connects first if
 * necessary, unless a transaction is open. Returns 0, or -1 with err. */
int pgsql_send(struct store *store, const char *statement, int count, const char *const *values,
               struct error *err);

/* Returns the next result, to be freed with PQclear; or NULL, with *rc 0 at the end, and -1 with err on an error, one of the
 * server too. */
PGresult *pgsql_next(struct store *store, int *rc, struct error *err);

/* Sends the statement, and returns its only result, to be freed with PQclear; or NULL with err. */
PGresult *pgsql_ask(struct store *store, const char *statement, int count,
                    const char *const *values, struct error *err);

/* As pgsql_ask, for the one statement that is sent all the time: prepared, it costs the server half. */
PGresult *pgsql_ask_often(struct store *store, const char *statement, struct error *err);

/* As pgsql_ask, for a statement without rows. Returns 0, or -1 with err. */
int pgsql_run(struct store *store, const char *statement, struct error *err);

/* Reads a line of COPY ... TO STDOUT, to be freed with PQfreemem. Returns its length, 0 at the end, or -1 with err. */
int pgsql_copy_line(struct store *store, char **line, struct error *err);

/* Sends octets of COPY ... FROM STDIN; NULL ends it. Returns 0, or -1 with err, then also if the server refuses the rows. */
int pgsql_copy_send(struct store *store, const char *data, int length, struct error *err);

/* Reads to the end of the results of a statement. Returns 0, or -1 with err. */
int pgsql_drain(struct store *store, struct error *err);

/* The number in a column of the first row. */
int64_t pgsql_number(const PGresult *result, int column);

#endif
