/* SPDX-License-Identifier: BSD-2-Clause */
/* table/change.h: the binary form of a change in the change log. No I/O.
 *
 * A change is a head and a number of items, one for each entry, with its values before and after. Numbers are
 * little-endian.
 *
 * head  flags; number, when, uid, undoes, added, changed, removed, octets, octets_end, records,
 *       records_end (8 octets each); user and behind (each after its length in 1 octet); command
 *       (the rest)
 * item  the lengths of the key, the value before and the value after (2 octets each; those of the
 *       values plus 1, and 0 for no entry); these three; the length of the whole item (2 octets),
 *       so that items can be read backwards */
#ifndef TABLE_CHANGE_H
#define TABLE_CHANGE_H

#include "table/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANGE_USER_MAX    63  /* octets */
#define CHANGE_COMMAND_MAX 400 /* octets */

/* The metadata of one commit. Holds its own bytes. */
struct change {
    uint64_t number; /* consecutive, from 1 */
    int64_t when;    /* in seconds */

    /* The user of the process; and the user who became it by sudo, according to the environment, "" if there is
     * none. */
    uint64_t uid;
    char user[CHANGE_USER_MAX + 1], behind[CHANGE_USER_MAX + 1];

    char command[CHANGE_COMMAND_MAX + 1]; /* "add al@old.example al@new.example" */
    uint64_t undoes;                  /* the number of the change that this one reverts; 0: none */
    uint64_t added, changed, removed; /* entries */
    bool held; /* whether the log has its entries; it has not if they are too many */

    /* Its size in the log, and the sums of that over this and all earlier changes: the difference of two sums is the
     * size of the changes between them. */
    uint64_t octets, octets_end, records, records_end;
};

/* An item: the change of one entry. The key and the values are as in table/record.h, and borrowed. */
struct change_item {
    const void *key, *before, *after; /* before or after is NULL if there is no entry */
    size_t key_length, before_length, after_length;
};

#define CHANGE_HEAD_MAX (1 + 11 * 8 + 2 * (1 + CHANGE_USER_MAX) + CHANGE_COMMAND_MAX)
#define CHANGE_ITEM_MAX (8 + RECORD_KEY_MAX + 2 * RECORD_VALUE_MAX)

/* Writes the head into out[CHANGE_HEAD_MAX] and returns its length. */
size_t change_encode_head(unsigned char *out, const struct change *change);

/* Decodes a head; the input is untrusted. Returns 0, or -1 with *out undefined. */
int change_decode_head(struct change *out, const void *head, size_t length);

/* Returns the length of the item; writes it to out, which has room for it. */
size_t change_item_length(const struct change_item *item);
void change_encode_item(unsigned char *out, const struct change_item *item);

/* Decodes the first or the last of the items in length octets, and returns its length. Returns 0, with *out undefined,
 * if there is none or the data is damaged. */
size_t change_first_item(struct change_item *out, const unsigned char *items, size_t length);
size_t change_last_item(struct change_item *out, const unsigned char *items, size_t length);

#endif
