/* answer/rule.h: the rule that decided, and its name and explanation. */
#ifndef ANSWER_RULE_H
#define ANSWER_RULE_H

enum rule {
    RULE_NOT_LISTED,
    RULE_NOT_AN_ADDRESS, /* cannot be read, so it cannot be in the table: the MTA's own business */
    RULE_NO_DOMAIN,
    RULE_STAY,
    RULE_MOVED,
    RULE_FORWARD,
    RULE_GONE,
    RULE_LOOP, /* a chain in a circle, or longer than 8: as gone, 451 where it says forward */
    RULE_NOT_DISCLOSED,
    RULE_OVER_LIMIT,
    RULE_UNWRITABLE, /* the new address needs SMTPUTF8, is too long for a path, or no reply says it */
    RULE_LOCAL, /* would be refused, but then local submission stays in the maildrop for ever */
    RULE_TABLE_ERROR,
};
#define RULES (RULE_TABLE_ERROR + 1)

/* "moved", "gone", "over limit": a word or two for each rule, for the log. */
const char *rule_name(enum rule rule);

/* A sentence for each rule, for movedctl test. */
const char *rule_explain(enum rule rule);

#endif
