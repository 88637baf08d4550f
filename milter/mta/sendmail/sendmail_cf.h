/* mta/sendmail/sendmail_cf.h: sendmail.cf: made of a sendmail.mc by m4, and what it says. */
#ifndef MTA_SENDMAIL_SENDMAIL_CF_H
#define MTA_SENDMAIL_SENDMAIL_CF_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* What m4 makes of the text of a sendmail.mc that stands, or is to stand, in this folder. On the heap; or
 * NULL with err (EX_CONFIG, EX_CANTCREAT, EX_UNAVAILABLE). */
char *sendmail_build(const char *folder, const char *mc, struct error *err);

/* The next line that says something, its length in *length, *at behind it; NULL behind the last. Comments
 * are passed over: m4 writes when and where it ran into them. */
const char *sendmail_line(const char **at, size_t *length);

/* Whether both say the same. Where they do not, and differs is not NULL, it becomes the first line of a
 * (or where that has ended, of b) that is not in the other, *length octets. */
bool sendmail_same(const char *a, const char *b, const char **differs, size_t *length);

/* The first line that begins so; NULL for none. */
const char *sendmail_find(const char *cf, const char *begins, size_t *length);

/* Whether O DontBlameSendmail of the file has this word. */
bool sendmail_blames_not(const char *cf, const char *word);

/* A Sendmail with this sendmail.cf opens no socket at path where others can write to a folder above it:
 * then returns the mode of that folder, which becomes *out[size]. Else returns 0. */
unsigned sendmail_distrusts(const char *cf, const char *path, char *out, size_t size);

#endif
