/* SPDX-License-Identifier: BSD-2-Clause */
/* base/place.h: resolves a path safely, and finds the user that root should work as there.
 *
 * A user with write access to a folder can replace a file there at any moment with a link, a FIFO or another folder. So root
 * walks a path one component at a time. From the first folder that belongs to another user, it works as that user, who
 * thereby gains no rights. Files are opened relative to a descriptor of the folder. */
#ifndef BASE_PLACE_H
#define BASE_PLACE_H

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* Holds one descriptor: give it to place_free. */
struct place {
    int folder; /* opened with O_PATH; -1: none */
    /* The last component: no folder and no symbolic link, or missing; "" where the path is a folder */
    char name[NAME_MAX + 1];
    bool there; /* whether something has that name */
    /* The user that root works as there; 0: root, or the process does not run as root */
    uid_t owner;
};

/* Resolves the path. Returns 0, also if its last component is missing; or -1 with err and errno: EX_NOINPUT if a folder
 * is missing, EX_NOPERM if the path leads through a folder of root's that others may write. */
int place_find(struct place *out, const char *path, struct error *err);
void place_free(struct place *place);

/* Switches the process to the owner, with the owner's groups; and back. Does nothing if owner is 0. The whole process
 * is affected, so only one place can be entered at a time. Returns 0, or -1 with err (EX_NOPERM). */
int place_enter(const struct place *place, struct error *err);
void place_leave(const struct place *place);

/* A path to the folder, for a library that takes no descriptor. This is typed; or, if root works as the owner, a path
 * in /proc, because the owner may lack the permission to search the folders above. */
void place_path(const struct place *place, const char *typed, char out[PATH_MAX]);

/* Opens a folder that only root can affect: no other user owns it, may write in it (with or without the sticky bit), or
 * controls where the path leads. A process that is not root may open any folder. Returns a descriptor for openat(2) and
 * the like (O_PATH), or -1 with err (EX_NOPERM, EX_CANTCREAT) and errno. */
int place_open_of_root(const char *path, struct error *err);

#endif
