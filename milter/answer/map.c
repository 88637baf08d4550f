/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/map.h"

#include <stdio.h>
#include <string.h>

/* What a mail server is told of a recipient without its client: as a stranger with no limit. */
static const struct client stranger = {.anybody = true, .has_ip = true};

static const char *const names[] = {
    [MAP_LISTED] = "listed", [MAP_REFUSED] = "refused", [MAP_RELOCATED] = "relocated",
    [MAP_REPLY] = "reply",   [MAP_UNKNOWN] = "",
};

const char *map_name(enum map_name map)
{
    return names[map];
}

/* ---- the request */

/* Splits the first word off. Returns its length; *text and *length become the rest. */
static size_t split(const char **word, const char **text, size_t *length)
{
    const char *blank = memchr(*text, ' ', *length);
    size_t word_length = blank == NULL ? *length : (size_t)(blank - *text);
    size_t used = blank == NULL ? word_length : word_length + 1;
    *word = *text;
    *text += used;
    *length -= used;
    return word_length;
}

static enum map_name find_map(const char *word, size_t length)
{
    for (int i = 0; i < MAP_UNKNOWN; i++)
        if (strlen(names[i]) == length && memcmp(names[i], word, length) == 0)
            return (enum map_name)i;
    return MAP_UNKNOWN;
}

static int read_flag(bool *out, const char **text, size_t *length)
{
    const char *word;
    if (split(&word, text, length) != 1 || (*word != '0' && *word != '1'))
        return -1;
    *out = *word == '1';
    return 0;
}

/* Sendmail writes "0" for mail of this host. */
static int read_ip(struct client *client, const char **text, size_t *length)
{
    const char *word;
    char copy[64];
    size_t word_length = split(&word, text, length);

    if (word_length == 0 || word_length >= sizeof copy)
        return -1;
    memcpy(copy, word, word_length);
    copy[word_length] = '\0';
    client->has_ip = strcmp(copy, "0") != 0;
    return client->has_ip ? ip_parse(&client->ip, copy, NULL) : 0;
}

static int read_client(struct client *client, const char **text, size_t *length)
{
    *client = (struct client){.has_ip = false, .loses_quotes = true};
    return read_ip(client, text, length) != 0 ||
                   read_flag(&client->authenticated, text, length) != 0 ||
                   read_flag(&client->smtputf8, text, length) != 0
               ? -1
               : 0;
}

/* Splits the sender off "<ADDRESS> SENDER". Sendmail has taken the quotes out, so a '>' may be part of
 * the mailbox name: only one with a blank after it ends the address. */
static void split_sender(struct map_answer *out, const char *key, size_t *length)
{
    const char *end = *length > 0 && *key == '<' ? memmem(key, *length, "> ", 2) : NULL;
    if (end == NULL)
        return;
    size_t used = (size_t)(end + 1 - key);
    out->sender = end + 2;
    out->sender_length = *length - used - 1;
    *length = used;
}

/* Postfix asks for a bare user and for @domain too, and a yes there would accept what nobody
 * refuses: the configuration's local_domain has no say. */
static bool has_both_parts(const char *key, size_t length, const struct settings *settings)
{
    struct address address;
    const struct address_rules rules = {.fold_case = settings->fold_case,
                                        .delimiters = settings->delimiters};
    return address_parse(&address, key, length, &rules, NULL) == 0 && address.domain[0] != '\0';
}

/* ---- the outcome */

static void unavailable(struct map_answer *out, const char *why)
{
    out->result = MAP_TEMP;
    snprintf(out->value, sizeof out->value, "%s", why);
}

static void found(struct map_answer *out, const char *verdict, const char *address)
{
    int length = snprintf(out->value, sizeof out->value, "%s%s", verdict, address);
    out->result = MAP_OK;
    if (length < 0 || (size_t)length >= sizeof out->value) /* half an address is another one */
        unavailable(out, "the address does not fit in an answer");
}

/* A mail server that has no session with the milter would accept what nobody then refuses. Just after a
 * restart it may have had one: its client tries again. */
static bool is_listed(struct map_answer *out, const struct map_question *question)
{
    const struct answer *answer = &out->answer;
    if (answer->verdict == VERDICT_CONTINUE ||
        (answer->concealed && answer->disclose == ENTRY_NOBODY)) /* left to the mail server */
        return false;
    if (question->sessions == 0 && question->uptime < MAP_RESTART_SECONDS)
        unavailable(out, "milter-moved has just started: no milter session is open");
    return question->sessions > 0;
}

static void listed(struct map_answer *out, const struct map_question *question)
{
    const struct address *old = &out->answer.old;
    char address[ADDRESS_TEXT_SIZE];
    if (!is_listed(out, question))
        return;
    if (address_format(address, sizeof address, old->local, old->domain) == 0)
        found(out, "", address);
    else
        unavailable(out, "the address does not fit in an answer");
}

/* As an access table, "OK" passes over the rest of the mail server's restrictions: a recipient that the
 * milter only forwards is not let pass. */
static void refused(struct map_answer *out, const struct map_question *question)
{
    if (out->answer.verdict == VERDICT_REPLY && is_listed(out, question))
        found(out, "OK", "");
}

static void relocated(struct map_answer *out)
{
    if (out->answer.verdict == VERDICT_REPLY && out->answer.rule == RULE_MOVED)
        found(out, "", out->answer.new);
}

/* What the reply would say, without its words: those stand in the mail server's configuration. */
static void reply(struct map_answer *out)
{
    char old[ADDRESS_TEXT_SIZE], verdict[32], doubled[2 * ADDRESS_TEXT_SIZE];
    const struct answer *answer = &out->answer;
    if (answer->verdict != VERDICT_REPLY)
        return;
    bool moved = answer->text == TEXT_MOVED, unknown = answer->text == TEXT_UNKNOWN;
    answer_format_old(old, answer);
    snprintf(verdict, sizeof verdict, "%s ", texts_name(unknown ? TEXT_WITHHELD : answer->text));
    /* Sendmail reads the value as a text with arguments: "%0" is the key, "%%" a '%' (map_rewrite). */
    found(out, verdict, reply_double_percent(doubled, moved ? answer->new : old));
    reply_make_printable(out->value, out->client.smtputf8); /* Sendmail strips the eighth bit */
}

static void conclude(struct map_answer *out, const struct map_question *question)
{
    if (out->answer.rule == RULE_TABLE_ERROR) {
        if (out->answer.verdict == VERDICT_REPLY) /* on_table_error = "tempfail" */
            unavailable(out, "table of moved mailboxes unavailable");
        return;
    }
    switch (out->map) {
    case MAP_LISTED: listed(out, question); break;
    case MAP_REFUSED: refused(out, question); break;
    case MAP_RELOCATED: relocated(out); break;
    case MAP_REPLY: reply(out); break;
    case MAP_UNKNOWN: break;
    }
}

static void ask_for_sendmail(struct answer *out, const struct question *question,
                             const struct answer_source *from)
{
    char quoted[ADDRESS_TEXT_SIZE];
    struct question again = *question;

    answer_ask(out, question, from);
    if (out->rule != RULE_NOT_AN_ADDRESS)
        return;
    again.recipient = quoted; /* Sendmail takes the quotes out of a key */
    again.length = address_requote(quoted, sizeof quoted, question->recipient, question->length);
    if (again.length > 0)
        answer_ask(out, &again, from);
}

void map_ask(struct map_answer *out, const struct map_question *asked,
             const struct answer_source *from)
{
    const struct answer_source unlimited = {from->settings, from->table, from->table_error, NULL};
    const char *key = asked->request, *word;
    size_t length = asked->length, word_length = split(&word, &key, &length);

    out->result = MAP_NOTFOUND;
    out->value[0] = '\0';
    out->asked = false;
    out->sender = NULL;
    out->sender_length = 0;
    out->client = stranger;
    out->map = find_map(word, word_length);
    out->client.smtputf8 =
        out->map == MAP_LISTED || out->map == MAP_REFUSED; /* whichever session it is asked for */
    if (out->map == MAP_UNKNOWN) {
        unavailable(out, "no such map here: there are listed, refused, relocated and reply");
        return;
    }
    if (out->map == MAP_REPLY ? read_client(&out->client, &key, &length) != 0
                              : !has_both_parts(key, length, from->settings))
        return;
    if (out->map == MAP_REPLY)
        split_sender(out, key, &length);

    const struct question question = {
        .recipient = key, .length = length, .client = out->client, .now = asked->now};
    if (out->map == MAP_REPLY)
        ask_for_sendmail(&out->answer, &question, from);
    else
        answer_ask(&out->answer, &question, &unlimited);
    out->asked = true;
    if (from->settings->mode == MODE_ENFORCE)
        conclude(out, asked);
}
