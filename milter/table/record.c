/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/record.h"

#include <string.h>

size_t record_key(char *key, enum entry_scope scope, const char *local, const char *domain)
{
    size_t local_length = scope == ENTRY_MAILBOX ? strlen(local) : 0;
    size_t domain_length = strlen(domain);
    size_t dot = scope == ENTRY_SUBDOMAINS ? 1 : 0;

    if (dot == 1)
        key[0] = '.';
    memcpy(key + dot, domain, domain_length);
    key[dot + domain_length] = '@';
    if (local_length > 0)
        memcpy(key + dot + domain_length + 1, local, local_length);
    return dot + domain_length + 1 + local_length;
}

int record_compare(const void *a, size_t a_length, const void *b, size_t b_length)
{
    int rc = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return rc != 0 ? rc : (a_length > b_length) - (a_length < b_length);
}

unsigned char *record_put_number(unsigned char *at, uint64_t number, int octets)
{
    for (int i = 0; i < octets; i++, number >>= 8)
        *at++ = (unsigned char)(number & 0xff);
    return at;
}

uint64_t record_get_number(const unsigned char *at, int octets)
{
    uint64_t number = 0;
    for (int i = octets - 1; i >= 0; i--)
        number = number << 8 | at[i];
    return number;
}

unsigned char *record_put_octets(unsigned char *at, const void *octets, size_t length)
{
    if (length > 0)
        memcpy(at, octets, length);
    return at + length;
}

uint64_t record_take_number(struct record_input *in, int octets)
{
    in->is_damaged = in->is_damaged || in->left < (size_t)octets;
    if (in->is_damaged)
        return 0;
    in->at += octets;
    in->left -= (size_t)octets;
    return record_get_number(in->at - octets, octets);
}

void record_take_text(struct record_input *in, char *out, size_t max, size_t length)
{
    in->is_damaged =
        in->is_damaged || length > max || length > in->left || memchr(in->at, '\0', length) != NULL;
    length = in->is_damaged ? 0 : length;
    *record_put_octets((unsigned char *)out, in->at, length) = '\0';
    in->at += length;
    in->left -= length;
}

size_t record_encode(unsigned char *value, const struct entry *entry)
{
    const int64_t moments[] = {entry->from, entry->until, entry->forward_until};
    size_t new_length = strlen(entry->new), note_length = strlen(entry->note);
    unsigned char *at = value + 3;

    value[0] = (unsigned char)entry->action;
    value[1] = (unsigned char)entry->disclose;
    value[2] = 0;
    for (int i = 0; i < 3; i++) {
        if (moments[i] != TIMESTAMP_NONE) {
            value[2] |= (unsigned char)(1 << i);
            at = record_put_number(at, (uint64_t)moments[i], 8);
        }
    }
    at = record_put_number(at, new_length, 2);
    at = record_put_octets(at, entry->new, new_length);
    at = record_put_octets(at, entry->note, note_length);
    return (size_t)(at - value);
}

static int decode_key(struct entry *out, const char *key, size_t length)
{
    const char *at = length == 0 ? NULL : memchr(key, '@', length);
    size_t dot = length > 0 && key[0] == '.' ? 1 : 0;
    if (at == NULL || (size_t)(at - key) < dot)
        return -1;

    size_t domain_length = (size_t)(at - key) - dot;
    size_t local_length = length - dot - domain_length - 1;
    if (domain_length == 0 || domain_length > ADDRESS_DOMAIN_MAX ||
        local_length > ADDRESS_LOCAL_MAX)
        return -1;

    memcpy(out->domain, key + dot, domain_length);
    out->domain[domain_length] = '\0';
    memcpy(out->local, at + 1, local_length);
    out->local[local_length] = '\0';
    out->scope = dot == 1 ? ENTRY_SUBDOMAINS : local_length == 0 ? ENTRY_DOMAIN : ENTRY_MAILBOX;
    return dot == 1 && local_length > 0 ? -1 : 0;
}

static int decode_value(struct entry *out, const void *value, size_t length)
{
    int64_t *const moments[] = {&out->from, &out->until, &out->forward_until};
    struct record_input in = {value, length, false};
    uint64_t action = record_take_number(&in, 1), disclose = record_take_number(&in, 1),
             given = record_take_number(&in, 1);
    if (action > ENTRY_STAY || disclose > ENTRY_NOBODY || given > 7)
        return -1;
    out->action = (enum entry_action)action;
    out->disclose = (enum entry_disclose)disclose;
    for (int i = 0; i < 3; i++)
        *moments[i] = (given & 1u << i) == 0 ? TIMESTAMP_NONE : (int64_t)record_take_number(&in, 8);
    record_take_text(&in, out->new, ADDRESS_NEW_MAX, record_take_number(&in, 2));
    record_take_text(&in, out->note, ENTRY_NOTE_MAX, in.left);
    return in.is_damaged ? -1 : 0;
}

int record_decode(struct entry *out, const void *key, size_t key_length, const void *value,
                  size_t value_length, struct error *err)
{
    if (decode_key(out, key, key_length) != 0 || decode_value(out, value, value_length) != 0)
        return error_set(err, EX_DATAERR, "an entry of the table is damaged: restore a copy of it");
    return 0;
}
