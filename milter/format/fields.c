/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/fields.h"

#include <string.h>

const char *const field_names[FIELDS] = {"old",   "new",           "action",   "from",
                                         "until", "forward_until", "disclose", "note"};

int field_find(const char *const names[FIELDS], const char *name)
{
    for (int i = 0; i < FIELDS; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

void fields_spell(struct fields *out, const struct entry *entry)
{
    entry_format_old(out->old, sizeof out->old, entry);
    timestamp_format(out->moments[0], sizeof out->moments[0], entry->from);
    timestamp_format(out->moments[1], sizeof out->moments[1], entry->until);
    timestamp_format(out->moments[2], sizeof out->moments[2], entry->forward_until);
    out->values[FIELD_OLD] = out->old;
    out->values[FIELD_NEW] = entry->new;
    out->values[FIELD_ACTION] = entry_action_name(entry->action);
    out->values[FIELD_FROM] = out->moments[0];
    out->values[FIELD_UNTIL] = out->moments[1];
    out->values[FIELD_FORWARD_UNTIL] = out->moments[2];
    out->values[FIELD_DISCLOSE] = entry_disclose_name(entry->disclose);
    out->values[FIELD_NOTE] = entry->note;
}
