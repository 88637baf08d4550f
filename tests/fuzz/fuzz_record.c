/* SPDX-License-Identifier: BSD-2-Clause */
/* A damaged table: a record is decoded or refused. The input is a key, a NUL, and the value. */
#include "table/record.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct entry entry;
    char key[RECORD_KEY_MAX];
    unsigned char value[RECORD_VALUE_MAX];
    const uint8_t *nul = size == 0 ? NULL : memchr(data, '\0', size);
    if (nul == NULL)
        return 0;
    size_t key_length = (size_t)(nul - data), value_length = size - key_length - 1;
    if (record_decode(&entry, data, key_length, nul + 1, value_length, NULL) != 0)
        return 0;
    if (record_key(key, entry.scope, entry.local, entry.domain) != key_length ||
        memcmp(key, data, key_length) != 0)
        abort();
    (void)record_encode(value, &entry);
    return 0;
}
