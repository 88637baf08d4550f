/* SPDX-License-Identifier: BSD-2-Clause */
/* table/entry.h: an entry of the table of moved mailboxes: an old address, and what happens to its mail. */
#ifndef TABLE_ENTRY_H
#define TABLE_ENTRY_H

#include "base/error.h"
#include "mail/address.h"
#include "mail/timestamp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENTRY_NOTE_MAX 1000 /* octets */

/* What the server does with mail to the old address. */
enum entry_action {
    ENTRY_REJECT,  /* refuses it, and tells the new address */
    ENTRY_FORWARD, /* delivers it to the new address */
    ENTRY_STAY,    /* has not moved, even if its domain has an entry */
};

/* Who is told the new address. */
enum entry_disclose { ENTRY_DEFAULT, ENTRY_ANYONE, ENTRY_TRUSTED, ENTRY_NOBODY };

/* The mailboxes that an entry is for. Each scope has its own form of old address. */
enum entry_scope {
    ENTRY_MAILBOX,    /* user@domain */
    ENTRY_DOMAIN,     /* @domain: all mailboxes of it */
    ENTRY_SUBDOMAINS, /* @.domain: all mailboxes of all its subdomains, but not its own */
};

/* Holds its own bytes: copy it freely, there is nothing to free. */
struct entry {
    enum entry_scope scope;

    /* The old address, unquoted and folded as in the table's keys. local is "" for a wildcard; domain is in A-labels,
     * without the dot of "@.domain". */
    char local[ADDRESS_LOCAL_MAX + 1];
    char domain[ADDRESS_DOMAIN_MAX + 1];

    /* user@domain (quoted where needed, A-labels), @domain, or "": gone. */
    char new[ADDRESS_NEW_MAX + 1];

    enum entry_action action;
    enum entry_disclose disclose;

    /* In seconds since 1970; TIMESTAMP_NONE if not set. In force while from <= now < until. ENTRY_FORWARD forwards
     * until forward_until, and rejects after it. */
    int64_t from, until, forward_until;

    /* The administrator's comment, in UTF-8; never sent to a client. */
    char note[ENTRY_NOTE_MAX + 1];
};

#define ENTRY_FIELDS 8

/* The fields of an entry as text, from a file, a store or a command line; NULL or "" if not given. Borrowed. */
struct entry_text {
    union {
        struct {
            const char *old, *new, *action, *from, *until, *forward_until, *disclose, *note;
        };
        const char *values[ENTRY_FIELDS]; /* the same ones, in this order */
    };
    /* Relative times count from here; TIMESTAMP_NONE: only absolute times are allowed */
    int64_t now;
};

/* Parses and checks an entry. action is "reject" (also "", and "gone" without a new address), "forward" or "stay";
 * forward_until implies "forward"; disclose is "anyone", "trusted", "nobody" or "". Refuses contradictions (a stay with
 * a new address, until not after from, a new address equal to the old one or too long for a reply), an old address
 * without a domain, and control characters. Returns 0; or -1 with err (EX_DATAERR), which names the field: *out is then good
 * for the old address at most. */
int entry_parse(struct entry *out, const struct entry_text *text, const struct address_rules *rules,
                struct error *err);

/* Parses an old address into scope, local and domain; the other fields of *out become those of an empty entry. Returns
 * 0; or -1 with *out unchanged and err (EX_DATAERR). */
int entry_parse_old(struct entry *out, const char *old, const struct address_rules *rules,
                    struct error *err);

/* Writes the old address as people write it, "al@old.example", "@old.example" or "@.old.example", to out[size];
 * ADDRESS_TEXT_SIZE is always enough. */
void entry_format_old(char *out, size_t size, const struct entry *entry);

/* Whether until or forward_until is after now and at most so many seconds later. */
bool entry_ends_within(const struct entry *entry, int64_t now, int64_t seconds);

/* "entry" for a count of 1, otherwise "entries". */
const char *entry_noun(size_t count);

/* "reject", "forward", "stay"; "anyone", "trusted", "nobody", and "" for ENTRY_DEFAULT. */
const char *entry_action_name(enum entry_action action);
const char *entry_disclose_name(enum entry_disclose disclose);

/* Whether the entry is in force at the time now. */
int entry_in_force(const struct entry *entry, int64_t now);

#endif
