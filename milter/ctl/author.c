/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/author.c: the user and the command line of a change, for the change log */
#include "ctl/ctl.h"

#include "base/printable.h"
#include "follow/origin.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes the words as one would type them in a shell, truncated to fit, and printable. */
static void join(char *out, size_t size, char **words)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@.-_+/=:,%";
    FILE *file = fmemopen(out, size, "w");
    *out = '\0';
    if (file == NULL)
        return;
    for (; *words != NULL; words++) {
        const char *word = *words, *quote = *word == '\0' || word[strspn(word, plain)] ? "'" : "";
        fputs(quote, file);
        for (; *word != '\0'; word++)
            fputs(*word == '\'' ? "'\\''" : (const char[]){*word, '\0'}, file);
        fprintf(file, "%s%s", quote, words[1] == NULL ? "" : " ");
    }
    fclose(file);
    out[size - 1] = '\0';
    printable_make(out);
}

static const char *user_behind(void)
{
    const char *sudo = getenv("SUDO_USER"), *doas = getenv("DOAS_USER");
    return sudo != NULL ? sudo : doas != NULL ? doas : "";
}

static const char *user_name(void)
{
    const struct passwd *account = getpwuid(getuid());
    return account == NULL ? "" : account->pw_name;
}

void ctl_sign(const struct ctl *ctl)
{
    static char command[CHANGE_COMMAND_MAX + 1], user[CHANGE_USER_MAX + 1],
        behind[CHANGE_USER_MAX + 1];
    snprintf(user, sizeof user, "%s", user_name());
    snprintf(behind, sizeof behind, "%s", user_behind());
    printable_make(user);
    printable_make(behind);
    join(command, sizeof command, ctl->words);
    table_set_author(ctl->table, &(struct table_author){user, behind, command});
}

void ctl_author(const struct ctl *ctl, struct ctl_author *out)
{
    char host[CHANGE_USER_MAX];
    const char *behind = user_behind();
    origin_host(host);
    snprintf(out->user, sizeof out->user, "%.*s%s", CHANGE_USER_MAX - (int)strlen(host),
             *behind == '\0' ? user_name() : behind, host);
    printable_make(out->user);
    memcpy(out->program, ORIGIN_PROGRAM, sizeof ORIGIN_PROGRAM);
    join(out->program + sizeof ORIGIN_PROGRAM - 1,
         sizeof out->program - (sizeof ORIGIN_PROGRAM - 1), ctl->words);
}
