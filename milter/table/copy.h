/* table/copy.h: the whole of a table, log and all, as a table of its own. */
#ifndef TABLE_COPY_H
#define TABLE_COPY_H

#include "base/error.h"
#include "table/table.h"

#include <stddef.h>

/* Both make path a table that has what this one has at this moment, whatever is being written meanwhile; in the middle of
 * an edit, what it began with. It is written under another name first, and appears when it is whole and on disk. Return 0,
 * with *entries, how many there are, and all on disk; or -1 with err, EX_CANTCREAT where nothing can be made, and nothing left
 * behind. settle is called before it appears: from then on the caller should not let itself be interrupted, for a moment.
 * table_backup makes the folder, and refuses one that is there. It is given to the group, and where root makes it to the
 * owner, of the table's folder: 2770, files 0660; or is for its owner alone where the group cannot be given to. */
int table_backup(struct table *table, const char *path, void (*settle)(void), size_t *entries,
                 struct error *err);

/* Puts it into a folder that has no table, or makes the folder; owner and group are as for table_create. */
int table_place(struct table *table, const char *path, uid_t owner, gid_t group,
                void (*settle)(void), size_t *entries, struct error *err);

/* Removes what a copy has made that has not appeared yet. For a signal handler. */
void table_copy_remove(void);

#endif
