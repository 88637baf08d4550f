/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/rule.h"

static const struct {
    const char *name, *sentence;
} words[] = {
    [RULE_NOT_LISTED] = {"not listed", "no entry matches, so the mail server decides"},
    [RULE_NOT_AN_ADDRESS] = {"not an address",
                             "cannot be read as an address: left to the mail server"},
    [RULE_NO_DOMAIN] = {"no domain",
                        "has no domain, and addresses.local_domain is not set or does not apply"},
    [RULE_STAY] = {"stays", "the entry says that this mailbox has not moved"},
    [RULE_MOVED] = {"moved", "this client may know the new address"},
    [RULE_FORWARD] = {"forwarded", "moved, and mail is still delivered to the new address"},
    [RULE_GONE] = {"gone", "moved, and there is no new address"},
    [RULE_LOOP] = {"loop", "the new addresses lead in a circle or through more than 8 entries"},
    [RULE_NOT_DISCLOSED] = {"not disclosed",
                            "moved, and this client may not know the new address (disclose)"},
    [RULE_OVER_LIMIT] = {"over limit",
                         "moved, and this client has been told disclosure.limit addresses"},
    [RULE_UNWRITABLE] =
        {"unwritable",
         "moved, and the new address needs SMTPUTF8, has a control character or is too long for a "
         "reply, or has quotes and Sendmail would lose them"},
    [RULE_LOCAL] = {"local", "moved, but mail submitted on this host is never refused"},
    [RULE_TABLE_ERROR] = {"table error", "the table cannot be read (on_table_error decides)"},
};

const char *rule_name(enum rule rule)
{
    return words[rule].name;
}

const char *rule_explain(enum rule rule)
{
    return words[rule].sentence;
}
