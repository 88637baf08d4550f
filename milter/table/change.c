/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/change.h"

#include <string.h>

#define HELD 1 /* of the flags */

/* ---- the head */

/* A text after its length. */
static unsigned char *put_text(unsigned char *at, const char *text)
{
    size_t length = strlen(text);
    *at++ = (unsigned char)length;
    return record_put_octets(at, text, length);
}

size_t change_encode_head(unsigned char *out, const struct change *change)
{
    const uint64_t numbers[] = {change->number,  (uint64_t)change->when, change->uid,
                                change->undoes,  change->added,          change->changed,
                                change->removed, change->octets,         change->octets_end,
                                change->records, change->records_end};
    unsigned char *at = out;

    *at++ = change->held ? HELD : 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        at = record_put_number(at, numbers[i], 8);
    at = put_text(at, change->user);
    at = put_text(at, change->behind);
    at = record_put_octets(at, change->command, strlen(change->command));
    return (size_t)(at - out);
}

int change_decode_head(struct change *out, const void *head, size_t length)
{
    uint64_t when;
    uint64_t *const numbers[] = {&out->number,     &when,         &out->uid,        &out->undoes,
                                 &out->added,      &out->changed, &out->removed,    &out->octets,
                                 &out->octets_end, &out->records, &out->records_end};
    struct record_input in = {head, length, false};

    out->held = (record_take_number(&in, 1) & HELD) != 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i] = record_take_number(&in, 8);
    out->when = (int64_t)when;
    record_take_text(&in, out->user, CHANGE_USER_MAX, record_take_number(&in, 1));
    record_take_text(&in, out->behind, CHANGE_USER_MAX, record_take_number(&in, 1));
    record_take_text(&in, out->command, CHANGE_COMMAND_MAX, in.left);
    return in.is_damaged ? -1 : 0;
}

/* ---- an item */

#define LENGTHS (3 * 2) /* octets in front of the key */

size_t change_item_length(const struct change_item *item)
{
    return LENGTHS + item->key_length + item->before_length + item->after_length + 2;
}

void change_encode_item(unsigned char *out, const struct change_item *item)
{
    unsigned char *at = record_put_number(out, item->key_length, 2);
    at = record_put_number(at, item->before == NULL ? 0 : item->before_length + 1, 2);
    at = record_put_number(at, item->after == NULL ? 0 : item->after_length + 1, 2);
    at = record_put_octets(at, item->key, item->key_length);
    at = record_put_octets(at, item->before, item->before_length);
    at = record_put_octets(at, item->after, item->after_length);
    record_put_number(at, change_item_length(item), 2);
}

/* Lengths of values are stored plus one; 0: no value. */
size_t change_first_item(struct change_item *out, const unsigned char *items, size_t length)
{
    if (length < LENGTHS + 2)
        return 0;
    size_t before = record_get_number(items + 2, 2), after = record_get_number(items + 4, 2);
    const unsigned char *key = items + LENGTHS;
    out->key_length = record_get_number(items, 2);
    out->before_length = before == 0 ? 0 : before - 1;
    out->after_length = after == 0 ? 0 : after - 1;
    size_t whole = change_item_length(out);
    if (whole > length || record_get_number(items + whole - 2, 2) != whole)
        return 0;
    out->key = key;
    out->before = before == 0 ? NULL : key + out->key_length;
    out->after = after == 0 ? NULL : key + out->key_length + out->before_length;
    return whole;
}

size_t change_last_item(struct change_item *out, const unsigned char *items, size_t length)
{
    if (length < LENGTHS + 2)
        return 0;
    size_t whole = record_get_number(items + length - 2, 2);
    return whole <= length && change_first_item(out, items + length - whole, whole) == whole ? whole
                                                                                             : 0;
}
