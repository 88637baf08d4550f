/* SPDX-License-Identifier: BSD-2-Clause */
#include "reading.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static int on_entry(const struct entry *entry, unsigned long line, void *data)
{
    struct said *said = data;
    char old[ADDRESS_TEXT_SIZE];
    size_t used = strlen(said->text);
    entry_format_old(old, sizeof old, entry);
    snprintf(said->text + used, sizeof said->text - used, "%lu:%s>%s%s%s ", line, old, entry->new,
             *entry->note == '\0' ? "" : "#", entry->note);
    return 0;
}

static int on_bad(const struct error *why, unsigned long line, void *data)
{
    struct said *said = data;
    size_t used = strlen(said->text), why_used = strlen(said->why);
    snprintf(said->text + used, sizeof said->text - used, "%lu%c ", line,
             why->status == EX_OK            ? '-'
             : why->status == EX_UNAVAILABLE ? '?'
                                             : '!');
    snprintf(said->why + why_used, sizeof said->why - why_used, "%s\n", why->text);
    return 0;
}

int said_of(struct said *out, const struct format *format, const struct address_rules *rules,
            const char *text, size_t length, struct error *err)
{
    return said_of_how(out, format, (struct format_in){.rules = rules}, text, length, err);
}

int said_of_how(struct said *out, const struct format *format, struct format_in how,
                const char *text, size_t length, struct error *err)
{
    FILE *in = fmemopen((void *)text, length, "r");
    ck_assert_ptr_nonnull(in);
    *out = (struct said){.text = ""};
    how.name = "file";
    how.entry = on_entry;
    how.bad = on_bad;
    how.data = out;
    int rc = format->read(in, &how, err);
    fclose(in);
    return rc;
}
