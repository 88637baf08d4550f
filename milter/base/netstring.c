/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/netstring.h"

#include <stdio.h>
#include <string.h>

enum netstring_result netstring_parse(struct netstring *out, const char *data, size_t size)
{
    size_t digits = 0, length = 0;

    *out = (struct netstring){.payload = NULL};
    while (digits < size && data[digits] >= '0' && data[digits] <= '9') {
        length = 10 * length + (size_t)(data[digits] - '0');
        digits++;
        if (length > NETSTRING_MAX || (digits > 1 && data[0] == '0'))
            return NETSTRING_BAD;
    }
    if (digits == size)
        return NETSTRING_PART;
    if (digits == 0 || data[digits] != ':')
        return NETSTRING_BAD;

    out->length = length;
    out->total = digits + 1 + length + 1;
    if (size < out->total)
        return NETSTRING_PART;
    if (data[out->total - 1] != ',')
        return NETSTRING_BAD;
    out->payload = data + digits + 1;
    return NETSTRING_WHOLE;
}

size_t netstring_write(char *out, size_t size, const char *payload, size_t length)
{
    char head[NETSTRING_OVERHEAD];
    if (length > NETSTRING_MAX)
        return 0;
    size_t head_length = (size_t)snprintf(head, sizeof head, "%zu:", length);
    size_t total = head_length + length + 1;
    if (total > size)
        return 0;
    memcpy(out, head, head_length);
    memcpy(out + head_length, payload, length);
    out[total - 1] = ',';
    return total;
}
