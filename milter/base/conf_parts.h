/* base/conf_parts.h: the files that are read after a configuration file: those in FILE.d. */
#ifndef BASE_CONF_PARTS_H
#define BASE_CONF_PARTS_H

#include "base/conf_list.h"
#include "base/error.h"

/* Appends the path of each file in FILE.d whose name ends in ".conf" and does not begin with a dot, in the
 * order of the names as octets, in every locale the same. Without FILE.d, nothing. Returns 0, or -1 with
 * err (EX_NOPERM, EX_CONFIG) that names the folder; what *out has then is the caller's to free. */
int conf_parts(struct conf_list *out, const char *file, struct error *err);

#endif
