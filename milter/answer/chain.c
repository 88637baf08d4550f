/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/chain.h"

#include <string.h>

/* What all steps of one question share. */
struct search {
    const struct chain_question *question;
    struct error *err;
    struct chain_trace *trace; /* NULL: not asked for */
};

/* ---- one entry */

/* As table_find, but an entry that is not in force counts as absent. */
static enum table_result find(const struct search *search, enum entry_scope scope,
                              const char *local, const char *domain, struct entry *out)
{
    enum table_result result =
        table_find(search->question->view, scope, local, domain, out, search->err);
    if (result == TABLE_FOUND && !entry_in_force(out, search->question->now))
        return TABLE_ABSENT;
    return result;
}

static enum table_result match_without_extension(const struct search *search,
                                                 const struct address *address, struct entry *out,
                                                 bool *without_extension)
{
    char local[ADDRESS_LOCAL_MAX + 1];
    size_t base = address_base_length(address->local, &search->question->settings->addresses);
    if (address->local[base] == '\0')
        return TABLE_ABSENT;
    memcpy(local, address->local, base);
    local[base] = '\0';
    enum table_result result = find(search, ENTRY_MAILBOX, local, address->domain, out);
    *without_extension = result == TABLE_FOUND;
    return result;
}

/* Finds the entry for all mailboxes of a domain, or of its subdomains. It never matches a reserved mailbox. */
static enum table_result match_wildcard(const struct search *search, const struct address *address,
                                        enum entry_scope scope, const char *domain,
                                        struct entry *out)
{
    enum table_result result = find(search, scope, "", domain, out);
    if (result == TABLE_FOUND &&
        address_is_reserved(address->local, &search->question->settings->addresses))
        return TABLE_ABSENT;
    return result;
}

/* @.parent, from the nearest parent up. */
static enum table_result match_parents(const struct search *search, const struct address *address,
                                       struct entry *out)
{
    enum table_result result = TABLE_ABSENT;
    const char *parent = address->domain[0] == '[' ? NULL : strchr(address->domain, '.');
    for (; result == TABLE_ABSENT && parent != NULL; parent = strchr(parent, '.'))
        result = match_wildcard(search, address, ENTRY_SUBDOMAINS, ++parent, out);
    return result;
}

/* Finds the first entry in force in the order of look-up: user+ext@domain, user@domain, @domain, @.parent. Sets
 * without_extension if the address has an extension and the entry has none. */
static enum table_result match(const struct search *search, const struct address *address,
                               struct entry *out, bool *without_extension)
{
    enum table_result result = find(search, ENTRY_MAILBOX, address->local, address->domain, out);
    *without_extension = false;
    if (result == TABLE_ABSENT)
        result = match_without_extension(search, address, out, without_extension);
    if (result == TABLE_ABSENT)
        result = match_wildcard(search, address, ENTRY_DOMAIN, address->domain, out);
    if (result == TABLE_ABSENT)
        result = match_parents(search, address, out);
    return result;
}

/* ---- the chain */

/* Reads a new address. It is one, unless the table is damaged. */
static enum rule read_new(struct address *out, const char *new, const struct search *search)
{
    /* It is a mailbox of another server, so local_domain does not apply. */
    const struct address_rules rules = {
        .fold_case = search->question->settings->addresses.fold_case, .delimiters = ""};
    /* address_parse accepts angle brackets, but an entry has none. */
    if (new[0] != '<' && address_parse(out, new, strlen(new), &rules, NULL) == 0 &&
        out->domain[0] != '\0')
        return RULE_MOVED;
    error_set(search->err, EX_DATAERR, "an entry of the table is damaged: restore a copy of it");
    return RULE_TABLE_ERROR;
}

/* Writes local, extension and domain as a new address. Returns -1 if that is longer than a path may be (RFC 5321
 * section 4.5.3.1.3). */
static int join(char *out, const char *local, const char *extension, const char *domain)
{
    char whole[2 * ADDRESS_LOCAL_MAX + 1], text[ADDRESS_TEXT_SIZE];
    size_t local_length = strlen(local), extension_length = strlen(extension);

    if (local_length + extension_length > ADDRESS_LOCAL_MAX)
        return -1;
    memcpy(whole, local, local_length);
    memcpy(whole + local_length, extension, extension_length + 1);
    if (address_format(text, sizeof text, whole, domain) != 0 || strlen(text) > ADDRESS_NEW_MAX)
        return -1;
    memcpy(out, text, strlen(text) + 1);
    return 0;
}

/* Writes and reads the new address that the entry gives to address, which may be chain->end itself. Returns RULE_MOVED,
 * RULE_UNWRITABLE or RULE_TABLE_ERROR. */
static enum rule step(struct chain *chain, const struct search *search,
                      const struct address *address, const struct entry *entry,
                      bool without_extension)
{
    const struct address_rules *rules = &search->question->settings->addresses;
    struct address next;

    if (entry->new[0] == '@') {
        if (join(chain->new, address->written, "", entry->new + 1) != 0)
            return RULE_UNWRITABLE;
    } else {
        memcpy(chain->new, entry->new, strlen(entry->new) + 1);
        /* If it is too long with the extension, it is still the right mailbox without. */
        if (without_extension && read_new(&next, entry->new, search) == RULE_MOVED)
            (void)join(chain->new, next.written,
                       address->written + address_base_length(address->written, rules),
                       next.domain);
    }
    return read_new(&chain->end, chain->new, search);
}

static enum entry_disclose strictest(enum entry_disclose so_far, const struct entry *entry,
                                     const struct settings *settings)
{
    enum entry_disclose own = entry->disclose == ENTRY_DEFAULT
                                  ? (enum entry_disclose)(ENTRY_ANYONE + settings->disclose)
                                  : entry->disclose;
    return own > so_far ? own : so_far;
}

static bool forwards(const struct entry *entry, int64_t now)
{
    return entry->action == ENTRY_FORWARD &&
           (entry->forward_until == TIMESTAMP_NONE || now < entry->forward_until);
}

static void note(const struct search *search, const struct entry *entry, unsigned number)
{
    if (search->trace != NULL)
        entry_format_old(search->trace->old[number], ADDRESS_TEXT_SIZE, entry);
}

/* Adds the entry that matched address to the chain. Returns whether the chain goes on at the new address. */
static bool take(struct chain *chain, const struct search *search, const struct address *address,
                 const struct entry *entry, bool without_extension)
{
    note(search, entry, chain->met);
    if (chain->met++ == 0)
        chain->forward = forwards(entry, search->question->now);
    if (entry->action == ENTRY_STAY) {
        chain->rule = chain->steps == 0 ? RULE_STAY : RULE_MOVED;
        return false;
    }
    chain->disclose = strictest(chain->disclose, entry, search->question->settings);
    if (entry->new[0] == '\0' || chain->steps == CHAIN_STEPS_MAX) {
        chain->rule = entry->new[0] == '\0' ? RULE_GONE : RULE_LOOP;
        return false;
    }
    chain->steps++;
    chain->rule = step(chain, search, address, entry, without_extension);
    return chain->rule == RULE_MOVED;
}

static void follow(struct chain *chain, const struct search *search, const struct address *from)
{
    struct entry later, *entry = &chain->first;
    bool without_extension;
    enum table_result result = match(search, from, entry, &without_extension);

    chain->rule = RULE_NOT_LISTED;
    chain->forward = false;
    chain->disclose = ENTRY_ANYONE;
    chain->met = chain->steps = 0;
    while (result == TABLE_FOUND && take(chain, search, from, entry, without_extension)) {
        from = &chain->end;
        entry = &later;
        result = match(search, from, entry, &without_extension);
    }
    if (result == TABLE_FAILED)
        chain->rule = RULE_TABLE_ERROR;
}

void chain_follow(struct chain *out, const struct address *from,
                  const struct chain_question *question, struct error *err)
{
    const struct search search = {.question = question, .err = err};
    follow(out, &search, from);
}

void chain_trace(struct chain_trace *out, const struct address *from,
                 const struct chain_question *question, struct error *err)
{
    const struct search search = {.question = question, .err = err, .trace = out};
    follow(&out->chain, &search, from);
}

bool chain_trace_circles(const struct chain_trace *trace)
{
    for (unsigned i = 1; i < trace->chain.met; i++)
        for (unsigned j = 0; j < i; j++)
            if (strcmp(trace->old[i], trace->old[j]) == 0)
                return trace->chain.rule == RULE_LOOP;
    return false;
}
