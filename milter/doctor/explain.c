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

static bool has_footer(const struct subject *subject)
{
    return asked_begins_as_wanted(subject->asked);
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
    return asked_class(subject->asked) == 4 && (!daemon->milter_answers || !daemon->lookups_answer);
}

static bool is_softened(const struct subject *subject)
{
    return asked_class(subject->asked) == 4 && asked_has_wanted_text(subject->asked);
}

static bool denies_relaying(const struct subject *subject)
{
    return asked_says(subject->asked, "relay access denied") ||
           asked_says(subject->asked, "relaying denied") ||
           asked_says(subject->asked, "unable to relay");
}

static bool verifies(const struct subject *subject)
{
    return asked_says(subject->asked, "unverified address") ||
           asked_says(subject->asked, "undeliverable address") ||
           asked_says(subject->asked, "address verification") ||
           asked_says(subject->asked, "address lookup failed");
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

static bool is_deferred(const struct subject *subject)
{
    return asked_class(subject->asked) == 4;
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

/* The order matters: replies that are known by their words come first. */
/* clang-format off */
static const struct symptom replies[] = {
    {"session-ended", FAULT, OF_REPLY, ends_session, NULL,
     "The mail server ends the session: ${got}. It allows few errors or few connections, and a list server "
     "with many moved recipients is treated alike.",
     "raise its limit of errors in a session (${attach} --raise-limits, with Postfix)"},
    {"tls-wanted", FAULT, OF_REPLY, wants_tls, NULL,
     "This port accepts mail only over TLS, which a sender need not offer (RFC 3207): ${got}.",
     "smtpd_tls_security_level = may for a port that accepts mail from anyone; or ask the right port: --smtp "
     "HOST:25"},
    {"login-wanted", FAULT, OF_REPLY, wants_login, NULL,
     "This port is for users who log in: ${got}.",
     "ask the port that accepts mail from anyone: --smtp HOST:25"},
    {"unserved", FAULT, OF_REPLY, denies_relaying, NULL,
     "The mail server no longer accepts mail for ${domain}: ${got}.",
     "${attach_unserved}"},
    {"recipients-verified", FAULT, OF_REPLY, verifies, NULL,
     "This mail server asks the one behind it whether the mailbox exists, before any milter is asked, and gives "
     "the answer in its own words: ${got}.",
     "attach milter-moved to this server, with a copy of the table; or set unverified_recipient_reject_code = 550 "
     "on it, so that the sender is told now (without the address that programs read)"},
    {"soft-bounce", FAULT, OF_REPLY, is_softened, NULL,
     "Our text arrives with a temporary code, and senders retry for days: ${got}.",
     "switch off what makes the mail server's refusals temporary (Postfix: soft_bounce = no)"},
    {"reject-footer", NOTE, OF_REPLY, has_footer, NULL,
     "The mail server adds to the reply: ${got}. Its first line still has the new address.",
     "smtpd_reject_footer (Postfix), if the reply is to be as it was"},
    {"over-limit", NOTE, OF_REPLY, is_withheld, NULL,
     "This host, its network or all clients together have been told as many new addresses as the limits of "
     "disclosure allow.",
     "the client's network in disclosure.trusted_networks, if it may know them all"},
    {"daemon-down", DOWN, OF_REPLY, misses_daemon, NULL, DAEMON_DOWN_WHY, DAEMON_DOWN_MEND},
    {"daemon-table", FAULT, OF_REPLY, misses_table, NULL, DAEMON_TABLE_WHY, DAEMON_TABLE_MEND},
    {"daemon-differs", FAULT, OF_REPLY, daemon_differs, NULL,
     "milter-moved does not answer about ${recipient} as ${table} has it: it reads another table, or another "
     "configuration than ${conf}.",
     "table = \"${table}\"; in the configuration that milter-moved is started with (-c), and "
     "${reload_daemon}"},
    {"other-words", FAULT, OF_REPLY, has_other_words, NULL,
     "The reply is not in the words of ${conf}: expected ${want}, got ${got}.",
     "${reload_daemon}; with Sendmail ${attach} again, which writes the words into sendmail.cf"},
    {"unknown-first", FAULT, OF_REPLY, is_unknown, NULL,
     "The mail server no longer has the mailbox and refuses it itself, before a milter is asked: ${got}.",
     "${attach}, which lets it ask the map listed of milter-moved too"},
    {"catch-all", NOTE, OF_REPLY, is_known, NULL,
     "The mail server accepts mail to any mailbox name of ${domain}.",
     ""},
    {"greylisted", FAULT, OF_REPLY, greylists, NULL,
     "Something defers strangers before milter-moved is asked, greylisting perhaps: ${got}. Run doctor again in "
     "some minutes; a sender gets the 551 then.",
     "let the address ${client} pass there, or put milter-moved before it"},
    {"restricted", FAULT, OF_REPLY, is_restricted, NULL,
     "Another restriction of the mail server answered: ${got}.",
     "its log names the restriction ('reject: RCPT'); exempt recipients that have moved from it"},
    {"not-heard", FAULT, OF_REPLY, is_accepted, NULL,
     "The mail server accepts mail for it: no milter-moved refuses there.",
     "${attach}, on the host of the mail server ${where}"},
    {"deferred", FAULT, OF_REPLY, is_deferred, NULL,
     "The mail server has a problem of its own, or with a milter: ${got}.",
     "see its log"},
    {"another-answered", FAULT, OF_REPLY, is_anything, NULL,
     "Something else answered before milter-moved, another milter perhaps: ${got}.",
     "its log tells which; put milter-moved before the other milters"},
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
        findings_note(&exam->findings, &exam->facts, row->name, row->weight, row->why, row->mend);
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
    return symptom->shows != NULL && subject->view != NULL && symptom->shows(subject) &&
           symptom->is(subject);
}

/* Returns the index of the finding; -1 for none. */
static int explain_by(struct exam *exam, const struct symptom *symptoms,
                      const struct subject *subject)
{
    for (; symptoms->name != NULL; symptoms++)
        if (explains(symptoms, subject))
            return findings_explain(&exam->findings, &exam->facts, symptoms);
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

void exam_explain(struct exam *exam)
{
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
