/* SPDX-License-Identifier: BSD-2-Clause */
/* base/printable.h: makes untrusted text (from a client, a table, a file) safe for a terminal or a log. It must
 * not control the terminal, and in a log it must stay one line that is shown in the order of its characters. */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stddef.h>

/* The length in octets of the first character of text, which has left octets. Returns 0 if the character must
 * not be shown: a control character (U+0000 to U+001F, U+007F to U+009F), a line or paragraph separator
 * (U+2028, U+2029), one that changes the direction of text (such as U+202E), or invalid UTF-8. */
size_t printable_length(const char *text, size_t left);

/* Replaces each octet of a character that must not be shown by '?', in place. */
void printable_make(char *text);

#endif
