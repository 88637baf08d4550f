/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever a mail server passes on of MAIL or RCPT, its arguments separated by NULs: each piece that
 * is found lies in its argument, and an ORCPT fits its room and is one word. */
#include "mail/envelope.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARGS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_orcpt(const char *mailbox, size_t length)
{
    char *text = malloc(ENVELOPE_ORCPT_SIZE(length)); /* of exact size: a sanitizer sees more */
    if (text == NULL)
        abort();
    if (envelope_orcpt(text, mailbox, length) == 0 && strpbrk(text, " \t\r\n") != NULL)
        abort();
    free(text);
}

static void check(char **args)
{
    static const char *const names[] = {"NOTIFY", "ORCPT", "SMTPUTF8"};
    size_t length = envelope_path_length(args[0]), whole = length;
    const char *mailbox = envelope_mailbox(args[0], &length);

    if (whole > strlen(args[0]) || mailbox < args[0] || mailbox + length > args[0] + whole)
        abort();
    check_orcpt(mailbox, length);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *found = envelope_parameter(args, names[i], &length);
        if (found != NULL && (length < strlen(names[i]) || memchr(found, ' ', length) != NULL))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *args[ARGS_MAX + 1] = {NULL}, *text = malloc(size + 1), *at = text;
    if (text == NULL)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    for (size_t i = 0; i < ARGS_MAX && at <= text + size; i++, at += strlen(at) + 1)
        args[i] = at;
    check(args);
    free(text);
    return 0;
}
