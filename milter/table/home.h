/* table/home.h: the folder of a table: found, made and given away without a path that another user could lead elsewhere,
 * see base/place.h. For table.c and copy.c. */
#ifndef TABLE_HOME_H
#define TABLE_HOME_H

#include "base/error.h"
#include "base/place.h"

#include <stdbool.h>
#include <sys/types.h>

/* Finds the folder. Returns 0 with its place; 1 where it is missing, and then the place is the folder above it, with the
 * name that it would have there; or -1 with err and errno. */
int home_find(struct place *out, const char *path, struct error *err);

/* Makes the folder above->name, for its owner alone, and finds it; where root works as another user above it, so it does
 * here. Returns 0 with *out; or -1 with err (EX_CANTCREAT). */
int home_make(struct place *out, const struct place *above, struct error *err);

/* Gives the folder (name "") or a file in it to this owner and group, with this mode; -1 leaves either as it is. Where it
 * cannot be given to the group the mode is for the owner alone. Root gives to another owner, and only what nobody else could write
 * until now. Returns 0, or -1 with err (EX_CANTCREAT). */
int home_give(const struct place *place, const char *name, uid_t owner, gid_t group, mode_t mode,
              struct error *err);

/* Gives a new folder, or an empty one of root's, to whom the table shall belong; root then works there as that user. Any other
 * folder stays as it is. Returns 0, or -1 with err (EX_CANTCREAT). */
int home_settle(struct place *place, bool is_new, uid_t owner, gid_t group, struct error *err);

/* Brings the names in it to disk. Returns 0, or -1 with err (EX_CANTCREAT). */
int home_sync(const struct place *place, struct error *err);

#endif
