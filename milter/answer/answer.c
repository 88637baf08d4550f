#include "answer/answer.h"

#include <string.h>
#include <strings.h>

/* A loop may be mended while the sender tries again (RFC 3463: X.4.6, routing loop detected). */
#define LOOP_WHILE_FORWARDING "451 4.4.6 Forwarding loop; try again later"

/* Where the chain of entries has led. */
struct trail {
    enum rule
        rule;     /* RULE_MOVED, RULE_GONE, RULE_LOOP, RULE_STAY, RULE_NOT_LISTED, RULE_TABLE_ERROR,
                     * RULE_UNWRITABLE */
    bool forward; /* as the first entry says */
    enum entry_disclose disclose; /* the strictest on the way */
    unsigned steps;
    struct address end; /* RULE_MOVED: the new address */
};

/* What all steps of one question share. */
struct search {
    struct table_view *view;
    const struct settings *settings;
    int64_t now; /* or ANSWER_ANY_TIME */
    struct error *err;
    struct answer_trace *trace;  /* NULL: nobody asks for the way */
    const struct entry *without; /* one to pass over; NULL: none */
};

/* ---- one entry */

static bool is_passed_over(const struct search *search, const struct entry *entry)
{
    const struct entry *without = search->without;
    return (search->now != ANSWER_ANY_TIME && !entry_in_force(entry, search->now)) ||
           (without != NULL && without->scope == entry->scope &&
            strcmp(without->local, entry->local) == 0 &&
            strcmp(without->domain, entry->domain) == 0);
}

/* As table_find, but an entry out of force is as if absent. */
static enum table_result find(const struct search *search, enum entry_scope scope,
                              const char *local, const char *domain, struct entry *out)
{
    enum table_result result = table_find(search->view, scope, local, domain, out, search->err);
    if (result == TABLE_FOUND && is_passed_over(search, out))
        return TABLE_ABSENT;
    return result;
}

/* Whether no wildcard is for this mailbox: postmaster, and postmaster+list too. */
static bool is_reserved(const struct search *search, const char *local)
{
    char base[ADDRESS_LOCAL_MAX + 1];
    size_t length = address_base_length(local, &search->settings->addresses);
    memcpy(base, local, length);
    base[length] = '\0';
    return address_is_reserved(base);
}

static enum table_result match_without_extension(const struct search *search,
                                                 const struct address *address, struct entry *out,
                                                 bool *without_extension)
{
    char local[ADDRESS_LOCAL_MAX + 1];
    size_t base = address_base_length(address->local, &search->settings->addresses);
    if (address->local[base] == '\0')
        return TABLE_ABSENT;
    memcpy(local, address->local, base);
    local[base] = '\0';
    enum table_result result = find(search, ENTRY_MAILBOX, local, address->domain, out);
    *without_extension = result == TABLE_FOUND;
    return result;
}

/* The domain's own entries: user+ext@domain, user@domain, @domain. */
static enum table_result match_domain(const struct search *search, const struct address *address,
                                      struct entry *out, bool *without_extension)
{
    enum table_result result =
        table_has_domain(search->view, ENTRY_DOMAIN, address->domain, search->err);
    if (result != TABLE_FOUND)
        return result;

    result = find(search, ENTRY_MAILBOX, address->local, address->domain, out);
    if (result == TABLE_ABSENT)
        result = match_without_extension(search, address, out, without_extension);
    if (result == TABLE_ABSENT && !is_reserved(search, address->local))
        result = find(search, ENTRY_DOMAIN, "", address->domain, out);
    return result;
}

/* @.parent, from the nearest parent up. */
static enum table_result match_parents(const struct search *search, const struct address *address,
                                       struct entry *out)
{
    enum table_result result = table_has_domain(search->view, ENTRY_SUBDOMAINS, NULL, search->err);
    if (result != TABLE_FOUND)
        return result;
    if (is_reserved(search, address->local) || address->domain[0] == '[')
        return TABLE_ABSENT;

    const char *parent = address->domain;
    result = TABLE_ABSENT;
    while (result == TABLE_ABSENT && (parent = strchr(parent, '.')) != NULL) {
        parent++;
        result = find(search, ENTRY_SUBDOMAINS, "", parent, out);
    }
    return result;
}

/* The first entry in force in the order of look-up. without_extension tells that the address has an
 * extension and the entry has not. */
static enum table_result match(const struct search *search, const struct address *address,
                               struct entry *out, bool *without_extension)
{
    *without_extension = false;
    enum table_result result = match_domain(search, address, out, without_extension);
    return result == TABLE_ABSENT ? match_parents(search, address, out) : result;
}

/* ---- the chain */

/* Writes local, and after it the extension of from, with domain, as a new address. Returns -1
 * where that is longer than a path may be (RFC 5321 section 4.5.3.1.3). */
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

/* Makes of the address what the entry says. Returns -1 where the outcome cannot be written. */
static int step(const struct search *search, struct address *address, const struct entry *entry,
                bool without_extension)
{
    /* The new server's mailbox: our local domain has no say in it. */
    const struct address_rules rules = {.fold_case = search->settings->addresses.fold_case,
                                        .delimiters = ""};
    char text[ADDRESS_NEW_MAX + 1];
    struct address next;

    if (entry->new[0] == '@') {
        if (join(text, address->written, "", entry->new + 1) != 0)
            return -1;
        return address_parse(address, text, strlen(text), &rules, NULL);
    }
    if (!without_extension)
        return address_parse(address, entry->new, strlen(entry->new), &rules, NULL);

    size_t base = address_base_length(address->written, &search->settings->addresses);
    if (address_parse(&next, entry->new, strlen(entry->new), &rules, NULL) != 0)
        return -1;
    if (join(text, next.written, address->written + base, next.domain) == 0)
        return address_parse(address, text, strlen(text), &rules, NULL);
    *address = next; /* too long with the extension: without it it is still the mailbox */
    return 0;
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

static void note(const struct search *search, const struct entry *entry)
{
    struct answer_trace *trace = search->trace;
    if (trace != NULL)
        entry_format_old(trace->old[trace->met++], ADDRESS_TEXT_SIZE, entry);
}

/* Follows the entries from trail->end on. first gets the old address of the entry that matched
 * first. */
static void follow(struct trail *trail, const struct search *search, char *first)
{
    struct entry entry;
    bool without_extension;

    trail->rule = RULE_NOT_LISTED;
    for (;; trail->rule = RULE_MOVED) {
        switch (match(search, &trail->end, &entry, &without_extension)) {
        case TABLE_ABSENT: return;
        case TABLE_FAILED: trail->rule = RULE_TABLE_ERROR; return;
        case TABLE_FOUND: note(search, &entry); break;
        }
        if (trail->steps == 0) {
            entry_format_old(first, ADDRESS_TEXT_SIZE, &entry);
            trail->forward = forwards(&entry, search->now);
        }
        if (entry.action == ENTRY_STAY) {
            trail->rule = trail->steps == 0 ? RULE_STAY : RULE_MOVED;
            return;
        }
        trail->disclose = strictest(trail->disclose, &entry, search->settings);
        if (entry.new[0] == '\0' || trail->steps == ANSWER_STEPS_MAX) {
            trail->rule = entry.new[0] == '\0' ? RULE_GONE : RULE_LOOP;
            return;
        }
        trail->steps++;
        if (step(search, &trail->end, &entry, without_extension) != 0) {
            trail->rule = RULE_UNWRITABLE;
            return;
        }
    }
}

/* ---- the reply */

/* A text with nothing to fill in. */
static void reply_exactly(struct answer *out, const char *template)
{
    const struct reply_words words = {.old = NULL};
    out->verdict = VERDICT_REPLY;
    (void)reply_fill(&out->reply, template, &words);
}

/* The recipient as the client wrote it, but without brackets, source route, quotes and backslashes: so
 * Postfix writes it in its replies. "" where it is too long. */
static void copy_spelling(char *out, size_t size, const struct question *question)
{
    const char *from = question->recipient, *end = from + question->length;
    size_t used = 0;
    bool quoted = false;

    if (from < end && *from == '<' && end[-1] == '>') {
        from++;
        end--;
    }
    const char *colon = from < end && *from == '@' ? memchr(from, ':', (size_t)(end - from)) : NULL;
    for (from = colon == NULL ? from : colon + 1; from < end && used < size - 1; from++) {
        if (*from == '"')
            quoted = !quoted;
        else if (*from != '\\' || !quoted || ++from < end)
            out[used++] = *from;
    }
    out[used < size - 1 ? used : 0] = '\0';
}

/* An address that this session cannot carry is not echoed into it. */
static bool can_carry(const char *template, const struct reply_words *words,
                      const struct client *client)
{
    return client->smtputf8 ||
           ((strstr(template, "${old}") == NULL || !address_needs_utf8(words->old)) &&
            (strstr(template, "${recipient}") == NULL || !address_needs_utf8(words->recipient)));
}

static void reply_with(struct answer *out, enum text_kind kind, const struct question *question,
                       const struct settings *settings, const char *new)
{
    char recipient[ADDRESS_TEXT_SIZE];
    const struct texts *texts =
        texts_find(&settings->texts, &settings->texts_by_domain, strrchr(out->old, '@') + 1);
    const struct reply_words words = {.old = out->old, .new = new, .recipient = recipient};

    copy_spelling(recipient, sizeof recipient, question);
    out->verdict = VERDICT_REPLY;
    if (!can_carry(texts->of[kind], &words, &question->client) ||
        reply_fill(&out->reply, texts->of[kind], &words) != 0)
        (void)reply_fill(&out->reply, texts_fallback(kind), &words);
}

static void withhold(struct answer *out, enum rule rule, const struct question *question,
                     const struct settings *settings)
{
    out->rule = rule;
    reply_with(out, TEXT_WITHHELD, question, settings, NULL);
}

/* Whether the name is one of the domains, or below it. */
static bool is_below(const char *name, const struct conf_list *domains)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < domains->count; i++) {
        size_t domain_length = strlen(domains->items[i]);
        if (length >= domain_length &&
            strcasecmp(name + length - domain_length, domains->items[i]) == 0 &&
            (length == domain_length || name[length - domain_length - 1] == '.'))
            return true;
    }
    return false;
}

static enum trust find_trust(const struct client *client, const struct settings *settings)
{
    if (!client->has_ip)
        return TRUST_LOCAL;
    if (client->authenticated)
        return TRUST_AUTHENTICATED;
    if (network_contains(settings->trusted, settings->trusted_count, &client->ip))
        return TRUST_NETWORK;
    if (client->confirmed_name != NULL &&
        is_below(client->confirmed_name, &settings->trusted_domains))
        return TRUST_DOMAIN;
    return TRUST_NONE;
}

/* Writes the new address in the way that this session can carry: in UTF-8 throughout, or in
 * A-labels. Returns -1 where neither does. RFC 6531 section 3.7.4.2. A mail server that forwards
 * gets A-labels, which every one can look up. */
static int write_new(struct answer *out, const struct trail *trail, const struct client *client)
{
    const struct address *end = &trail->end;
    char unicode[4 * ADDRESS_DOMAIN_MAX + 1];
    const char *domain = end->domain;

    if (client->smtputf8 && !trail->forward &&
        address_domain_to_unicode(unicode, sizeof unicode, domain) == 0)
        domain = unicode;
    if (address_format(out->new, sizeof out->new, end->written, domain) != 0)
        return -1;
    /* U-labels can be longer in octets: a path that no longer fits has to do with A-labels. */
    if (strlen(out->new) > ADDRESS_NEW_MAX &&
        address_format(out->new, sizeof out->new, end->written, end->domain) != 0)
        return -1;
    if (client->loses_quotes && !trail->forward && out->new[0] == '"')
        return -1;
    return address_needs_utf8(out->new) && !client->smtputf8 ? -1 : 0;
}

/* Who may not know where may not even know that: the mail server's own words for a mailbox that it does not
 * know. */
static void conceal(struct answer *out, const struct question *question,
                    const struct settings *settings)
{
    out->concealed = true;
    reply_with(out, TEXT_UNKNOWN, question, settings, NULL);
}

static void over_limit(struct answer *out, const struct question *question,
                       const struct settings *settings)
{
    bool defers = settings->over_limit == OVER_LIMIT_DEFER;
    out->rule = RULE_OVER_LIMIT;
    if (settings->conceal && !defers)
        conceal(out, question, settings);
    else
        reply_with(out, defers ? TEXT_DEFERRED : TEXT_WITHHELD, question, settings, NULL);
}

static bool may_know(const struct answer *answer)
{
    return answer->disclose == ENTRY_ANYONE ||
           (answer->disclose == ENTRY_TRUSTED && answer->trust != TRUST_NONE);
}

/* Whether the client may be told one more address. One mailbox is one address however this session
 * writes it. */
static bool is_within_limit(struct answer *out, const struct question *question,
                            const struct address *end, struct limit *limit)
{
    char address[ADDRESS_TEXT_SIZE] = "";
    if (out->trust != TRUST_NONE || limit == NULL)
        return true;
    (void)address_format(address, sizeof address, end->local, end->domain);
    limit_ask(&out->limit, limit, &question->client.ip, address, question->now);
    return out->limit.allowed;
}

static void disclose(struct answer *out, const struct question *question,
                     const struct settings *settings, const struct address *end,
                     struct limit *limit)
{
    if (!may_know(out))
        withhold(out, RULE_NOT_DISCLOSED, question, settings);
    else if (!is_within_limit(out, question, end, limit))
        over_limit(out, question, settings);
    else
        reply_with(out, TEXT_MOVED, question, settings, out->new);
}

static void gone(struct answer *out, const struct question *question,
                 const struct settings *settings)
{
    reply_with(out, TEXT_GONE, question, settings, NULL);
}

static void table_error(struct answer *out, const struct question *question,
                        const struct settings *settings)
{
    out->rule = RULE_TABLE_ERROR;
    if (settings->on_table_error == TABLE_ERROR_TEMPFAIL)
        reply_with(out, TEXT_TABLE_ERROR, question, settings, NULL);
}

/* Whether that the mailbox has moved is kept from the client too. One that is forwarded is accepted like any
 * other. */
static bool is_concealed(const struct answer *answer, const struct settings *settings,
                         const struct trail *trail)
{
    bool refuses = trail->rule == RULE_GONE || trail->rule == RULE_UNWRITABLE ||
                   ((trail->rule == RULE_MOVED || trail->rule == RULE_LOOP) && !trail->forward);
    return settings->conceal && refuses && !may_know(answer);
}

/* Of the end of the trail, the answer. */
static void conclude(struct answer *out, const struct question *question,
                     const struct settings *settings, const struct trail *trail,
                     struct limit *limit)
{
    out->rule = trail->rule;
    out->steps = trail->steps;
    if (trail->steps > 0 || trail->rule == RULE_GONE) {
        out->disclose = trail->disclose;
        out->trust = find_trust(&question->client, settings);
    }
    if (is_concealed(out, settings, trail)) {
        out->rule = trail->rule == RULE_MOVED ? RULE_NOT_DISCLOSED : trail->rule;
        conceal(out, question, settings);
        return;
    }
    switch (trail->rule) {
    case RULE_TABLE_ERROR: table_error(out, question, settings); break;
    case RULE_GONE: gone(out, question, settings); break;
    case RULE_UNWRITABLE: withhold(out, RULE_UNWRITABLE, question, settings); break;
    case RULE_LOOP:
        if (trail->forward)
            reply_exactly(out, LOOP_WHILE_FORWARDING);
        else
            gone(out, question, settings);
        break;
    case RULE_MOVED:
        if (write_new(out, trail, &question->client) != 0) {
            withhold(out, RULE_UNWRITABLE, question, settings);
        } else if (trail->forward) {
            out->rule = RULE_FORWARD;
            out->verdict = VERDICT_FORWARD;
        } else {
            disclose(out, question, settings, &trail->end, limit);
        }
        break;
    case RULE_NOT_LISTED:
    case RULE_STAY:
    case RULE_NOT_AN_ADDRESS:
    case RULE_NO_DOMAIN:
    case RULE_FORWARD:
    case RULE_NOT_DISCLOSED:
    case RULE_OVER_LIMIT:
    case RULE_LOCAL: break; /* not listed, or has not moved: continue */
    }
}

static void ask_table(struct answer *out, const struct question *question,
                      const struct settings *settings, struct table *table, struct trail *trail)
{
    struct table_view *view = table_view_open(table, &out->error);
    if (view == NULL) {
        trail->rule = RULE_TABLE_ERROR;
        return;
    }
    const struct search search = {
        .view = view, .settings = settings, .now = question->now, .err = &out->error};
    follow(trail, &search, out->entry);
    table_view_close(view);
}

void answer_ask(struct answer *out, const struct question *question,
                const struct settings *settings, struct table *table, const struct error *table_err,
                struct limit *limit)
{
    struct trail trail;

    out->verdict =
        VERDICT_CONTINUE; /* field by field: it is large, and asked for every recipient */
    out->old[0] = out->new[0] = out->entry[0] = '\0';
    out->steps = 0;
    out->trust = TRUST_NONE;
    out->disclose = ENTRY_DEFAULT;
    out->concealed = false;
    out->limit = (struct limit_outcome){.allowed = true};
    if (address_parse(&trail.end, question->recipient, question->length, &settings->addresses,
                      &out->error) != 0) {
        out->rule = RULE_NOT_AN_ADDRESS;
        return;
    }
    if (trail.end.domain[0] == '\0') {
        out->rule = RULE_NO_DOMAIN;
        return;
    }
    (void)address_format(out->old, sizeof out->old, trail.end.written, trail.end.domain);

    trail.forward = false;
    trail.disclose = ENTRY_ANYONE;
    trail.steps = 0;
    if (table != NULL) {
        ask_table(out, question, settings, table, &trail);
    } else {
        trail.rule = RULE_TABLE_ERROR;
        if (table_err != NULL)
            out->error = *table_err;
    }
    conclude(out, question, settings, &trail, limit);

    if (out->verdict == VERDICT_REPLY && !question->client.has_ip) {
        out->verdict = VERDICT_CONTINUE;
        out->rule = RULE_LOCAL;
    }
}

/* ---- the way, without an answer */

void answer_trace(struct answer_trace *out, const struct address *from, int64_t now,
                  const struct entry *without, const struct settings *settings,
                  struct table_view *view, struct error *err)
{
    const struct search search = {.view = view,
                                  .settings = settings,
                                  .now = now,
                                  .err = err,
                                  .trace = out,
                                  .without = without};
    char first[ADDRESS_TEXT_SIZE];
    struct trail trail = {.end = *from};

    out->met = 0;
    follow(&trail, &search, first);
    out->rule = trail.rule;
    out->steps = trail.steps;
    out->end = trail.end;
}

bool answer_trace_circles(const struct answer_trace *trace)
{
    for (unsigned i = 1; i < trace->met; i++)
        for (unsigned j = 0; j < i; j++)
            if (strcmp(trace->old[i], trace->old[j]) == 0)
                return trace->rule == RULE_LOOP;
    return false;
}

/* ---- words */

static const struct {
    const char *name, *sentence;
} words[] = {
    [RULE_NOT_LISTED] = {"not listed", "no entry matches: none of our business"},
    [RULE_NOT_AN_ADDRESS] = {"not an address",
                             "cannot be read as an address: left to the mail server"},
    [RULE_NO_DOMAIN] = {"no domain",
                        "has no domain, and addresses.local_domain is not set or does not apply"},
    [RULE_STAY] = {"stays", "the entry says that this mailbox has not moved"},
    [RULE_MOVED] = {"moved", "moved, and this client may know where"},
    [RULE_FORWARD] = {"forwarded", "moved, and mail is still delivered to the new address"},
    [RULE_GONE] = {"gone", "moved, and there is no new address"},
    [RULE_LOOP] = {"loop", "the new addresses lead in a circle or through more than 8 entries"},
    [RULE_NOT_DISCLOSED] = {"not disclosed",
                            "moved, and this client may not know where (disclose)"},
    [RULE_OVER_LIMIT] = {"over limit",
                         "moved, and this client has been told disclosure.limit addresses"},
    [RULE_UNWRITABLE] =
        {"unwritable",
         "moved, and the new address needs SMTPUTF8 or is too long for a reply, or has quotes "
         "and Sendmail would lose them"},
    [RULE_LOCAL] = {"local", "moved, but mail submitted on this host is never refused"},
    [RULE_TABLE_ERROR] = {"table error", "the table cannot be read (on_table_error decides)"},
};

const char *answer_rule_name(enum rule rule)
{
    return words[rule].name;
}

static const struct {
    const char *name, *setting;
} trusts[] = {
    [TRUST_NONE] = {"", ""},
    [TRUST_LOCAL] = {"local", "mail of this host"},
    [TRUST_AUTHENTICATED] = {"authenticated", "it has logged in"},
    [TRUST_NETWORK] = {"network", "disclosure.trusted_networks"},
    [TRUST_DOMAIN] = {"domain", "disclosure.trusted_domains"},
};

const char *answer_trust_name(enum trust trust)
{
    return trusts[trust].name;
}

const char *answer_trust_explain(enum trust trust)
{
    return trusts[trust].setting;
}

const char *answer_rule_explain(enum rule rule)
{
    return words[rule].sentence;
}
