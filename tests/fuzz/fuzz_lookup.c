/* What a client of the lookup socket can send: frames, and requests in them. */
#include "answer/map.h"
#include "base/netstring.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct settings *settings;

static void look_up(const char *request, size_t length)
{
    struct map_answer found;
    char frame[sizeof found.value + NETSTRING_OVERHEAD];
    struct netstring again;

    const struct map_question asked = {.request = request, .length = length};
    map_ask(&found, &asked, settings, NULL, NULL, NULL);
    if (found.result == MAP_OK || memchr(found.value, '\0', sizeof found.value) == NULL)
        abort(); /* there is no table: nothing can be found */
    size_t written = netstring_write(frame, sizeof frame, found.value, strlen(found.value));
    if (netstring_parse(&again, frame, written) != NETSTRING_WHOLE || again.total != written)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct netstring request;
    const char *at = (const char *)data;

    if (settings == NULL && (settings = settings_new()) == NULL)
        abort();
    look_up(at, size);
    while (netstring_parse(&request, at, size) == NETSTRING_WHOLE) {
        if (request.total > size || request.payload + request.length + 1 != at + request.total)
            abort();
        look_up(request.payload, request.length);
        at += request.total;
        size -= request.total;
    }
    return 0;
}
