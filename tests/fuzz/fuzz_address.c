/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever a client writes as a recipient: read or refused, and what is read can be written and
 * read again. */
#include "mail/address.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void there_and_back(const struct address *address, const struct address_rules *rules)
{
    char text[ADDRESS_TEXT_SIZE];
    struct address back;
    if (address_format(text, sizeof text, address->written, address->domain) != 0)
        abort();
    if (address->domain[0] == '\0')
        return; /* "alice@" is no address: only what has a domain is written */
    if (address_parse(&back, text, strlen(text), rules, NULL) != 0 ||
        strcmp(back.local, address->local) != 0 || strcmp(back.domain, address->domain) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct address_rules all[] = {{true, "+", NULL}, {false, "", "home.example"}};
    for (int i = 0; i < 2; i++) {
        struct address address;
        struct error err = {.status = 0};
        char domain[4 * ADDRESS_DOMAIN_MAX + 1];
        if (address_parse(&address, (const char *)data, size, &all[i], &err) != 0) {
            if (err.status != EX_DATAERR || err.text[strcspn(err.text, "\r\n")] != '\0')
                abort();
            continue;
        }
        if (address_base_length(address.local, &all[i]) > strlen(address.local))
            abort();
        (void)address_domain_to_unicode(domain, sizeof domain, address.domain);
        there_and_back(&address, &all[i]);
    }
    return 0;
}
