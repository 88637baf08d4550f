/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/report.h"

#include "daemon/counters.h"
#include "daemon/logger.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static int level_of(const struct answer *answer)
{
    if (answer->rule == RULE_TABLE_ERROR || answer->rule == RULE_LOOP)
        return LOG_WARNING;
    return answer->verdict == VERDICT_CONTINUE && answer->rule != RULE_LOCAL ? LOG_DEBUG : LOG_INFO;
}

/* What became of the recipient: "reply=551 …", "forward=<…>", "continue". */
static void describe(char *out, size_t size, const struct answer *answer)
{
    switch (answer->verdict) {
    case VERDICT_CONTINUE: snprintf(out, size, "continue"); break;
    case VERDICT_FORWARD: snprintf(out, size, "forward=<%s>", answer->new); break;
    case VERDICT_REPLY:
        snprintf(out, size, "reply=%s %s %s", answer->reply.code, answer->reply.enhanced,
                 answer->reply.text[0]);
        break;
    }
}

/* The length of the quoted string (RFC 5321, section 4.1.2) at the start of text; 0: none. */
static size_t quoted_length(const char *text, size_t left)
{
    for (size_t i = 1; left > 0 && text[0] == '"' && i < left; i++)
        if (text[i] == '"')
            return i + 1;
        else if (text[i] == '\\')
            i++;
    return 0;
}

/* Copies what a client wrote without its brackets, such that it ends where the grammar of milter-moved(8) ends it:
 * blanks, brackets and quotes that are not part of a quoted string become '?'. */
static void copy_path(char out[ADDRESS_TEXT_SIZE], const char *text, size_t length)
{
    if (length >= 2 && text[0] == '<' && text[length - 1] == '>') {
        text++;
        length -= 2;
    }
    if (length >= ADDRESS_TEXT_SIZE)
        length = ADDRESS_TEXT_SIZE - 1;
    for (size_t i = 0, quoted = 0; i < length; i++) {
        if (quoted == 0)
            quoted = quoted_length(text + i, length - i);
        out[i] = quoted == 0 && strchr(" <>\"", text[i]) != NULL ? '?' : text[i];
        quoted -= quoted > 0;
    }
    out[length] = '\0';
}

static void write_line(int level, const struct report *report)
{
    const struct answer *answer = report->answer;
    char ip[INET6_ADDRSTRLEN] = "local", outcome[sizeof answer->new + 16];
    char old[ADDRESS_TEXT_SIZE], entry[ADDRESS_TEXT_SIZE], sender[ADDRESS_TEXT_SIZE];
    const char *error = answer->rule == RULE_TABLE_ERROR ? answer->error.text : "";
    /* Then entry and outcome tell which rule decided. */
    bool plain =
        (answer->rule == RULE_MOVED || answer->rule == RULE_GONE || answer->rule == RULE_FORWARD) &&
        !answer->concealed;
    const char *rule = plain ? "" : rule_name(answer->rule);
    /* Only where a stranger would have been told less. */
    bool trusted = answer->rule == RULE_MOVED && answer->disclose == ENTRY_TRUSTED;
    const char *trust = trusted ? answer_trust_name(answer->trust) : "";
    const char *map = report->map == NULL ? "" : report->map;
    /* An administrator who observes looks for who would have been answered. */
    bool tells_sender = !report->counts && report->sender != NULL;

    if (!log_wants(level))
        return;
    if (report->client->has_ip)
        ip_format(ip, sizeof ip, &report->client->ip);
    describe(outcome, sizeof outcome, answer);
    answer_format_old(old, answer);
    if (old[0] == '\0')
        copy_path(old, report->recipient, strlen(report->recipient));
    copy_path(sender, report->sender, tells_sender ? report->sender_length : 0);
    answer_format_entry(entry, answer);
    log_line(level, "%s: to=<%s>, client=%s[%s]%s%s%s%s%s, entry=%s%s%s%s%s, %s%s%s%s",
             report->id == NULL || *report->id == '\0' ? "NOQUEUE" : report->id, old, report->host,
             ip, tells_sender ? ", from=<" : "", sender, tells_sender ? ">" : "",
             *map == '\0' ? "" : ", map=", map, entry[0] == '\0' ? "none" : entry,
             *rule == '\0' ? "" : ", rule=", rule, *trust == '\0' ? "" : ", trusted=", trust,
             report->counts ? "" : "observed ", outcome, *error == '\0' ? "" : ", error=", error);
}

void report_limit(const struct answer *answer, const struct client *client, const char *host)
{
    static const char *const keys[] = {[LIMIT_CLIENT] = "limit",
                                       [LIMIT_NETWORK] = "network_limit",
                                       [LIMIT_EVERYONE] = "total_limit"};
    static const char *const whose[] = {[LIMIT_CLIENT] = "",
                                        [LIMIT_NETWORK] = "the network of ",
                                        [LIMIT_EVERYONE] = "everyone, at last "};
    const struct limit_outcome *limit = &answer->limit;
    char ip[INET6_ADDRSTRLEN];

    if (answer->rule != RULE_OVER_LIMIT || !limit->first)
        return;
    if (limit->crowded) {
        log_line(
            LOG_WARNING,
            "disclosure.memory is too small for the clients of this period: those who come last "
            "are treated as above the limit");
        return;
    }
    counters_count_limit(limit->level);
    ip_format(ip, sizeof ip, &client->ip);
    log_line(
        LOG_NOTICE,
        "disclosure.%s is reached: %sclient=%s[%s] has been told %u new addresses in this period",
        keys[limit->level], whose[limit->level], host, ip, limit->most);
}

bool report_wants(const struct answer *answer)
{
    return log_wants(level_of(answer));
}

void report_answer(const struct report *report)
{
    write_line(level_of(report->answer), report);
}

void report_lookup(const struct map_answer *found, bool counts)
{
    bool asks =
        found->map == MAP_LISTED || found->map == MAP_REFUSED; /* of a session: it tells more */
    int level = asks ? LOG_DEBUG : level_of(&found->answer);
    const struct report report = {.host = "unknown",
                                  .map = map_names[found->map],
                                  .recipient = "",
                                  .sender = found->sender,
                                  .sender_length = found->sender_length,
                                  .client = &found->client,
                                  .answer = &found->answer,
                                  .counts = counts};
    report_limit(&found->answer, &found->client, report.host);
    write_line(level, &report);
}
