/* SPDX-License-Identifier: BSD-2-Clause */
#include "follow/skipped.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

/* A database of the encoding SQL_ASCII may have octets that are no UTF-8: these are shown as \xff. On the heap. */
static char *to_utf8(const char *text)
{
    char *shown = malloc(4 * strlen(text) + 1), *at = shown;
    if (shown == NULL)
        return NULL;
    for (size_t left = strlen(text); left > 0;) {
        ucs4_t character;
        int length = u8_mbtoucr(&character, (const uint8_t *)text, left);
        if (length > 0)
            at = mempcpy(at, text, (size_t)length);
        else
            at += snprintf(at, sizeof "\\xff", "\\x%02x", (unsigned char)*text);
        text += length > 0 ? length : 1;
        left -= length > 0 ? (size_t)length : 1;
    }
    *at = '\0';
    return shown;
}

bool skipped_has(const struct skipped *skipped, const char *old, const char *why)
{
    char *shown = skipped->count == 0 ? NULL : to_utf8(old);
    const char *there = json_string_value(json_object_get(skipped->rows, shown));
    free(shown);
    return there != NULL && strcmp(there, why) == 0;
}

/* If memory is out, the row is counted, and not listed. */
bool skipped_add(struct skipped *skipped, const char *old, const char *why)
{
    if (skipped_has(skipped, old, why))
        return false;
    if (skipped->rows == NULL)
        skipped->rows = json_object();
    char *shown = to_utf8(old);
    bool is_listed = json_object_get(skipped->rows, shown) != NULL;
    if (is_listed || json_object_size(skipped->rows) < SKIPPED_MAX)
        (void)json_object_set_new(skipped->rows, shown, json_string(why));
    free(shown);
    return is_listed || ++skipped->count <= SKIPPED_MAX;
}

void skipped_remove(struct skipped *skipped, const char *old)
{
    char *shown = skipped->count == 0 ? NULL : to_utf8(old);
    if (json_object_del(skipped->rows, shown) == 0)
        skipped->count--;
    free(shown);
}

json_t *skipped_list(const struct skipped *skipped)
{
    json_t *list = json_array(), *why;
    const char *old;
    json_object_foreach(skipped->rows, old, why)
        json_array_append_new(list, json_pack("{s:s, s:O}", "old", old, "why", why));
    return list;
}

void skipped_clear(struct skipped *skipped)
{
    json_decref(skipped->rows);
    *skipped = (struct skipped){NULL, 0};
}
