/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/bench/rules.c: what the rules and the limit cost beside a bare look-up, with a million clients.
 * usage: rules TABLE ENTRIES CLIENTS SECONDS
 *   ENTRIES  the table has u0000000@old.example up to this number
 *   CLIENTS  each question comes from one of so many, in as many networks
 * prints nanoseconds: of a look-up in a view of its own, of a whole answer to a client that is trusted, of one to a
 * stranger (which the limit counts), of the limit alone. They are asked by turns, for the same entries. */
#include "answer/answer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TURN  1000 /* questions of one kind, then of the next */
#define KINDS 5

static struct table *table;
static struct settings *settings;
static struct limit *whole, *alone; /* of the answers, and of the limit by itself */
static unsigned long entries, clients;

/* One question: the entry u0012345@old.example, and who asks. */
struct ask {
    char local[16], recipient[40];
    struct ip ip;
};

static void fail(const char *what)
{
    fprintf(stderr, "rules: %s\n", what);
    exit(EXIT_FAILURE);
}

static void find(const struct ask *ask)
{
    struct entry entry;
    struct error err;
    struct table_view *view = table_view_open(table, &err);
    if (view == NULL ||
        table_find(view, ENTRY_MAILBOX, ask->local, "old.example", &entry, &err) != TABLE_FOUND)
        fail("an entry is not found");
    table_view_close(view);
}

static void answer(const struct ask *ask, bool authenticated)
{
    static struct answer out;
    const struct question question = {
        .recipient = ask->recipient,
        .length = strlen(ask->recipient),
        .client = {.has_ip = true, .ip = ask->ip, .authenticated = authenticated},
        .now = 1788220800};
    answer_ask(&out, &question, &(struct answer_source){settings, table, NULL, whole});
    if (out.verdict != VERDICT_REPLY)
        fail("no reply");
}

static void answer_trusted(const struct ask *ask)
{
    answer(ask, true);
}

static void answer_stranger(const struct ask *ask)
{
    answer(ask, false);
}

static void limit_alone(const struct ask *ask)
{
    struct limit_outcome out;
    struct address new = {.domain = "new.example"};
    memcpy(new.local, ask->local, sizeof ask->local);
    limit_ask(&out, alone, &ask->ip, &new, 1788220800);
}

/* What making a question costs is in all, and is taken off. */
static void nothing(const struct ask *ask)
{
    if (ask->local[0] != 'u')
        fail("no name");
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double ask_turn(void (*how)(const struct ask *ask), unsigned long turn)
{
    struct ask ask = {.ip = {.octets = {[10] = 0xff, [11] = 0xff}}};
    unsigned long state = turn * 2654435761U + 1;
    double began = now_ns();
    for (int i = 0; i < TURN; i++) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        snprintf(ask.local, sizeof ask.local, "u%07lu", (state >> 33) % entries);
        snprintf(ask.recipient, sizeof ask.recipient, "<%s@old.example>", ask.local);
        uint32_t ip = htonl((uint32_t)((state >> 20) % clients * 2654435761U));
        memcpy(ask.ip.octets + 12, &ip, sizeof ip);
        how(&ask);
    }
    return now_ns() - began;
}

int main(int argc, char **argv)
{
    static void (*const kinds[KINDS])(const struct ask *) = {find, answer_trusted, answer_stranger,
                                                             limit_alone, nothing};
    double spent[KINDS] = {0};
    struct error err;
    if (argc != 5)
        fail("usage: rules TABLE ENTRIES CLIENTS SECONDS");
    entries = strtoul(argv[2], NULL, 10);
    clients = strtoul(argv[3], NULL, 10);
    settings = settings_new();
    if (table_open(&table, argv[1], TABLE_READ, true, &err) != 0)
        fail(err.text);
    whole = limit_new(&settings->limits);
    alone = limit_new(&settings->limits);

    unsigned long turns = 0;
    for (double end = now_ns() + 1e9 * atof(argv[4]); now_ns() < end; turns++)
        for (unsigned long kind = 0; kind < KINDS; kind++) /* the first to touch a page by turns */
            spent[(kind + turns) % KINDS] += ask_turn(kinds[(kind + turns) % KINDS], turns);
    for (int kind = 0; kind < KINDS - 1; kind++)
        printf("%.1f ", (spent[kind] - spent[KINDS - 1]) / (double)turns / TURN);
    putchar('\n');
    limit_free(whole);
    limit_free(alone);
    settings_free(settings);
    return 0;
}
