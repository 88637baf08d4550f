/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/options.h: the options of all commands, one row each. A command's own row names those that it takes. */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include "ctl/ctl.h"

struct option_row {
    const char *name; /* of one letter: -n; of more: --name */
    bool has_argument;
    const char *values; /* of the argument, as the operands of a command; NULL: nothing is known */
    size_t offset;      /* in struct options */
};

/* NULL where no command has such an option. */
const struct option_row *option_find(const char *name);

/* Reads the options of command, and those that stand anywhere (-c, -d, help, version), into *out; argv[0] is passed
 * over. Returns the index of the first operand in argv, which is reordered; or -1 with err (EX_USAGE). Where command is
 * NULL, stops at the command. */
int options_read(struct options *out, const struct command *command, int argc, char **argv,
                 struct error *err);

#endif
