/* SPDX-License-Identifier: BSD-2-Clause */
/* table/hit_seen.c: the pairs of an entry and a sender domain that were seen before, as keyed hashes.
 *
 * The pairs of a day are records of `today`. When the next day begins, they are moved to a Bloom filter in one transaction. So
 * a filter holds only earlier days, and is complete whenever the daemon is killed. There are three filters. Each is filled
 * for 30 days, then the oldest one is emptied and filled. So a domain that writes once a month is known, and one that has
 * not written for three months is forgotten.
 *
 * A filter is an array of chunks of one LMDB page each. A hash belongs to one chunk, and to some bits of it. */
#include "table/hit_internal.h"

#include <endian.h>
#include <string.h>

#define FILTERS     3
#define SPAN_DAYS   30
#define CHUNK       4080 /* octets: a page without its head */
#define CHUNK_BITS  (8 * CHUNK)
#define BITS        8 /* set for each pair: with 11 bits a pair, one in 200 others is mistaken for it */
#define TODAY_RATIO 1000 /* pairs of one day for each chunk: ten times what a filter has room for */

#define MIB (1024 * 1024)

static MDB_val chunk_key(unsigned char out[5], uint64_t filter, uint32_t chunk)
{
    const uint32_t number = htobe32(chunk);
    out[0] = (unsigned char)filter;
    memcpy(out + 1, &number, sizeof number);
    return (MDB_val){5, out};
}

/* Grows with the hash: pairs that are sorted go through the chunks in order. */
static uint32_t chunk_of(const struct hit_state *state, uint64_t hash)
{
    return (uint32_t)((hash >> 32) * state->chunks >> 32);
}

static uint32_t bit_of(uint64_t hash, unsigned which)
{
    uint32_t from = (uint32_t)hash * 0x9e3779b1u, step = (uint32_t)(hash >> 7) | 1;
    return (from + which * step) % CHUNK_BITS;
}

static bool has_bits(const unsigned char *chunk, uint64_t hash)
{
    for (unsigned i = 0; i < BITS; i++) {
        uint32_t bit = bit_of(hash, i);
        if ((chunk[bit / 8] & 1 << bit % 8) == 0)
            return false;
    }
    return true;
}

static void set_bits(unsigned char *chunk, uint64_t hash)
{
    for (unsigned i = 0; i < BITS; i++) {
        uint32_t bit = bit_of(hash, i);
        chunk[bit / 8] = (unsigned char)(chunk[bit / 8] | 1 << bit % 8);
    }
}

static int get_chunk(struct hit_file *file, uint64_t filter, uint32_t chunk, MDB_val *out)
{
    unsigned char name[5];
    MDB_val key = chunk_key(name, filter, chunk);
    int rc = mdb_get(file->txn, file->seen, &key, out);
    return rc == 0 && out->mv_size != CHUNK ? MDB_CORRUPTED : rc;
}

static int empty(struct hit_file *file, uint64_t filter)
{
    MDB_cursor *cursor;
    unsigned char name[5];
    MDB_val value, key = chunk_key(name, filter, 0);
    int rc = mdb_cursor_open(file->txn, file->seen, &cursor);
    if (rc != 0)
        return rc;
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && *(const unsigned char *)key.mv_data == filter) {
        rc = mdb_cursor_del(cursor, 0);
        if (rc == 0)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    file->state.since[filter] = 0;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int hit_seen_resize(struct hit_file *file, unsigned memory)
{
    uint64_t chunks = (uint64_t)memory * MIB / FILTERS / CHUNK;
    int rc = 0;
    if (file->state.chunks == chunks)
        return 0;
    for (unsigned filter = 0; rc == 0 && filter < FILTERS; filter++)
        rc = empty(file, filter);
    file->state.chunks = chunks;
    return rc;
}

/* ---- a new day */

/* Finds a chunk of the current filter, or creates it, to set bits in. *out is valid until something else is written. */
static int open_chunk(struct hit_file *file, uint32_t chunk, unsigned char **out)
{
    unsigned char name[5], octets[CHUNK] = {0};
    MDB_val there, value = {CHUNK, NULL}, key = chunk_key(name, file->state.current, chunk);
    int rc = get_chunk(file, file->state.current, chunk, &there);
    if (rc == 0)
        memcpy(octets, there.mv_data, CHUNK);
    if (rc == 0 || rc == MDB_NOTFOUND)
        rc = mdb_put(file->txn, file->seen, &key, &value, MDB_RESERVE);
    if (rc == 0)
        *out = memcpy(value.mv_data, octets, CHUNK);
    return rc;
}

static int fill_all(struct hit_file *file)
{
    unsigned char *octets = NULL;
    uint32_t chunk = 0;
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = mdb_cursor_open(file->txn, file->today, &cursor);
    if (rc != 0)
        return rc;
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        uint64_t hash = 0; /* big-endian, so that the keys are in its order */
        memcpy(&hash, key.mv_data, key.mv_size < sizeof hash ? key.mv_size : sizeof hash);
        hash = be64toh(hash);
        if (octets == NULL || chunk != chunk_of(&file->state, hash)) {
            chunk = chunk_of(&file->state, hash);
            if ((rc = open_chunk(file, chunk, &octets)) != 0)
                break;
        }
        set_bits(octets, hash);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Empties filters that are too old on this day. A first day in the future was noted while the clock was wrong. */
static int expire(struct hit_file *file, uint64_t day)
{
    const uint64_t *since = file->state.since;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < FILTERS; i++)
        if (since[i] > day || (since[i] > 0 && since[i] + FILTERS * SPAN_DAYS <= day))
            rc = empty(file, i);
    return rc;
}

/* The filter for the pairs of this day. */
static int choose(struct hit_file *file, uint64_t day)
{
    struct hit_state *state = &file->state;
    int rc = expire(file, day);
    if (rc == 0 && state->since[state->current] > 0 &&
        state->since[state->current] + SPAN_DAYS <= day) {
        state->current = (state->current + 1) % FILTERS;
        rc = empty(file, state->current);
    }
    if (state->since[state->current] == 0)
        state->since[state->current] = day;
    return rc;
}

int hit_seen_begin_day(struct hit_file *file, uint32_t day)
{
    struct hit_state *state = &file->state;
    int rc = 0;
    if (state->today == day)
        return 0;
    if (state->today_pairs > 0 && (rc = choose(file, state->today)) == 0)
        rc = fill_all(file);
    if (rc == 0)
        rc = mdb_drop(file->txn, file->today, 0);
    if (rc == 0)
        rc = expire(file, day);
    state->today = day;
    state->today_pairs = 0;
    return rc;
}

/* ---- asking */

int hit_seen_note(struct hit_file *file, uint64_t hash, bool *earlier)
{
    struct hit_state *state = &file->state;
    uint64_t name = htobe64(hash);
    MDB_val value, chunk, key = {sizeof name, &name};
    int rc = mdb_get(file->txn, file->today, &key, &value);
    *earlier = false;
    if (rc != MDB_NOTFOUND)
        return rc; /* it was asked earlier on this day */
    rc = 0;
    if (state->today_pairs < state->chunks * TODAY_RATIO) {
        state->today_pairs++;
        value = (MDB_val){0, NULL};
        rc = mdb_put(file->txn, file->today, &key, &value, 0);
    }
    for (unsigned i = 0; rc == 0 && !*earlier && i < FILTERS; i++) {
        if (state->since[i] == 0)
            continue;
        rc = get_chunk(file, i, chunk_of(state, hash), &chunk);
        *earlier = rc == 0 && has_bits(chunk.mv_data, hash);
        rc = rc == MDB_NOTFOUND ? 0 : rc;
    }
    return rc;
}
