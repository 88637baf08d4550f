/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/json.h"

#include "base/printable.h"
#include "format/fields.h"

#include <unistr.h>

/* jansson passes whole characters. It escapes ASCII control characters itself, except line feeds between values. */
static int write_part(const char *text, size_t size, void *data)
{
    FILE *out = data;
    while (size > 0) {
        ucs4_t character = 0;
        size_t length = 0;
        while (length < size && (unsigned char)text[length] < 0x7f)
            length++;
        if (length == 0)
            length = printable_length(text, size);
        if (length > 0) {
            fwrite(text, 1, length, out);
        } else {
            int octets = u8_mbtoucr(&character, (const uint8_t *)text, size);
            length = octets > 1 ? (size_t)octets : 1;
            if (octets > 1)
                fprintf(out, "\\u%04x", (unsigned)character); /* all are below U+10000 */
            else
                fwrite(text, 1, 1, out);
        }
        text += length;
        size -= length;
    }
    return ferror(out) ? -1 : 0;
}

int json_write(json_t *json, FILE *out, size_t flags)
{
    int rc = json == NULL ? -1 : json_dump_callback(json, write_part, out, flags);
    json_decref(json);
    return rc;
}

json_t *json_entry(const struct entry *entry)
{
    struct fields fields;
    json_t *object = json_object();
    fields_spell(&fields, entry);
    for (int i = 0; i < FIELDS; i++)
        if (json_object_set_new(object, field_names[i], json_string(fields.values[i])) != 0) {
            json_decref(object);
            return NULL;
        }
    return object;
}
