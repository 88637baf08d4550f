/* SPDX-License-Identifier: BSD-2-Clause */
/* table/record.h: the binary form of an entry: the key and the value of its record in the table's file. No I/O.
 *
 * key    domain '@' local          al@old.example     "old.example@al"
 *        domain '@'                @old.example       "old.example@"
 *        '.' domain '@'            @.old.example      ".old.example@"
 * value  action, disclose, which times follow (one bit each), the times (8 octets each,
 *        little-endian), the length of new (2 octets, little-endian), new, note (the rest) */
#ifndef TABLE_RECORD_H
#define TABLE_RECORD_H

#include "base/error.h"
#include "table/entry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* LMDB's: 255 octets of local-part, '@' and 255 of domain just fit. */
#define RECORD_KEY_MAX   511
#define RECORD_VALUE_MAX (3 + 3 * 8 + 2 + ADDRESS_NEW_MAX + ENTRY_NOTE_MAX)

/* Writes the key of an old address to key[RECORD_KEY_MAX] and returns its length. local is used for ENTRY_MAILBOX only. */
size_t record_key(char *key, enum entry_scope scope, const char *local, const char *domain);

/* Compares two keys as LMDB does: as unsigned octets, and a prefix comes before a longer key. Returns a number below, equal to
 * or above 0. */
int record_compare(const void *a, size_t a_length, const void *b, size_t b_length);

/* Encodes the value of entry into value[RECORD_VALUE_MAX] and returns its length. */
size_t record_encode(unsigned char *value, const struct entry *entry);

/* Decodes a key and a value; the input is untrusted. Returns 0; or -1 with *out undefined and err (EX_DATAERR) if they
 * are damaged. */
int record_decode(struct entry *out, const void *key, size_t key_length, const void *value,
                  size_t value_length, struct error *err);

/* Write a number in little-endian order, or octets as they are, and return the end. Reads such a number. */
unsigned char *record_put_number(unsigned char *at, uint64_t number, int octets);
unsigned char *record_put_octets(unsigned char *at, const void *octets, size_t length);
uint64_t record_get_number(const unsigned char *at, int octets);

/* Untrusted octets that are decoded from the beginning to the end. */
struct record_input {
    const unsigned char *at;
    size_t left;
    bool is_damaged; /* a value did not fit, or a text has a NUL: it was read as 0 or "" */
};

/* Read a number; or copy length octets and a NUL to out[max + 1]. */
uint64_t record_take_number(struct record_input *in, int octets);
void record_take_text(struct record_input *in, char *out, size_t max, size_t length);

#endif
