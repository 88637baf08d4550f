/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/hits.h"

#include <stdio.h>

struct unused {
    struct hits *hits;
    uint32_t since;
    int at_row; /* what hit_walk_next returned */
    struct hit_row none;
};

/* Moves hits->walk to the row of this entry, over the rows of earlier ones. Returns 1; 0 if there is none; or -1 with err. */
static int move_to(struct unused *unused, const char *key, size_t length, struct error *err)
{
    const struct hit_place *at = &unused->hits->walk.at;
    while (unused->at_row > 0) {
        int order = record_compare(at->key, at->length, key, length);
        if (order >= 0)
            return order == 0;
        unused->at_row = hit_walk_next(&unused->hits->walk, err);
    }
    return unused->at_row;
}

/* Whether an entry is older than the window: it had mail before it; the change log shows when it was added; or the log shows
 * nothing, because it names all entries that were added in the window. */
static bool is_older(const struct unused *unused, const struct entry *entry,
                     const struct hit_row *row)
{
    uint32_t since = unused->since;
    if (entry->from != TIMESTAMP_NONE && entry->from >= (int64_t)since * HIT_DAY_SECONDS)
        return false;
    if (row->born > 0)
        return row->born < since;
    return unused->hits->state.unknown < since || (row->count > 0 && row->first < since);
}

static int take(const struct entry *entry, void *data, struct error *err)
{
    struct unused *unused = data;
    struct hits *hits = unused->hits;
    char key[RECORD_KEY_MAX], old[ADDRESS_TEXT_SIZE];
    size_t length = record_key(key, entry->scope, entry->local, entry->domain);
    int rc = move_to(unused, key, length, err);
    if (rc < 0)
        return -1;
    struct hit_row *row = rc == 1 ? &hits->walk.row : &unused->none;
    if (rc == 0 && hits->added.count > 0)
        *row = (struct hit_row){.count = 0};
    hits_add_others(hits, entry, row);
    if (entry->action == ENTRY_STAY || !is_older(unused, entry, row) ||
        hit_row_is_used_since(row, unused->since))
        return 0;
    if (hits->list.json)
        return hits_print_row(hits, entry, row, err);
    entry_format_old(old, sizeof old, entry);
    print_text(old);
    putchar('\n');
    return 0;
}

int hits_unused(struct hits *hits, uint32_t days, struct error *err)
{
    char began[HITS_DAY_SIZE], known[HITS_DAY_SIZE];
    struct unused unused = {.hits = hits};
    if (hits->file == NULL)
        return 0;
    unused.since = hit_window(&hits->state, days, hits->today);
    if (unused.since == 0) {
        ctl_warn("counting began on %s: which entries are unused for %lud is known from %s on",
                 hits_day(began, hits->state.began), (unsigned long)days,
                 hits_day(known, hits->state.began + days));
        return 0;
    }
    hit_walk_begin(&hits->walk, hits->file, "", 0);
    unused.at_row = hit_walk_next(&hits->walk, err);
    return unused.at_row < 0
               ? -1
               : ctl_each(hits->ctl->table, *hits->domain == '\0' ? NULL : hits->domain, take,
                          &unused, err);
}
