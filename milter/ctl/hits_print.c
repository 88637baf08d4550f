/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/hits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uniwidth.h>

#define BAR 20 /* columns */

const char *hits_day(char out[HITS_DAY_SIZE], uint64_t day)
{
    char text[TIMESTAMP_TEXT_SIZE] = "";
    if (day > 0)
        timestamp_format(text, sizeof text, (int64_t)day * HIT_DAY_SECONDS);
    snprintf(out, HITS_DAY_SIZE, "%.10s", text);
    return out;
}

/* Prints text in so many columns. After a longer text the next columns are on a line below, aligned. */
static void print_padded(const char *text, int indent, int width)
{
    int columns = u8_strwidth((const uint8_t *)text, "UTF-8");
    printf("%*s", indent, "");
    print_text(text);
    if (columns > width)
        printf("\n%*s", indent + width, "");
    else
        printf("%*s", width - columns, "");
}

/* Prints a sender's domain in so many columns, its days, and these as a part of all days. */
static void print_sender_bar(const char *domain, int indent, int width, uint32_t days, uint64_t all)
{
    char bar[BAR + 1];
    int length = all == 0 ? 0 : (int)((double)days / (double)all * BAR + 0.5);
    length = length > BAR ? BAR : length == 0 && days > 0 ? 1 : length;
    memset(bar, '#', (size_t)length);
    bar[length] = '\0';
    print_padded(domain, indent, width);
    printf(" %5" PRIu32 " %s%s%s%*s", days, print_has_colour() ? "\033[32m" : "", bar,
           print_has_colour() ? "\033[0m" : "", BAR - length, "");
}

/* ---- rows */

static json_t *json_day(uint64_t day)
{
    char text[HITS_DAY_SIZE];
    return day == 0 ? json_null() : json_string(hits_day(text, day));
}

static int print_object(const char *old, const struct hit_row *row, struct error *err)
{
    json_t *senders = json_array();
    for (const struct hit_slot *slot = row->slot; slot < row->slot + row->slots; slot++)
        json_array_append_new(senders,
                              json_pack("{s:s,s:I,s:I,s:o}", "domain", slot->domain, "mails",
                                        (json_int_t)slot->mails, "days", (json_int_t)slot->days,
                                        "last_day", json_day(slot->last)));
    return print_json(json_pack("{s:s,s:I,s:o,s:o,s:I,s:o}", "old", old, "count",
                                (json_int_t)row->count, "first_day", json_day(row->first),
                                "last_day", json_day(row->last), "strangers",
                                (json_int_t)row->strangers, "senders", senders),
                      JSON_COMPACT, err);
}

/* The domain that wrote on most days first. */
static int by_days(const void *a, const void *b)
{
    const struct hit_slot *x = a, *y = b;
    return x->days != y->days ? (x->days < y->days) - (x->days > y->days)
                              : (x->mails < y->mails) - (x->mails > y->mails);
}

static void print_columns(const char *old, const struct hit_row *row)
{
    char first[HITS_DAY_SIZE], last[HITS_DAY_SIZE];
    uint64_t days = row->last > row->first ? row->last - row->first + 1 : 1;
    print_padded(old, 0, 32);
    if (row->count == 0) {
        puts("  no mail");
        return;
    }
    printf("  %" PRIu64 " mail%s, %s to %s\n", row->count, row->count == 1 ? "" : "s",
           hits_day(first, row->first), hits_day(last, row->last));
    for (unsigned i = 0; i < row->slots; i++) {
        const struct hit_slot *slot = &row->slot[i];
        print_sender_bar(slot->domain, 2, 26, slot->days, days);
        printf(" %8" PRIu64 "  %s\n", slot->mails, hits_day(last, slot->last));
    }
    if (row->strangers > 0)
        printf("  %-26s %5s %*s %8" PRIu64 "\n", "(others)", "", BAR, "", row->strangers);
}

/* Fields separated by tabs: old, count, first, last, strangers; then domain, mails, days and last of each sender. */
static void print_tabs(const char *old, const struct hit_row *row)
{
    char first[HITS_DAY_SIZE], last[HITS_DAY_SIZE];
    printf("%s\t%" PRIu64 "\t%s\t%s\t%" PRIu64, old, row->count, hits_day(first, row->first),
           hits_day(last, row->last), row->strangers);
    for (unsigned i = 0; i < row->slots; i++) {
        const struct hit_slot *slot = &row->slot[i];
        printf("\t%s\t%" PRIu64 "\t%" PRIu32 "\t%s", slot->domain, slot->mails, slot->days,
               hits_day(last, slot->last));
    }
    putchar('\n');
}

int hits_print_row(struct hits *hits, const struct entry *entry, struct hit_row *row,
                   struct error *err)
{
    char old[ADDRESS_TEXT_SIZE];
    bool is_first = !hits->list.begun;
    qsort(row->slot, row->slots, sizeof *row->slot, by_days);
    entry_format_old(old, sizeof old, entry);
    list_next(&hits->list);
    if (hits->list.json)
        return print_object(old, row, err);
    if (!print_is_terminal()) {
        print_tabs(old, row);
    } else {
        if (is_first)
            printf("  %-26s %5s %*s %8s  %s\n", "sender", "days", BAR, "", "mails", "last");
        print_columns(old, row);
    }
    return ferror(stdout) ? print_failed(err) : 0;
}

/* ---- those with most mails */

struct best {
    uint64_t count;
    struct hit_place at; /* the row is read again when it is printed */
};

/* Up to twice as many as are asked for; then the lower half is dropped. */
struct hits_best {
    size_t count;
    uint64_t least; /* mails of the last one that stayed */
    struct best of[];
};

static int by_count(const void *a, const void *b)
{
    const struct best *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count) - (x->count > y->count)
                                : record_compare(x->at.key, x->at.length, y->at.key, y->at.length);
}

static void sort_best(struct hits_best *best, size_t most)
{
    qsort(best->of, best->count, sizeof *best->of, by_count);
    best->least = best->count < most ? 0 : best->of[most - 1].count;
    best->count = best->count < most ? best->count : most;
}

int hits_keep_best(struct hits *hits, const struct entry *old, struct hit_row *row,
                   struct error *err)
{
    struct hits_best *best = hits->best;
    if (best == NULL)
        best = hits->best = calloc(1, sizeof *best + 2 * hits->top * sizeof *best->of);
    if (best == NULL)
        return error_no_memory(err);
    if (row->count <= best->least)
        return 0;
    struct best *made = &best->of[best->count++];
    made->count = row->count;
    made->at.length = record_key(made->at.key, old->scope, old->local, old->domain);
    if (best->count == 2 * hits->top)
        sort_best(best, hits->top);
    return 0;
}

int hits_print_best(struct hits *hits, struct error *err)
{
    struct hits_best *best = hits->best;
    struct entry old;
    struct hit_row row;
    int rc = 0;
    if (best == NULL)
        return 0;
    sort_best(best, hits->top);
    for (size_t i = 0; rc == 0 && i < best->count; i++)
        if ((rc = hits_read_key(&old, &best->of[i].at, err)) == 0 &&
            (rc = hits_find(hits, &old, &row, err)) == 0)
            rc = hits_print_row(hits, &old, &row, err);
    return rc;
}

/* ---- by sender */

struct sender {
    struct name name;
    uint64_t mails, entries;
    uint32_t days, last; /* days: the most to one entry */
};

int hits_add_up(struct hits *hits, const struct entry *old, struct hit_row *row, struct error *err)
{
    (void)old;
    for (unsigned i = 0; i < row->slots; i++) {
        const struct hit_slot *slot = &row->slot[i];
        struct sender *sender = names_add(&hits->senders, slot->domain, sizeof *sender);
        if (sender == NULL)
            return error_no_memory(err);
        sender->mails += slot->mails;
        sender->entries++;
        sender->days = slot->days > sender->days ? slot->days : sender->days;
        sender->last = slot->last > sender->last ? slot->last : sender->last;
    }
    return 0;
}

static int by_mails(const void *a, const void *b)
{
    const struct sender *x = *(struct sender *const *)a, *y = *(struct sender *const *)b;
    return x->mails != y->mails ? (x->mails < y->mails) - (x->mails > y->mails)
                                : strcmp(x->name.text, y->name.text);
}

static int print_sender(struct hits *hits, const struct sender *sender, uint32_t most,
                        struct error *err)
{
    char last[HITS_DAY_SIZE];
    const char *domain = sender->name.text;
    bool is_first = !hits->list.begun;
    hits_day(last, sender->last);
    list_next(&hits->list);
    if (hits->list.json)
        return print_json(json_pack("{s:s,s:I,s:I,s:I,s:o}", "domain", domain, "mails",
                                    (json_int_t)sender->mails, "entries",
                                    (json_int_t)sender->entries, "days", (json_int_t)sender->days,
                                    "last_day", json_day(sender->last)),
                          JSON_COMPACT, err);
    if (!print_is_terminal()) {
        printf("%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu32 "\t%s\n", domain, sender->mails,
               sender->entries, sender->days, last);
        return 0;
    }
    if (is_first)
        printf("%-24s %5s %*s %8s %7s  %s\n", "sender", "days", BAR, "", "mails", "entries",
               "last");
    print_sender_bar(domain, 0, 24, sender->days, most);
    printf(" %8" PRIu64 " %7" PRIu64 "  %s\n", sender->mails, sender->entries, last);
    return 0;
}

int hits_print_senders(struct hits *hits, struct error *err)
{
    struct sender **sorted = calloc(hits->senders.count + 1, sizeof *sorted);
    size_t count = 0;
    uint32_t most = 0;
    int rc = sorted == NULL ? error_no_memory(err) : 0;
    for (struct name *name = hits->senders.first; rc == 0 && name != NULL; name = name->next) {
        sorted[count] = (struct sender *)(void *)name;
        most = sorted[count]->days > most ? sorted[count]->days : most;
        count++;
    }
    if (rc == 0)
        qsort(sorted, count, sizeof *sorted, by_mails);
    for (size_t i = 0; rc == 0 && i < count && (hits->top == 0 || i < hits->top); i++)
        rc = print_sender(hits, sorted[i], most, err);
    if (rc == 0 && count == 0 && hits->file != NULL)
        ctl_warn("no sender domain has come back on another day: movedctl hits has all mails");
    free(sorted);
    return rc;
}
