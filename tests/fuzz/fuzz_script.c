/* Whatever a name is made of: a trick has the character that gives it away, and the name has that character. */
#include "mail/script.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int has(const uint8_t *data, size_t size, ucs4_t character)
{
    uint8_t octets[6];
    int length = u8_uctomb(octets, character, sizeof octets);
    return length > 0 && memmem(data, size, octets, (size_t)length) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[16]; /* too small for most */
    uint32_t where = 0;
    enum script_trick trick = script_check((const char *)data, size, &where);

    if ((trick == SCRIPT_PLAIN) != (where == 0))
        abort();
    if (trick == SCRIPT_PLAIN)
        return 0;
    if (u8_check(data, size) != NULL || !has(data, size, where))
        abort();
    script_name_character(name, sizeof name, where);
    if (memchr(name, '\0', sizeof name) == NULL || script_of(where)[0] == '\0')
        abort();
    return 0;
}
