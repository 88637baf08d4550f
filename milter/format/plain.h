/* SPDX-License-Identifier: BSD-2-Clause */
/* format/plain.h: shared by the formats of the mail servers' own tables. Such a table can only say that a mailbox has
 * moved, and where, to everyone and at all times. */
#ifndef FORMAT_PLAIN_H
#define FORMAT_PLAIN_H

#include "format/format.h"

#include <stdbool.h>

/* Whether such a table, of this format, can express the entry: FORMAT_WHOLE; FORMAT_LESS if fields are lost but the
 * answers are the same; FORMAT_REFUSED if the answers would differ. Sets why unless it returns FORMAT_WHOLE. Does not
 * look at the form of the old address, or whether there is a new one. */
enum format_result plain_check(const struct entry *entry, const struct format_out *out,
                               const char *format, struct error *why);

/* Writes the new address of the entry to new[ADDRESS_TEXT_SIZE]. For a mailbox that has the same name elsewhere this is
 * the full address. */
void plain_new(char *new, const struct entry *entry);

/* Sets why, and returns FORMAT_REFUSED. */
enum format_result plain_refuse(struct error *why, const char *what);

/* Parses an entry that has only an old and a new address. An old address without a domain gets rules->local_domain; if
 * that is NULL, err tells how to set one. Returns 0; or -1 with *out unchanged and err (EX_DATAERR). */
int plain_parse(struct entry *out, const char *old, const char *new,
                const struct address_rules *rules, struct error *err);

/* Returns the end of the word at text: the first octet of ends that is not quoted, or the NUL. Returns NULL if a quote
 * is not closed. */
char *plain_word_end(char *text, const char *ends);

/* Finds the new address in the text of a reply: after "please try" or "moved to", with or without angle brackets;
 * otherwise the only address, if it is in brackets. Terminates it in place. Returns NULL, with text unchanged, if there
 * is none, or several without such words. */
char *plain_find_new(char *text);

/* Whether text is a mailbox name without a domain: bob, "b@b". */
bool plain_is_bare(const char *text);

/* The white space around a text: isspace(3) in the C locale. */
#define PLAIN_BLANKS " \t\r\n\v\f"

/* Removes white space from the end of text, in place, and returns the first octet that is none. */
char *plain_trim(char *text);

#endif
