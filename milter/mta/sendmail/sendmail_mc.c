/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/sendmail/sendmail_mc.h"

#include "mta/sendmail/sendmail_cf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each block stands between two such lines. detach removes these lines and everything between them. */
#define BEGIN "dnl # milter-moved begin: by movedctl attach, to be taken out by movedctl detach"
#define END   "dnl # milter-moved end"

/* Follows BEGIN if the file did not end with a newline: detach then removes that newline too. */
#define NEWLINE " (a newline before this too)"

static bool is_marker(const char *line, const char *marker)
{
    line += strspn(line, " \t");
    return strncmp(line, marker, strlen(marker)) == 0;
}

char *sendmail_mc_strip(const char *text)
{
    char *out = malloc(strlen(text) + 1), *end = out;
    bool ours = false;
    if (out == NULL)
        return NULL;
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        bool ends = is_marker(text, END);
        ours = ours || is_marker(text, BEGIN);
        if (ours && end > out && is_marker(text, BEGIN NEWLINE))
            end--;
        length += text[length] == '\n';
        if (!ours && !ends) {
            memcpy(end, text, length);
            end += length;
        }
        ours = ours && !ends;
        text += length;
    }
    *end = '\0';
    return out;
}

/* The first line before which ours have to be: that of a mailer, or of the administrator's own rulesets, which
 * then see what has not moved. NULL if there is none. */
static const char *find_place(const char *mc)
{
    static const char *const words[] = {"MAILER(", "MAILER_DEFINITIONS", "LOCAL_RULESETS"};
    for (const char *at = mc; *at != '\0';) {
        const char *word = at + strspn(at, " \t");
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (strncmp(word, words[i], strlen(words[i])) == 0)
                return at;
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    return NULL;
}

bool sendmail_mc_has_mailer(const char *text)
{
    return find_place(text) != NULL;
}

/* Debian's makefile tries to make each file of a line that begins with include: hence the empty string before it. */
char *sendmail_mc_add(const char *stripped, const char *m4_path, const char *milter)
{
    char *text = NULL;
    size_t size, length = strlen(stripped);
    bool whole = length > 0 && stripped[length - 1] == '\n';
    const char *at = find_place(stripped);
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    fprintf(out, "%.*s" BEGIN "\n`'include(`%s')dnl\n" END "\n%s", (int)(at - stripped), stripped,
            m4_path, at);
    if (milter != NULL)
        fprintf(out,
                "%s\nINPUT_MAIL_FILTER(`" SENDMAIL_FILTER
                "', `S=%s, F=T, T=C:10s;S:30s;R:30s;E:1m')dnl\n" END "\n",
                whole ? BEGIN : "\n" BEGIN NEWLINE, milter);
    return fclose(out) == 0 ? text : NULL;
}
