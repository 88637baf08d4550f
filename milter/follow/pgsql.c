/* SPDX-License-Identifier: BSD-2-Clause */
#include "follow/pgsql.h"

#include "net/io.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT     "1"   /* of the schema, in moved_format */
#define UNSENT_MAX 65536 /* octets of COPY: libpq would take any number into memory */
#define ROW_RATE   1000  /* rows a second: a server that writes fewer is taken to stand still */
#define FIRST_WAIT 1     /* second for a host to accept a connection; the least of a retry */

/* ---- errors */

/* The first row that fits is taken. */
static const struct meaning {
    const char *state; /* the beginning of a SQLSTATE: appendix A of PostgreSQL's manual */
    int status;
    const char *mend;
} meanings[] = {
    {"23", EX_DATAERR, "write what the constraint asks for"},
    {"22", EX_DATAERR, "correct the value"},
    {"44", EX_DATAERR, "correct the value"},
    {"P0001", EX_DATAERR, "a trigger of the store refuses it"},
    {"28", EX_NOPERM, "check user, password and pg_hba.conf"},
    {"42501", EX_NOPERM, "grant moved_follow to read, moved_admin to write"},
    {"3D", EX_CONFIG, "correct dbname"},
    {"3F", EX_CONFIG, "run movedctl schema pgsql | psql, or correct source.schema"},
    {"42", EX_CONFIG, "run movedctl schema pgsql | psql, or correct source.schema"},
    {"40", EX_TEMPFAIL, "run the command again"},
    {"", EX_UNAVAILABLE, "see the log of the server"},
};

static int says(struct error *err, const char *state, const char *text)
{
    const struct meaning *at = meanings;
    while (strncmp(at->state, state, strlen(at->state)) != 0)
        at++;
    return error_set(err, at->status, "store: %.*s: %s", (int)strcspn(text, "\n"), text, at->mend);
}

/* libpq gives the SQLSTATE of an error while connecting only in the text: "FATAL:  28P01: password ...". */
static int refused_connection(struct store *store, struct error *err)
{
    char state[6] = "";
    int length = 0;
    const char *text = PQerrorMessage(store->conn), *at = text;
    while (length == 0 && (at = strstr(at, ":  ")) != NULL) {
        at += 3;
        (void)sscanf(at, "%5[0-9A-Z]: %n", state, &length);
    }
    if (length > 0)
        says(err, state, at + length);
    else if (PQconnectionNeedsPassword(store->conn))
        error_set(err, EX_NOPERM,
                  "store: no password for user '%s': write one into source.passfile",
                  PQuser(store->conn));
    else
        error_set(err, EX_UNAVAILABLE, "store: %.*s%s", (int)strcspn(text, "\n"), text,
                  strstr(text, "certificate verify failed") == NULL
                      ? ""
                      : ": it has expired, or no CA in sslrootcert has signed it: renew it, "
                        "or correct sslrootcert");
    return error_at(err, store->address.key, 0);
}

static int lost(struct store *store, const char *why, struct error *err)
{
    const char *host = PQhost(store->conn); /* NULL where there is no connection */
    error_set(err, EX_UNAVAILABLE, "store%s%s: %.*s", host == NULL ? "" : " on ",
              host == NULL ? "" : host, (int)strcspn(why, "\n"), why);
    pgsql_close(store);
    return error_at(err, store->address.key, 0);
}

/* Seconds to wait for an answer. */
static int patience(const struct store *store)
{
    return store->address.timeout + (int)(store->rows / ROW_RATE);
}

static int lost_with_errno(struct store *store, struct error *err)
{
    char text[96];
    if (errno != ETIMEDOUT)
        return lost(store, strerror(errno), err);
    snprintf(text, sizeof text, "no answer within %d s (source.timeout)", patience(store));
    return lost(store, text, err);
}

/* ---- connecting */

void pgsql_close(struct store *store)
{
    PQfinish(store->conn); /* NULL is fine */
    store->conn = NULL;
    store->writing = store->copying = store->has_prepared = store->is_pool = false;
    store->idle = 0;
}

/* A host that does not accept a connection is given up sooner than one that answers slowly. */
static int await_connection(struct store *store, struct error *err)
{
    const struct timespec end = io_deadline(store->address.timeout);
    PostgresPollingStatusType wants = PGRES_POLLING_WRITING;
    while (wants != PGRES_POLLING_OK) {
        if (wants == PGRES_POLLING_FAILED || PQstatus(store->conn) == CONNECTION_BAD)
            return refused_connection(store, err);
        const struct timespec deadline = PQstatus(store->conn) == CONNECTION_STARTED
                                             ? io_earlier(io_deadline(FIRST_WAIT), end)
                                             : end;
        if (io_wait(PQsocket(store->conn), wants == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                    &deadline) != 0)
            return lost_with_errno(store, err);
        PQsetErrorVerbosity(store->conn, PQERRORS_VERBOSE);
        wants = PQconnectPoll(store->conn);
    }
    PQsetErrorVerbosity(store->conn, PQERRORS_DEFAULT);
    return PQsetnonblocking(store->conn, 1) == 0 ? 0
                                                 : lost(store, PQerrorMessage(store->conn), err);
}

static void ignore_notice(void *unused, const PGresult *result)
{
    (void)unused;
    (void)result;
}

static void alive(const struct store *store)
{
    if (store->address.alive != NULL)
        store->address.alive();
}

static int connect_host(struct store *store, size_t host, struct error *err)
{
    alive(store);
    store->conn = conninfo_start(store->info, host, store->address.writes);
    if (store->conn == NULL)
        return error_no_memory(err);
    PQsetNoticeReceiver(store->conn, ignore_notice, NULL);
    return await_connection(store, err);
}

/* A database without an encoding may have octets that are not UTF-8, on which the server would end the statement. */
static int take_octets(struct store *store, struct error *err)
{
    const char *encoding = PQparameterStatus(store->conn, "server_encoding");
    if (encoding == NULL || strcmp(encoding, "SQL_ASCII") != 0)
        return 0;
    return pgsql_run(store, "SET client_encoding TO 'SQL_ASCII'", err);
}

/* Only a standby refuses LISTEN. */
static int listen_to(struct store *store, struct error *err)
{
    struct error unheard;
    if (!store->address.listens || pgsql_run(store, "LISTEN moved", &unheard) == 0)
        return 0;
    return store->conn != NULL ? 0 : (*err = unheard, -1);
}

static int check_format(struct store *store, struct error *err)
{
    PGresult *result = pgsql_ask(store, "SELECT format FROM @.moved_format", 0, NULL, err);
    if (result == NULL)
        return error_at(err, store->address.key, 0);
    const char *format = PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "none";
    int rc = strcmp(format, FORMAT) == 0
                 ? 0
                 : error_set(err, EX_CONFIG,
                             "%s: store: its schema has format %s, and this program knows " FORMAT
                             ": install the version of milter-moved that goes with it",
                             store->address.key, format);
    PQclear(result);
    return rc;
}

/* Connects, unless it is connected. Returns 0, or -1 with err. */
static int connect_to_any(struct store *store, struct error *err)
{
    size_t hosts = conninfo_hosts(store->info);
    if (store->conn != NULL)
        return 0;
    struct error worst = {.status = EX_OK};
    for (size_t i = 0; i < hosts; i++) {
        size_t host = (store->host + i) % hosts;
        if (connect_host(store, host, err) == 0 && take_octets(store, err) == 0 &&
            check_format(store, err) == 0 && listen_to(store, err) == 0) {
            store->host = host;
            return 0;
        }
        pgsql_close(store);
        if (worst.status == EX_OK || worst.status == EX_UNAVAILABLE)
            worst = *err;
    }
    *err = worst;
    return -1;
}

/* ---- statements */

static char *put_schema(const struct store *store, const char *statement)
{
    char *out = NULL;
    size_t size;
    FILE *file = open_memstream(&out, &size);
    if (file == NULL)
        return NULL;
    for (const char *at; (at = strstr(statement, "@.")) != NULL; statement = at + 2)
        fprintf(file, "%.*s%s", (int)(at - statement), statement, store->schema);
    fputs(statement, file);
    if (fclose(file) == 0)
        return out;
    free(out);
    return NULL;
}

/* Sends everything, and reads meanwhile, since a server that cannot send does not read either. */
static int flush(struct store *store, struct error *err)
{
    int rc;
    while ((rc = PQflush(store->conn)) == 1) {
        const struct timespec deadline = io_deadline(store->address.timeout);
        if (io_wait(PQsocket(store->conn), POLLIN | POLLOUT, &deadline) != 0)
            return lost_with_errno(store, err);
        if (PQconsumeInput(store->conn) == 0)
            return lost(store, PQerrorMessage(store->conn), err);
    }
    return rc == 0 ? 0 : lost(store, PQerrorMessage(store->conn), err);
}

static int sent(struct store *store, int is_sent, struct error *err)
{
    alive(store);
    return is_sent == 1 ? flush(store, err) : lost(store, PQerrorMessage(store->conn), err);
}

int pgsql_send(struct store *store, const char *statement, int count, const char *const *values,
               struct error *err)
{
    if (store->conn == NULL && store->writing)
        return error_set(err, EX_UNAVAILABLE, "store: the connection was lost");
    if (connect_to_any(store, err) != 0)
        return -1;
    char *text = put_schema(store, statement);
    if (text == NULL)
        return error_no_memory(err);
    int is_sent = count == 0
                      ? PQsendQuery(store->conn, text)
                      : PQsendQueryParams(store->conn, text, count, NULL, values, NULL, NULL, 0);
    free(text);
    return sent(store, is_sent, err);
}

/* A server that stopped after its last answer is to be noticed within the timeout from that answer. So the time since
 * then, up to half of the timeout, is subtracted, and a little for reporting it. */
static int await_input(struct store *store, struct error *err)
{
    int timeout = patience(store) * 1000, unheard = store->idle + timeout / 50;
    const struct timespec deadline =
        io_deadline_ms(timeout - (unheard < timeout / 2 ? unheard : timeout / 2));
    if (io_wait(PQsocket(store->conn), POLLIN, &deadline) != 0)
        return lost_with_errno(store, err);
    store->idle = 0;
    return PQconsumeInput(store->conn) == 1 ? 0 : lost(store, PQerrorMessage(store->conn), err);
}

/* An error that ends the connection has no SQLSTATE, or one of these classes; libpq notices the end later. */
static int failed(struct store *store, PGresult *result, struct error *err)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    /* "Key (old_address)=(al@old.example) already exists.", in whatever language. */
    const char *key = detail == NULL || strrchr(detail, ')') == NULL ? NULL : strstr(detail, "=(");
    if (state == NULL || strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0)
        lost(store, text == NULL ? PQresultErrorMessage(result) : text, err);
    else if (strncmp(state, "23514", 5) == 0 && constraint != NULL)
        error_set(err, EX_DATAERR, "store: it refuses the entry: %s", constraint);
    else if (strncmp(state, "23505", 5) == 0 && key != NULL)
        error_set(err, EX_DATAERR,
                  "store: '%.*s' already has an entry: see movedctl get, or use --replace",
                  (int)(strrchr(key, ')') - key - 2), key + 2);
    else
        says(err, state, text);
    PQclear(result);
    return -1;
}

PGresult *pgsql_next(struct store *store, int *rc, struct error *err)
{
    *rc = 0;
    while (PQisBusy(store->conn))
        if ((*rc = await_input(store, err)) != 0)
            return NULL;
    PGresult *result = PQgetResult(store->conn);
    ExecStatusType status = PQresultStatus(result);
    if (result == NULL || (status != PGRES_FATAL_ERROR && status != PGRES_BAD_RESPONSE))
        return result;
    *rc = failed(store, result, err);
    struct error rest;
    if (store->conn != NULL)
        (void)pgsql_drain(store, &rest);
    return NULL;
}

int pgsql_drain(struct store *store, struct error *err)
{
    PGresult *result;
    int rc;
    while ((result = pgsql_next(store, &rc, err)) != NULL)
        PQclear(result);
    return rc;
}

/* The only result of what was sent, if rc is 0; otherwise NULL. */
static PGresult *take_result(struct store *store, int rc, struct error *err)
{
    PGresult *result = rc == 0 ? pgsql_next(store, &rc, err) : NULL;
    if (result != NULL && pgsql_drain(store, err) != 0) {
        PQclear(result);
        return NULL;
    }
    return result;
}

PGresult *pgsql_ask(struct store *store, const char *statement, int count,
                    const char *const *values, struct error *err)
{
    return take_result(store, pgsql_send(store, statement, count, values, err), err);
}

/* Its name is the schema: through a pool it may be another host's statement, which is the same. */
static int prepare(struct store *store, const char *statement, struct error *err)
{
    if (connect_to_any(store, err) != 0)
        return -1;
    if (store->has_prepared)
        return 0;
    char *text = put_schema(store, statement);
    if (text == NULL)
        return error_no_memory(err);
    int rc = sent(store, PQsendPrepare(store->conn, store->schema, text, 0, NULL), err);
    free(text);
    if (rc == 0)
        rc = pgsql_drain(store, err);
    store->has_prepared = rc == 0;
    return rc;
}

PGresult *pgsql_ask_often(struct store *store, const char *statement, struct error *err)
{
    if (!store->is_pool) {
        int rc = prepare(store, statement, err);
        if (rc == 0)
            rc = sent(store,
                      PQsendQueryPrepared(store->conn, store->schema, 0, NULL, NULL, NULL, 0), err);
        PGresult *result = take_result(store, rc, err);
        if (result != NULL || store->conn == NULL)
            return result;
        store->is_pool = true;
    }
    return pgsql_ask(store, statement, 0, NULL, err);
}

int pgsql_run(struct store *store, const char *statement, struct error *err)
{
    PGresult *result = pgsql_ask(store, statement, 0, NULL, err);
    PQclear(result); /* NULL is fine */
    return result == NULL ? -1 : 0;
}

/* ---- COPY */

int pgsql_copy_line(struct store *store, char **line, struct error *err)
{
    int length;
    while ((length = PQgetCopyData(store->conn, line, 1)) == 0)
        if (await_input(store, err) != 0)
            return -1;
    if (length > 0)
        return length;
    int rc = pgsql_drain(store, err);
    return rc == 0 && length != -1 ? lost(store, PQerrorMessage(store->conn), err) : rc;
}

int pgsql_copy_send(struct store *store, const char *data, int length, struct error *err)
{
    int rc;
    if (store->conn == NULL)
        return error_set(err, EX_UNAVAILABLE, "store: the connection was lost");
    while ((rc = data == NULL ? PQputCopyEnd(store->conn, NULL)
                              : PQputCopyData(store->conn, data, length)) == 0)
        if (flush(store, err) != 0)
            return -1;
    if (rc != 1)
        return lost(store, PQerrorMessage(store->conn), err);
    store->unsent += (size_t)length;
    if (data != NULL && store->unsent < UNSENT_MAX)
        return 0;
    store->unsent = 0;
    if (flush(store, err) != 0)
        return -1;
    return data == NULL ? pgsql_drain(store, err) : 0;
}

/* ---- columns */

int64_t pgsql_number(const PGresult *result, int column)
{
    return strtoll(PQgetvalue(result, 0, column), NULL, 10);
}

/* ---- the store */

/* The schema is a name, and may hold a quote. */
static void quote_schema(char *out, const char *schema)
{
    *out++ = '"';
    for (; *schema != '\0'; *out++ = *schema++)
        if (*schema == '"')
            *out++ = '"';
    memcpy(out, "\".", 3);
}

int store_new(struct store **out, const struct store_address *address, struct error *err)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return error_no_memory(err);
    store->address = *address;
    quote_schema(store->schema, address->schema);
    store->info = conninfo_new(address->key, address->connect, address->passfile, err);
    if (store->info == NULL) {
        free(store);
        return -1;
    }
    *out = store;
    return 0;
}

void store_free(struct store *store)
{
    if (store == NULL)
        return;
    pgsql_close(store);
    conninfo_free(store->info);
    free(store);
}
