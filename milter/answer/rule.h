/* SPDX-License-Identifier: BSD-2-Clause */
/* answer/rule.h: the rule that decided, and its name and explanation. */
#ifndef ANSWER_RULE_H
#define ANSWER_RULE_H

enum rule {
    RULE_NOT_LISTED,
    RULE_NOT_AN_ADDRESS, /* cannot be parsed, so it is not in the table: left to the MTA */
    RULE_NO_DOMAIN,
    RULE_STAY,
    RULE_MOVED,
    RULE_FORWARD,
    RULE_GONE,
    RULE_LOOP, /* a loop, or a chain of over 8 entries: as gone, or 451 for forward */
    RULE_NOT_DISCLOSED,
    RULE_OVER_LIMIT,
    RULE_UNWRITABLE, /* no reply can tell the new address: see rule_explain */
    RULE_LOCAL,      /* local submission is not refused: it would stay in the maildrop forever */
    RULE_TABLE_ERROR,
};
#define RULES (RULE_TABLE_ERROR + 1)

/* "moved", "gone", "over limit": a word or two for each rule, for the log. */
const char *rule_name(enum rule rule);

/* A sentence for each rule, for movedctl test. */
const char *rule_explain(enum rule rule);

#endif
