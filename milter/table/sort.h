/* SPDX-License-Identifier: BSD-2-Clause */
/* table/sort.h: sorts any number of records by their keys. Records that do not fit into the given memory are written to
 * an unnamed temporary file, in sorted runs, which are merged when the records are read. */
#ifndef TABLE_SORT_H
#define TABLE_SORT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define SORT_KEY_MAX   512 /* octets */
#define SORT_VALUE_MAX 4096

/* Keys are compared by record_compare. Of equal keys, the one with the lower line comes first. */
struct sort_record {
    const void *key, *value;
    size_t key_length, value_length; /* octets, at most those above */
    unsigned long line;              /* in the file, from 1 */
};

struct sort; /* used by one thread at a time */

/* memory is in octets, at least 64 KiB; the pages are used as they are needed. The temporary file is created in folder,
 * which is borrowed. Returns NULL if memory is out. */
struct sort *sort_new(size_t memory, const char *folder);

/* NULL is allowed. */
void sort_free(struct sort *sort);

/* Adds a copy of the record. Returns 0; or -1 with err (EX_IOERR if the temporary file cannot be written), and then
 * only sort_free may be called. */
int sort_add(struct sort *sort, const struct sort_record *record, struct error *err);

/* Goes to the first record. No record can be added after it. May be called again. Returns 0, or -1 with err. */
int sort_rewind(struct sort *sort, struct error *err);

/* Returns the next record; false after the last. *out is valid until sort_free. */
bool sort_next(struct sort *sort, struct sort_record *out);

#endif
