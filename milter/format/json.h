/* SPDX-License-Identifier: BSD-2-Clause */
/* format/json.h: writes JSON that may be shown on a terminal. */
#ifndef FORMAT_JSON_H
#define FORMAT_JSON_H

#include <jansson.h>
#include <stdio.h>

/* As json_dumpf(3), and writes as \uXXXX too what base/printable.h would not show. Frees json; NULL is an error. Returns 0,
 * or -1. */
int json_write(json_t *json, FILE *out, size_t flags);

#endif
