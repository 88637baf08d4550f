/* A template from the administrator, an address from anywhere: refused, or filled in as one
 * printable line. The input is a template, a NUL, and the address. */
#include "mail/reply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char template[2048] = "", new[2048] = "";
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
    if (reply_fill(&reply, template, new, new) != 0)
        return 0;
    if (reply.code[0] != '5' || reply.enhanced[0] != '5' ||
        strlen(reply.code) + 1 + strlen(reply.enhanced) + 1 + strlen(reply.text) > REPLY_LINE_MAX)
        abort();
    for (const char *at = reply.text; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            abort();
    return 0;
}
