/* SPDX-License-Identifier: BSD-2-Clause */
/* table/mark.h: how far the table has followed a store of which it is a copy. The mark is written in the transaction that
 * has the entries, so neither is ever ahead of the other. A table has one from the first write of movedctl follow on, and
 * is of format 3 as long as it has one: a program that does not know of the store would lose changes. */
#ifndef TABLE_MARK_H
#define TABLE_MARK_H

#include "base/error.h"
#include "table/table.h"

#include <stdint.h>

#define MARK_SOURCE_MAX 127 /* octets */
#define MARK_NONCE_MAX  39

/* Holds its own bytes. */
struct mark {
    /* Of the store, that the entries are of; 0: never synced, and nobody may read it */
    int64_t version;
    char nonce[MARK_NONCE_MAX +
               1]; /* of that version: a store that was restored may give the number again */
    char source[MARK_SOURCE_MAX + 1]; /* which store */
};

/* The mark of the table at this moment; TABLE_ABSENT where it follows nobody. */
enum table_result table_get_mark(struct table *table, struct mark *out, struct error *err);

/* Replaces the mark; with NULL there is none any more, and the table is its host's own. That alone is no change of the
 * table, and nothing is logged. Returns 0, or -1 with err, and then abort the edit. */
int table_edit_mark(struct table_edit *edit, const struct mark *mark, struct error *err);

#endif
