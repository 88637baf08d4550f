/* SPDX-License-Identifier: BSD-2-Clause */
/* A damaged change log: a head is decoded or refused, and items are read within their octets, the same from either end. The
 * input is a record of either kind. */
#include "table/change.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The item of these octets is written as it was read. */
static void check_item(const struct change_item *item, const uint8_t *octets, size_t length)
{
    unsigned char *again = malloc(length);
    if (again == NULL || change_item_length(item) != length)
        abort();
    change_encode_item(again, item);
    if (memcmp(again, octets, length) != 0)
        abort();
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct change change;
    struct change_item item;
    unsigned char head[CHANGE_HEAD_MAX];
    size_t length;

    if (change_decode_head(&change, data, size) == 0 &&
        change_encode_head(head, &change) > sizeof head)
        abort();
    for (size_t at = 0; (length = change_first_item(&item, data + at, size - at)) > 0; at += length)
        check_item(&item, data + at, length);
    for (size_t left = size; (length = change_last_item(&item, data, left)) > 0; left -= length)
        check_item(&item, data + left - length, length);
    return 0;
}
