/* SPDX-License-Identifier: BSD-2-Clause */
/* table/home.h: finds, creates and gives away the folder of a table, without a path that another user could redirect
 * (see base/place.h). For table.c and copy.c. */
#ifndef TABLE_HOME_H
#define TABLE_HOME_H

#include "base/error.h"
#include "base/place.h"

#include <stdbool.h>
#include <sys/types.h>

/* Finds the folder. Returns 0 with its place; 1 if it does not exist, with the place of the folder above and the
 * missing name; or -1 with err and errno. */
int home_find(struct place *out, const char *path, struct error *err);

/* Creates the folder above->name with this mode, less the umask, and opens it. Root works there as the same user as in the
 * folder above. Returns 0 with *out; or -1 with err (EX_CANTCREAT). */
int home_make(struct place *out, const struct place *above, mode_t mode, struct error *err);

/* Gives the folder (name "") or a file in it to this owner and group (-1: unchanged), with this mode. If it cannot be
 * given to the group, only the owner gets permissions. Root gives it to another owner only if nobody else could have
 * written there before. Returns 0, or -1 with err (EX_CANTCREAT). */
int home_give(const struct place *place, const char *name, uid_t owner, gid_t group, mode_t mode,
              struct error *err);

/* Gives a new folder, or an empty one of root's, to the owner and group of the table; root then works there as that
 * user. Any other folder stays unchanged. Returns 0, or -1 with err (EX_CANTCREAT). */
int home_settle(struct place *place, bool is_new, uid_t owner, gid_t group, struct error *err);

/* Writes the directory to disk. Returns 0, or -1 with err (EX_CANTCREAT). */
int home_sync(const struct place *place, struct error *err);

#endif
