/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/outfile.h: writes a file that appears whole or not at all. Root writes it as the owner of its folder: base/place.h. */
#ifndef CTL_OUTFILE_H
#define CTL_OUTFILE_H

#include "base/error.h"

#include <stdio.h>

/* Opens a temporary file beside path; a symbolic link is followed, and a pipe or a device is refused. One at a time.
 * Returns the file, which goes to outfile_close; or NULL with err (EX_CANTCREAT, EX_NOPERM). */
FILE *outfile_open(const char *path, struct error *err);

/* Ends the writing. If rc is 0, syncs the file to disk and renames it to path, with owner and mode of the one that was
 * there as far as permitted, because mail servers read it; otherwise removes it. Returns rc, or -1 with err. */
int outfile_close(int rc, struct error *err);

/* Removes the temporary file, in a signal handler. */
void outfile_remove(void);

#endif
