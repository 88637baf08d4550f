/* daemon/pid_file.h: the file that says which process is the daemon, for those who have no systemd. */
#ifndef DAEMON_PID_FILE_H
#define DAEMON_PID_FILE_H

#include "base/error.h"

/* Writes the number of this process into path, and holds a lock (flock(2)) on it for as long as the process lives. Only
 * root writes it, in a folder of root's (place_open_of_root), so that whoever stops the daemon by it stops no other process. Does
 * nothing where path is "". Returns 0; or -1 with err: EX_TEMPFAIL where another process holds the lock. */
int pid_file_write(const char *path, struct error *err);

/* Whether it could be written. Returns 0, or -1 with err. */
int pid_file_check(const char *path, struct error *err);

#endif
