/* mail/script.h: detects characters by which a mailbox name or a domain label could be mistaken for another, or be
 * displayed misleadingly. Unicode Technical Standard 39 (security mechanisms) and RFC 5893 (right-to-left). No I/O, no
 * allocation, no locale. */
#ifndef MAIL_SCRIPT_H
#define MAIL_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#define SCRIPT_TEXT_MAX 1020 /* octets */

enum script_trick {
    SCRIPT_PLAIN,     /* none of these */
    SCRIPT_CONTROL,   /* a character that turns the direction of what follows, such as U+202E */
    SCRIPT_INVISIBLE, /* one that shows nothing or a blank: U+200B, U+00AD, U+00A0 */
    SCRIPT_MIXED, /* letters of scripts that are not written together: UTS 39 section 5.2, highly restrictive */
    SCRIPT_DIGITS, /* digits of two scripts: UTS 39 section 5.3 */
    SCRIPT_DIRECTION, /* letters of both directions, or in an order that shows otherwise: RFC 5893 section 2 */
    SCRIPT_LOOKALIKE, /* Cyrillic, Greek or Armenian letters, each of which looks like a Latin one */
};

/* Looks at one mailbox name (unquoted) or label (U-label) in UTF-8, length octets, at most SCRIPT_TEXT_MAX. *where
 * becomes the character that gives it away, 0 for SCRIPT_PLAIN. What is no UTF-8 is SCRIPT_PLAIN. */
enum script_trick script_check(const char *text, size_t length, uint32_t *where);

/* Writes "U+0430 CYRILLIC SMALL LETTER A" into out[size]. */
void script_name_character(char *out, size_t size, uint32_t character);

/* "Latin", "Cyrillic"; "Common" for what belongs to no script. */
const char *script_of(uint32_t character);

#endif
