/* SPDX-License-Identifier: BSD-2-Clause */
/* mail/address.h: parses a mailbox as SMTP writes it into the canonical form used for the table's
 * key. RFC 5321 section 4.1.2, RFC 6531 section 3.3, RFC 5891. No I/O, no locale; the caller owns all
 * memory. */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* In octets, the NUL not counted. RFC 5321 section 4.5.3.1.1 lets a server take more than 64:
 * VERP needs it. */
#define ADDRESS_LOCAL_MAX  255
#define ADDRESS_DOMAIN_MAX 255

/* A new address is sent to other servers, which may enforce the limit: a path of 256 octets (RFC 5321
 * section 4.5.3.1.3) less its two brackets. */
#define ADDRESS_NEW_MAX 254

/* Room for a mailbox as text: every octet of the local-part quoted, two quotes, '@', domain, NUL.
 * U-labels are never longer than 4 octets for each octet of their A-label, hence the factor. */
#define ADDRESS_TEXT_SIZE (2 * ADDRESS_LOCAL_MAX + 2 + 1 + 4 * ADDRESS_DOMAIN_MAX + 1)

/* One mailbox. Holds its own bytes: copy it freely, there is nothing to free. */
struct address {
    /* Unquoted, NFC, folded if the rules fold it: for comparing. */
    char local[ADDRESS_LOCAL_MAX + 1];

    /* Unquoted, otherwise as written. Used to pass the address on, because only the mailbox's own
     * server may interpret the case of a local-part (RFC 5321 section 2.4). */
    char written[ADDRESS_LOCAL_MAX + 1];

    /* A-labels, lower case, no trailing dot; "" where there was none. */
    char domain[ADDRESS_DOMAIN_MAX + 1];
};

/* Decides which forms name the same mailbox. The strings are borrowed from the configuration. */
struct address_rules {
    bool fold_case;           /* of the local-part; a domain is always folded */
    const char *delimiters;   /* each octet may start an extension: "+"; "" for none */
    const char *local_domain; /* what an address without a domain gets; NULL for nothing */
};

/* Parses a recipient: a path or mailbox of length octets, without NUL: <@relay.example:"al"@OLD.example.>, also without
 * brackets. A source route is reduced to its final mailbox (RFC 5321 appendix C). An address without a domain gets
 * rules->local_domain if that is set, otherwise domain "", as <postmaster> always does (RFC 5321 section 4.5.1). The
 * local-part may have up to ADDRESS_LOCAL_MAX octets. Returns 0; or -1 with *out empty and err (EX_DATAERR). */
int address_parse(struct address *out, const char *text, size_t length,
                  const struct address_rules *rules, struct error *err);

/* Returns the length in octets of text (local or written of an address) up to its first delimiter, or its whole length
 * if it has no extension. As in Postfix (split_addr.c), a leading delimiter starts no extension, and these have none:
 * the reserved mailboxes; and, if '-' is a delimiter, owner-NAME and NAME-request (owner_request_special). Case is
 * ignored. */
size_t address_base_length(const char *text, const struct address_rules *rules);

/* Whether no wildcard matches local: postmaster, mailer-daemon and double-bounce, also with an extension, and addresses
 * of the sender rewriting scheme (SRS0 or SRS1, then '=', '+' or '-'), which carry bounces of forwarded mail. Case is
 * ignored. */
bool address_is_reserved(const char *local, const struct address_rules *rules);

/* Whether local is postmaster, in any case (RFC 5321 section 4.5.1). */
bool address_is_postmaster(const char *local);

/* Writes local@domain to out[size]. local is unquoted, and gets quotes and backslashes if RFC 5321 requires them.
 * Returns 0, or -1 if it does not fit. */
int address_format(char *out, size_t size, const char *local, const char *domain);

/* Mail servers remove the quotes from a lookup key, as in "two words"@old.example. Takes the part of the
 * path (length octets) before its last '@' as an unquoted local-part, and writes the path with quotes.
 * Returns its length, or 0 if the result is no address either. */
size_t address_requote(char *out, size_t size, const char *text, size_t length);

/* Converts the domain (A-labels) to U-labels in out[size]; an invalid A-label stays as it is. Returns 0, or -1 if it
 * does not fit. RFC 5891 section 5. */
int address_domain_to_unicode(char *out, size_t size, const char *domain);

/* Parses a domain of length octets (U-labels or A-labels, in any case, with or without a trailing dot; or an address
 * literal) into out[ADDRESS_DOMAIN_MAX + 1], in the form of struct address. Returns 0; or -1 with *out undefined and
 * err (EX_DATAERR). RFC 5891, RFC 1123 section 2.1. */
int address_domain_parse(char *out, const char *text, size_t length, struct error *err);

/* Whether text has an octet over 127, which requires SMTPUTF8 (RFC 6531 section 3.1). */
bool address_needs_utf8(const char *text);

#endif
