/* ctl/movedctl.c: movedctl: finds the command, reads its options, opens the table for it, prints its
 * error. */
#include "config.h"

#include "ctl/ctl.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct globals {
    const char *file; /* -c */
    const char *path; /* -d */
};

static int fail(const struct error *err)
{
    fflush(stdout);
    fprintf(stderr, "movedctl: %s\n", err->text);
    return err->status;
}

/* ---- options */

/* Where each long option goes. Row n is option value 256 + n. */
static const struct {
    const char *name;
    bool has_argument;
    size_t offset;
} rows[] = {
#define TEXT(name, member)                                                                         \
    {                                                                                              \
        name, true, offsetof(struct options, member)                                               \
    }
#define FLAG(name, member)                                                                         \
    {                                                                                              \
        name, false, offsetof(struct options, member)                                              \
    }
    TEXT("from", from),
    TEXT("until", until),
    TEXT("forward-until", forward_until),
    TEXT("disclose", disclose),
    TEXT("note", note),
    TEXT("domain", domain),
    TEXT("client", client),
    TEXT("client-name", client_name),
    TEXT("at", at),
    TEXT("format", format),
    TEXT("columns", columns),
    TEXT("delimiter", delimiter),
    TEXT("max-remove", max_remove),
    TEXT("backup", backup),
    TEXT("config-dir", config_dir),
    TEXT("smtp", smtp),
    TEXT("mta", mta),
    FLAG("yes", yes),
    FLAG("all", all),
    FLAG("observe", observe),
    FLAG("unserved", unserved),
    FLAG("raise-limits", raise_limits),
    FLAG("json", json),
    FLAG("forward", forward),
    FLAG("gone", gone),
    FLAG("stay", stay),
    FLAG("replace", replace),
    FLAG("authenticated", authenticated),
    FLAG("smtputf8", smtputf8),
    FLAG("replace-all", replace_all),
    FLAG("dry-run", dry_run),
    FLAG("skip-bad", skip_bad),
    FLAG("verbose", verbose),
    FLAG("dns", dns),
    FLAG("clear", clear),
    TEXT("resolver", resolver),
};
#define ROWS      (sizeof rows / sizeof *rows)
#define FIRST_ROW 256

static void store(struct options *options, size_t row, char *argument)
{
    char *at = (char *)options + rows[row].offset;
    if (rows[row].has_argument)
        *(const char **)(void *)at = argument;
    else
        *(bool *)(void *)at = true;
}

/* The option at which getopt_long stopped. A letter may be one of several in an argument that it has not finished. */
static const char *wrong_option(char **argv)
{
    static char letter[] = "-?";
    if (optopt == 0 || optopt >= FIRST_ROW || optopt == 'h') /* --help=x */
        return argv[optind - 1];
    letter[1] = (char)optopt;
    return letter;
}

static int refuse_option(const struct command *command, char **argv, struct error *err)
{
    const char *word = wrong_option(argv);
    if (strcmp(word, "-c") == 0 || strcmp(word, "-d") == 0)
        return error_set(err, EX_USAGE, "'%s' must come before the command: movedctl %s %s %s ...",
                         word, word, word[1] == 'c' ? "FILE" : "TABLEDIR", command->name);
    return error_set(err, EX_USAGE, "'%s' is not an option of %s: usage: movedctl %s", word,
                     command->name, command->usage);
}

/* Reads the command's options; its operands come to stand from argv[optind] on. Returns 0, 1
 * where help is asked for, or -1. */
static int read_options(struct options *out, const struct command *command, int argc, char **argv,
                        struct error *err)
{
    struct option known[ROWS + 2] = {{"help", no_argument, NULL, 'h'}};
    size_t count = 1;
    int value;

    for (size_t i = 0; i < ROWS; i++)
        if (ctl_has_word(command->takes, rows[i].name))
            known[count++] =
                (struct option){rows[i].name, rows[i].has_argument, NULL, FIRST_ROW + (int)i};
    opterr = 0;
    optind = 0; /* glibc: start over */
    while ((value = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        if (value == 'h')
            return 1;
        if (value == ':')
            return error_set(err, EX_USAGE, "'%s' requires an argument: usage: movedctl %s",
                             argv[optind - 1], command->usage);
        if (value < FIRST_ROW)
            return refuse_option(command, argv, err);
        store(out, (size_t)(value - FIRST_ROW), optarg);
    }
    int operands = argc - optind;
    if (operands < command->least || (command->most >= 0 && operands > command->most))
        return error_set(err, EX_USAGE, "%s operands: usage: movedctl %s",
                         operands < command->least ? "too few" : "too many", command->usage);
    return 0;
}

/* ---- running */

/* If no file is named and the installed one is missing, every key has its default. */
static int read_settings(struct settings **out, const char *given, struct error *err)
{
    bool is_default;
    const char *file = settings_path(given, &is_default);
    if (is_default && access(file, F_OK) != 0 && errno == ENOENT) {
        *out = settings_new();
        return *out == NULL ? error_set(err, EX_OSERR, "out of memory") : 0;
    }
    return settings_read(out, file, err);
}

static int run_with_table(struct ctl *ctl, const struct command *command, char **args,
                          struct error *err)
{
    if (command->opens != TABLE_NONE &&
        table_open(&ctl->table, ctl->path,
                   command->opens == TABLE_TO_WRITE ? TABLE_WRITE : TABLE_READ,
                   ctl->settings->fold_case, err) != 0)
        return -1;
    if (command->opens == TABLE_TO_WRITE)
        ctl_sign(ctl);
    int status = command->run(ctl, args, err);
    if (status >= 0 && print_flush(err) != 0)
        status = -1;
    table_free(ctl->table);
    return status;
}

static int run(const struct command *command, const struct globals *globals, int argc, char **argv,
               struct error *err)
{
    struct settings *settings;
    struct ctl ctl = {.commands = commands};

    int rc = read_options(&ctl.options, command, argc, argv, err);
    if (rc < 0)
        return -1;
    if (rc == 1) {
        char *help[] = {(char *)command->name, NULL}; /* only read */
        return command_help.run(&ctl, help, err);
    }
    if (read_settings(&settings, globals->file, err) != 0)
        return -1;
    ctl.settings = settings;
    ctl.words = argv;
    ctl.path = globals->path == NULL ? settings->table : globals->path;
    int status = run_with_table(&ctl, command, argv + optind, err);
    settings_free(settings);
    return status;
}

/* Reads what stands before the command, and returns where that is in argv. */
static int read_globals(struct globals *out, int argc, char **argv, struct error *err)
{
    static const struct option known[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
    static char *help[] = {NULL};
    struct ctl ctl = {.commands = commands};
    int letter;

    opterr = 0;
    while ((letter = getopt_long(argc, argv, "+:c:d:hV", known, NULL)) != -1) {
        switch (letter) {
        case 'c': out->file = optarg; break;
        case 'd': out->path = optarg; break;
        case 'h': exit(command_help.run(&ctl, help, err));
        case 'V': exit(command_version.run(&ctl, help, err));
        case ':':
            return error_set(err, EX_USAGE, "'%s' requires an argument: see movedctl help",
                             argv[optind - 1]);
        default:
            return error_set(err, EX_USAGE, "'%s' is not an option: see movedctl help",
                             wrong_option(argv));
        }
    }
    if (optind == argc)
        return error_set(err, EX_USAGE, "no command: see movedctl help");
    return optind;
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
    struct globals globals = {NULL, NULL};
    const struct command *command = NULL;
    struct error err;

    signal(SIGBUS, on_fault);
    int at = read_globals(&globals, argc, argv, &err);
    if (at > 0)
        command = command_find(commands, argv[at], &err);
    if (command == NULL)
        return fail(&err);
    int status = run(command, &globals, argc - at, argv + at, &err);
    return status < 0 ? fail(&err) : status;
}
