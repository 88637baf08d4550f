/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/options.h"

#include "base/guess.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct option_row rows[] = {
#define ROW(name, has_argument, member, values)                                                    \
    {                                                                                              \
        name, has_argument, values, offsetof(struct options, member)                               \
    }
#define TEXT(name, member)           ROW(name, true, member, NULL)
#define ONE_OF(name, member, values) ROW(name, true, member, values)
#define FLAG(name, member)           ROW(name, false, member, NULL)
    TEXT("from", from),
    TEXT("until", until),
    TEXT("forward-until", forward_until),
    ONE_OF("disclose", disclose, "anyone trusted nobody"),
    TEXT("note", note),
    ONE_OF("domain", domain, "DOMAIN"),
    TEXT("client", client),
    TEXT("client-name", client_name),
    TEXT("at", at),
    ONE_OF("format", format, "FORMAT"),
    TEXT("columns", columns),
    TEXT("delimiter", delimiter),
    TEXT("max-remove", max_remove),
    ONE_OF("config-dir", config_dir, "DIR"),
    ONE_OF("mc", mc, "FILE"),
    TEXT("smtp", smtp),
    TEXT("as", as),
    ONE_OF("mta", mta, "postfix sendmail"),
    FLAG("yes", yes),
    FLAG("all", all),
    FLAG("observe", observe),
    FLAG("unserved", unserved),
    FLAG("raise-limits", raise_limits),
    FLAG("json", json),
    FLAG("nagios", nagios),
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
    FLAG("once", once),
    FLAG("status", status),
    FLAG("accept", accept),
    FLAG("here", here),
    FLAG("resync", resync),
    FLAG("detach", detach),
    FLAG("clear", clear),
    TEXT("resolver", resolver),
    FLAG("n", changed),
    TEXT("since", since),
    TEXT("unused-for", unused_for),
    TEXT("top", top),
    TEXT("for", lasts),
    TEXT("expiring", expiring),
    TEXT("output", output),
    FLAG("add", add),
    FLAG("by-sender", by_sender),
    FLAG("prometheus", prometheus),
    FLAG("count", count),
};
#define ROWS      (sizeof rows / sizeof *rows)
#define FIRST_ROW 256 /* row n is option value 256 + n, or its letter */

const struct option_row *option_find(const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

static void store(struct options *options, const struct option_row *row, char *argument)
{
    char *at = (char *)options + row->offset;
    if (row->has_argument)
        *(const char **)(void *)at = argument;
    else
        *(bool *)(void *)at = true;
}

/* ---- errors */

/* The option at which getopt_long stopped. A letter may be one of several in an argument that it has not finished. */
static const char *wrong_option(char **argv)
{
    static char letter[] = "-?";
    if (optopt == 0 || optopt >= FIRST_ROW || strchr("hV", optopt) != NULL) /* --help=x */
        return argv[optind - 1];
    letter[1] = (char)optopt;
    return letter;
}

/* The long option that was meant: of this command, or where command is NULL, of any. */
static const char *option_meant(const struct command *command, const char *word)
{
    static char name[64];
    struct guess guess;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word + 2, "="), word + 2);
    guess_begin(&guess, name);
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].name[1] != '\0' &&
            (command == NULL || ctl_has_word(command->takes, rows[i].name)))
            guess_try(&guess, rows[i].name);
    return guess.nearest;
}

static int refuse_option(const struct command *command, char **argv, struct error *err)
{
    const char *word = wrong_option(argv);
    const char *meant = strncmp(word, "--", 2) == 0 ? option_meant(command, word) : NULL;
    if (command == NULL && meant != NULL)
        return error_set(err, EX_USAGE, "'%s' must come after the command: movedctl COMMAND --%s",
                         word, meant);
    if (command == NULL)
        return error_set(err, EX_USAGE, "'%s' is not an option: see movedctl help", word);
    return error_set(err, EX_USAGE, "'%s' is not an option of %s: %s%s%susage: movedctl %s", word,
                     command->name, meant == NULL ? "" : "did you mean --",
                     meant == NULL ? "" : meant, meant == NULL ? "" : "? ", command->usage);
}

static int refuse_missing(const struct command *command, char **argv, struct error *err)
{
    return error_set(err, EX_USAGE, "'%s' requires an argument: %s%s", argv[optind - 1],
                     command == NULL ? "see movedctl help" : "usage: movedctl ",
                     command == NULL ? "" : command->usage);
}

/* ---- reading */

/* What getopt_long is told. */
struct known {
    char letters[32];
    struct option names[ROWS + 3]; /* help, version, NULL */
};

static void know(struct known *known, const struct command *command)
{
    size_t count = 0, used = (size_t)snprintf(known->letters, sizeof known->letters, "%s:c:d:hV",
                                              command == NULL ? "+" : "");
    known->names[count++] = (struct option){"help", no_argument, NULL, 'h'};
    known->names[count++] = (struct option){"version", no_argument, NULL, 'V'};
    for (size_t i = 0; i < ROWS && command != NULL; i++)
        if (!ctl_has_word(command->takes, rows[i].name))
            continue;
        else if (rows[i].name[1] == '\0' && used < sizeof known->letters - 1)
            known->letters[used++] = rows[i].name[0];
        else
            known->names[count++] =
                (struct option){rows[i].name, rows[i].has_argument, NULL, FIRST_ROW + (int)i};
    known->letters[used] = '\0';
    known->names[count] = (struct option){NULL, 0, NULL, 0};
}

/* The row of what getopt_long has found. */
static const struct option_row *row_of(int value)
{
    size_t i = value < FIRST_ROW ? 0 : (size_t)(value - FIRST_ROW);
    while (value < FIRST_ROW && i < ROWS - 1 &&
           (rows[i].name[0] != value || rows[i].name[1] != '\0'))
        i++;
    return &rows[i];
}

int options_read(struct options *out, const struct command *command, int argc, char **argv,
                 struct error *err)
{
    struct known known;
    int value;

    know(&known, command);
    opterr = 0;
    optind = 0; /* glibc: start over */
    while ((value = getopt_long(argc, argv, known.letters, known.names, NULL)) != -1) {
        switch (value) {
        case 'c': out->file = optarg; break;
        case 'd': out->path = optarg; break;
        case 'h': out->help = true; break;
        case 'V': out->version = true; break;
        case ':': return refuse_missing(command, argv, err);
        case '?': return refuse_option(command, argv, err);
        default: store(out, row_of(value), optarg);
        }
    }
    return optind;
}
