/* SPDX-License-Identifier: BSD-2-Clause */
/* table/copy.h: copies a whole table, with its change log. */
#ifndef TABLE_COPY_H
#define TABLE_COPY_H

#include "base/error.h"
#include "table/table.h"

#include <stddef.h>

/* Both create a table at path with the contents of this one at this moment, whatever is being written meanwhile; an
 * edit that is not committed is not in it. The copy is written under another name and renamed when it is complete and
 * on disk. Return 0 with *entries, the number of entries; or -1 with err, EX_CANTCREAT if nothing can be created, and
 * nothing is left behind. settle is called before the rename: from then on the caller should ignore signals until the
 * call returns.
 *
 * table_backup creates the folder, and refuses an existing one. It gets the group of the table's folder, and as root
 * also its owner: 2770, files 0660; if it cannot get that group, only its owner may use it. */
int table_backup(struct table *table, const char *path, void (*settle)(void), size_t *entries,
                 struct error *err);

/* Writes to a folder without a table, or creates the folder; owner and group are as for table_create. */
int table_place(struct table *table, const char *path, uid_t owner, gid_t group,
                void (*settle)(void), size_t *entries, struct error *err);

/* Removes an incomplete copy. May be called in a signal handler. */
void table_copy_remove(void);

#endif
