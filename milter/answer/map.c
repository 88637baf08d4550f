#include "answer/map.h"

#include <stdio.h>
#include <string.h>

/* What a mail server is told of a recipient without its client: as a stranger with no limit. */
static const struct client stranger = {.anybody = true, .has_ip = true};

static const char *const names[] = {
    [MAP_LISTED] = "listed",
    [MAP_RELOCATED] = "relocated",
    [MAP_REPLY] = "reply",
    [MAP_UNKNOWN] = "",
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

static void found(struct map_answer *out, const char *verdict, const char *address)
{
    out->result = MAP_OK;
    snprintf(out->value, sizeof out->value, "%s%s%s", verdict, *verdict == '\0' ? "" : " ",
             address);
}

static void unavailable(struct map_answer *out, const char *why)
{
    out->result = MAP_TEMP;
    snprintf(out->value, sizeof out->value, "%s", why);
}

/* The mail server itself says that it does not know the mailbox: in its own words. */
static bool is_kept_from_all(const struct answer *answer)
{
    return answer->concealed && answer->disclose == ENTRY_NOBODY;
}

static void listed(struct map_answer *out, const char *key, size_t length)
{
    char address[ADDRESS_TEXT_SIZE];
    if (out->answer.verdict == VERDICT_CONTINUE || is_kept_from_all(&out->answer))
        return;
    if (length < sizeof address) {
        memcpy(address, key, length);
        address[length] = '\0';
    } else { /* a source route: then without it */
        answer_format_old(address, &out->answer);
    }
    found(out, "", address);
}

static void relocated(struct map_answer *out)
{
    if (out->answer.verdict == VERDICT_REPLY && out->answer.rule == RULE_MOVED)
        found(out, "", out->answer.new);
}

/* The verdict without its words: those stand in the mail server's configuration. */
static void reply(struct map_answer *out)
{
    char old[ADDRESS_TEXT_SIZE];
    const struct answer *answer = &out->answer;
    if (answer->verdict != VERDICT_REPLY)
        return;
    answer_format_old(old, answer);
    if (answer->rule == RULE_MOVED)
        found(out, "moved", answer->new);
    else if (answer->reply.code[0] == '4')
        found(out, "deferred", old);
    else if (!answer->concealed && (answer->rule == RULE_GONE || answer->rule == RULE_LOOP))
        found(out, "gone", old);
    else
        found(out, "withheld", old);
    reply_make_printable(out->value, out->client.smtputf8); /* Sendmail strips the eighth bit */
}

static void conclude(struct map_answer *out, const char *key, size_t length)
{
    if (out->answer.rule == RULE_TABLE_ERROR) {
        if (out->answer.verdict == VERDICT_REPLY) /* on_table_error = "tempfail" */
            unavailable(out, "table of moved mailboxes unavailable");
        return;
    }
    switch (out->map) {
    case MAP_LISTED: listed(out, key, length); break;
    case MAP_RELOCATED: relocated(out); break;
    case MAP_REPLY: reply(out); break;
    case MAP_UNKNOWN: break;
    }
}

static void ask_for_sendmail(struct answer *out, const struct question *question,
                             const struct settings *settings, struct table *table,
                             const struct error *table_error, struct limit *limit)
{
    char quoted[ADDRESS_TEXT_SIZE];
    struct question again = *question;

    answer_ask(out, question, settings, table, table_error, limit);
    if (out->rule != RULE_NOT_AN_ADDRESS)
        return;
    again.recipient = quoted; /* Sendmail takes the quotes out of a key */
    again.length = address_requote(quoted, sizeof quoted, question->recipient, question->length);
    if (again.length > 0)
        answer_ask(out, &again, settings, table, table_error, limit);
}

void map_ask(struct map_answer *out, const char *request, size_t length, int64_t now,
             const struct settings *settings, struct table *table, const struct error *table_error,
             struct limit *limit)
{
    const char *word;
    size_t word_length = split(&word, &request, &length);

    out->result = MAP_NOTFOUND;
    out->value[0] = '\0';
    out->asked = false;
    out->client = stranger;
    out->map = find_map(word, word_length);
    out->client.smtputf8 = out->map == MAP_LISTED; /* whichever session it is asked for */
    if (out->map == MAP_UNKNOWN) {
        unavailable(out, "no such map here: there are listed, relocated and reply");
        return;
    }
    if (out->map == MAP_REPLY ? read_client(&out->client, &request, &length) != 0
                              : !has_both_parts(request, length, settings))
        return;

    const struct question question = {
        .recipient = request, .length = length, .client = out->client, .now = now};
    if (out->map == MAP_REPLY)
        ask_for_sendmail(&out->answer, &question, settings, table, table_error, limit);
    else
        answer_ask(&out->answer, &question, settings, table, table_error, NULL);
    out->asked = true;
    if (settings->mode == MODE_ENFORCE)
        conclude(out, request, length);
}
