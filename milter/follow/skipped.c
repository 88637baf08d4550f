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

/* The number of the row; that of all rows where it is not listed. */
static size_t find(const struct skipped *skipped, const char *old)
{
    size_t i = 0, listed = json_array_size(skipped->rows);
    char *shown = listed == 0 ? NULL : to_utf8(old);
    while (i < listed && (shown == NULL || strcmp(skipped_old(skipped, i), shown) != 0))
        i++;
    free(shown);
    return i;
}

const char *skipped_old(const struct skipped *skipped, size_t i)
{
    return json_string_value(json_object_get(json_array_get(skipped->rows, i), "old"));
}

const char *skipped_why(const struct skipped *skipped, size_t i)
{
    return json_string_value(json_object_get(json_array_get(skipped->rows, i), "why"));
}

bool skipped_has(const struct skipped *skipped, const char *old, const char *why)
{
    const char *there = skipped_why(skipped, find(skipped, old));
    return there != NULL && strcmp(there, why) == 0;
}

/* Where memory is out the row is counted and not listed. */
bool skipped_add(struct skipped *skipped, const char *old, const char *why)
{
    size_t i = find(skipped, old), listed = json_array_size(skipped->rows);
    if (i < listed)
        return !skipped_has(skipped, old, why) &&
               json_object_set_new(json_array_get(skipped->rows, i), "why", json_string(why)) == 0;
    if (skipped->rows == NULL)
        skipped->rows = json_array();
    if (listed < SKIPPED_MAX) {
        char *shown = to_utf8(old);
        (void)json_array_append_new(skipped->rows,
                                    json_pack("{s:s, s:s}", "old", shown, "why", why));
        free(shown);
    }
    return ++skipped->count <= SKIPPED_MAX;
}

void skipped_remove(struct skipped *skipped, const char *old)
{
    if (json_array_remove(skipped->rows, find(skipped, old)) == 0)
        skipped->count--;
}

json_t *skipped_list(const struct skipped *skipped)
{
    return skipped->rows == NULL ? json_array() : json_incref(skipped->rows);
}

void skipped_clear(struct skipped *skipped)
{
    json_decref(skipped->rows);
    *skipped = (struct skipped){NULL, 0};
}
