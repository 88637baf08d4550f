/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/bench/hits.c: writes hits as the daemon does, and tells how long one flush takes.
 * usage: hits TABLE fill ROWS              rows of u0000000@old.example up to this number, half of them 200 days old and half 100; to
 *                                        one in ten its sender came back. And a twentieth as many rows that have no entry
 *        hits TABLE flush ROWS OF ROUNDS   each round counts so many mails, each to another of OF entries, from a domain of its own
 * flush prints the seconds of each round */
#include "table/hit_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 10000

struct text {
    char key[RECORD_KEY_MAX], domain[32];
};

static const struct hit_rules rules = {.senders = 8, .keep = 400, .memory = 12};

static void fail(const struct error *err)
{
    fprintf(stderr, "hits: %s\n", err->text);
    exit(EXIT_FAILURE);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void make(struct hit *hit, struct text *text, char letter, size_t entry, size_t domain,
                 uint32_t day)
{
    char local[24];
    snprintf(local, sizeof local, "%c%07zu", letter, entry);
    snprintf(text->domain, sizeof text->domain, "s%zu.example", domain);
    *hit = (struct hit){.key = text->key, .domain = text->domain, .mails = 1, .day = day};
    hit->key_length = record_key(text->key, ENTRY_MAILBOX, local, "old.example");
    hit->domain_length = strlen(text->domain);
}

/* One mail on this day to the first entry, and to each that is so many further. */
static void fill(struct hit_file *file, char letter, size_t first, size_t step, size_t rows,
                 uint32_t day)
{
    static struct hit hits[BATCH];
    static struct text texts[BATCH];
    struct error err;
    for (size_t entry = first; entry < rows;) {
        size_t count = 0;
        for (; count < BATCH && entry < rows; count++, entry += step)
            make(&hits[count], &texts[count], letter, entry, entry, day);
        if (hit_file_write(file, hits, count, 0, day, &rules, &err) != 0)
            fail(&err);
    }
}

static void fill_all(struct hit_file *file, size_t rows, uint32_t today)
{
    struct error err;
    fill(file, 'u', 0, 2, rows, today - 200);
    fill(file, 'u', 0, 20, rows, today - 199);
    fill(file, 'u', 1, 2, rows, today - 100);
    fill(file, 'u', 1, 20, rows, today - 99);
    fill(file, 'w', 0, 1, rows / 20, today - 99);
    if (hit_file_write(file, NULL, 0, 0, today, &rules, &err) != 0)
        fail(&err);
}

static void flush(struct hit_file *file, size_t rows, size_t of, size_t rounds, uint32_t today)
{
    struct hit *hits = calloc(rows, sizeof *hits);
    struct text *texts = calloc(rows, sizeof *texts);
    struct error err;
    for (size_t round = 0; hits != NULL && texts != NULL && round < rounds; round++) {
        for (size_t i = 0; i < rows; i++) {
            size_t number = round * rows + i;
            make(&hits[i], &texts[i], 'u', number * 7919 % of, number, today);
        }
        double began = seconds();
        if (hit_file_write(file, hits, rows, 0, today, &rules, &err) != 0)
            fail(&err);
        printf("%.4f\n", seconds() - began);
    }
    free(hits);
    free(texts);
}

int main(int argc, char **argv)
{
    struct hit_file *file;
    struct error err;
    uint32_t today = (uint32_t)(time(NULL) / HIT_DAY_SECONDS);
    bool flushes = argc == 6 && strcmp(argv[2], "flush") == 0;
    if (!flushes && !(argc == 4 && strcmp(argv[2], "fill") == 0))
        return EXIT_FAILURE;
    if (hit_file_open(&file, argv[1], TABLE_WRITE, &err) != 0)
        fail(&err);
    size_t rows = strtoul(argv[3], NULL, 10);
    if (flushes)
        flush(file, rows, strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10), today);
    else
        fill_all(file, rows, today);
    hit_file_free(file);
    return EXIT_SUCCESS;
}
