/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/pgsql_write.c: changes the store. COPY fills a temporary table, from which three statements change moved: ten rows or
 * ten million take the same way. */
#include "follow/pgsql.h"

#include "table/entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int store_write_begin(struct store *store, const char *author, const char *program,
                      struct error *err)
{
    const char *const values[] = {author, program};
    if (pgsql_run(store, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", err) != 0)
        return -1;
    store->writing = true;
    store->rows = 0;
    PGresult *result = pgsql_ask(store,
                                 "SELECT set_config('moved.author', $1, true), "
                                 "set_config('moved.program', $2, true)",
                                 2, values, err);
    PQclear(result);
    if (result == NULL || pgsql_run(store,
                                    "CREATE TEMPORARY TABLE moved_put ON COMMIT DROP AS "
                                    "SELECT *, false AS gone FROM @.moved LIMIT 0",
                                    err) != 0) {
        store_write_abort(store);
        return -1;
    }
    return 0;
}

int store_write_has_newer(struct store *store, int64_t version, const char *host, bool *out,
                          struct error *err)
{
    char number[24];
    const char *const values[] = {number, host};
    snprintf(number, sizeof number, "%lld", (long long)version);
    PGresult *result = pgsql_ask(store,
                                 "SELECT FROM @.moved_version WHERE version > $1::bigint AND "
                                 "right(author, length($2)) = $2 AND program LIKE 'movedctl %' "
                                 "LIMIT 1",
                                 2, values, err);
    if (result == NULL)
        return -1;
    *out = PQntuples(result) > 0;
    PQclear(result);
    return 0;
}

/* A field of COPY's text format, and the separator after it. "" is null. */
static void put_field(FILE *line, const char *text, char end)
{
    if (*text == '\0')
        fputs("\\N", line);
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            fputc('\\', line);
        fputc(*text, line);
    }
    fputc(end, line);
}

static void put_moment(FILE *line, int64_t moment)
{
    char text[TIMESTAMP_TEXT_SIZE];
    timestamp_format(text, sizeof text, moment);
    put_field(line, text, '\t');
}

int store_write_row(struct store *store, const struct entry *entry, bool gone, struct error *err)
{
    char old[ADDRESS_TEXT_SIZE], line[4 * (ADDRESS_TEXT_SIZE + ENTRY_NOTE_MAX)];
    FILE *file = fmemopen(line, sizeof line, "w");
    if (file == NULL)
        return error_no_memory(err);
    entry_format_old(old, sizeof old, entry);
    put_field(file, old, '\t');
    put_field(file, entry->new, '\t');
    put_field(file, entry_action_name(entry->action), '\t');
    put_moment(file, entry->from);
    put_moment(file, entry->until);
    put_moment(file, entry->forward_until);
    put_field(file, entry_disclose_name(entry->disclose), '\t');
    put_field(file, entry->note, '\t');
    put_field(file, gone ? "t" : "f", '\n');
    long length = ftell(file);
    fclose(file);
    if (!store->copying) {
        int rc = pgsql_send(store, "COPY pg_temp.moved_put FROM STDIN", 0, NULL, err);
        PGresult *result = rc == 0 ? pgsql_next(store, &rc, err) : NULL;
        PQclear(result);
        store->copying = result != NULL;
    }
    store->rows++;
    return store->copying ? pgsql_copy_send(store, line, (int)length, err) : -1;
}

/* ---- carrying it out */

static int count(struct store *store, const char *statement, size_t *out, struct error *err)
{
    PGresult *result = pgsql_ask(store, statement, 0, NULL, err);
    if (result == NULL)
        return -1;
    *out = strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return 0;
}

#define COLUMNS                                                                                    \
    "old_address, new_address, action, valid_from, valid_until, forward_until, disclose, note"
#define PUT                                                                                        \
    "INSERT INTO @.moved (" COLUMNS ") SELECT " COLUMNS " FROM pg_temp.moved_put p WHERE NOT gone"
#define DIFFERS                                                                                    \
    "(m.new_address, coalesce(m.action, 'reject'), m.valid_from, m.valid_until, m.forward_until, " \
    "m.disclose, m.note) IS DISTINCT FROM (p.new_address, p.action, p.valid_from, p.valid_until, " \
    "p.forward_until, p.disclose, p.note)"

static int replace_rows(struct store *store, struct store_written *out, struct error *err)
{
    size_t all = 0;
    if (count(store,
              "UPDATE @.moved m SET (new_address, action, valid_from, valid_until, forward_until, "
              "disclose, note) = (p.new_address, p.action, p.valid_from, p.valid_until, "
              "p.forward_until, p.disclose, p.note) FROM pg_temp.moved_put p "
              "WHERE NOT p.gone AND m.old_address = p.old_address AND " DIFFERS,
              &out->changed, err) != 0 ||
        count(store,
              PUT " AND NOT EXISTS (SELECT FROM @.moved m WHERE m.old_address = p.old_address)",
              &out->added, err) != 0 ||
        count(store, "SELECT FROM pg_temp.moved_put WHERE NOT gone", &all, err) != 0)
        return -1;
    out->same = all - out->added - out->changed;
    return 0;
}

int store_write_apply(struct store *store, bool replace, struct store_written *out,
                      struct error *err)
{
    size_t all = 0;
    *out = (struct store_written){0, 0, 0, 0, 0};
    if (store->copying) {
        store->copying = false;
        if (pgsql_copy_send(store, NULL, 0, err) != 0)
            return -1;
    }
    if (count(store,
              "DELETE FROM @.moved m USING pg_temp.moved_put p "
              "WHERE p.gone AND m.old_address = p.old_address",
              &out->removed, err) != 0 ||
        count(store, "SELECT DISTINCT old_address FROM pg_temp.moved_put WHERE gone", &all, err) !=
            0)
        return -1;
    out->absent = all - out->removed;
    return replace ? replace_rows(store, out, err) : count(store, PUT, &out->added, err);
}

/* The version is final, since the lock is held until the commit is done. */
static int stamp(struct store *store, int64_t *version, struct error *err)
{
    if (pgsql_run(store, "SET CONSTRAINTS ALL IMMEDIATE", err) != 0)
        return -1;
    PGresult *result = pgsql_ask(store,
                                 "SELECT coalesce(max(version), 0) FROM @.moved_version "
                                 "WHERE began = transaction_timestamp() AND transaction = "
                                 "pg_current_xact_id_if_assigned()::text::bigint "
                                 "AND version > (SELECT max(version) - 10 FROM @.moved_version)",
                                 0, NULL, err);
    if (result == NULL)
        return -1;
    *version = pgsql_number(result, 0);
    PQclear(result);
    return 0;
}

int store_write_commit(struct store *store, int64_t *version, struct error *err)
{
    if (stamp(store, version, err) != 0)
        return -1;
    int rc = pgsql_run(store, "COMMIT", err);
    if (rc != 0 && store->conn == NULL) {
        char why[sizeof err->text];
        snprintf(why, sizeof why, "%s", err->text);
        error_set(err, EX_TEMPFAIL,
                  "%s: nobody knows whether the change was made: look, and run the command again",
                  why);
    }
    store->writing = false;
    return rc;
}

void store_write_abort(struct store *store)
{
    struct error unheard;
    if (store->copying || !store->writing)
        pgsql_close(store); /* which rolls back */
    else
        (void)pgsql_run(store, "ROLLBACK", &unheard);
    store->writing = false;
}

int store_accept(struct store *store, const char *author, const char *program, struct error *err)
{
    int64_t version;
    if (store_write_begin(store, author, program, err) != 0)
        return -1;
    if (pgsql_run(store, "SELECT @.moved_accept()", err) == 0)
        return store_write_commit(store, &version, err);
    store_write_abort(store);
    return -1;
}
