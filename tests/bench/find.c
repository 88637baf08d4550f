/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/bench/find.c: what finding an entry costs beside a bare mdb_get of the same key in the same file.
 * usage: find TABLE ENTRIES SECONDS
 *   ENTRIES  the table has u0000000@old.example up to this number
 * prints: nanoseconds of a look-up in a view of its own, of mdb_get in a transaction of its own, of a look-up in a view
 * that is open, of mdb_get in a transaction that is open. They are asked by turns, for the same entries. */
#include "table/record.h"
#include "table/table.h"
#include "table/table_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TURN 1000 /* look-ups of one kind, then of the next */

static struct table *table;
static struct table_view *view;
static MDB_txn *txn;
static unsigned entries;

static void fail(const char *what)
{
    fprintf(stderr, "find: %s\n", what);
    exit(EXIT_FAILURE);
}

static void find_in(struct table_view *in, const char *local)
{
    struct entry entry;
    struct error err;
    if (table_find(in, ENTRY_MAILBOX, local, "old.example", &entry, &err) != TABLE_FOUND ||
        entry.new[0] != 'u')
        fail("an entry is not found");
}

static void get_in(MDB_txn *in, const char *local)
{
    char text[RECORD_KEY_MAX];
    MDB_val value,
        key = {.mv_size = record_key(text, ENTRY_MAILBOX, local, "old.example"), .mv_data = text};
    if (mdb_get(in, table->entries, &key, &value) != 0 || value.mv_size < 5 ||
        ((const char *)value.mv_data)[5] != 'u')
        fail("a key is not found");
}

static void find_alone(const char *local)
{
    struct error err;
    struct table_view *own = table_view_open(table, &err);
    if (own == NULL)
        fail(err.text);
    find_in(own, local);
    table_view_close(own);
}

static void get_alone(const char *local)
{
    static MDB_txn *own;
    if ((own == NULL ? mdb_txn_begin(table->env, NULL, MDB_RDONLY, &own) : mdb_txn_renew(own)) != 0)
        fail("no transaction");
    get_in(own, local);
    mdb_txn_reset(own);
}

static void find_open(const char *local)
{
    find_in(view, local);
}

static void get_open(const char *local)
{
    get_in(txn, local);
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* A turn: the same entries for each kind, chosen by turn. */
static double ask(void (*how)(const char *local), unsigned long turn)
{
    char local[32];
    unsigned long state = turn * 2654435761u + 1;
    double began = now_ns();
    for (int i = 0; i < TURN; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        snprintf(local, sizeof local, "u%07lu", (state >> 33) % entries);
        how(local);
    }
    return now_ns() - began;
}

/* What writing the name costs is in all four, and is taken off. */
static void nothing(const char *local)
{
    if (local[0] != 'u')
        fail("no name");
}

int main(int argc, char **argv)
{
    static void (*const kinds[])(const char *) = {find_alone, get_alone, find_open, get_open,
                                                  nothing};
    double spent[5] = {0};
    struct error err;
    if (argc != 4)
        fail("usage: find TABLE ENTRIES SECONDS");
    entries = (unsigned)atoi(argv[2]);
    if (table_open(&table, argv[1], TABLE_READ, true, &err) != 0 ||
        (view = table_view_open(table, &err)) == NULL)
        fail(err.text);
    if (mdb_txn_begin(table->env, NULL, MDB_RDONLY, &txn) != 0)
        fail("no transaction");

    unsigned long turns = 0;
    for (double end = now_ns() + 1e9 * atof(argv[3]); now_ns() < end; turns++)
        for (int kind = 0; kind < 5; kind++) /* each is the first one to touch the pages by turns */
            spent[(kind + turns) % 5] += ask(kinds[(kind + turns) % 5], turns);
    for (int kind = 0; kind < 4; kind++)
        printf("%.1f ", (spent[kind] - spent[4]) / (double)turns / TURN);
    putchar('\n');
    return 0;
}
