/* SPDX-License-Identifier: BSD-2-Clause */
/* table/hit_row.h: the row of an entry: how often mail was answered by it, and who sent that. No I/O.
 *
 * A domain gets a slot when it comes back on another day, because spam never stops but its domains change. Days are those
 * of UTC since 1970.
 *
 * value  count, strangers (8 octets each, little-endian as all), first, last, born (4 each), slots (1); then for each slot
 *        mails (8), days, last (4 each), length of the domain (1), domain */
#ifndef TABLE_HIT_ROW_H
#define TABLE_HIT_ROW_H

#include "mail/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HIT_SLOTS_MAX 32

struct hit_slot {
    char domain[ADDRESS_DOMAIN_MAX + 1];
    uint64_t mails; /* since the slot was made */
    /* the number of days on which it wrote, the first one included; the last one */
    uint32_t days, last;
};

/* Holds its own bytes. All zero: no mail yet. */
struct hit_row {
    uint64_t count;       /* mails */
    uint64_t strangers;   /* of them: from domains that had no slot at that moment */
    uint32_t first, last; /* days */
    uint32_t born; /* the day on which the entry was added; 0: before counting began, or unknown */
    unsigned slots;
    struct hit_slot slot[HIT_SLOTS_MAX];
};

#define HIT_ROW_MAX (29 + HIT_SLOTS_MAX * (17 + ADDRESS_DOMAIN_MAX))

/* Writes the row into value[HIT_ROW_MAX] and returns its length. */
size_t hit_row_encode(unsigned char *value, const struct hit_row *row);

/* Reads it back; the input is untrusted. Returns 0, or -1 with *out undefined. */
int hit_row_decode(struct hit_row *out, const void *value, size_t length);

/* The slot of this domain; NULL: none. */
struct hit_slot *hit_row_find(struct hit_row *row, const char *domain);

/* Counts mails of a domain on this day. came_back: it has no slot, and wrote on an earlier day, so it gets one: a free one of
 * `most`, or that of a domain that has not written for three months, or wrote on no more days than this one. */
void hit_row_count(struct hit_row *row, const char *domain, uint64_t mails, uint32_t day,
                   bool came_back, unsigned most);

/* Whether a domain that comes back has written on this day or later. */
bool hit_row_is_used_since(const struct hit_row *row, uint32_t day);

/* Drops the slots of domains that have not written since that day. Returns whether there were any. */
bool hit_row_forget(struct hit_row *row, uint64_t day);

/* Adds another host's row. days of a slot becomes the larger number, because it is unknown which days were the same. */
void hit_row_add(struct hit_row *row, const struct hit_row *other);

#endif
