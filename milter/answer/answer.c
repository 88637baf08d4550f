/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/answer.h"

#include <string.h>
#include <strings.h>

/* A loop may be mended while the sender tries again (RFC 3463: X.4.6, routing loop detected). */
#define LOOP_WHILE_FORWARDING "451 4.4.6 Forwarding loop; try again later"

/* ---- the reply */

static void reply_with(struct answer *out, enum text_kind kind, const struct question *question,
                       const struct answer_source *from)
{
    const struct texts *texts =
        texts_find(&from->settings->texts, &from->settings->texts_by_domain, out->old.domain);
    const struct reply_words words = {.old = &out->old,
                                      .new = kind == TEXT_MOVED ? out->new : NULL,
                                      .recipient = question->recipient,
                                      .recipient_length = question->length};

    out->verdict = VERDICT_REPLY;
    out->text = kind;
    /* An address that this session cannot carry is not echoed into it. */
    if (reply_fill(&out->reply, texts->of[kind], &words) != 0 ||
        (out->reply.needs_utf8 && !question->client.smtputf8))
        (void)reply_fill(&out->reply, texts_fallback(kind), &words);
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
    if (!client->anybody &&
        network_contains(settings->trusted, settings->trusted_count, &client->ip))
        return TRUST_NETWORK;
    if (client->confirmed_name != NULL &&
        is_below(client->confirmed_name, &settings->trusted_domains))
        return TRUST_DOMAIN;
    return TRUST_NONE;
}

/* Whether a reply can show the address unchanged. With '?' in place of a control character it would be another
 * address. */
static bool is_printable(const char *address)
{
    char shown[ADDRESS_TEXT_SIZE];
    memcpy(shown, address, strlen(address) + 1);
    reply_make_printable(shown, true);
    return strcmp(shown, address) == 0;
}

/* Writes the new address with U-labels, unless that makes the path too long: U-labels can have more octets. */
static void write_unicode(char *out, const char *new)
{
    char domain[4 * ADDRESS_DOMAIN_MAX + 1];
    size_t local_length = (size_t)(strrchr(new, '@') - new);

    memcpy(out, new, strlen(new) + 1);
    if (address_domain_to_unicode(domain, sizeof domain, new + local_length + 1) == 0 &&
        local_length + 1 + strlen(domain) <= ADDRESS_NEW_MAX)
        memcpy(out + local_length + 1, domain, strlen(domain) + 1);
}

/* Writes the new address as this session can carry it: in UTF-8 throughout, or with A-labels (RFC 6531 section
 * 3.7.4.2). Returns -1 if it can carry neither. A mail server that forwards gets A-labels, since every resolver
 * knows them. */
static int write_new(struct answer *out, const struct client *client)
{
    const struct chain *chain = &out->chain;

    if (client->smtputf8 && !chain->forward)
        write_unicode(out->new, chain->new);
    else
        memcpy(out->new, chain->new, strlen(chain->new) + 1);
    if (client->loses_quotes && !chain->forward && out->new[0] == '"')
        return -1;
    if (!address_needs_utf8(out->new))
        return 0;
    return client->smtputf8 && (chain->forward || is_printable(out->new)) ? 0 : -1;
}

/* Hides even that the mailbox has moved: answers with the mail server's own text for an unknown mailbox. */
static void conceal(struct answer *out, const struct question *question,
                    const struct answer_source *from)
{
    out->concealed = true;
    reply_with(out, TEXT_UNKNOWN, question, from);
}

static bool may_know(const struct answer *answer)
{
    return answer->disclose == ENTRY_ANYONE ||
           (answer->disclose == ENTRY_TRUSTED && answer->trust != TRUST_NONE);
}

/* Whether the client may be told another new address. */
static bool is_within_limit(struct answer *out, const struct question *question,
                            struct limit *limit)
{
    if (out->trust != TRUST_NONE || limit == NULL)
        return true;
    limit_ask(&out->limit, limit, &question->client.ip, &out->chain.end, question->now);
    return out->limit.allowed;
}

static void disclose(struct answer *out, const struct question *question,
                     const struct answer_source *from)
{
    if (!may_know(out)) {
        out->rule = RULE_NOT_DISCLOSED;
        reply_with(out, TEXT_WITHHELD, question, from);
    } else if (is_within_limit(out, question, from->limit)) {
        reply_with(out, TEXT_MOVED, question, from);
    } else {
        out->rule = RULE_OVER_LIMIT;
        if (from->settings->over_limit == OVER_LIMIT_DEFER)
            reply_with(out, TEXT_DEFERRED, question, from);
        else if (from->settings->conceal)
            conceal(out, question, from);
        else
            reply_with(out, TEXT_WITHHELD, question, from);
    }
}

/* Whether the client may not even know that the mailbox has moved. A forwarded one is accepted like any other. */
static bool is_concealed(const struct answer *answer, const struct settings *settings)
{
    const struct chain *chain = &answer->chain;
    bool refuses = chain->rule == RULE_GONE ||
                   ((chain->rule == RULE_MOVED || chain->rule == RULE_LOOP) && !chain->forward);
    return settings->conceal && refuses && !may_know(answer);
}

/* This hides a mailbox too that a session with SMTPUTF8 would have forwarded. */
static void unwritable(struct answer *out, const struct question *question,
                       const struct answer_source *from)
{
    out->rule = RULE_UNWRITABLE;
    if (from->settings->conceal && !may_know(out))
        conceal(out, question, from);
    else
        reply_with(out, TEXT_WITHHELD, question, from);
}

static void loop(struct answer *out, const struct question *question,
                 const struct answer_source *from)
{
    const struct reply_words none = {.old = NULL};
    reply_with(out, out->chain.forward ? TEXT_DEFERRED : TEXT_GONE, question, from);
    if (out->chain.forward) /* deferred, with its own text */
        (void)reply_fill(&out->reply, LOOP_WHILE_FORWARDING, &none);
}

static void moved(struct answer *out, const struct question *question,
                  const struct answer_source *from)
{
    if (write_new(out, &question->client) != 0) {
        unwritable(out, question, from);
    } else if (out->chain.forward) {
        out->rule = RULE_FORWARD;
        out->verdict = VERDICT_FORWARD;
    } else {
        disclose(out, question, from);
    }
}

/* Makes the answer from the end of the chain. */
static void conclude(struct answer *out, const struct question *question,
                     const struct answer_source *from)
{
    const struct chain *chain = &out->chain;
    out->rule = chain->rule;
    if (chain->steps > 0 || chain->rule == RULE_GONE) {
        out->disclose = chain->disclose;
        out->trust = find_trust(&question->client, from->settings);
    }
    if (is_concealed(out, from->settings)) {
        out->rule = chain->rule == RULE_MOVED ? RULE_NOT_DISCLOSED : chain->rule;
        conceal(out, question, from);
        return;
    }
    switch (chain->rule) {
    case RULE_TABLE_ERROR:
        if (from->settings->on_table_error == TABLE_ERROR_TEMPFAIL)
            reply_with(out, TEXT_TABLE_ERROR, question, from);
        break;
    case RULE_GONE: reply_with(out, TEXT_GONE, question, from); break;
    case RULE_UNWRITABLE: unwritable(out, question, from); break;
    case RULE_LOOP: loop(out, question, from); break;
    case RULE_MOVED: moved(out, question, from); break;
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
                      const struct answer_source *from)
{
    struct table_view *view =
        from->table == NULL ? NULL : table_view_open(from->table, &out->error);
    if (view == NULL) {
        if (from->table == NULL && from->table_error != NULL)
            out->error = *from->table_error;
        out->chain.rule = RULE_TABLE_ERROR;
        return;
    }
    const struct chain_question way = {
        .view = view, .settings = from->settings, .now = question->now};
    chain_follow(&out->chain, &out->old, &way, &out->error);
    table_view_close(view);
}

/* Makes the answer for out->old. */
static void decide(struct answer *out, const struct question *question,
                   const struct answer_source *from)
{
    ask_table(out, question, from);
    conclude(out, question, from);
    if (out->verdict == VERDICT_REPLY && !question->client.has_ip) {
        out->verdict = VERDICT_CONTINUE;
        out->rule = RULE_LOCAL;
    }
}

/* Whether the mail server reads the recipient as it was written, as most: then there is nothing more to look up. */
static bool is_as_written(const struct question *question, const char *text, size_t length)
{
    return question->length == length + 2 && question->recipient[0] == '<' &&
           memcmp(question->recipient + 1, text, length) == 0;
}

/* Reads the recipient as the mail server resolves it. Mail servers write it without quotes. */
static int read_resolved(struct address *out, const char *text, size_t length,
                         const struct settings *settings)
{
    char quoted[ADDRESS_TEXT_SIZE];
    if (address_parse(out, text, length, &settings->addresses, NULL) == 0)
        return 0;
    length = address_requote(quoted, sizeof quoted, text, length);
    return length == 0 ? -1 : address_parse(out, quoted, length, &settings->addresses, NULL);
}

static bool is_same_mailbox(const struct address *a, const struct address *b)
{
    return strcmp(a->local, b->local) == 0 && strcmp(a->domain, b->domain) == 0;
}

/* Sets out->old to the recipient as the mail server resolves it. Returns false and leaves it unchanged if that is
 * no other mailbox. reads: the recipient is an address. */
static bool resolve(struct answer *out, bool reads, const struct question *question,
                    const struct settings *settings)
{
    struct address resolved;
    const char *text = question->resolve == NULL ? NULL : question->resolve(question->data);
    size_t length = text == NULL ? 0 : strlen(text);

    if (length == 0 || is_as_written(question, text, length) ||
        (reads && out->old.domain[0] == '\0' && address_is_postmaster(out->old.local)))
        return false;
    if (read_resolved(&resolved, text, length, settings) != 0 || resolved.domain[0] == '\0' ||
        (reads && is_same_mailbox(&resolved, &out->old)))
        return false;
    out->old = resolved;
    return true;
}

void answer_ask(struct answer *out, const struct question *question,
                const struct answer_source *from)
{
    /* Field by field, because the struct is large and this runs for every recipient. */
    out->verdict = VERDICT_CONTINUE;
    out->new[0] = '\0';
    out->chain.met = out->chain.steps = 0;
    out->trust = TRUST_NONE;
    out->disclose = ENTRY_DEFAULT;
    out->concealed = false;
    out->limit = (struct limit_outcome){.allowed = true};
    bool reads = address_parse(&out->old, question->recipient, question->length,
                               &from->settings->addresses, &out->error) == 0;
    out->rule = reads ? RULE_NO_DOMAIN : RULE_NOT_AN_ADDRESS;
    if (out->old.domain[0] != '\0')
        decide(out, question, from);

    bool none = out->rule == RULE_NOT_LISTED || out->rule == RULE_NO_DOMAIN ||
                out->rule == RULE_NOT_AN_ADDRESS;
    if (none && resolve(out, reads, question, from->settings))
        decide(out, question, from);
}

/* ---- words */

void answer_format_old(char *out, const struct answer *answer)
{
    out[0] = '\0';
    if (answer->old.domain[0] != '\0')
        (void)address_format(out, ADDRESS_TEXT_SIZE, answer->old.written, answer->old.domain);
}

void answer_format_entry(char *out, const struct answer *answer)
{
    out[0] = '\0';
    if (answer->chain.met > 0)
        entry_format_old(out, ADDRESS_TEXT_SIZE, &answer->chain.first);
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
