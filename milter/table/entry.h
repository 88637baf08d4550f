/* table/entry.h: one row of the table of moved mailboxes: an old address, and what has become of
 * it. */
#ifndef TABLE_ENTRY_H
#define TABLE_ENTRY_H

#include "base/error.h"
#include "mail/address.h"
#include "mail/timestamp.h"

#include <stddef.h>
#include <stdint.h>

#define ENTRY_NOTE_MAX 1000 /* octets */

/* What the server does with mail to the old address. */
enum entry_action {
    ENTRY_REJECT,  /* answers where it has moved */
    ENTRY_FORWARD, /* delivers to the new address meanwhile */
    ENTRY_STAY,    /* has not moved, whatever the entry of its domain says */
};

/* Who is told the new address. */
enum entry_disclose { ENTRY_DEFAULT, ENTRY_ANYONE, ENTRY_TRUSTED, ENTRY_NOBODY };

/* Which mailboxes an entry is for; each has its own form of the old address. */
enum entry_scope {
    ENTRY_MAILBOX,    /* user@domain */
    ENTRY_DOMAIN,     /* @domain: every mailbox of it */
    ENTRY_SUBDOMAINS, /* @.domain: every mailbox of every subdomain of it, not of itself */
};

/* Holds its own bytes: copy it freely, there is nothing to free. */
struct entry {
    enum entry_scope scope;

    /* The old address: unquoted, in the table's spelling; local "" for a wildcard, domain in
     * A-labels and without the dot of "@.domain". */
    char local[ADDRESS_LOCAL_MAX + 1];
    char domain[ADDRESS_DOMAIN_MAX + 1];

    /* user@domain (quoted where needed, A-labels), @domain, or "": gone. */
    char new[ADDRESS_NEW_MAX + 1];

    enum entry_action action;
    enum entry_disclose disclose;

    /* In seconds; TIMESTAMP_NONE for always. In force from <= now < until; ENTRY_FORWARD up to
     * forward_until, and then as ENTRY_REJECT. */
    int64_t from, until, forward_until;

    /* The administrator's own words, UTF-8; never sent to a client. */
    char note[ENTRY_NOTE_MAX + 1];
};

/* An entry as people write it, in a CSV row or on a command line; NULL or "" where nothing is said.
 * Borrowed from the caller. */
struct entry_text {
    const char *old, *new, *action, *from, *until, *forward_until, *disclose, *note;
    int64_t
        now; /* what a relative time counts from; TIMESTAMP_NONE: a time is absolute, as in a file */
};

/* Checks and reads an entry. action is "reject" (also "" and "gone" with an empty new),
 * "forward" or "stay"; forward_until implies "forward"; disclose is "anyone", "trusted",
 * "nobody" or "". Refuses contradictions (a stay with a new address, until not after from, a new
 * address that is the old one or is too long for a reply), an old address without a domain, and
 * control characters. Returns 0; or -1 with *out untouched and err (EX_DATAERR) naming the
 * field. */
int entry_parse(struct entry *out, const struct entry_text *text, const struct address_rules *rules,
                struct error *err);

/* Reads the old address alone, into scope, local and domain; the rest of *out becomes that of an
 * empty entry. Returns 0; or -1 with *out untouched and err (EX_DATAERR). */
int entry_parse_old(struct entry *out, const char *old, const struct address_rules *rules,
                    struct error *err);

/* Writes the old address as people read it: "al@old.example", "@old.example", "@.old.example", into
 * out[size]; ADDRESS_TEXT_SIZE always fits. */
void entry_format_old(char *out, size_t size, const struct entry *entry);

/* "entry" or "entries", as goes with so many. */
const char *entry_noun(size_t count);

/* "reject", "forward", "stay"; "anyone", "trusted", "nobody", and "" for ENTRY_DEFAULT. */
const char *entry_action_name(enum entry_action action);
const char *entry_disclose_name(enum entry_disclose disclose);

/* Whether the entry counts at the moment now. */
int entry_in_force(const struct entry *entry, int64_t now);

#endif
