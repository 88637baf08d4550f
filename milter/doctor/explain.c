/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/explain.c: the symptoms of any mail server, and which symptom explains a reply */
#include "doctor/exam.h"

#include <string.h>

/* ---- symptoms of replies, whatever the mail server */

static bool is_withheld(struct exam *exam)
{
    const struct settings *settings = exam->settings;
    return exam->asked->expected.rule == RULE_MOVED &&
           (settings->limit > 0 || settings->network_limit > 0 || settings->total_limit > 0) &&
           (reply_is_text(exam, TEXT_WITHHELD) || reply_is_text(exam, TEXT_DEFERRED));
}

static bool misses_daemon(struct exam *exam)
{
    return exam->server.is_here &&
           (exam->daemon.milter == SOCKET_SILENT || exam->daemon.lookups == SOCKET_SILENT);
}

static bool may_miss_daemon(struct exam *exam)
{
    return exam->daemon.milter == SOCKET_UNSEEN || exam->daemon.lookups == SOCKET_UNSEEN;
}

/* "551 5.1.6": no other program has these codes. */
static bool has_other_words(struct exam *exam)
{
    const char *want = exam->asked->want;
    return *want != '\0' && strncmp(exam->asked->got.text, want, 9) == 0;
}

static bool is_known(struct exam *exam)
{
    return exam->asked->invented && *exam->asked->want == '\0';
}

#define UNKNOWN   "^(550 5\\.1\\.[01]|5.*(user unknown|unknown user|no such user))"
#define GREYLISTS "^(450 4\\.2\\.0|45[01] 4\\.7\\.1|4.*(gr[ae]ylist|try again later))"

/* The order matters: replies that are known by their words come first. */
/* clang-format off */
static const struct symptom replies[] = {
    {"open-relay", FAULT, OF_REPLY, NULL, ANY_REPLY, IF_ABROAD,
     "DANGEROUS: the mail server takes mail of a stranger (${stranger}) to a domain that nobody serves: ${got}. It "
     "relays for everybody.",
     "Correct, on the host of the mail server, what lets strangers relay."},
    {"session-ended", FAULT, OF_REPLY, NULL, "^421", 0,
     "The mail server ends the session: ${got}. It allows few errors or few connections, and a list server "
     "with many moved recipients is treated alike.",
     "Its log names what ended it: raise that limit, or exempt recipients that have moved from it."},
    {"tls-wanted", FAULT, OF_REPLY, NULL, "^530.*TLS", 0,
     "This port accepts mail only over TLS, which a sender need not offer (RFC 3207): ${got}.",
     "Ask the port that accepts mail from anyone: --smtp HOST:25. If it is this one, with Postfix:\n"
     "$ ${postconf} -e 'smtpd_tls_security_level = may'\n$ ${reload}"},
    {"login-wanted", FAULT, OF_REPLY, NULL, "^530", 0,
     "This port is for users who log in: ${got}.",
     "Ask the port that accepts mail from anyone: --smtp HOST:25."},
    {"unserved", FAULT, OF_REPLY, NULL, DENIES_RELAY, 0,
     "The mail server no longer accepts mail for ${domain}: ${got}.",
     "${on_host}$ ${attach_unserved}"},
    {"recipients-verified", FAULT, OF_REPLY, NULL, VERIFIES, 0,
     "This mail server asks the one behind it whether the mailbox exists, before any milter is asked, and gives "
     "the answer in its own words: ${got}.",
     "Attach milter-moved to this server, with a copy of the table; or set unverified_recipient_reject_code = 550 "
     "on it: the sender is told now, without the address that programs read."},
    {"soft-bounce", FAULT, OF_REPLY, reply_has_text, "^4", 0,
     "Our text arrives with a temporary code, and senders retry for days: ${got}.",
     "On its host switch off what makes refusals temporary (Postfix: soft_bounce = no)."},
    {"reject-footer", NOTE, OF_REPLY, reply_goes_on, ANY_REPLY, 0,
     "The mail server adds to the reply: ${got}. Its first line still has the new address.",
     "If the reply is to be as it was, take the footer away (Postfix: smtpd_reject_footer)."},
    {"over-limit", NOTE, OF_REPLY, is_withheld, ANY_REPLY, 0,
     "This host, its network or all clients together have been told as many new addresses as the limits of "
     "disclosure allow.",
     "If this client may know them all, in ${conf} add it to trusted_networks of disclosure, \"${client}\", and:\n"
     "${reload_daemon}"},
    {"daemon-down", DOWN, OF_REPLY, misses_daemon, "^4", 0, DAEMON_DOWN_WHY, DAEMON_DOWN_MEND},
    {"daemon-unseen", FAULT, OF_REPLY, may_miss_daemon, "^4", 0,
     "The mail server defers: ${got}. Perhaps milter-moved is down, which this user cannot see.",
     "Run movedctl doctor as root."},
    {"daemon-table", FAULT, OF_REPLY, reply_misses_table, ANY_REPLY, 0, DAEMON_TABLE_WHY, DAEMON_TABLE_MEND},
    {"daemon-differs", FAULT, OF_REPLY, exam_daemon_differs, ANY_REPLY, 0,
     "milter-moved does not answer about ${recipient} as ${table} has it: it reads another table, or another "
     "configuration than ${conf}.",
     "Look with the configuration that milter-moved was started with (movedctl -c FILE doctor); or let it read "
     "this one:\n${reload_daemon}"},
    {"other-words", FAULT, OF_REPLY, has_other_words, ANY_REPLY, 0,
     "The reply is not in the words of ${conf}: expected ${want}, got ${got}.",
     "Let milter-moved read it; with Sendmail, write the words into sendmail.cf too:\n"
     "${reload_daemon}\n$ ${attach}"},
    {"unknown-first", FAULT, OF_REPLY, NULL, UNKNOWN, IF_LISTED,
     "The mail server no longer has the mailbox and refuses it itself, before a milter is asked: ${got}.",
     "Let it ask milter-moved about removed mailboxes too:\n${on_host}$ ${attach}"},
    {"catch-all", NOTE, OF_REPLY, is_known, "^2", 0,
     "The mail server accepts mail to any mailbox name of ${domain}.",
     ""},
    {"greylisted", FAULT, OF_REPLY, NULL, GREYLISTS, 0,
     "Something defers strangers before milter-moved is asked, greylisting perhaps: ${got}. Run doctor again in "
     "some minutes; a sender gets the 551 then.",
     "Let ${client} pass there, or put milter-moved before it."},
    {"restricted", FAULT, OF_REPLY, NULL, " rejected: ", 0,
     "Another restriction of the mail server answered: ${got}.",
     "Its log names the restriction ('reject: RCPT'): exempt recipients that have moved from it${pass}."},
    {"not-heard", FAULT, OF_REPLY, NULL, "^2", 0,
     "The mail server accepts mail for it: no milter-moved refuses there.",
     "${on_host}$ ${attach}"},
    {"deferred", FAULT, OF_REPLY, NULL, "^4", 0,
     "The mail server has a problem of its own, or with a milter: ${got}.",
     "Its log tells which."},
    {"another-answered", FAULT, OF_REPLY, NULL, ANY_REPLY, 0,
     "Something else answered before milter-moved, another milter perhaps: ${got}.",
     "Its log tells which. Put milter-moved before the other milters, and reload."},
    {.name = NULL},
};
/* clang-format on */

/* ---- the symptoms of the configuration */

static void tell(struct exam *exam)
{
    if (exam->domain != NULL)
        fact_set(&exam->facts, "domain", "%s", exam->domain->name);
    if (exam->specialist != NULL)
        exam->specialist->tell(exam);
}

static void check(struct exam *exam, enum of of)
{
    tell(exam);
    for (const struct symptom *row = exam->specialist->symptoms; row->name != NULL; row++)
        if (row->of == of && row->is(exam)) {
            exam_note(exam, row->name, row->weight, row->why, row->mend);
            tell(exam); /* the row may have changed a fact that the next one names */
        }
}

void exam_configuration(struct exam *exam)
{
    exam->service = exam->door;
    check(exam, OF_SERVER);
    for (exam->service = 0; exam->service < exam->services; exam->service++)
        check(exam, OF_SERVICE);
    exam->service = exam->door;
    for (size_t i = 0; i < exam->domain_count; i++) {
        exam->domain = &exam->domains[i];
        check(exam, OF_DOMAIN);
    }
    exam->domain = NULL;
}

/* ---- the symptom that explains a reply */

static int conditions_of(const struct exam *exam)
{
    enum verdict verdict = exam->asked->expected.verdict;
    return (verdict == VERDICT_REPLY ? IF_OURS : 0) |
           (verdict != VERDICT_CONTINUE ? IF_LISTED : 0) | (exam->asked->abroad ? IF_ABROAD : 0) |
           (exam->daemon.milter == SOCKET_ANSWERS ? IF_MILTER : 0) |
           (exam->daemon.lookups == SOCKET_ANSWERS ? IF_LOOKUPS : 0) |
           (exam->view != NULL ? IF_VIEW : 0);
}

static bool explains(const struct symptom *row, struct exam *exam)
{
    if (row->reply == NULL || (row->conditions & ~conditions_of(exam)) != 0 ||
        (row->of != OF_REPLY && (exam->view == NULL || exam->asked->abroad)))
        return false;
    return asked_matches(exam->asked, row->reply) && (row->is == NULL || row->is(exam));
}

/* Returns the index of the finding; -1 for none. */
static int explain_by(struct exam *exam, const struct symptom *row)
{
    while (row->name != NULL && !explains(row, exam))
        row++;
    int index =
        row->name == NULL ? -1 : exam_find(exam, row->name, row->weight, row->why, row->mend);
    if (index >= 0)
        exam->findings[index].recipients++;
    return index;
}

static void tell_reply(struct exam *exam, const char *name, const char *text, const char *where)
{
    char line[SMTP_TEXT_SIZE];
    asked_join_lines(line, sizeof line, text);
    fact_set(&exam->facts, name, "'%s'%s", line, where);
}

/* --as had no effect. */
static void note_as(struct exam *exam)
{
    tell(exam);
    fact_set(&exam->facts, "as", "%s", exam->request->as);
    exam_note(
        exam, "no-xclient", UNSEEN,
        "What a client at ${as} gets cannot be seen: the mail server does not offer XCLIENT to "
        "${client}. It is asked as ${client}.",
        exam->specialist == &postfix_specialist
            ? "Run doctor on a host that has this address; or let Postfix offer XCLIENT:\n"
              "$ ${postconf} -e 'smtpd_authorized_xclient_hosts = ${client}'\n$ ${reload}"
            : "Run doctor on a host that has this address.");
}

static void explain(struct exam *exam, struct asked *asked)
{
    exam->asked = asked;
    exam->domain = asked->domain;
    fact_set(&exam->facts, "recipient", "%s", asked->recipient);
    tell_reply(exam, "want", asked->want, "");
    tell_reply(exam, "got", asked->got.text, asked->in_mail ? " (to MAIL)" : "");
    tell(exam);
    if (exam->specialist != NULL)
        asked->finding = explain_by(exam, exam->specialist->symptoms);
    if (asked->finding < 0)
        asked->finding = explain_by(exam, replies);
    asked->well = asked->finding >= 0 && exam->findings[asked->finding].weight == NOTE;
}

void exam_explain(struct exam *exam)
{
    exam->service = exam->door;
    if (exam->answers && exam->as != NULL && !exam->server.xclient)
        note_as(exam);
    for (size_t i = 0; i < exam->recipient_count; i++)
        if (!exam->recipients[i].well && exam->recipients[i].got.code != 0)
            explain(exam, &exam->recipients[i]);
}
