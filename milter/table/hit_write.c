/* SPDX-License-Identifier: BSD-2-Clause */
/* table/hit_write.c: counts mails */
#include "base/siphash.h"
#include "table/hit_internal.h"

#include <string.h>

/* ---- the days */

/* Notes that counting goes on today. Later days were noted while the clock was wrong. */
static void note_alive(struct hit_file *file, uint64_t today)
{
    struct hit_state *state = &file->state;
    bool has_gap = state->alive > 0 && today > state->alive + 1;
    if (state->began == 0 || state->began > today || (has_gap && state->paused))
        state->began = today;
    if (has_gap && !file->goes_on) {
        if (state->gaps == HIT_GAPS_MAX)
            memmove(state->gap[0], state->gap[1], (size_t)(--state->gaps) * sizeof *state->gap);
        state->gap[state->gaps][0] = state->alive + 1;
        state->gap[state->gaps++][1] = today - 1;
    }
    while (state->gaps > 0 && state->gap[state->gaps - 1][1] >= today)
        state->gaps--;
    state->alive = today;
}

void hit_file_goes_on(struct hit_file *file)
{
    file->goes_on = true;
}

uint32_t hit_window(const struct hit_state *state, uint32_t days, uint32_t today)
{
    return today >= days + state->began ? today - days : 0;
}

/* ---- mails */

/* Whether it may be the address of a client: an address literal, or one that lacks its brackets. No domain ends in a label of
 * digits alone (RFC 1123 section 2.1). */
static bool is_client(const char *domain)
{
    const char *dot = strrchr(domain, '.'), *last = dot == NULL ? domain : dot + 1;
    return *domain == '[' || last[strspn(last, "0123456789")] == '\0';
}

/* Writes the domain in A-labels, or HIT_NULL_PATH or HIT_NO_DOMAIN, to out[ADDRESS_DOMAIN_MAX + 1]. */
static void read_domain(char *out, const struct hit *hit)
{
    bool is_null = hit->domain_length == sizeof HIT_NULL_PATH - 1 &&
                   memcmp(hit->domain, HIT_NULL_PATH, hit->domain_length) == 0;
    if (is_null)
        memcpy(out, HIT_NULL_PATH, sizeof HIT_NULL_PATH);
    else if (address_domain_parse(out, hit->domain, hit->domain_length, NULL) != 0 ||
             is_client(out))
        memcpy(out, HIT_NO_DOMAIN, sizeof HIT_NO_DOMAIN);
}

static uint64_t hash_pair(const struct hit_file *file, const struct hit *hit, const char *domain)
{
    char pair[RECORD_KEY_MAX + 1 + ADDRESS_DOMAIN_MAX];
    size_t length = strlen(domain);
    memcpy(pair, hit->key, hit->key_length);
    pair[hit->key_length] = '\0';
    memcpy(pair + hit->key_length + 1, domain, length);
    return siphash(file->state.key, pair, hit->key_length + 1 + length);
}

static int count_hit(struct hit_file *file, const struct hit *hit, uint32_t day, unsigned senders)
{
    struct hit_row row;
    const MDB_val key = {hit->key_length, (void *)hit->key}; /* only read */
    char domain[ADDRESS_DOMAIN_MAX + 1];
    bool earlier = false;
    read_domain(domain, hit);
    int rc = hit_file_get(file, &key, &row);
    if (rc == MDB_NOTFOUND)
        rc = 0;
    if (rc == 0 && hit_row_find(&row, domain) == NULL)
        rc = hit_seen_note(file, hash_pair(file, hit, domain), &earlier);
    if (rc != 0)
        return rc;
    hit_row_count(&row, domain, hit->mails, day, earlier, senders);
    return hit_file_put(file, &key, &row);
}

/* If the clock is set back over midnight, the day does not begin a second time. */
static uint32_t counted_day(const struct hit_state *state, uint32_t day)
{
    return state->today == (uint64_t)day + 1 ? day + 1 : day;
}

static int write_all(struct hit_file *file, const struct hit *hits, size_t count, uint64_t lost,
                     uint32_t today, const struct hit_rules *rules)
{
    struct hit_state *state = &file->state;
    int rc = hit_seen_resize(file, rules->memory);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        uint32_t day = counted_day(state, hits[i].day);
        rc = hit_seen_begin_day(file, day);
        if (rc == 0)
            rc = count_hit(file, &hits[i], day, rules->senders);
    }
    today = counted_day(state, today);
    if (rc == 0)
        rc = hit_seen_begin_day(file, today);
    note_alive(file, today);
    state->paused = 0;
    file->goes_on = true;
    if (lost > 0) {
        state->lost += lost;
        state->lost_last = today;
    }
    return rc;
}

int hit_file_write(struct hit_file *file, const struct hit *hits, size_t count, uint64_t lost,
                   uint32_t today, const struct hit_rules *rules, struct error *err)
{
    int rc = hit_begin(file, 0);
    if (rc == 0)
        GUARDED(rc, write_all(file, hits, count, lost, today, rules));
    return hit_end(file, rc, err);
}
