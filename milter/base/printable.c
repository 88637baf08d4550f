/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/printable.h"

#include <string.h>
#include <unictype.h>
#include <unistr.h>

size_t printable_length(const char *text, size_t left)
{
    ucs4_t character;
    if (left > 0 && *text >= ' ' && *text < 0x7f) /* as nearly all are */
        return 1;
    int length = u8_mbtoucr(&character, (const uint8_t *)text, left);
    if (length < 1 || character < 0xa0 || character == 0x2028 || character == 0x2029 ||
        uc_is_property_bidi_control(character))
        return 0;
    return (size_t)length;
}

void printable_make(char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t length = printable_length(text, left);
        if (length == 0) {
            *text = '?';
            length = 1;
        }
        text += length;
        left -= length;
    }
}
