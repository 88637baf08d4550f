/* ctl/author.c: the user and the command line of a change, for the change log */
#include "ctl/ctl.h"

#include "base/printable.h"
#include "table/change.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Quotes a word for a shell, unless it has only letters, digits and the characters of addresses and paths. */
static void print_word(FILE *out, const char *word)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@.-_+/=:,%";
    if (*word != '\0' && word[strspn(word, plain)] == '\0') {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word != '\0'; word++)
        fputs(*word == '\'' ? "'\\''" : (const char[]){*word, '\0'}, out);
    fputc('\'', out);
}

/* Truncated to fit, and printable. */
static void join(char *out, size_t size, char **words)
{
    FILE *file = fmemopen(out, size, "w");
    if (file == NULL)
        return;
    for (; *words != NULL; words++) {
        print_word(file, *words);
        if (words[1] != NULL)
            fputc(' ', file);
    }
    fclose(file);
    out[size - 1] = '\0';
    printable_make(out);
}

static const char *user_behind(void)
{
    const char *name = getenv("SUDO_USER");
    return name != NULL ? name : getenv("DOAS_USER");
}

void ctl_sign(const struct ctl *ctl)
{
    static char command[CHANGE_COMMAND_MAX + 1], user[CHANGE_USER_MAX + 1],
        behind[CHANGE_USER_MAX + 1];
    const struct passwd *account = getpwuid(getuid());
    const char *name = user_behind();

    snprintf(user, sizeof user, "%s", account == NULL ? "" : account->pw_name);
    snprintf(behind, sizeof behind, "%s", name == NULL ? "" : name);
    printable_make(user);
    printable_make(behind);
    join(command, sizeof command, ctl->words);
    table_set_author(ctl->table, &(struct table_author){user, behind, command});
}
