/* ctl/backup.h: a copy of the table, by itself or before a great change. */
#ifndef CTL_BACKUP_H
#define CTL_BACKUP_H

#include "ctl/ctl.h"

/* Before a change that takes so many octets of the change log: says that what the log does not hold cannot be undone, and
 * what keeps a copy, unless --backup is there. */
void backup_advise(const struct ctl *ctl, size_t log_octets);

/* Makes the copy that --backup asks for. Returns 0, or -1 with err. */
int backup_before(const struct ctl *ctl, struct error *err);

#endif
