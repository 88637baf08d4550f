/* table/copy.h: the whole of a table, log and all, as a table of its own. */
#ifndef TABLE_COPY_H
#define TABLE_COPY_H

#include "base/error.h"
#include "table/table.h"

#include <stddef.h>

/* Both make folder a table that has what this one has at this moment, whatever is being written meanwhile; in the middle of
 * an edit, what it began with. Folder 2770, files 0660; or for the owner alone where the group cannot be given to.
 * part is a file that is not there yet, on the same file system as folder: it is written first, and becomes the data file
 * when it is whole and on disk. Return 0, with *entries, how many there are, and all on disk; or -1 with err,
 * EX_CANTCREAT where nothing can be made, and nothing left behind.
 * settle is called when the part is whole: from then on the caller should not let himself be interrupted, for a moment.
 * table_backup makes the folder, and refuses one that is there. It is the group's, and where root makes it the owner's, of
 * the table's folder. */
int table_backup(struct table *table, const char *folder, const char *part, void (*settle)(void),
                 size_t *entries, struct error *err);

/* Puts it into a folder that has no table, or makes the folder; owner and group are as for table_create. */
int table_place(struct table *table, const char *folder, const char *part, uid_t owner, gid_t group,
                void (*settle)(void), size_t *entries, struct error *err);

#endif
