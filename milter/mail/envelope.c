/* SPDX-License-Identifier: BSD-2-Clause */
#include "mail/envelope.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Returns the end of the quoted string at text; the end of the text if it is not closed. */
static const char *skip_quoted(const char *text)
{
    for (text++; *text != '\0' && *text != '"'; text++)
        if (*text == '\\' && text[1] != '\0')
            text++;
    return text + (*text == '"');
}

size_t envelope_path_length(const char *text)
{
    const char *stops = text[0] == '<' ? "\">" : "\" ", *at = text;
    while (*(at += strcspn(at, stops)) == '"')
        at = skip_quoted(at);
    return (size_t)(at - text) + (*at == '>');
}

const char *envelope_mailbox(const char *path, size_t *length)
{
    const char *end = path + *length, *colon;
    if (path < end && *path == '<' && end[-1] == '>') {
        path++;
        end--;
    }
    if (path < end && *path == '@' && (colon = memchr(path, ':', (size_t)(end - path))) != NULL)
        path = colon + 1;
    *length = (size_t)(end - path);
    return path;
}

/* The first of the words, separated by blanks, that is name or begins with "name=". */
static const char *find_word(const char *words, const char *name, size_t *length)
{
    size_t name_length = strlen(name);
    for (words += strspn(words, " "); *words != '\0'; words += strspn(words, " ")) {
        *length = strcspn(words, " ");
        if (*length >= name_length && strncasecmp(words, name, name_length) == 0 &&
            (*length == name_length || words[name_length] == '='))
            return words;
        words += *length;
    }
    return NULL;
}

const char *envelope_parameter(char **args, const char *name, size_t *length)
{
    const char *found = find_word(args[0] + envelope_path_length(args[0]), name, length);
    for (int i = 1; found == NULL && args[i] != NULL; i++)
        found = find_word(args[i], name, length);
    return found;
}

static bool is_xchar(unsigned char octet)
{
    return octet > ' ' && octet < 0x7f && octet != '+' && octet != '=';
}

int envelope_orcpt(char *out, const char *mailbox, size_t length)
{
    bool ascii = true, plain = true;
    for (size_t i = 0; i < length; i++) {
        unsigned char octet = (unsigned char)mailbox[i];
        ascii = ascii && octet < 0x80;
        plain = plain && (octet >= 0x80 || (is_xchar(octet) && octet != '\\'));
    }
    if (!ascii && !plain)
        return -1;
    out += snprintf(out, sizeof "ORCPT=rfc822;", "ORCPT=%s;", ascii ? "rfc822" : "utf-8");
    for (size_t i = 0; i < length; i++)
        if (!ascii || is_xchar((unsigned char)mailbox[i]))
            *out++ = mailbox[i];
        else
            out += snprintf(out, sizeof "+2B", "+%02X", (unsigned)(unsigned char)mailbox[i]);
    *out = '\0';
    return 0;
}
