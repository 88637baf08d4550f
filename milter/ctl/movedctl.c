/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/movedctl.c: movedctl: finds the command, reads its options, opens the table for it, prints its
 * error. */
#include "base/descriptors.h"
#include "ctl/ctl.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* In the order in which help lists them. */
static const struct command *const commands[] = {
    &command_init,   &command_add,     &command_del,     &command_get,      &command_list,
    &command_test,   &command_import,  &command_export,  &command_lint,     &command_hits,
    &command_backup, &command_restore, &command_log,     &command_undo,     &command_follow,
    &command_schema, &command_attach,  &command_detach,  &command_doctor,   &command_stats,
    &command_config, &command_help,    &command_version, &command_complete, NULL};

static int run_command(struct ctl *ctl, const struct command *command, char **args,
                       struct error *err)
{
    struct settings *settings;
    int status = -1;
    if (command == &command_help || command == &command_version)
        return command->run(ctl, args, err); /* with a bad configuration too */
    if (ctl_read_settings(&settings, ctl->options.file, err) != 0) {
        if (!command->needs_no_conf || err->status == EX_NOINPUT ||
            (settings = settings_new()) == NULL)
            return -1;
        ctl_warn("%s; %s goes on with the defaults", err->text, command->name);
        settings->file = strdup(settings_path(ctl->options.file, NULL));
    }
    ctl->settings = settings;
    ctl->path = ctl->options.path == NULL ? settings->table : ctl->options.path;
    if (command->opens == TABLE_NONE ||
        table_open(&ctl->table, ctl->path,
                   command->opens == TABLE_TO_WRITE ? TABLE_WRITE : TABLE_READ, settings->fold_case,
                   err) == 0)
        status = command->run(ctl, args, err);
    if (status < 0)
        settings_locate(settings, err);
    table_free(ctl->table);
    settings_free(settings);
    return status;
}

/* Finds the command, with options before and after it. */
static int run(struct ctl *ctl, int argc, char **argv, struct error *err)
{
    struct options *options = &ctl->options;
    const struct command *command = NULL;
    int at = options_read(options, NULL, argc, argv, err);
    if (at >= 0 && at < argc && !options->help && !options->version) {
        command = command_find(commands, argv[at], err);
        if (command == &command_complete) /* the words are not its own options */
            return command->run(ctl, argv + at + 1, err);
        argc -= at;
        argv += at;
        at = command == NULL ? -1 : options_read(options, command, argc, argv, err);
    }
    if (at < 0)
        return -1;
    if (options->help || options->version) {
        char *help[] = {command == NULL ? NULL : (char *)command->name, NULL}; /* only read */
        return (options->version ? &command_version : &command_help)->run(ctl, help, err);
    }
    if (command == NULL)
        return error_set(err, EX_USAGE, "no command: see movedctl help");
    int operands = argc - at;
    bool few = operands < command->args.least;
    if (few || (command->args.most >= 0 && operands > command->args.most))
        return error_set(err, EX_USAGE, "too %s operands: usage: movedctl %s", few ? "few" : "many",
                         command->usage);
    ctl->words = argv;
    return run_command(ctl, command, argv + at, err);
}

/* The table's files are mapped. A page that was truncated or cannot be read ends the command; what is not committed is
 * lost. */
static void on_fault(int number)
{
    static const char line[] = "movedctl: a file of the table is truncated or cannot be read; "
                               "nothing was changed: run the command again, and if that fails, "
                               "restore a copy of the table\n";
    (void)number;
    (void)!write(STDERR_FILENO, line, sizeof line - 1);
    _exit(EX_IOERR);
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.commands = commands};
    struct error err;

    descriptors_occupy_standard();
    signal(SIGBUS, on_fault);
    signal(SIGXFSZ, SIG_IGN); /* write(2) says it too, and then there is a line */
    int status = run(&ctl, argc, argv, &err);
    if (status >= 0 && print_flush(&err) == 0)
        return status;
    if (ctl.options.nagios) { /* it shows standard output alone, and knows no other status */
        printf("MILTER-MOVED UNKNOWN - %s\n", err.text);
        return 3;
    }
    fflush(stdout);
    fprintf(stderr, "movedctl: %s\n", err.text);
    return err.status;
}
