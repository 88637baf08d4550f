/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/pid_file.h: the PID file, for systems without systemd. */
#ifndef DAEMON_PID_FILE_H
#define DAEMON_PID_FILE_H

#include "base/error.h"

/* Writes the PID of this process to path, and holds a lock (flock(2)) on the file as long as the process lives. Only
 * root writes it, in a folder that only root can affect (place_open_of_root), so that its number can be trusted. Does
 * nothing if path is "". Returns 0; or -1 with err: EX_TEMPFAIL if another process holds the lock. */
int pid_file_write(const char *path, struct error *err);

/* Checks that it could be written. Returns 0, or -1 with err. */
int pid_file_check(const char *path, struct error *err);

#endif
