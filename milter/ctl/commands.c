/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/commands.c: the table of the commands */
#include "ctl/ctl.h"

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
    &command_hits,
    &command_backup,
    &command_restore,
    &command_log,
    &command_undo,
    &command_follow,
    &command_schema,
    &command_attach,
    &command_detach,
    &command_doctor,
    &command_stats,
    &command_config,
    &command_help,
    &command_version,
    &command_complete,
    NULL,
};
/* clang-format on */
