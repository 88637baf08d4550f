/* base/place.h: where a path leads, and as which user root works there.
 *
 * In a folder that somebody else may write, that user decides what a path means: a link, a FIFO or another folder can stand
 * there at the next moment. So root walks a path one component at a time, and from the first folder that belongs to another
 * user on it works as that user, who gains nothing by it. What is opened there is opened below a descriptor of the folder. */
#ifndef BASE_PLACE_H
#define BASE_PLACE_H

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* Holds one descriptor: give it to place_free. */
struct place {
    int folder; /* opened with O_PATH; -1: none */
    char name
        [NAME_MAX +
         1]; /* the last component: no folder and no symbolic link, or missing; "" where the path is a folder */
    bool there;  /* whether something has that name */
    uid_t owner; /* as whom root works there; 0: as root, or the process is not root's */
};

/* Follows the path. Returns 0, also where its last component is missing; or -1 with err and errno: EX_NOINPUT where a
 * folder is missing, EX_NOPERM where it leads through a folder of root's that others may write. */
int place_find(struct place *out, const char *path, struct error *err);
void place_free(struct place *place);

/* Makes the process work as the owner, with the owner's groups; and as itself again. Nothing happens where owner is 0. The
 * whole process changes, and so only one place can be entered at a time. Returns 0, or -1 with err (EX_NOPERM). */
int place_enter(const struct place *place, struct error *err);
void place_leave(const struct place *place);

/* A path to the folder itself, for a library that takes no descriptor: typed, or one in /proc where the owner works, who
 * need not have the right to walk there. */
void place_path(const struct place *place, const char *typed, char out[PATH_MAX]);

/* Opens a folder that root alone can have a hand in: no other user owns it or may write in it, the sticky bit or not, and
 * none decides where the path leads. A process that is not root's may open any folder. Returns a descriptor for openat(2)
 * and its like (O_PATH), or -1 with err (EX_NOPERM, EX_CANTCREAT) and errno. */
int place_open_of_root(const char *path, struct error *err);

#endif
