/* base/conf_check.h: finds in the text of a configuration what libconfig takes for something else
 * (1.5 keeps the low 32 bits of a greater integer) or explains badly. */
#ifndef BASE_CONF_CHECK_H
#define BASE_CONF_CHECK_H

#include "base/conf.h"
#include "base/conf_text.h"

/* An integer that fits no int; a key that its group has twice; a group, list or array without its
 * end. keys are asked for the range of an integer. Returns 0, or -1 with err (EX_CONFIG) with file
 * and line. */
int conf_check(const struct conf_text *text, const struct conf_key *keys, size_t count,
               struct error *err);

/* Sets err (EX_CONFIG) for a number, written as length octets, that key does not allow. Returns -1. */
int conf_out_of_range(const struct conf_key *key, const char *number, int length,
                      struct error *err);

#endif
