/* SPDX-License-Identifier: BSD-2-Clause */
/* A file from anywhere, in the format that FORMAT names: each row is an entry, or a bad line with
 * its number; and an entry that is written whole reads back as it was. */
#include "format/columns.h"
#include "format/format.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct address_rules rules = {
    .fold_case = true, .delimiters = "+", .local_domain = "local.example"};

struct again {
    const struct entry *entry;
    int count;
};

static int same(const struct entry *a, const struct entry *b)
{
    return a->scope == b->scope && strcmp(a->local, b->local) == 0 &&
           strcmp(a->domain, b->domain) == 0 && strcmp(a->new, b->new) == 0 &&
           a->action == b->action && a->disclose == b->disclose && a->from == b->from &&
           a->until == b->until && a->forward_until == b->forward_until &&
           strcmp(a->note, b->note) == 0;
}

static int on_entry_again(const struct entry *entry, unsigned long line, void *data)
{
    struct again *again = data;
    (void)line;
    again->count++;
    return same(entry, again->entry) ? 0 : 1;
}

static int on_bad_again(const struct error *why, unsigned long line, void *data)
{
    (void)why;
    (void)line;
    (void)data;
    return 1;
}

/* All octets of text, as one file. */
static void read_again(char *text, size_t length, const struct entry *entry)
{
    struct again again = {entry, 0};
    struct error err;
    const struct format_in in = {.name = "again",
                                 .rules = &rules,
                                 .must_end = true,
                                 .entry = on_entry_again,
                                 .bad = on_bad_again,
                                 .data = &again};
    FILE *file = fmemopen(text, length, "r");
    if (file == NULL || FORMAT.read(file, &in, &err) != 0 || again.count < 1)
        abort();
    fclose(file);
}

static int on_entry(const struct entry *entry, unsigned long line, void *data)
{
    static char text[8192];
    unsigned long *last = data;
    struct format_out out = {
        .local_domain = rules.local_domain, .fold_case = true, .disclose = ENTRY_ANYONE};
    struct error why = {.text = ""};

    if (line < *last || entry->domain[0] == '\0')
        abort();
    *last = line;
    out.file = fmemopen(text, sizeof text, "w");
    if (out.file == NULL || (FORMAT.write_head != NULL && FORMAT.write_head(out.file, &why) != 0))
        abort();
    long head = ftell(out.file);
    enum format_result result = FORMAT.write(&out, entry, &why);
    long length = ftell(out.file);
    fclose(out.file);
    if (result == FORMAT_FAILED || (result != FORMAT_WHOLE && why.text[0] == '\0') ||
        (result == FORMAT_REFUSED) != (length == head))
        abort();
    if (result == FORMAT_WHOLE)
        read_again(text, (size_t)length, entry);
    return 0;
}

static int on_bad(const struct error *why, unsigned long line, void *data)
{
    unsigned long *last = data;
    if (line < *last ||
        (why->status != EX_DATAERR && why->status != EX_UNAVAILABLE && why->status != EX_OK) ||
        why->text[0] == '\0')
        abort();
    *last = line;
    return 0;
}

static void read_all(const uint8_t *data, size_t size, const struct columns *columns)
{
    unsigned long last = 0;
    struct error err;
    const struct format_in in = {.name = "fuzz",
                                 .rules = &rules,
                                 .columns = columns,
                                 .entry = on_entry,
                                 .bad = on_bad,
                                 .data = &last};
    FILE *file = fmemopen((void *)(uintptr_t)data, size, "r");
    if (file == NULL)
        abort();
    if (FORMAT.read(file, &in, &err) != 0 &&
        (err.status != EX_DATAERR || strncmp(err.text, "fuzz:", 5) != 0))
        abort();
    fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct columns columns;
    if (size == 0)
        return 0;
    read_all(data, size, NULL);
    if (!FORMAT.has_columns)
        return 0;
    columns_begin(&columns);
    if (columns_parse(&columns, "old=a,new=b,note=old", NULL) != 0 ||
        columns_parse_delimiter(&columns, ";", NULL) != 0)
        abort();
    read_all(data, size, &columns);
    return 0;
}
