/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/hit_row.h"

#include "table/record.h"

#include <string.h>

#define STALE_DAYS 90 /* a slot that was not used for so long makes room */
#define NEW_DAYS   2  /* of a domain that has just come back */

size_t hit_row_encode(unsigned char *value, const struct hit_row *row)
{
    unsigned char *at = record_put_number(value, row->count, 8);
    at = record_put_number(at, row->strangers, 8);
    at = record_put_number(at, row->first, 4);
    at = record_put_number(at, row->last, 4);
    at = record_put_number(at, row->born, 4);
    at = record_put_number(at, row->slots, 1);
    for (unsigned i = 0; i < row->slots; i++) {
        const struct hit_slot *slot = &row->slot[i];
        size_t length = strlen(slot->domain);
        at = record_put_number(at, slot->mails, 8);
        at = record_put_number(at, slot->days, 4);
        at = record_put_number(at, slot->last, 4);
        at = record_put_number(at, length, 1);
        at = record_put_octets(at, slot->domain, length);
    }
    return (size_t)(at - value);
}

int hit_row_decode(struct hit_row *out, const void *value, size_t length)
{
    struct record_input in = {value, length, false};
    out->count = record_take_number(&in, 8);
    out->strangers = record_take_number(&in, 8);
    out->first = (uint32_t)record_take_number(&in, 4);
    out->last = (uint32_t)record_take_number(&in, 4);
    out->born = (uint32_t)record_take_number(&in, 4);
    out->slots = (unsigned)record_take_number(&in, 1);
    if (out->slots > HIT_SLOTS_MAX)
        return -1;
    for (struct hit_slot *slot = out->slot; slot < out->slot + out->slots; slot++) {
        slot->mails = record_take_number(&in, 8);
        slot->days = (uint32_t)record_take_number(&in, 4);
        slot->last = (uint32_t)record_take_number(&in, 4);
        size_t octets = record_take_number(&in, 1);
        record_take_text(&in, slot->domain, ADDRESS_DOMAIN_MAX, octets);
        if (in.is_damaged || strlen(slot->domain) != octets)
            return -1;
    }
    return in.is_damaged || in.left > 0 ? -1 : 0;
}

struct hit_slot *hit_row_find(struct hit_row *row, const char *domain)
{
    for (unsigned i = 0; i < row->slots; i++)
        if (strcmp(row->slot[i].domain, domain) == 0)
            return &row->slot[i];
    return NULL;
}

/* Returns a free slot, or one that may be replaced: the one that was unused for longest if that is long enough, otherwise the
 * one with the fewest days if these are few; NULL: none. */
static struct hit_slot *find_room(struct hit_row *row, uint32_t day, unsigned most)
{
    struct hit_slot *oldest = &row->slot[0], *least = &row->slot[0];
    if (row->slots < most)
        return &row->slot[row->slots++];
    for (unsigned i = 1; i < row->slots; i++) {
        struct hit_slot *slot = &row->slot[i];
        if (slot->last < oldest->last)
            oldest = slot;
        if (slot->days < least->days || (slot->days == least->days && slot->last < least->last))
            least = slot;
    }
    if (oldest->last + STALE_DAYS < day)
        return oldest;
    return least->days <= NEW_DAYS ? least : NULL;
}

void hit_row_count(struct hit_row *row, const char *domain, uint64_t mails, uint32_t day,
                   bool came_back, unsigned most)
{
    struct hit_slot *slot = hit_row_find(row, domain);
    bool is_new = row->count == 0;
    row->count += mails;
    row->first = is_new || day < row->first ? day : row->first;
    row->last = day;
    if (slot != NULL) {
        slot->mails += mails;
        slot->days += day > slot->last;
        slot->last = day;
        return;
    }
    slot = came_back ? find_room(row, day, most) : NULL;
    if (slot == NULL) {
        row->strangers += mails;
        return;
    }
    *slot = (struct hit_slot){.mails = mails, .days = NEW_DAYS, .last = day};
    memcpy(slot->domain, domain, strlen(domain) + 1);
}

bool hit_row_is_used_since(const struct hit_row *row, uint32_t day)
{
    for (unsigned i = 0; i < row->slots; i++)
        if (row->slot[i].last >= day)
            return true;
    return false;
}

bool hit_row_forget(struct hit_row *row, uint64_t day)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < row->slots; i++)
        if (row->slot[i].last >= day)
            row->slot[kept++] = row->slot[i];
    bool were_any = kept < row->slots;
    row->slots = kept;
    return were_any;
}

void hit_row_add(struct hit_row *row, const struct hit_row *other)
{
    if (other->count > 0 && (row->count == 0 || other->first < row->first))
        row->first = other->first;
    row->last = other->last > row->last ? other->last : row->last;
    row->count += other->count;
    row->strangers += other->strangers;
    for (unsigned i = 0; i < other->slots; i++) {
        const struct hit_slot *from = &other->slot[i];
        struct hit_slot *slot = hit_row_find(row, from->domain);
        if (slot == NULL && row->slots < HIT_SLOTS_MAX) {
            row->slot[row->slots++] = *from;
        } else if (slot != NULL) {
            slot->mails += from->mails;
            slot->days = from->days > slot->days ? from->days : slot->days;
            slot->last = from->last > slot->last ? from->last : slot->last;
        }
    }
}
