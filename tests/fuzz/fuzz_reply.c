/* SPDX-License-Identifier: BSD-2-Clause */
/* A template from the administrator, an address from anywhere: refused, or filled in as the
 * printable lines that the template has. The input is a template, a NUL, and the address. */
#include "mail/reply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const struct reply *reply, const char *line)
{
    if (strlen(reply->code) + 1 + strlen(reply->enhanced) + 1 + strlen(line) > REPLY_LINE_MAX ||
        strstr(line, "\xc2\x85") != NULL || strstr(line, "\xe2\x80\xa8") != NULL)
        abort();
    for (; *line != '\0'; line++)
        if ((unsigned char)*line < ' ' || *line == 0x7f)
            abort();
}

static unsigned count(const char *text, char octet)
{
    unsigned times = 0;
    for (; *text != '\0'; text++)
        times += *text == octet;
    return times;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char template[2048] = "", new[2048] = "", whole[REPLY_TEXT_SIZE];
    struct reply reply;
    struct error err = {.status = 0};
    const uint8_t *nul = size == 0 ? NULL : memchr(data, '\0', size);
    size_t first = nul == NULL ? size : (size_t)(nul - data),
           rest = nul == NULL ? 0 : size - first - 1;

    if (first >= sizeof template || rest >= sizeof new)
        return 0;
    memcpy(template, data, first);
    if (rest > 0)
        memcpy(new, data + first + 1, rest);
    new[rest] = '\0';
    if (reply_check(template, REPLY_PERMANENT, true, &err) != 0) {
        if (err.status != EX_CONFIG)
            abort();
        return 0;
    }
    struct address old = {.domain = "old.example"};
    memcpy(old.written, new, strnlen(new, ADDRESS_LOCAL_MAX));
    const struct reply_words words = {&old, new, new, strlen(new)};
    if (reply_fill(&reply, template, &words) != 0)
        return 0;
    if (reply.code[0] != '5' || reply.enhanced[0] != '5' || reply.lines < 1)
        abort();
    for (unsigned i = 0; i < reply.lines; i++)
        check_line(&reply, reply.text[i]);
    reply_format(whole, sizeof whole, &reply);
    if (count(whole, '\n') != reply.lines - 1 || count(template, '\n') != reply.lines - 1)
        abort();
    return 0;
}
