/* SPDX-License-Identifier: BSD-2-Clause */
/* answer/chain.h: follows an address through the table. Defines the order of look-ups, and follows new
 * addresses that are themselves old addresses. */
#ifndef ANSWER_CHAIN_H
#define ANSWER_CHAIN_H

#include "answer/rule.h"
#include "answer/settings.h"
#include "table/table.h"

#include <stdbool.h>
#include <stdint.h>

#define CHAIN_STEPS_MAX 8 /* new addresses that a chain may have */

/* The input. All pointers are borrowed. */
struct chain_question {
    struct table_view *view;
    const struct settings *settings;
    int64_t now; /* seconds since 1970 */
};

/* Where the chain of entries has led. */
struct chain {
    enum rule
        rule;     /* RULE_MOVED, RULE_GONE, RULE_LOOP, RULE_STAY, RULE_NOT_LISTED, RULE_TABLE_ERROR,
                     * RULE_UNWRITABLE */
    bool forward; /* as the first entry says, at this moment */
    enum entry_disclose disclose;  /* the strictest on the way */
    unsigned met;                  /* entries that matched: a stay at the end too */
    unsigned steps;                /* new addresses on the way */
    struct entry first;            /* the entry that matched first; unset where none did */
    struct address end;            /* RULE_MOVED: the new address */
    char new[ADDRESS_NEW_MAX + 1]; /* the same as the entry has it */
};

/* Follows the entries, starting at an address. On RULE_TABLE_ERROR err has the reason. */
void chain_follow(struct chain *out, const struct address *from,
                  const struct chain_question *question, struct error *err);

/* The same, with the entries that matched, for movedctl lint. */
struct chain_trace {
    struct chain chain;
    char old[CHAIN_STEPS_MAX + 1][ADDRESS_TEXT_SIZE]; /* of the entries that matched, in order */
};
void chain_trace(struct chain_trace *out, const struct address *from,
                 const struct chain_question *question, struct error *err);

/* Whether a RULE_LOOP is a circle, and not merely a chain that is too long. */
bool chain_trace_circles(const struct chain_trace *trace);

#endif
