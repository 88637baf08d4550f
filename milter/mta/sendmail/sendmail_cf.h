/* mta/sendmail/sendmail_cf.h: makes a sendmail.cf from a sendmail.mc with m4, and reads it. */
#ifndef MTA_SENDMAIL_SENDMAIL_CF_H
#define MTA_SENDMAIL_SENDMAIL_CF_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* The sendmail.cf that m4 makes in this folder from mc, the text of a sendmail.mc. On the heap; or NULL with
 * err (EX_CONFIG, EX_UNAVAILABLE). m4's warnings are given to warn, a line each; NULL: to nobody. */
char *sendmail_build(const char *folder, const char *mc, void (*warn)(const char *format, ...),
                     struct error *err);

/* The next line that is neither empty nor a comment (in which m4 writes when and where it ran), with its
 * length in *length; NULL after the last. *at becomes the beginning of the line after it. */
const char *sendmail_line(const char **at, size_t *length);

/* Whether both have the same such lines. If not, and differs is not NULL, *differs becomes the first line of a
 * that is different (of b, if a has ended), and *length its length. */
bool sendmail_same(const char *a, const char *b, const char **differs, size_t *length);

/* The first line with this beginning; NULL if there is none. */
const char *sendmail_find(const char *cf, const char *begins, size_t *length);

/* Whether an item of the list of milters, "a, b" or "a;b", is this name. */
bool sendmail_list_has(const char *list, size_t length, const char *name);

/* Whether DontBlameSendmail in the file has this word. */
bool sendmail_blames_not(const char *cf, const char *word);

/* Sendmail opens no socket below a folder to which others may write. Returns the mode of the lowest such
 * folder above path, with its path in out[size]; 0 if there is none for this sendmail.cf. */
unsigned sendmail_distrusts(const char *cf, const char *path, char *out, size_t size);

#endif
