/* daemon/folder.h: folders that the daemon writes in while it is root, or makes. */
#ifndef DAEMON_FOLDER_H
#define DAEMON_FOLDER_H

#include "base/error.h"

#include <sys/types.h>

/* Opens a folder that root alone can have a hand in: it and all above it are root's, nobody else may write in it, nor
 * in those above without the sticky bit, and the links on the way are root's too. What is made or opened through the descriptor (openat(2), no link followed)
 * is then where it seems to be. Returns the descriptor, or -1 with err (EX_NOPERM, EX_CANTCREAT). */
int folder_open_of_root(const char *path, struct error *err);

/* Makes the folder that a socket's path names, if it is missing, with mode 0755: a mail server has to pass through.
 * Root makes it for uid and gid, and only in a folder of root's. Returns 0, or -1 with err (EX_CANTCREAT). */
int folder_make(const char *socket_path, uid_t uid, gid_t gid, struct error *err);

#endif
