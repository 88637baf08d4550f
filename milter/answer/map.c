/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/map.h"

#include <stdio.h>
#include <string.h>

/* What a mail server is told of a recipient without its client: as a stranger with no limit. */
static const struct client stranger = {.anybody = true, .has_ip = true};

const char *const map_names[] = {
    [MAP_LISTED] = "listed", [MAP_REFUSED] = "refused", [MAP_RELOCATED] = "relocated",
    [MAP_REPLY] = "reply",   [MAP_UNKNOWN] = "",
};

/* ---- the request */

/* Moves *key on behind the first word, the name of a map. */
static enum map_name read_map(const char **key, size_t *length)
{
    for (int i = 0; i < MAP_UNKNOWN; i++) {
        size_t name_length = strlen(map_names[i]);
        if (*length < name_length || memcmp(map_names[i], *key, name_length) != 0 ||
            (*length > name_length && (*key)[name_length] != ' '))
            continue;
        size_t used = name_length + (*length > name_length);
        *key += used;
        *length -= used;
        return (enum map_name)i;
    }
    return MAP_UNKNOWN;
}

static bool is_flag(char octet)
{
    return octet == '0' || octet == '1';
}

/* Reads "CLIENT-IP AUTHENTICATED SMTPUTF8 ", and moves *key on behind it. Sendmail writes the address 0 for mail of this
 * host. */
static int read_client(struct client *client, const char **key, size_t *length)
{
    char ip[64];
    const char *flags = memchr(*key, ' ', *length);
    size_t ip_length = flags == NULL ? 0 : (size_t)(flags - *key);
    size_t used = ip_length + strlen(" 0 0 ");

    if (flags == NULL || used > *length || ip_length >= sizeof ip || !is_flag(flags[1]) ||
        flags[2] != ' ' || !is_flag(flags[3]) || flags[4] != ' ')
        return -1;
    snprintf(ip, sizeof ip, "%.*s", (int)ip_length, *key);
    *client = (struct client){.has_ip = strcmp(ip, "0") != 0,
                              .authenticated = flags[1] == '1',
                              .smtputf8 = flags[3] == '1',
                              .loses_quotes = true};
    *key += used;
    *length -= used;
    return client->has_ip ? ip_parse(&client->ip, ip, NULL) : 0;
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

/* What the reply would say, without its words: those stand in the mail server's configuration. */
static void reply(struct map_answer *out)
{
    char old[ADDRESS_TEXT_SIZE], verdict[32], doubled[2 * ADDRESS_TEXT_SIZE];
    const struct answer *answer = &out->answer;
    bool moved = answer->text == TEXT_MOVED, unknown = answer->text == TEXT_UNKNOWN;
    answer_format_old(old, answer);
    snprintf(verdict, sizeof verdict, "%s ", texts_name(unknown ? TEXT_WITHHELD : answer->text));
    /* Sendmail reads the value as a text with arguments: "%0" is the key, "%%" a '%' (map_rewrite). */
    found(out, verdict, reply_double_percent(doubled, moved ? answer->new : old));
    reply_make_printable(out->value, out->client.smtputf8); /* Sendmail strips the eighth bit */
}

static void conclude(struct map_answer *out, const struct map_question *question)
{
    const struct answer *answer = &out->answer;
    bool refuses = answer->verdict == VERDICT_REPLY;
    char old[ADDRESS_TEXT_SIZE];
    if (answer->rule == RULE_TABLE_ERROR) {
        if (refuses) /* on_table_error = "tempfail" */
            unavailable(out, "table of moved mailboxes unavailable");
        return;
    }
    switch (out->map) {
    case MAP_LISTED:
        if (is_listed(out, question)) {
            (void)address_format(old, sizeof old, answer->old.local, answer->old.domain);
            found(out, "", old);
        }
        break;
    case MAP_REFUSED:
        /* As an access table, "OK" passes over the rest of the mail server's restrictions: a recipient that
         * the milter only forwards is not let pass. */
        if (refuses && is_listed(out, question))
            found(out, "OK", "");
        break;
    case MAP_RELOCATED:
        if (refuses && answer->rule == RULE_MOVED)
            found(out, "", answer->new);
        break;
    case MAP_REPLY:
        if (refuses)
            reply(out);
        break;
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
    const char *key = asked->request;
    size_t length = asked->length;

    out->result = MAP_NOTFOUND;
    out->value[0] = '\0';
    out->asked = false;
    out->sender = NULL;
    out->sender_length = 0;
    out->client = stranger;
    out->map = read_map(&key, &length);
    if (out->map == MAP_UNKNOWN) {
        unavailable(out, "no such map here: there are listed, refused, relocated and reply");
        return;
    }
    if (out->map == MAP_REPLY ? read_client(&out->client, &key, &length) != 0
                              : !has_both_parts(key, length, from->settings))
        return;
    if (out->map == MAP_REPLY)
        split_sender(out, key, &length);
    else /* whichever session listed and refused are asked for */
        out->client.smtputf8 = out->map != MAP_RELOCATED;

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
