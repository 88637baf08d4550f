/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/test.c: what the daemon would say of a recipient, and why */
#include "ctl/ctl.h"

#include "answer/answer.h"
#include "mail/timestamp.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* An address that nobody has (RFC 5737). */
#define STRANGER "192.0.2.1"

static int read_question(struct question *out, const struct options *options, const char *recipient,
                         struct error *err)
{
    *out = (struct question){.recipient = recipient,
                             .length = strlen(recipient),
                             .client = {.confirmed_name = options->client_name,
                                        .anybody = options->client == NULL,
                                        .has_ip = true,
                                        .authenticated = options->authenticated,
                                        .smtputf8 = options->smtputf8},
                             .now = time(NULL)};
    if (options->at != NULL && timestamp_parse(&out->now, options->at, out->now, err) != 0)
        return error_at(err, "--at", 0);
    if (ip_parse(&out->client.ip, options->client == NULL ? STRANGER : options->client, err) != 0)
        return error_at(err, "--client", 0);
    return 0;
}

static void describe(char *out, size_t size, const struct answer *answer)
{
    switch (answer->verdict) {
    case VERDICT_CONTINUE: snprintf(out, size, "continue"); break;
    case VERDICT_FORWARD: snprintf(out, size, "forward <%s>", answer->new); break;
    case VERDICT_REPLY: reply_format(out, size, &answer->reply); break;
    }
}

static void print_words(const struct answer *answer, const char *line, bool observed)
{
    char entry[ADDRESS_TEXT_SIZE];
    answer_format_entry(entry, answer);
    print_say("%s\n", line);
    if (entry[0] != '\0')
        print_say("entry: %s%s\n", entry, answer->chain.steps > 1 ? ", and on from there" : "");
    if (answer->new[0] != '\0')
        print_say("new:   %s\n", answer->new);
    printf("rule:  %s: %s\n", rule_name(answer->rule), rule_explain(answer->rule));
    if (answer->disclose != ENTRY_DEFAULT)
        printf("told:  %s, and this client is %s%s\n", entry_disclose_name(answer->disclose),
               answer->trust == TRUST_NONE ? "not trusted" : "trusted: ",
               answer_trust_explain(answer->trust));
    if (answer->concealed)
        puts("       and it gets the reply for an unknown mailbox: disclosure.conceal");
    if (observed)
        puts("mode:  observe: the daemon logs this, and lets the recipient pass");
}

static int print_object(const struct answer *answer, const char *line, bool observed,
                        struct error *err)
{
    char old[ADDRESS_TEXT_SIZE], entry[ADDRESS_TEXT_SIZE];

    answer_format_old(old, answer);
    answer_format_entry(entry, answer);
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:b, s:b}", "answer", line, "recipient",
                  old, "rule", rule_name(answer->rule), "entry", entry, "new", answer->new, "steps",
                  (int)answer->chain.steps, "disclose", entry_disclose_name(answer->disclose),
                  "trusted", answer_trust_name(answer->trust), "concealed", (int)answer->concealed,
                  "observed", (int)observed);
    return print_json_line(object, 0, err);
}

static int test(struct ctl *ctl, char **args, struct error *err)
{
    struct question question;
    struct answer answer;
    struct error table_error;
    char line[REPLY_TEXT_SIZE];

    if (read_question(&question, &ctl->options, args[0], err) != 0)
        return -1;
    /* Opened here, because there is an answer for an unreadable table too. */
    if (table_open(&ctl->table, ctl->path, TABLE_READ, ctl->settings->fold_case, &table_error) != 0)
        ctl->table = NULL;
    answer_ask(&answer, &question,
               &(struct answer_source){ctl->settings, ctl->table, &table_error, NULL});
    describe(line, sizeof line, &answer);
    bool observed = ctl->settings->mode == MODE_OBSERVE && answer.verdict != VERDICT_CONTINUE;
    if (ctl->options.json && print_object(&answer, line, observed, err) != 0)
        return -1;
    if (!ctl->options.json)
        print_words(&answer, line, observed);
    if (answer.rule == RULE_TABLE_ERROR || answer.rule == RULE_NOT_AN_ADDRESS) {
        *err = answer.error;
        return -1;
    }
    return answer.verdict == VERDICT_CONTINUE;
}

const struct command command_test = {
    .name = "test",
    .usage = "test [--json] [OPTION...] RCPT",
    .summary = "Show what the daemon would answer, and why",
    .details = "Line 1 is the exact reply, or forward <NEW>, or continue (exit status 1).\n"
               "In observe mode it is the reply that would be given, and a line says so.\n"
               "\n"
               "  --client IP      the client's address; the default is an unknown client that\n"
               "                   has not asked before\n"
               "  --client-name H  the client's name, as confirmed by the mail server\n"
               "  --authenticated  the client has logged in\n"
               "  --smtputf8       the client uses SMTPUTF8\n"
               "  --at T           answer as of this time: 2026-09-01, or relative to now: +180d\n"
               "                   (h, d or w)\n"
               "  --json           print an object\n",
    .example = "movedctl test --client 192.0.2.7 alice@old.example",
    .operands = "OLD",
    .takes = "json client client-name authenticated smtputf8 at",
    .args = {1, 1},
    .run = test,
};
