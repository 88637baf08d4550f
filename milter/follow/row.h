/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/row.h: a row of the store as an entry */
#ifndef FOLLOW_ROW_H
#define FOLLOW_ROW_H

#include "base/error.h"
#include "follow/store.h"
#include "mail/address.h"
#include "table/entry.h"

/* Reads an old address, which has to be exactly as movedctl writes it: else two rows could be for one mailbox. Returns 0 with
 * scope, local and domain of *out; or -1 with err, which names the right form. */
int row_read_old(struct entry *out, const char *old, const struct address_rules *rules,
                 struct error *err);

/* Reads a row. Returns 0; or -1 with err: why it is none, and *has_old says whether its old address is good, with *out as
 * row_read_old leaves it. */
int row_read(struct entry *out, bool *has_old, const struct entry_text *row,
             const struct address_rules *rules, struct error *err);

#endif
