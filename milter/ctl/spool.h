/* ctl/spool.h: standard output for what reads the table while it prints. A view that stays open keeps old pages in the
 * file; so a reader who is slow (a pager, a network) does not hold it open: what he does not take goes to a temporary file
 * without a name meanwhile, and to him when the view is closed. */
#ifndef CTL_SPOOL_H
#define CTL_SPOOL_H

#include "base/error.h"

/* From now on stdout is such a stream. folder is where the temporary file is made when it comes to that; lent, until
 * spool_end. Without memory, without room for the file, and where standard output is a file, all stays as it was. */
void spool_begin(const char *folder);

/* Gives the reader what is left, however long he takes, as with all that is printed behind it. Returns 0, or -1 with err (EX_IOERR; NULL:
 * another error is told already). */
int spool_end(struct error *err);

/* $TMPDIR, or else the folder of the table: where temporary files are made. */
const char *spool_folder(const char *table);

#endif
