/* base/printable.h: foreign text (of a client, a table, a file) for a terminal or a log: a terminal must not
 * obey it, and a reader of a log must see one line, in the order in which it was written. */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stddef.h>

/* The octets of the character that begins text, of which left are there; 0 if it must not be shown as it
 * is: a control character (U+0000 to U+001F, U+007F to U+009F), a line or paragraph separator (U+2028,
 * U+2029), one that turns the direction of what follows (U+202E and its like), or no UTF-8. */
size_t printable_length(const char *text, size_t left);

/* Turns each octet of what must not be shown into '?', in place. */
void printable_make(char *text);

#endif
