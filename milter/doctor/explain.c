/* doctor/explain.c: symptoms, what is found, and the replies that every mail server may give */
#include "doctor/exam.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- facts */

static void set_fact(struct exam *exam, const char *name, char *value)
{
    for (size_t i = 0; i < FACTS_MAX; i++) {
        struct fact *fact = &exam->facts[i];
        if (fact->name != NULL && strcmp(fact->name, name) != 0)
            continue;
        free(fact->value);
        *fact = (struct fact){name, value};
        return;
    }
    free(value); /* the text then has a hole: no harm beyond that */
}

void exam_fact(struct exam *exam, const char *name, const char *format, ...)
{
    va_list args;
    char *value;
    va_start(args, format);
    if (vasprintf(&value, format, args) < 0)
        value = NULL;
    va_end(args);
    set_fact(exam, name, value);
}

const char *exam_fact_value(const struct exam *exam, const char *name)
{
    for (size_t i = 0; i < FACTS_MAX && exam->facts[i].name != NULL; i++)
        if (strcmp(exam->facts[i].name, name) == 0)
            return exam->facts[i].value == NULL ? "" : exam->facts[i].value;
    return "";
}

/* The text with each ${FACT} filled in, on the heap; NULL where memory is out. */
static char *fill_in(const struct exam *exam, const char *text)
{
    char *out = NULL, name[32];
    size_t size;
    FILE *file = open_memstream(&out, &size);
    if (file == NULL)
        return NULL;
    for (const char *at; (at = strstr(text, "${")) != NULL;) {
        size_t length = strcspn(at + 2, "}");
        fwrite(text, 1, (size_t)(at - text), file);
        snprintf(name, sizeof name, "%.*s", (int)length, at + 2);
        fputs(exam_fact_value(exam, name), file);
        text = at + 2 + length + 1;
    }
    fputs(text, file);
    if (fclose(file) != 0) {
        free(out);
        return NULL;
    }
    return out;
}

/* ---- findings */

static int add_finding(struct exam *exam, const struct finding *finding)
{
    struct finding *more = realloc(exam->findings, (exam->finding_count + 1) * sizeof *more);
    if (more == NULL)
        return -1;
    exam->findings = more;
    more[exam->finding_count] = *finding;
    return (int)exam->finding_count++;
}

static int find_same(const struct exam *exam, const char *name, const char *mend)
{
    for (size_t i = 0; i < exam->finding_count; i++)
        if (strcmp(exam->findings[i].name, name) == 0 && strcmp(exam->findings[i].mend, mend) == 0)
            return (int)i;
    return -1;
}

int exam_find(struct exam *exam, const char *name, enum weight weight, const char *why,
              const char *mend)
{
    struct finding finding = {.name = name, .weight = weight};
    finding.why = fill_in(exam, why);
    finding.mend = fill_in(exam, mend);
    int index = -1;
    if (finding.why != NULL && finding.mend != NULL) {
        index = find_same(exam, name, finding.mend);
        if (index >= 0 && exam->now == NULL)
            exam->findings[index].others++;
        if (index < 0 && (index = add_finding(exam, &finding)) >= 0)
            finding.why = finding.mend = NULL;
    }
    free(finding.why);
    free(finding.mend);
    if (index >= 0 && exam->now != NULL)
        exam->findings[index].recipients++;
    return index;
}

/* ---- symptoms */

static void turn_to(struct exam *exam, const struct domain *domain)
{
    exam->turn_of = domain;
    exam_fact(exam, "domain", "%s", domain->name);
    if (exam->postfix != NULL)
        postfix_turn_to(exam, domain);
}

static void check_rows(struct exam *exam, const struct symptom *symptoms, enum of of)
{
    for (; symptoms->name != NULL; symptoms++)
        if (symptoms->of == of && symptoms->is(exam))
            exam_find(exam, symptoms->name, symptoms->weight, symptoms->why, symptoms->mend);
}

void exam_check(struct exam *exam, const struct symptom *symptoms, enum of of)
{
    switch (of) {
    case OF_SERVER:
    case OF_REPLY: check_rows(exam, symptoms, of); break;
    case OF_SERVICE:
        while (exam->postfix != NULL ? postfix_next_service(exam) : sendmail_next_service(exam))
            check_rows(exam, symptoms, of);
        break;
    case OF_DOMAIN:
        for (size_t i = 0; i < exam->domain_count; i++) {
            turn_to(exam, &exam->domains[i]);
            check_rows(exam, symptoms, of);
        }
        break;
    }
}

/* ---- the reply at hand */

bool reply_says(const struct exam *exam, const char *words)
{
    const struct smtp_reply *got = &exam->now->got;
    return strcasestr(got->text, words) != NULL;
}

int reply_class_of(const struct exam *exam)
{
    return exam->now->got.code / 100;
}

void reply_on_one_line(char *out, size_t size, const char *text)
{
    size_t used = 0;
    for (; *text != '\0' && used + 4 < size; text++) {
        const char *piece = *text == '\n' ? " / " : text;
        size_t length = *text == '\n' ? 3 : 1;
        memcpy(out + used, piece, length);
        used += length;
    }
    out[used] = '\0';
}

void reply_as_said(char *out, size_t size, const struct reply *reply)
{
    reply_format(out, size, reply);
    for (char *line = out; line != NULL && strlen(line) > 3; line = strchr(line, '\n')) {
        line += *line == '\n';
        line[3] = ' ';
    }
}

/* Behind "551 5.1.6 ", and behind the recipient that Sendmail puts there in most replies: "<al@old.example>... ". */
static const char *behind_codes(const char *line, const char *recipient)
{
    size_t length = strlen(recipient);
    line += strspn(line, "0123456789");
    line += *line == ' ';
    size_t enhanced = strspn(line, "0123456789.");
    line += enhanced >= 5 && line[enhanced] == ' ' ? enhanced + 1 : 0;
    if (*line == '<' && strncmp(line + 1, recipient, length) == 0 &&
        strncmp(line + 1 + length, ">... ", 5) == 0)
        line += length + 6;
    return line;
}

/* Whether both have the same lines; with codes, also the same codes. */
static bool have_same_text(const char *got, const char *want, const char *recipient,
                           bool with_codes)
{
    for (;;) {
        const char *a = behind_codes(got, recipient), *b = behind_codes(want, recipient);
        size_t length = strcspn(b, "\n");
        if (strcspn(a, "\n") != length || memcmp(a, b, length) != 0 || a[length] != b[length] ||
            (with_codes && strncmp(got, want, (size_t)(b - want)) != 0))
            return false;
        if (b[length] == '\0')
            return true;
        got = a + length + 1;
        want = b + length + 1;
    }
}

bool reply_is_the_same(const char *got, const char *want, const char *recipient)
{
    return have_same_text(got, want, recipient, true);
}

bool reply_is_our_text(const struct exam *exam)
{
    const struct asked *asked = exam->now;
    return *asked->want != '\0' &&
           have_same_text(asked->got.text, asked->want, asked->recipient, false);
}

bool reply_begins_as_ours(const struct exam *exam)
{
    const char *want = exam->now->want;
    return *want != '\0' && strncmp(exam->now->got.text, want, strlen(want)) == 0;
}

static bool is_code(const struct exam *exam, const char *codes)
{
    return strncmp(exam->now->got.first, codes, strlen(codes)) == 0;
}

bool reply_is(const struct exam *exam, enum text_kind kind)
{
    const struct settings *settings = exam->settings;
    const struct asked *asked = exam->now;
    const char *domain = strrchr(asked->recipient, '@');
    const struct texts *texts =
        texts_find(&settings->texts, &settings->texts_by_domain, domain == NULL ? "" : domain + 1);
    const struct address *old = &asked->expected.old;
    const struct reply_words words = {.old = old->domain[0] == '\0' ? NULL : old,
                                      .recipient = asked->recipient,
                                      .recipient_length = strlen(asked->recipient)};
    struct reply reply;
    char text[REPLY_TEXT_SIZE];
    if (reply_fill(&reply, &texts->read[kind], &words) != 0)
        return false;
    reply_as_said(text, sizeof text, &reply);
    return reply_is_the_same(asked->got.text, text, asked->recipient);
}

/* ---- symptoms of replies, whatever the mail server */

static bool ends_session(struct exam *exam)
{
    return is_code(exam, "421");
}

static bool wants_tls(struct exam *exam)
{
    return is_code(exam, "530") && reply_says(exam, "TLS");
}

static bool wants_login(struct exam *exam)
{
    return is_code(exam, "530");
}

static bool has_footer(struct exam *exam)
{
    return reply_begins_as_ours(exam);
}

static bool is_withheld(struct exam *exam)
{
    const struct settings *settings = exam->settings;
    return exam->now->expected.rule == RULE_MOVED &&
           (settings->limit > 0 || settings->network_limit > 0 || settings->total_limit > 0) &&
           (reply_is(exam, TEXT_WITHHELD) || reply_is(exam, TEXT_DEFERRED));
}

static bool misses_table(struct exam *exam)
{
    return reply_is(exam, TEXT_TABLE_ERROR);
}

static bool misses_daemon(struct exam *exam)
{
    return reply_class_of(exam) == 4 && (!exam->milter_answers || !exam->lookups_answer);
}

static bool is_softened(struct exam *exam)
{
    return reply_class_of(exam) == 4 && reply_is_our_text(exam);
}

static bool denies_relaying(struct exam *exam)
{
    return reply_says(exam, "relay access denied") || reply_says(exam, "relaying denied") ||
           reply_says(exam, "unable to relay");
}

static bool verifies(struct exam *exam)
{
    return reply_says(exam, "unverified address") || reply_says(exam, "undeliverable address") ||
           reply_says(exam, "address verification") || reply_says(exam, "address lookup failed");
}

/* What the daemon answers is not what the table says that was read here. */
static bool daemon_differs(struct exam *exam)
{
    const struct asked *asked = exam->now;
    if (exam->observes || asked->domain == NULL)
        return false;
    enum listed listed = exam_ask_listed(exam, asked->recipient);
    bool ours = asked->expected.verdict != VERDICT_CONTINUE;
    return (listed == LISTED_NO && ours) || (listed == LISTED_YES && !ours);
}

/* "551 5.1.6": nobody else says that. */
static bool has_other_words(struct exam *exam)
{
    return *exam->now->want != '\0' && strncmp(exam->now->got.first, exam->now->want, 9) == 0;
}

static bool greylists(struct exam *exam)
{
    return reply_class_of(exam) == 4 &&
           (reply_says(exam, "greylist") || reply_says(exam, "graylist") ||
            is_code(exam, "450 4.2.0") || is_code(exam, "451 4.7.1") ||
            is_code(exam, "450 4.7.1") || reply_says(exam, "try again later"));
}

static bool is_unknown(struct exam *exam)
{
    return exam->now->expected.verdict != VERDICT_CONTINUE && reply_class_of(exam) == 5 &&
           (is_code(exam, "550 5.1.1") || is_code(exam, "550 5.1.0") ||
            reply_says(exam, "user unknown") || reply_says(exam, "unknown user") ||
            reply_says(exam, "no such user"));
}

static bool is_known(struct exam *exam)
{
    return exam->now->invented && *exam->now->want == '\0' && reply_class_of(exam) == 2;
}

static bool is_accepted(struct exam *exam)
{
    return reply_class_of(exam) == 2;
}

static bool is_deferred(struct exam *exam)
{
    return reply_class_of(exam) == 4;
}

static bool is_restricted(struct exam *exam)
{
    return reply_says(exam, " rejected: ");
}

static bool is_anything(struct exam *exam)
{
    (void)exam;
    return true;
}

/* In this order: what is told by its own words comes first. */
/* clang-format off */
static const struct symptom replies[] = {
    {"session-ended", FAULT, OF_REPLY, ends_session, NULL,
     "The mail server ends the session: ${got}. It allows few errors or few connections, and a list server "
     "with many moved recipients meets the same.",
     "raise its limit of errors in a session (${attach} --raise-limits, with Postfix)"},
    {"tls-wanted", FAULT, OF_REPLY, wants_tls, NULL,
     "This port takes mail over TLS alone, which a sender need not offer (RFC 3207): ${got}.",
     "smtpd_tls_security_level = may for a port that takes mail from anyone; or ask the right port: --smtp "
     "HOST:25"},
    {"login-wanted", FAULT, OF_REPLY, wants_login, NULL,
     "This port is for users who log in: ${got}.",
     "ask the port that takes mail from anyone: --smtp HOST:25"},
    {"unserved", FAULT, OF_REPLY, denies_relaying, NULL,
     "The mail server does not take mail for ${domain} any more: ${got}.",
     "${attach_unserved}"},
    {"recipients-verified", FAULT, OF_REPLY, verifies, NULL,
     "This mail server asks the one behind it whether the mailbox is there, before any milter is heard, and "
     "puts the answer in its own words: ${got}.",
     "attach milter-moved to this server, with a copy of the table; or on it unverified_recipient_reject_code "
     "= 550, so that the sender is told now (without the address that programs read)"},
    {"soft-bounce", FAULT, OF_REPLY, is_softened, NULL,
     "Our text arrives as a reply for now, and senders try again for days: ${got}.",
     "whatever makes the mail server's refusals soft there (Postfix: soft_bounce = no)"},
    {"reject-footer", NOTE, OF_REPLY, has_footer, NULL,
     "The mail server adds to the reply: ${got}. Its first line still has the new address.",
     "smtpd_reject_footer (Postfix), if the reply is to be as it was"},
    {"over-limit", NOTE, OF_REPLY, is_withheld, NULL,
     "We, or our network, or all clients together have been told as many new addresses as the limits of "
     "disclosure allow.",
     "the client's network in disclosure.trusted_networks, if it may know them all"},
    {"daemon-down", DOWN, OF_REPLY, misses_daemon, NULL, DAEMON_DOWN_WHY, DAEMON_DOWN_MEND},
    {"daemon-table", FAULT, OF_REPLY, misses_table, NULL, DAEMON_TABLE_WHY, DAEMON_TABLE_MEND},
    {"daemon-differs", FAULT, OF_REPLY, daemon_differs, NULL,
     "milter-moved itself says something else of ${recipient} than ${table} does: it reads another table, or "
     "another configuration than ${conf}.",
     "table = \"${table}\"; in the configuration that milter-moved is started with (-c), and systemctl reload "
     "milter-moved"},
    {"other-words", FAULT, OF_REPLY, has_other_words, NULL,
     "The reply has other words than ${conf} says: expected ${want}, got ${got}.",
     "systemctl reload milter-moved; with Sendmail ${attach} again, which writes the words into sendmail.cf"},
    {"unknown-first", FAULT, OF_REPLY, is_unknown, NULL,
     "The mail server no longer has the mailbox and refuses it itself, before a milter is heard: ${got}.",
     "${attach}, which lets it ask the map listed of milter-moved too"},
    {"catch-all", NOTE, OF_REPLY, is_known, NULL,
     "The mail server takes mail to any mailbox name of ${domain}.",
     ""},
    {"greylisted", FAULT, OF_REPLY, greylists, NULL,
     "Something of the mail server asks strangers to come again, greylisting perhaps, before milter-moved is "
     "heard: ${got}. Run doctor again in some minutes; a sender sees the 551 then.",
     "let the address ${client} pass there, or put milter-moved before it"},
    {"restricted", FAULT, OF_REPLY, is_restricted, NULL,
     "Another restriction of the mail server answered: ${got}.",
     "its log names the restriction ('reject: RCPT'); let recipients that have moved pass it"},
    {"not-heard", FAULT, OF_REPLY, is_accepted, NULL,
     "The mail server accepts mail for it: no milter-moved refuses there.",
     "${attach}, on the host of the mail server ${where}"},
    {"deferred", FAULT, OF_REPLY, is_deferred, NULL,
     "The mail server has trouble of its own, or with a milter: ${got}.",
     "its log says which"},
    {"another-answered", FAULT, OF_REPLY, is_anything, NULL,
     "Something else answered before milter-moved, another milter perhaps: ${got}.",
     "its log says which; put milter-moved before the other milters"},
    {NULL, NOTE, OF_SERVER, NULL, NULL, NULL, NULL},
};
/* clang-format on */

static bool has_configuration(const struct exam *exam)
{
    return exam->postfix != NULL || exam->sendmail != NULL;
}

static bool explains(struct exam *exam, const struct symptom *symptom)
{
    if (symptom->of == OF_REPLY)
        return symptom->is(exam);
    return symptom->shows != NULL && has_configuration(exam) && symptom->shows(exam) &&
           symptom->is(exam);
}

static int explain_from(struct exam *exam, const struct symptom *symptoms)
{
    for (; symptoms != NULL && symptoms->name != NULL; symptoms++)
        if (explains(exam, symptoms))
            return exam_find(exam, symptoms->name, symptoms->weight, symptoms->why, symptoms->mend);
    return -1;
}

static const struct symptom *own_symptoms(const struct exam *exam)
{
    switch (exam->server) {
    case SERVER_POSTFIX: return postfix_symptoms;
    case SERVER_SENDMAIL: return sendmail_symptoms;
    case SERVER_UNKNOWN: break;
    }
    return NULL;
}

static void set_reply_facts(struct exam *exam, const struct asked *asked)
{
    char got[sizeof asked->got.text], want[sizeof asked->want];
    reply_on_one_line(got, sizeof got, asked->got.text);
    reply_on_one_line(want, sizeof want, asked->want);
    exam_fact(exam, "recipient", "%s", asked->recipient);
    exam_fact(exam, "want", "'%s'", want);
    exam_fact(exam, "got", "'%s'%s", got, asked->in_mail ? " (to MAIL)" : "");
    if (asked->domain != NULL)
        turn_to(exam, asked->domain);
}

void exam_explain(struct exam *exam)
{
    for (size_t i = 0; i < exam->asked_count; i++) {
        struct asked *asked = exam->asked[i];
        if (asked->well || asked->got.code == 0)
            continue;
        exam->now = asked;
        set_reply_facts(exam, asked);
        asked->finding = explain_from(exam, own_symptoms(exam));
        if (asked->finding < 0)
            asked->finding = explain_from(exam, replies);
        asked->well = asked->finding >= 0 && exam->findings[asked->finding].weight == NOTE;
        exam->now = NULL;
    }
}
