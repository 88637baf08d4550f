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
    const char *delimiters;   /* each octet starts an extension: "+"; "" for none */
    const char *local_domain; /* what an address without a domain gets; NULL for nothing */
};

/* Reads a recipient: a path or mailbox of length octets, NUL not needed:
 * <@relay.example:"al"@OLD.example.>, and without brackets too, since programs write it so. Of a
 * source route the last mailbox counts (RFC 5321 appendix C). An address without a domain gets
 * rules->local_domain if there is one, and else keeps domain "" (<postmaster> keeps it always:
 * RFC 5321 section 4.5.1). A local-part of up to ADDRESS_LOCAL_MAX octets is taken. Returns 0;
 * or -1 with *out empty and err (EX_DATAERR) naming what is wrong and what would be right. */
int address_parse(struct address *out, const char *text, size_t length,
                  const struct address_rules *rules, struct error *err);

/* Finds the extension: the length in octets of text (a local or written of an address) up to its
 * first delimiter, or its whole length where it has none. As in Postfix (split_addr.c) a delimiter
 * in the first place starts no extension (there would be no mailbox name), and these have none:
 * the reserved mailboxes, and where '-' is a delimiter owner-NAME and NAME-request (its
 * owner_request_special). Case does not matter here, whatever the rules say. */
size_t address_base_length(const char *text, const struct address_rules *rules);

/* Whether no wildcard may match local: postmaster, mailer-daemon and double-bounce, with an
 * extension too, and addresses of the sender rewriting scheme (SRS0 or SRS1, then '=', '+' or
 * '-'), which carry bounces of forwarded mail back. In any case of letters. */
bool address_is_reserved(const char *local, const struct address_rules *rules);

/* Whether local is postmaster, in any case of letters: RFC 5321 section 4.5.1. */
bool address_is_postmaster(const char *local);

/* Writes local@domain into out[size], NUL-terminated; the local-part gets quotes and backslashes
 * where RFC 5321 needs them. local is unquoted. Returns 0, or -1 where it does not fit. */
int address_format(char *out, size_t size, const char *local, const char *domain);

/* Mail servers remove the quotes from a lookup key, as in "two words"@old.example. Takes the part of the
 * path (length octets) before its last '@' as an unquoted local-part, and writes the path with quotes.
 * Returns its length, or 0 if the result is no address either. */
size_t address_requote(char *out, size_t size, const char *text, size_t length);

/* Turns the domain (A-labels) into U-labels in out[size]; a label that is no valid A-label stays
 * as it is. Returns 0, or -1 where it does not fit. RFC 5891 section 5. */
int address_domain_to_unicode(char *out, size_t size, const char *domain);

/* Reads a domain of length octets (U-labels or A-labels, any case, with or without a trailing
 * dot; or an address literal) into out[ADDRESS_DOMAIN_MAX + 1] in the form of struct
 * address. Returns 0; or -1 with *out undefined and err (EX_DATAERR). RFC 5891, RFC 1123 section
 * 2.1. */
int address_domain_parse(char *out, const char *text, size_t length, struct error *err);

/* Whether text has an octet over 127, which only an SMTPUTF8 session may carry (RFC 6531 section
 * 3.1). */
bool address_needs_utf8(const char *text);

#endif
