/* table/record.h: an entry as octets: the key and the value under which the table file keeps it. No I/O.
 *
 * key    domain '@' local          al@old.example     "old.example@al"
 *        domain '@'                @old.example       "old.example@"
 *        '.' domain '@'            @.old.example      ".old.example@"
 * value  action, disclose, which moments follow (a bit each), the moments (8 octets each, little-endian),
 *        length of new (2 octets, little-endian), new, note (the rest) */
#ifndef TABLE_RECORD_H
#define TABLE_RECORD_H

#include "base/error.h"
#include "table/entry.h"

#include <stddef.h>
#include <stdint.h>

#define RECORD_KEY_MAX                                                                             \
    511 /* LMDB's; '.', 253 octets of domain (RFC 1035), '@' and 255 of local-part fit */
#define RECORD_VALUE_MAX (3 + 3 * 8 + 2 + ADDRESS_NEW_MAX + ENTRY_NOTE_MAX)

/* Writes the key of such an old address into key[RECORD_KEY_MAX] and returns its length; 0 where
 * it does not fit, which the old address of an entry always does. local counts for ENTRY_MAILBOX alone. */
size_t record_key(char *key, enum entry_scope scope, const char *local, const char *domain);

/* Writes the value of entry into value[RECORD_VALUE_MAX] and returns its length. */
size_t record_encode(unsigned char *value, const struct entry *entry);

/* Reads both back. Trusts neither: returns 0; or -1 with *out undefined and err (EX_DATAERR)
 * where they were not written by record_key and record_encode. */
int record_decode(struct entry *out, const void *key, size_t key_length, const void *value,
                  size_t value_length, struct error *err);

/* Writes the number as so many octets, little-endian, and returns where they end; reads it back. */
unsigned char *record_put_number(unsigned char *at, uint64_t number, int octets);
uint64_t record_get_number(const unsigned char *at, int octets);

#endif
