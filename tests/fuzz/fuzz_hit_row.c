/* SPDX-License-Identifier: BSD-2-Clause */
/* A damaged file of hits: a row is decoded or refused, and one that is decoded can be counted in and added to. */
#include "table/hit_row.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hit_row row, again;
    static unsigned char octets[HIT_ROW_MAX];
    if (hit_row_decode(&row, data, size) != 0)
        return 0;
    if (hit_row_encode(octets, &row) != size || memcmp(octets, data, size) != 0)
        abort();
    hit_row_count(&row, "client.example", 1, 20000, true, 8);
    again = row;
    hit_row_add(&row, &again);
    if (row.slots > HIT_SLOTS_MAX ||
        hit_row_decode(&again, octets, hit_row_encode(octets, &row)) != 0)
        abort();
    return 0;
}
