/* SPDX-License-Identifier: BSD-2-Clause */
/* table/removal.h: limits how many entries a replacement of the whole table may remove. A file or a store that has lost
 * rows looks the same as one from which they were deleted on purpose. */
#ifndef TABLE_REMOVAL_H
#define TABLE_REMOVAL_H

#include <stdbool.h>
#include <stddef.h>

#define REMOVAL_PERCENT 10 /* the limit where none is set; 100: no limit */
#define REMOVAL_FEW     20 /* entries that may always be removed */

/* Whether removing removed of all entries exceeds the limit: more than percent of them, and more than REMOVAL_FEW. */
bool removal_exceeds(size_t removed, size_t all, unsigned percent);

/* The lowest limit in per cent, rounded up, that allows removing removed of all entries. */
unsigned removal_percent(size_t removed, size_t all);

#endif
