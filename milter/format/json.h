/* SPDX-License-Identifier: BSD-2-Clause */
/* format/json.h: JSON that may be shown on a terminal, and entries as JSON. */
#ifndef FORMAT_JSON_H
#define FORMAT_JSON_H

#include "table/entry.h"

#include <jansson.h>
#include <stdio.h>

/* As json_dumpf(3), and writes as \uXXXX too what base/printable.h would not show. Frees json; NULL is an error. Returns 0,
 * or -1. */
int json_write(json_t *json, FILE *out, size_t flags);

/* Returns the entry as a JSON object with all its fields, which the caller frees; NULL if memory is out. */
json_t *json_entry(const struct entry *entry);

#endif
