/* table/removal.h: a limit of what a replacement of all entries may remove: a file or a store that
 * has lost rows looks like one from which they were meant to be deleted. */
#ifndef TABLE_REMOVAL_H
#define TABLE_REMOVAL_H

#include <stdbool.h>
#include <stddef.h>

#define REMOVAL_PERCENT 10 /* the limit where none is set; 100: no limit */
#define REMOVAL_FEW     20 /* entries that may always be removed */

/* Whether removed entries of all there are in the table exceed the limit: more than percent of
 * them, and more than a few. */
bool removal_exceeds(size_t removed, size_t all, unsigned percent);

/* The lowest limit in per cent, rounded up, that removed of all entries do not exceed. */
unsigned removal_percent(size_t removed, size_t all);

#endif
