/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/help.c: the list of commands, the help of one, and the version */
#include "config.h"

#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

static void print_list(const struct command *const *all)
{
    puts("Usage: movedctl [-c FILE] [-d TABLEDIR] COMMAND ...\n"
         "Manages the table of moved mailboxes, from which milter-moved answers.\n");
    for (; *all != NULL; all++)
        if ((*all)->summary != NULL)
            printf("  %-8s  %s\n", (*all)->name, (*all)->summary);
    puts("\n"
         "  -c FILE      the configuration; by default $MILTER_MOVED_CONF, or\n"
         "               " MILTER_MOVED_CONF "\n"
         "  -d TABLEDIR  the folder of the table; by default as configured\n"
         "\n"
         "movedctl help COMMAND explains one, with an example.");
}

static int help(struct ctl *ctl, char **args, struct error *err)
{
    if (args[0] == NULL) {
        print_list(ctl->commands);
        return 0;
    }
    const struct command *command = command_find(ctl->commands, args[0], err);
    if (command == NULL)
        return -1;
    printf("Usage: movedctl %s\n", command->usage);
    if (command->summary != NULL)
        printf("%s.\n", command->summary);
    if (command->details != NULL)
        printf("\n%s", command->details);
    if (command->explain != NULL)
        command->explain();
    if (command->example != NULL) {
        printf("\nExample%s:\n    ", strchr(command->example, '\n') == NULL ? "" : "s");
        for (const char *at = command->example; *at != '\0'; at++) {
            putchar(*at);
            if (*at == '\n')
                fputs("    ", stdout);
        }
        putchar('\n');
    }
    return 0;
}

static int version(struct ctl *ctl, char **args, struct error *err)
{
    (void)ctl;
    (void)args;
    (void)err;
    puts("movedctl " PACKAGE_VERSION);
    return 0;
}

const struct command command_help = {
    .name = "help",
    .usage = "help [COMMAND]",
    .summary = "List the commands, or explain one",
    .example = "movedctl help add",
    .operands = "COMMAND",
    .args = {0, 1},
    .run = help,
};

const struct command command_version = {
    .name = "version",
    .usage = "version",
    .summary = "Print the version",
    .example = "movedctl version",
    .run = version,
};
