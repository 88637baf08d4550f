/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/change.h"

#include <string.h>

#define HELD 1 /* of the flags */

/* ---- the head */

static unsigned char *put_text(unsigned char *at, const char *text)
{
    size_t length = strlen(text);
    *at++ = (unsigned char)length;
    memcpy(at, text, length);
    return at + length;
}

size_t change_encode_head(unsigned char *out, const struct change *change)
{
    const uint64_t numbers[] = {change->number,  (uint64_t)change->when, change->uid,
                                change->undoes,  change->added,          change->changed,
                                change->removed, change->octets,         change->octets_end,
                                change->records, change->records_end};
    unsigned char *at = out;
    size_t length = strlen(change->command);

    *at++ = change->held ? HELD : 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        at = record_put_number(at, numbers[i], 8);
    at = put_text(at, change->user);
    at = put_text(at, change->behind);
    memcpy(at, change->command, length);
    return (size_t)(at - out) + length;
}

/* Copies length octets of text, and returns their end; NULL if they do not fit or are missing. */
static const unsigned char *get_text(char *out, size_t max, const unsigned char *at, size_t length,
                                     const unsigned char *end)
{
    if (at == NULL || length > max || (size_t)(end - at) < length)
        return NULL;
    memcpy(out, at, length);
    out[length] = '\0';
    return at + length;
}

static const unsigned char *get_name(char *out, const unsigned char *at, const unsigned char *end)
{
    return at == NULL || at == end ? NULL : get_text(out, CHANGE_USER_MAX, at + 1, *at, end);
}

int change_decode_head(struct change *out, const void *head, size_t length)
{
    uint64_t when;
    uint64_t *const numbers[] = {&out->number,     &when,         &out->uid,        &out->undoes,
                                 &out->added,      &out->changed, &out->removed,    &out->octets,
                                 &out->octets_end, &out->records, &out->records_end};
    const unsigned char *at = head, *end = at + length;

    if (length < 1 + sizeof numbers / sizeof *numbers * 8)
        return -1;
    out->held = (*at++ & HELD) != 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++, at += 8)
        *numbers[i] = record_get_number(at, 8);
    out->when = (int64_t)when;
    at = get_name(out->user, at, end);
    at = get_name(out->behind, at, end);
    return at != NULL &&
                   get_text(out->command, CHANGE_COMMAND_MAX, at, (size_t)(end - at), end) != NULL
               ? 0
               : -1;
}

/* ---- an item */

#define LENGTHS (3 * 2) /* octets in front of the key */

size_t change_item_length(const struct change_item *item)
{
    return LENGTHS + item->key_length + item->before_length + item->after_length + 2;
}

static unsigned char *put_octets(unsigned char *at, const void *octets, size_t length)
{
    if (length > 0)
        memcpy(at, octets, length);
    return at + length;
}

void change_encode_item(unsigned char *out, const struct change_item *item)
{
    unsigned char *at = record_put_number(out, item->key_length, 2);
    at = record_put_number(at, item->before == NULL ? 0 : item->before_length + 1, 2);
    at = record_put_number(at, item->after == NULL ? 0 : item->after_length + 1, 2);
    at = put_octets(at, item->key, item->key_length);
    at = put_octets(at, item->before, item->before_length);
    at = put_octets(at, item->after, item->after_length);
    record_put_number(at, change_item_length(item), 2);
}

/* Returns a value whose stored length is one too large; NULL for a stored length of 0. */
static const void *get_value(size_t *out, const unsigned char **at, size_t length)
{
    const void *value = length == 0 ? NULL : *at;
    *out = length == 0 ? 0 : length - 1;
    *at += *out;
    return value;
}

size_t change_first_item(struct change_item *out, const unsigned char *items, size_t length)
{
    if (length < LENGTHS + 2)
        return 0;
    size_t key = record_get_number(items, 2), before = record_get_number(items + 2, 2),
           after = record_get_number(items + 4, 2);
    const unsigned char *at = items + LENGTHS;

    out->key = at;
    out->key_length = key;
    size_t whole = LENGTHS + key + (before > 0 ? before - 1 : 0) + (after > 0 ? after - 1 : 0) + 2;
    if (whole > length || record_get_number(items + whole - 2, 2) != whole)
        return 0;
    at += key;
    out->before = get_value(&out->before_length, &at, before);
    out->after = get_value(&out->after_length, &at, after);
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
