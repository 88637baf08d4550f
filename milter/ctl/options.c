/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/options.c: reads the options; a command's own row names those that it takes */
#include "ctl/ctl.h"

#include "base/guess.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *values; /* NULL: it has no argument */
    size_t offset;             /* in struct options */
} rows[] = {
#define TEXT(name, member, values) {name, values, offsetof(struct options, member)},
#define FLAG(name, member)         TEXT(name, member, NULL)
    OPTION_ROWS(FLAG, TEXT)};

#define ROWS      (sizeof rows / sizeof *rows)
#define FIRST_ROW 256 /* row n is option value 256 + n */

const char *option_values(const char *name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return rows[i].values;
    return NULL;
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
        if (command == NULL || ctl_has_word(command->takes, rows[i].name))
            guess_try(&guess, rows[i].name);
    return guess.nearest;
}

static int refuse(const struct command *command, char **argv, bool lacks, struct error *err)
{
    const char *word = lacks ? argv[optind - 1] : wrong_option(argv);
    const char *meant = !lacks && strncmp(word, "--", 2) == 0 ? option_meant(command, word) : NULL;
    const char *see = command == NULL ? "see movedctl help" : "usage: movedctl ",
               *usage = command == NULL ? "" : command->usage;
    if (lacks)
        return error_set(err, EX_USAGE, "'%s' requires an argument: %s%s", word, see, usage);
    if (command != NULL)
        return error_set(err, EX_USAGE, "'%s' is not an option of %s: %s%s%s%s%s", word,
                         command->name, meant == NULL ? "" : "did you mean --",
                         meant == NULL ? "" : meant, meant == NULL ? "" : "? ", see, usage);
    if (meant != NULL && strncmp(word + 2, meant, strlen(meant)) == 0)
        return error_set(err, EX_USAGE, "'%s' must come after the command: movedctl COMMAND --%s",
                         word, meant);
    return error_set(err, EX_USAGE, "'%s' is not an option: %s", word, see);
}

/* ---- reading */

int options_read(struct options *out, const struct command *command, int argc, char **argv,
                 struct error *err)
{
    struct option names[ROWS + 3] = {{"help", no_argument, NULL, 'h'},
                                     {"version", no_argument, NULL, 'V'}};
    const char *letters = command == NULL                     ? "+:c:d:hV"
                          : ctl_has_word(command->takes, "n") ? ":c:d:hVn"
                                                              : ":c:d:hV";
    int value, count = 2;
    for (int i = 0; command != NULL && i < (int)ROWS; i++)
        if (ctl_has_word(command->takes, rows[i].name))
            names[count++] =
                (struct option){rows[i].name, rows[i].values != NULL, NULL, FIRST_ROW + i};
    opterr = 0;
    optind = 0; /* glibc: start over */
    while ((value = getopt_long(argc, argv, letters, names, NULL)) != -1) {
        void *member = (char *)out + (value < FIRST_ROW ? 0 : rows[value - FIRST_ROW].offset);
        switch (value) {
        case 'c': out->file = optarg; break;
        case 'd': out->path = optarg; break;
        case 'h': out->help = true; break;
        case 'V': out->version = true; break;
        case 'n': out->changed = true; break;
        case ':':
        case '?': return refuse(command, argv, value == ':', err);
        default:
            if (rows[value - FIRST_ROW].values != NULL)
                *(const char **)member = optarg;
            else
                *(bool *)member = true;
        }
    }
    return optind;
}
