/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/pgsql_read.c: reads what has changed in the store, or all rows */
#include "follow/pgsql.h"
#include "follow/sql.h"

#include "net/io.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns of head.sql's results, and of delta.sql's. */
enum { ORD, SUB, VERSION, NONCE, KNOWN, REPLICA, EMPTY, WHOLE, ACCEPTED, GONE, WHOLE_SINCE, SLOT };
enum { AUTHOR = NONCE + 1, PROGRAM };
enum { OLD = VERSION + 1, PRESENT, NEW, ACTION, FROM, UNTIL, FORWARD_UNTIL, DISCLOSE, NOTE };

/* Of the first row; NULL where it is null. */
static const char *column_text(const PGresult *result, int column)
{
    return PQgetisnull(result, 0, column) ? NULL : PQgetvalue(result, 0, column);
}

static bool is_true(const PGresult *result, int column)
{
    return PQgetvalue(result, 0, column)[0] == 't';
}

static int no_version(const struct store *store, struct error *err)
{
    return error_set(err, EX_CONFIG,
                     "%s: store: moved_version is empty: run movedctl schema pgsql | psql",
                     store->address.key);
}

/* It reads one table: each host asks this twice a second. */
static const char newest[] = "SELECT version, nonce, pg_is_in_recovery() FROM @.moved_version "
                             "ORDER BY version DESC LIMIT 1";

int store_poll(struct store *store, struct store_head *out, struct error *err)
{
    PGresult *result = pgsql_ask_often(store, newest, err);
    if (result == NULL)
        return -1;
    int rc = PQntuples(result) == 1 ? 0 : no_version(store, err);
    if (rc == 0) {
        *out = (struct store_head){.version = pgsql_number(result, 0),
                                   .is_replica = is_true(result, 2)};
        snprintf(out->nonce, sizeof out->nonce, "%s", PQgetvalue(result, 0, 1));
    }
    PQclear(result);
    return rc;
}

static void read_head(struct store_head *out, const PGresult *result)
{
    *out = (struct store_head){.version = pgsql_number(result, VERSION),
                               .knows_mark = is_true(result, KNOWN),
                               .is_replica = is_true(result, REPLICA),
                               .is_empty = is_true(result, EMPTY),
                               .whole = is_true(result, WHOLE),
                               .accepted = pgsql_number(result, ACCEPTED),
                               .gone_since = pgsql_number(result, GONE),
                               .whole_since = is_true(result, WHOLE_SINCE)};
    snprintf(out->nonce, sizeof out->nonce, "%s", PQgetvalue(result, 0, NONCE));
}

/* Sends head.sql and what follows it. */
static int send_head(struct store *store, const char *behind, const struct mark *mark,
                     int64_t since, struct error *err)
{
    char version[24], after[24], *statement;
    const char *const values[] = {version, mark->nonce, after};
    snprintf(version, sizeof version, "%lld", (long long)mark->version);
    snprintf(after, sizeof after, "%lld", (long long)since);
    if (asprintf(&statement, "%s%s", sql_head, behind) < 0)
        return error_no_memory(err);
    int rc = pgsql_send(store, statement, 3, values, err);
    free(statement);
    return rc;
}

/* ---- a delta */

static int give_row(const PGresult *result, const struct store_reader *reader, struct error *err)
{
    const struct entry_text row = {.old = column_text(result, OLD),
                                   .new = column_text(result, NEW),
                                   .action = column_text(result, ACTION),
                                   .from = column_text(result, FROM),
                                   .until = column_text(result, UNTIL),
                                   .forward_until = column_text(result, FORWARD_UNTIL),
                                   .disclose = column_text(result, DISCLOSE),
                                   .note = column_text(result, NOTE)};
    return reader->row(&row, is_true(result, PRESENT), reader->data, err);
}

static int give(const PGresult *result, struct store_head *head, const struct store_reader *reader,
                struct error *err)
{
    if (PQntuples(result) == 0) /* what single-row mode ends with */
        return 0;
    int64_t ord = pgsql_number(result, ORD);
    if (ord == 0)
        read_head(head, result);
    if (ord == 0)
        return 0;
    if (ord == 1)
        return reader->gone(PQgetvalue(result, 0, OLD), reader->data, err);
    if (pgsql_number(result, SUB) == 1)
        return give_row(result, reader, err);
    return reader->version(pgsql_number(result, VERSION), PQgetvalue(result, 0, NONCE),
                           PQgetvalue(result, 0, AUTHOR), PQgetvalue(result, 0, PROGRAM),
                           reader->data, err);
}

int store_delta(struct store *store, const struct mark *mark, struct store_head *out,
                const struct store_reader *reader, struct error *err)
{
    PGresult *result;
    int rc = send_head(store, sql_delta, mark, mark->version, err);
    if (rc == 0)
        PQsetSingleRowMode(store->conn);
    while (rc == 0 && (result = pgsql_next(store, &rc, err)) != NULL) {
        rc = give(result, out, reader, err);
        PQclear(result);
        if (rc != 0)
            pgsql_close(store); /* the rest would still come */
    }
    return rc;
}

/* ---- all rows */

/* Takes a field of a line of COPY, in place: PostgreSQL's manual, COPY, text format. NULL: it is null. */
static const char *take_field(char **rest)
{
    static const char letters[] = "bfnrtv", octets[] = "\b\f\n\r\t\v";
    char *field = *rest, *out = *rest, *at = *rest;
    bool is_null = at[0] == '\\' && at[1] == 'N';
    for (; *at != '\t' && *at != '\n' && *at != '\0'; at++) {
        const char *letter = NULL;
        if (*at == '\\' && *++at != '\0')
            letter = strchr(letters, *at);
        *out++ = letter == NULL ? *at : octets[letter - letters];
    }
    *rest = *at == '\0' ? at : at + 1;
    *out = '\0';
    return is_null ? NULL : field;
}

static int give_line(char *line, const struct store_reader *reader, struct error *err)
{
    struct entry_text row = {.now = TIMESTAMP_NONE};
    for (size_t i = 0; i < ENTRY_FIELDS; i++)
        row.values[i] = take_field(&line);
    return reader->row(&row, true, reader->data, err);
}

static int read_rows(struct store *store, const struct store_reader *reader, struct error *err)
{
    char *line = NULL;
    int length, rc = pgsql_send(store, sql_rows, 0, NULL, err);
    PGresult *result = rc == 0 ? pgsql_next(store, &rc, err) : NULL;
    PQclear(result);
    if (result == NULL)
        return -1;
    while (rc == 0 && (length = pgsql_copy_line(store, &line, err)) != 0) {
        rc = length < 0 ? -1 : give_line(line, reader, err);
        PQfreemem(line);
        line = NULL;
    }
    return rc;
}

/* Returns 0, 1 where no slot is free, or -1 with err. */
static int ask_head(struct store *store, const struct mark *mark, int64_t since,
                    struct store_head *out, struct error *err)
{
    int rc = send_head(store, sql_whole, mark, since, err);
    PGresult *result = rc == 0 ? pgsql_next(store, &rc, err) : NULL;
    if (result == NULL || pgsql_drain(store, err) != 0) {
        rc = -1;
    } else if (PQntuples(result) != 1) {
        rc = no_version(store, err);
    } else {
        read_head(out, result);
        rc = is_true(result, SLOT) ? 0 : 1;
    }
    PQclear(result);
    return rc;
}

int store_whole(struct store *store, const struct mark *mark, int64_t since, struct store_head *out,
                const struct store_reader *reader, struct error *err)
{
    if (pgsql_run(store, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err) != 0)
        return -1;
    int rc = ask_head(store, mark, since, out, err);
    if (rc == 0)
        rc = read_rows(store, reader, err);
    if (rc >= 0 && pgsql_run(store, "COMMIT", err) != 0)
        rc = -1;
    if (rc < 0)
        pgsql_close(store);
    return rc;
}

/* ---- being told */

static bool is_told(struct store *store)
{
    PGnotify *told;
    bool any = false;
    while ((told = PQnotifies(store->conn)) != NULL) {
        PQfreemem(told);
        any = true;
    }
    return any;
}

void store_wait(struct store *store, int milliseconds)
{
    const struct timespec end = io_deadline_ms(milliseconds);
    if (store == NULL || store->conn == NULL) {
        (void)poll(NULL, 0, milliseconds);
        return;
    }
    store->idle = milliseconds;
    while (!is_told(store) && io_wait(PQsocket(store->conn), POLLIN, &end) == 0) {
        if (PQconsumeInput(store->conn) == 0)
            break; /* it ended: the next call says so */
        store->idle = 0;
    }
}
