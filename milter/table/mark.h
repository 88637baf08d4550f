/* SPDX-License-Identifier: BSD-2-Clause */
/* table/mark.h: the mark of a table that is the copy of a store: which version of the store it has. It is written in the
 * same transaction as the entries, so neither is ever ahead of the other. A table has one from the first write of movedctl
 * follow on, and then is of format 3, because a program that does not know of the store would lose changes. */
#ifndef TABLE_MARK_H
#define TABLE_MARK_H

#include "base/error.h"
#include "table/table.h"

#include <stdint.h>

#define MARK_SOURCE_MAX 127 /* octets */
#define MARK_NONCE_MAX  39

/* Holds its own bytes. */
struct mark {
    int64_t version; /* of the store; 0: never synced, so the table must not be read */
    char nonce[MARK_NONCE_MAX + 1]; /* of that version: a restored store may use the number again */
    char source[MARK_SOURCE_MAX + 1]; /* names the store */
};

/* Reads the mark; TABLE_ABSENT if the table follows no store. */
enum table_result table_get_mark(struct table *table, struct mark *out, struct error *err);

/* Replaces the mark; NULL removes it, and the table follows no store any more. This alone is not logged as a change. Returns
 * 0; or -1 with err, and then abort the edit. */
int table_edit_mark(struct table_edit *edit, const struct mark *mark, struct error *err);

#endif
