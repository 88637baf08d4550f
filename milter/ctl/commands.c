#include "ctl/ctl.h"

#include <string.h>

/* In the order in which help lists them, one a line. */
/* clang-format off */
const struct command *const commands[] = {
    &command_init,
    &command_add,
    &command_del,
    &command_get,
    &command_list,
    &command_test,
    &command_import,
    &command_export,
    &command_lint,
    &command_backup,
    &command_restore,
    &command_log,
    &command_undo,
    &command_attach,
    &command_detach,
    &command_doctor,
    &command_stats,
    &command_help,
    &command_version,
    NULL,
};
/* clang-format on */

/* How many letters differ, a short way: those that b lacks, and the difference in length. */
static size_t distance(const char *a, const char *b)
{
    size_t missing = 0, a_length = strlen(a), b_length = strlen(b);
    for (const char *at = a; *at != '\0'; at++)
        if (strchr(b, *at) == NULL)
            missing++;
    return 2 * missing + (a_length > b_length ? a_length - b_length : b_length - a_length);
}

const struct command *command_find(const char *name, struct error *err)
{
    const struct command *nearest = commands[0];
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
        if (distance(name, commands[i]->name) < distance(name, nearest->name))
            nearest = commands[i];
    }
    if (distance(name, nearest->name) > 2)
        error_set(err, EX_USAGE, "no such command '%s': see movedctl help", name);
    else
        error_set(err, EX_USAGE, "no such command '%s': did you mean %s? see movedctl help", name,
                  nearest->name);
    return NULL;
}
