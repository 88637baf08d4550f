/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/explain.c: the symptoms that any mail server may show, and which symptom explains a reply */
#include "doctor/exam.h"

#include <string.h>

/* ---- symptoms of replies, whatever the mail server */

static bool ends_session(const struct subject *subject)
{
    return asked_has_codes(subject->asked, "421");
}

static bool wants_tls(const struct subject *subject)
{
    return asked_has_codes(subject->asked, "530") && asked_says(subject->asked, "TLS");
}

static bool wants_login(const struct subject *subject)
{
    return asked_has_codes(subject->asked, "530");
}

static bool is_withheld(const struct subject *subject)
{
    const struct settings *settings = subject->evidence->settings;
    return subject->asked->expected.rule == RULE_MOVED &&
           (settings->limit > 0 || settings->network_limit > 0 || settings->total_limit > 0) &&
           (asked_is_text(subject->asked, settings, TEXT_WITHHELD) ||
            asked_is_text(subject->asked, settings, TEXT_DEFERRED));
}

static bool misses_table(const struct subject *subject)
{
    return asked_is_text(subject->asked, subject->evidence->settings, TEXT_TABLE_ERROR);
}

static bool misses_daemon(const struct subject *subject)
{
    const struct daemon_state *daemon = &subject->evidence->daemon;
    return subject->evidence->server.is_here && asked_class(subject->asked) == 4 &&
           (daemon->milter == SOCKET_SILENT || daemon->lookups == SOCKET_SILENT);
}

static bool is_softened(const struct subject *subject)
{
    return asked_class(subject->asked) == 4 && asked_has_wanted_text(subject->asked);
}

/* The daemon answers by another table than the one that was read here. */
static bool daemon_differs(const struct subject *subject)
{
    const struct asked *asked = subject->asked;
    if (subject->evidence->daemon.observes)
        return false;
    enum listed listed = exam_ask_listed(subject->evidence, asked->recipient);
    bool ours = asked->expected.verdict != VERDICT_CONTINUE;
    return (listed == LISTED_NO && ours) || (listed == LISTED_YES && !ours);
}

/* "551 5.1.6": no other program has these codes. */
static bool has_other_words(const struct subject *subject)
{
    const struct asked *asked = subject->asked;
    return *asked->want != '\0' && strncmp(asked->got.first, asked->want, 9) == 0;
}

static bool greylists(const struct subject *subject)
{
    const struct asked *asked = subject->asked;
    return asked_class(asked) == 4 &&
           (asked_says(asked, "greylist") || asked_says(asked, "graylist") ||
            asked_has_codes(asked, "450 4.2.0") || asked_has_codes(asked, "451 4.7.1") ||
            asked_has_codes(asked, "450 4.7.1") || asked_says(asked, "try again later"));
}

static bool is_unknown(const struct subject *subject)
{
    const struct asked *asked = subject->asked;
    return asked->expected.verdict != VERDICT_CONTINUE && asked_class(asked) == 5 &&
           (asked_has_codes(asked, "550 5.1.1") || asked_has_codes(asked, "550 5.1.0") ||
            asked_says(asked, "user unknown") || asked_says(asked, "unknown user") ||
            asked_says(asked, "no such user"));
}

static bool is_known(const struct subject *subject)
{
    const struct asked *asked = subject->asked;
    return asked->invented && *asked->want == '\0' && asked_class(asked) == 2;
}

static bool is_accepted(const struct subject *subject)
{
    return asked_class(subject->asked) == 2;
}

static bool is_restricted(const struct subject *subject)
{
    return asked_says(subject->asked, " rejected: ");
}

static bool is_anything(const struct subject *subject)
{
    (void)subject;
    return true;
}

static bool relays(const struct subject *subject)
{
    return subject->asked->abroad;
}

static bool may_miss_daemon(const struct subject *subject)
{
    return asked_class(subject->asked) == 4 && (subject->evidence->daemon.milter == SOCKET_UNSEEN ||
                                                subject->evidence->daemon.lookups == SOCKET_UNSEEN);
}

/* The order matters: replies that are known by their words come first. */
/* clang-format off */
static const struct symptom replies[] = {
    {"open-relay", FAULT, OF_REPLY, relays, NULL,
     "DANGEROUS: the mail server takes mail of a stranger (${stranger}) to a domain that nobody serves: ${got}. It "
     "relays for everybody.",
     "Correct, on the host of the mail server, what lets strangers relay."},
    {"session-ended", FAULT, OF_REPLY, ends_session, NULL,
     "The mail server ends the session: ${got}. It allows few errors or few connections, and a list server "
     "with many moved recipients is treated alike.",
     "Its log names what ended it: raise that limit, or exempt recipients that have moved from it."},
    {"tls-wanted", FAULT, OF_REPLY, wants_tls, NULL,
     "This port accepts mail only over TLS, which a sender need not offer (RFC 3207): ${got}.",
     "Ask the port that accepts mail from anyone: --smtp HOST:25. If it is this one, with Postfix:\n"
     "$ ${postconf} -e 'smtpd_tls_security_level = may'\n$ ${reload}"},
    {"login-wanted", FAULT, OF_REPLY, wants_login, NULL,
     "This port is for users who log in: ${got}.",
     "Ask the port that accepts mail from anyone: --smtp HOST:25."},
    {"unserved", FAULT, OF_REPLY, reply_denies_relaying, NULL,
     "The mail server no longer accepts mail for ${domain}: ${got}.",
     "${on_host}$ ${attach_unserved}"},
    {"recipients-verified", FAULT, OF_REPLY, reply_verifies, NULL,
     "This mail server asks the one behind it whether the mailbox exists, before any milter is asked, and gives "
     "the answer in its own words: ${got}.",
     "Attach milter-moved to this server, with a copy of the table; or set unverified_recipient_reject_code = 550 "
     "on it: the sender is told now, without the address that programs read."},
    {"soft-bounce", FAULT, OF_REPLY, is_softened, NULL,
     "Our text arrives with a temporary code, and senders retry for days: ${got}.",
     "On its host switch off what makes refusals temporary (Postfix: soft_bounce = no)."},
    {"reject-footer", NOTE, OF_REPLY, reply_goes_on, NULL,
     "The mail server adds to the reply: ${got}. Its first line still has the new address.",
     "If the reply is to be as it was, take the footer away (Postfix: smtpd_reject_footer)."},
    {"over-limit", NOTE, OF_REPLY, is_withheld, NULL,
     "This host, its network or all clients together have been told as many new addresses as the limits of "
     "disclosure allow.",
     "If this client may know them all, in ${conf} add it to trusted_networks of disclosure, \"${client}\", and:\n"
     "${reload_daemon}"},
    {"daemon-down", DOWN, OF_REPLY, misses_daemon, NULL, DAEMON_DOWN_WHY, DAEMON_DOWN_MEND},
    {"daemon-unseen", FAULT, OF_REPLY, may_miss_daemon, NULL,
     "The mail server defers: ${got}. Perhaps milter-moved is down, which this user cannot see.",
     "Run movedctl doctor as root."},
    {"daemon-table", FAULT, OF_REPLY, misses_table, NULL, DAEMON_TABLE_WHY, DAEMON_TABLE_MEND},
    {"daemon-differs", FAULT, OF_REPLY, daemon_differs, NULL,
     "milter-moved does not answer about ${recipient} as ${table} has it: it reads another table, or another "
     "configuration than ${conf}.",
     "Look with the configuration that milter-moved was started with (movedctl -c FILE doctor); or let it read "
     "this one:\n${reload_daemon}"},
    {"other-words", FAULT, OF_REPLY, has_other_words, NULL,
     "The reply is not in the words of ${conf}: expected ${want}, got ${got}.",
     "Let milter-moved read it; with Sendmail, write the words into sendmail.cf too:\n"
     "${reload_daemon}\n$ ${attach}"},
    {"unknown-first", FAULT, OF_REPLY, is_unknown, NULL,
     "The mail server no longer has the mailbox and refuses it itself, before a milter is asked: ${got}.",
     "Let it ask milter-moved about removed mailboxes too:\n${on_host}$ ${attach}"},
    {"catch-all", NOTE, OF_REPLY, is_known, NULL,
     "The mail server accepts mail to any mailbox name of ${domain}.",
     ""},
    {"greylisted", FAULT, OF_REPLY, greylists, NULL,
     "Something defers strangers before milter-moved is asked, greylisting perhaps: ${got}. Run doctor again in "
     "some minutes; a sender gets the 551 then.",
     "Let ${client} pass there, or put milter-moved before it."},
    {"restricted", FAULT, OF_REPLY, is_restricted, NULL,
     "Another restriction of the mail server answered: ${got}.",
     "Its log names the restriction ('reject: RCPT'): exempt recipients that have moved from it${pass}."},
    {"not-heard", FAULT, OF_REPLY, is_accepted, NULL,
     "The mail server accepts mail for it: no milter-moved refuses there.",
     "${on_host}$ ${attach}"},
    {"deferred", FAULT, OF_REPLY, reply_is_deferred, NULL,
     "The mail server has a problem of its own, or with a milter: ${got}.",
     "Its log tells which."},
    {"another-answered", FAULT, OF_REPLY, is_anything, NULL,
     "Something else answered before milter-moved, another milter perhaps: ${got}.",
     "Its log tells which. Put milter-moved before the other milters, and reload."},
    {NULL, NOTE, OF_SERVER, NULL, NULL, NULL, NULL},
};
/* clang-format on */

/* ---- the symptoms of the configuration */

static struct subject subject_of(struct exam *exam)
{
    return (struct subject){.evidence = &exam->evidence,
                            .view = exam->view,
                            .service = exam->asked_service,
                            .facts = &exam->facts};
}

static void tell(const struct exam *exam, const struct subject *subject)
{
    if (subject->domain != NULL)
        fact_set(subject->facts, "domain", "%s", subject->domain->name);
    if (exam->specialist != NULL)
        exam->specialist->tell(subject);
}

static void check(struct exam *exam, enum of of, const struct subject *subject)
{
    tell(exam, subject);
    for (const struct symptom *row = exam->specialist->symptoms; row->name != NULL; row++) {
        if (row->of != of || !row->is(subject))
            continue;
        findings_note(&exam->findings, row->name, row->weight, row->why, row->mend);
        tell(exam, subject); /* the row may have changed a fact that the next one names */
    }
}

void exam_configuration(struct exam *exam)
{
    struct subject subject = subject_of(exam);
    check(exam, OF_SERVER, &subject);
    for (subject.service = 0; subject.service < exam->services; subject.service++)
        check(exam, OF_SERVICE, &subject);
    subject.service = exam->asked_service;
    for (size_t i = 0; i < exam->evidence.domain_count; i++) {
        subject.domain = &exam->evidence.domains[i];
        check(exam, OF_DOMAIN, &subject);
    }
}

/* ---- the symptom that explains a reply */

static bool explains(const struct symptom *symptom, const struct subject *subject)
{
    if (symptom->of == OF_REPLY)
        return symptom->is(subject);
    return symptom->shows != NULL && !subject->asked->abroad && subject->view != NULL &&
           symptom->shows(subject) && symptom->is(subject);
}

/* Returns the index of the finding; -1 for none. */
static int explain_by(struct exam *exam, const struct symptom *symptoms,
                      const struct subject *subject)
{
    for (; symptoms->name != NULL; symptoms++)
        if (explains(symptoms, subject))
            return findings_explain(&exam->findings, symptoms);
    return -1;
}

static void tell_reply(const struct exam *exam, const struct subject *subject)
{
    const struct asked *asked = subject->asked;
    char got[sizeof asked->got.text], want[sizeof asked->want];
    asked_join_lines(got, sizeof got, asked->got.text);
    asked_join_lines(want, sizeof want, asked->want);
    fact_set(subject->facts, "recipient", "%s", asked->recipient);
    fact_set(subject->facts, "want", "'%s'", want);
    fact_set(subject->facts, "got", "'%s'%s", got, asked->in_mail ? " (to MAIL)" : "");
    tell(exam, subject);
}

/* --as had no effect. */
static void note_as(struct exam *exam)
{
    struct subject subject = subject_of(exam);
    tell(exam, &subject);
    fact_set(&exam->facts, "as", "%s", exam->request->as);
    findings_note(
        &exam->findings, "no-xclient", UNSEEN,
        "What a client at ${as} gets cannot be seen: the mail server does not offer XCLIENT to "
        "${client}. It is asked as ${client}.",
        exam->specialist == &postfix_specialist
            ? "Run doctor on a host that has this address; or let Postfix offer XCLIENT:\n"
              "$ ${postconf} -e 'smtpd_authorized_xclient_hosts = ${client}'\n$ ${reload}"
            : "Run doctor on a host that has this address.");
}

void exam_explain(struct exam *exam)
{
    const struct server_state *server = &exam->evidence.server;
    if (server->answers && server->as != NULL && !server->xclient)
        note_as(exam);
    for (size_t i = 0; i < exam->evidence.asked_count; i++) {
        struct asked *asked = exam->evidence.asked[i];
        struct subject subject = subject_of(exam);
        if (asked->well || asked->got.code == 0)
            continue;
        subject.asked = asked;
        subject.domain = asked->domain;
        tell_reply(exam, &subject);
        if (exam->specialist != NULL)
            asked->finding = explain_by(exam, exam->specialist->symptoms, &subject);
        if (asked->finding < 0)
            asked->finding = explain_by(exam, replies, &subject);
        asked->well = asked->finding >= 0 && exam->findings.of[asked->finding].weight == NOTE;
    }
}
