/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/hits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names that are found in one view. It is closed before they are printed, as by list.c. */
#define NAMES_SIZE (256 * 1024)

struct unused {
    struct hits *hits;
    uint32_t since;
    struct hit_walk walk; /* of the rows, beside the walk through the entries */
    int at_row;           /* what hit_walk_next returned */
    struct entry last;    /* that was looked at */
    bool begun, done;
    size_t used;
    char names[NAMES_SIZE]; /* one behind another, each with its NUL */
};

/* The row of this entry, if there is one: rows of entries before it are passed over. Returns 1, 0, or -1 with err. */
static int move_to(struct unused *unused, const char *key, size_t length, struct error *err)
{
    const struct hit_place *at = &unused->walk.at;
    while (unused->at_row > 0) {
        int order = memcmp(at->key, key, at->length < length ? at->length : length);
        if (order == 0)
            order = (at->length > length) - (at->length < length);
        if (order >= 0)
            return order == 0;
        unused->at_row = hit_walk_next(&unused->walk, err);
    }
    return unused->at_row;
}

/* An entry is older than the window if it had mail before; if the change log tells when it was added; or, since it tells that
 * of all others, if it tells nothing. */
static bool is_older(const struct unused *unused, const struct entry *entry,
                     const struct hit_row *row)
{
    uint32_t since = unused->since;
    if (entry->from != TIMESTAMP_NONE && entry->from >= (int64_t)since * HIT_DAY_SECONDS)
        return false;
    if (row != NULL && row->born > 0)
        return row->born < since;
    return unused->hits->state.unknown < since ||
           (row != NULL && row->count > 0 && row->first < since);
}

static int take(const struct entry *entry, void *data, struct error *err)
{
    struct unused *unused = data;
    const struct hits *hits = unused->hits;
    char key[RECORD_KEY_MAX];
    unused->done = hits->domain[0] != '\0' && strcmp(entry->domain, hits->domain) != 0;
    if (unused->done)
        return 1;
    unused->begun = true;
    unused->last = *entry;
    size_t length = record_key(key, entry->scope, entry->local, entry->domain);
    int rc = move_to(unused, key, length, err);
    if (rc < 0)
        return -1;
    const struct hit_row *row = rc == 1 ? &unused->walk.row : NULL;
    const struct hit_row *added = hits_added(hits, entry);
    if (entry->action == ENTRY_STAY || !is_older(unused, entry, row) ||
        (row != NULL && hit_row_is_used_since(row, unused->since)) ||
        (added != NULL && hit_row_is_used_since(added, unused->since)))
        return 0;
    entry_format_old(unused->names + unused->used, NAMES_SIZE - unused->used, entry);
    unused->used += strlen(unused->names + unused->used) + 1;
    return NAMES_SIZE - unused->used < ADDRESS_TEXT_SIZE;
}

static int read_some(struct unused *unused, struct error *err)
{
    const char *domain = unused->hits->domain;
    struct table_view *view = table_view_open(unused->hits->ctl->table, err);
    if (view == NULL)
        return -1;
    unused->used = 0;
    int rc = unused->begun ? table_each_after(view, &unused->last, take, unused, err)
                           : table_each(view, *domain == '\0' ? NULL : domain, take, unused, err);
    table_view_close(view);
    unused->done = unused->done || rc == 0;
    return rc < 0 ? -1 : 0;
}

static int print_names(const struct unused *unused, struct error *err)
{
    struct hits *hits = unused->hits;
    struct entry old;
    struct hit_row row;
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < unused->used; at += strlen(unused->names + at) + 1) {
        if (!hits->list.json) {
            print_text(unused->names + at);
            putchar('\n');
            continue;
        }
        rc = ctl_parse_old(hits->ctl, unused->names + at, &old, err);
        if (rc == 0)
            rc = hits_find(hits, &old, &row, err);
        if (rc == 0)
            rc = hits_print_row(hits, &old, &row, err);
    }
    return rc;
}

static int explain(const struct hits *hits, uint32_t days)
{
    char began[HITS_DAY_SIZE];
    if (hits->file == NULL)
        ctl_warn("nothing has been counted yet, so no entry is known to be unused");
    else
        ctl_warn("counting began on %s, less than %lu days ago: no entry is known to be unused",
                 hits_day(began, hits->state.began), (unsigned long)days);
    return 0;
}

int hits_unused(struct hits *hits, uint32_t days, struct error *err)
{
    uint32_t since = hits->file == NULL ? 0 : hit_window(&hits->state, days, hits->today);
    if (since == 0)
        return explain(hits, days);
    struct unused *unused = malloc(sizeof *unused);
    if (unused == NULL)
        return error_no_memory(err);
    unused->hits = hits;
    unused->since = since;
    unused->begun = unused->done = false;
    hit_walk_begin(&unused->walk, hits->file, "", 0);
    unused->at_row = hit_walk_next(&unused->walk, err);
    int rc = unused->at_row < 0 ? -1 : 0;
    while (rc == 0 && !unused->done) {
        rc = read_some(unused, err);
        if (rc == 0)
            rc = print_names(unused, err);
    }
    free(unused);
    return rc;
}
