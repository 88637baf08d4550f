/* table/sort.h: records in the order of their keys, however many there are. What does not fit into a set amount of
 * memory goes to a temporary file that has no name, in runs that are sorted each; they are merged when the records are
 * read. */
#ifndef TABLE_SORT_H
#define TABLE_SORT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define SORT_KEY_MAX   512 /* octets */
#define SORT_VALUE_MAX 4096

/* Octets are compared as unsigned ones, and a key that is another's beginning comes first: as LMDB
 * does it. Of equal keys the lower line comes first. */
struct sort_record {
    const void *key, *value;
    size_t key_length, value_length; /* octets, at most those above */
    unsigned long line;              /* where it came from, from 1 on */
};

struct sort; /* used by one thread at a time */

/* memory is in octets; at least 64 KiB are taken, and only as they are needed. folder is where the
 * temporary file is created if one is needed; borrowed. Returns NULL if memory is out. */
struct sort *sort_new(size_t memory, const char *folder);

/* NULL is fine. */
void sort_free(struct sort *sort);

/* Copies the record. Returns 0; or -1 with err (EX_IOERR: the temporary file cannot be written), and
 * then nothing else than sort_free may follow. */
int sort_add(struct sort *sort, const struct sort_record *record, struct error *err);

/* Goes to the first record; none can be added any more. May be called again. Returns 0, or -1 with
 * err. */
int sort_rewind(struct sort *sort, struct error *err);

/* Returns the next record in order; false after the last. The data of *out is valid until the next call. */
bool sort_next(struct sort *sort, struct sort_record *out);

#endif
