/* table/change.h: a change of the table as octets, as the change log keeps it. No I/O.
 *
 * A change is a head and so many items, one for each entry, before and after. Numbers are little-endian.
 *
 * head  flags; number, when, uid, undoes, added, changed, removed, octets, octets_end, records, records_end (8 octets
 *       each); user and behind (1 octet of length in front of each); command (the rest)
 * item  length of key, of the value before, of the value after (2 octets each; the values' plus 1, and 0: no entry); the
 *       three; length of the whole item (2 octets), so that items can be read from the last to the first */
#ifndef TABLE_CHANGE_H
#define TABLE_CHANGE_H

#include "base/error.h"
#include "table/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANGE_USER_MAX    63  /* octets */
#define CHANGE_COMMAND_MAX 400 /* octets */

/* What one commit did. Holds its own bytes. */
struct change {
    uint64_t number; /* from 1 on, one more for each */
    int64_t when;    /* in seconds */

    /* Who: the user that the process ran as; and behind, who had become him by sudo, as the
     * environment says, else "". */
    uint64_t uid;
    char user[CHANGE_USER_MAX + 1], behind[CHANGE_USER_MAX + 1];

    char command[CHANGE_COMMAND_MAX + 1]; /* "add al@old.example al@new.example" */
    uint64_t undoes; /* the number of the change that this one took back; 0: none */
    uint64_t added, changed, removed; /* entries */
    bool held; /* whether the log has the entries before and after; else there were too many */

    /* What it takes in the log, and the sum of that over it and all before it: the difference of two sums is what
     * lies between them. */
    uint64_t octets, octets_end, records, records_end;
};

/* An item, with key and values as in table/record.h. Borrowed. */
struct change_item {
    const void *key, *before, *after; /* before, after NULL: there is no entry */
    size_t key_length, before_length, after_length;
};

#define CHANGE_HEAD_MAX (1 + 11 * 8 + 2 * (1 + CHANGE_USER_MAX) + CHANGE_COMMAND_MAX)
#define CHANGE_ITEM_MAX (8 + RECORD_KEY_MAX + 2 * RECORD_VALUE_MAX)

/* Writes the head into out[CHANGE_HEAD_MAX] and returns its length. */
size_t change_encode_head(unsigned char *out, const struct change *change);

/* Decodes a head; the input is untrusted. Returns 0, or -1 with *out undefined. */
int change_decode_head(struct change *out, const void *head, size_t length);

/* The length of the item; and writes it into out, which has room for so much. */
size_t change_item_length(const struct change_item *item);
void change_encode_item(unsigned char *out, const struct change_item *item);

/* Reads the first, or the last item of so many octets, and returns its length; 0 with *out undefined where there is none, or
 * it was not written by change_encode_item. */
size_t change_first_item(struct change_item *out, const unsigned char *items, size_t length);
size_t change_last_item(struct change_item *out, const unsigned char *items, size_t length);

#endif
