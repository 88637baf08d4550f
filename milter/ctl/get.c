/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/get.c: print the entry of one old address */
#include "ctl/ctl.h"

static int get(struct ctl *ctl, char **args, struct error *err)
{
    struct entry entry;
    if (ctl_parse_old(ctl, args[0], &entry, err) != 0)
        return -1;
    switch (table_look_up(ctl->table, &entry, &entry, err)) {
    case TABLE_FOUND: return print_details(&entry, ctl->options.json, err);
    case TABLE_ABSENT: return 1; /* no message: scripts ask this way */
    case TABLE_FAILED: break;
    }
    return -1;
}

const struct command command_get = {
    .name = "get",
    .also = "show",
    .usage = "get [--json] OLD",
    .summary = "Print the entry of one old address",
    .details = "Only an entry for exactly OLD counts; if there is none, the exit status is 1.\n"
               "movedctl test shows which entry answers for a recipient.\n"
               "\n"
               "  --json  print an object\n",
    .example = "movedctl get --json alice@old.example",
    .operands = "OLD",
    .takes = "json",
    .args = {1, 1},
    .opens = TABLE_TO_READ,
    .run = get,
};
