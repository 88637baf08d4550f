/* SPDX-License-Identifier: BSD-2-Clause */
#include "follow/row.h"

#include <string.h>

int row_read_old(struct entry *out, const char *old, const struct address_rules *rules,
                 struct error *err)
{
    char right[ADDRESS_TEXT_SIZE];
    const struct address_rules strict = {
        .fold_case = rules->fold_case, .delimiters = rules->delimiters, .local_domain = NULL};
    if (entry_parse_old(out, old, &strict, err) != 0)
        return -1;
    entry_format_old(right, sizeof right, out);
    return strcmp(right, old) == 0 ? 0 : error_set(err, EX_DATAERR, "old: write '%s'", right);
}

int row_read(struct entry *out, bool *has_old, const struct store_row *row,
             const struct address_rules *rules, struct error *err)
{
    const struct entry_text text = {.old = row->old,
                                    .new = row->new,
                                    .action = row->action,
                                    .from = row->from,
                                    .until = row->until,
                                    .forward_until = row->forward_until,
                                    .disclose = row->disclose,
                                    .note = row->note,
                                    .now = TIMESTAMP_NONE};
    *has_old = row_read_old(out, row->old, rules, err) == 0;
    return *has_old ? entry_parse(out, &text, rules, err) : -1;
}
