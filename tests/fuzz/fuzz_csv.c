/* A file from anywhere: each row is an entry, or a bad line with its number. */
#include "table/format.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct address_rules rules = {
    .fold_case = true, .delimiters = "+", .local_domain = NULL};

struct seen {
    unsigned long line;
    FILE *nowhere;
};

static int on_entry(const struct entry *entry, unsigned long line, void *data)
{
    struct seen *seen = data;
    if (line < seen->line || entry->domain[0] == '\0')
        abort();
    seen->line = line;
    return format_csv.write(seen->nowhere, entry, NULL);
}

static int on_bad(const struct error *why, unsigned long line, void *data)
{
    struct seen *seen = data;
    if (line < seen->line || why->status != EX_DATAERR || why->text[0] == '\0')
        abort();
    seen->line = line;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct seen seen;
    struct error err;
    if (size == 0)
        return 0;
    if (seen.nowhere == NULL)
        seen.nowhere = fopen("/dev/null", "w");
    seen.line = 0;
    FILE *in = fmemopen((void *)(uintptr_t)data, size, "r");
    if (in == NULL || seen.nowhere == NULL)
        abort();
    if (format_csv.read(in, &rules, on_entry, on_bad, &seen, &err) != 0 && err.status != EX_DATAERR)
        abort();
    fclose(in);
    return 0;
}
