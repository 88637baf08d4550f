/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/origin.h: where a change of the store was made, by its author and program: "alice@mx1.example", "movedctl add ...". */
#ifndef FOLLOW_ORIGIN_H
#define FOLLOW_ORIGIN_H

#include "table/change.h"

#include <stdbool.h>

#define ORIGIN_PROGRAM  "movedctl " /* before the words of the command */
#define ORIGIN_COMPARED "movedctl follow: all rows compared"

/* Writes the end of an author of this host, "@mx1.example", so short that it fits behind a user where the change log has one
 * user. */
void origin_host(char out[CHANGE_USER_MAX]);

/* Whether movedctl made the change on this host. */
bool origin_is_here(const char *author, const char *program);

#endif
