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

int row_read(struct entry *out, bool *has_old, const struct entry_text *row,
             const struct address_rules *rules, struct error *err)
{
    *has_old = row_read_old(out, row->old, rules, err) == 0;
    return *has_old ? entry_parse(out, row, rules, err) : -1;
}
