/* format/plain.h: what is common to the tables of the mail servers themselves: they tell everyone
 * where a mailbox has moved, from now on and for ever, and nothing else. */
#ifndef FORMAT_PLAIN_H
#define FORMAT_PLAIN_H

#include "format/format.h"

#include <stdbool.h>

/* Whether such a table, called format, can say the entry: FORMAT_WHOLE; FORMAT_LESS where words
 * of it are lost and the answers are the same; FORMAT_REFUSED where the answers would be others.
 * why is set but for FORMAT_WHOLE. What the old address is, and whether there is a new one, is not
 * looked at. */
enum format_result plain_check(const struct entry *entry, const struct format_out *out,
                               const char *format, struct error *why);

/* Writes the new address of the entry into new[ADDRESS_TEXT_SIZE], where a mailbox that has the
 * same name elsewhere has it in full. */
void plain_new(char *new, const struct entry *entry);

/* Always FORMAT_REFUSED, with why. */
enum format_result plain_refuse(struct error *why, const char *what);

/* Reads an old and a new address, and nothing else is said of them. Returns 0; or -1 with *out
 * untouched and err (EX_DATAERR). An old address without a domain gets rules->local_domain; where
 * that is NULL, err says how to name one. */
int plain_parse(struct entry *out, const char *old, const char *new,
                const struct address_rules *rules, struct error *err);

/* The end of the word that text begins with: the first octet of ends that is not in quotes nor
 * behind a backslash, or the NUL. Returns NULL where a quote is not closed. */
char *plain_word_end(char *text, const char *ends);

/* Finds the new address in the text of a reply, and ends the text there, in place: behind "please
 * try" or "moved to", with brackets or without; else the only one, where it is in brackets. Returns
 * NULL where there is none, or more than one and no word says which; then text is as it was. */
char *plain_find_new(char *text);

/* Reports a sound line that is not carried over: EX_UNAVAILABLE where it is about a mailbox that has
 * moved, EX_OK where it is about something else. Always returns -1. */
int plain_leave_out(struct error *err, int status, const char *why);

/* Whether text ends in a mailbox name without a domain: bob, "b@b". */
bool plain_is_bare(const char *text);

/* The octets that blank text starts and ends with: those of isspace(3) in the C locale. */
#define PLAIN_BLANKS " \t\r\n\v\f"

/* Cuts blanks from the end of text, in place, and returns where it begins after those in front. */
char *plain_trim(char *text);

#endif
