/* doctor/ask.c: which recipients the mail server is asked about, and asking it */
#include "doctor/exam.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INVENTED "no-such-mailbox-movedctl-doctor" /* nobody has that, nor gets it by chance */

/* Entries of a domain. */
#define LOOKED_AT     1000 /* among which some are chosen */
#define OF_EACH_RULE  2    /* for each outcome: moved, gone, forward … */
#define OF_DOMAIN_MAX 4    /* in all */

/* ---- choosing */

/* By its name a client may be trusted too, but what the server calls us only the server knows. */
static void expect(const struct exam *exam, struct asked *asked, bool trusted)
{
    const struct question question = {.recipient = asked->recipient,
                                      .length = strlen(asked->recipient),
                                      .client = {.has_ip = true,
                                                 .ip = exam->client,
                                                 .authenticated = trusted,
                                                 .loses_quotes = exam->server == SERVER_SENDMAIL,
                                                 .smtputf8 = address_needs_utf8(asked->recipient)},
                                      .now = time(NULL)};
    answer_ask(&asked->expected, &question, exam->settings, exam->table, &exam->table_error, NULL);
    if (asked->expected.verdict == VERDICT_REPLY)
        reply_as_said(asked->want, sizeof asked->want, &asked->expected.reply);
}

static int add_asked(struct exam *exam, const struct asked *asked, struct error *err)
{
    struct asked **more = realloc(exam->asked, (exam->asked_count + 1) * sizeof *more);
    if (more != NULL)
        exam->asked = more;
    struct asked *copy = more == NULL ? NULL : malloc(sizeof *copy);
    if (copy == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    *copy = *asked;
    more[exam->asked_count++] = copy;
    return 0;
}

/* A walk over the entries of one domain. */
struct choice {
    struct exam *exam;
    const struct domain *domain;
    unsigned looked_at, taken, of_rule[RULES];
};

static int choose_entry(const struct entry *entry, void *data, struct error *err)
{
    struct choice *choice = data;
    struct asked asked = {.domain = choice->domain, .finding = -1};

    if (++choice->looked_at > LOOKED_AT || choice->taken == OF_DOMAIN_MAX)
        return 1;
    if (entry->scope != ENTRY_MAILBOX ||
        (address_needs_utf8(entry->local) && !choice->exam->smtputf8) ||
        address_format(asked.recipient, sizeof asked.recipient, entry->local, entry->domain) != 0)
        return 0;
    expect(choice->exam, &asked, false);
    if (asked.expected.verdict == VERDICT_CONTINUE ||
        choice->of_rule[asked.expected.rule]++ >= OF_EACH_RULE)
        return 0;
    choice->taken++;
    return add_asked(choice->exam, &asked, err);
}

static int choose_invented(struct exam *exam, const struct domain *domain, struct error *err)
{
    struct asked asked = {.domain = domain, .invented = true, .finding = -1};
    if (address_format(asked.recipient, sizeof asked.recipient, INVENTED, domain->name) != 0)
        return 0;
    expect(exam, &asked, false);
    return add_asked(exam, &asked, err);
}

int exam_choose(struct exam *exam, struct error *err)
{
    if (exam->table == NULL)
        return 0;
    if (exam_choose_domains(exam, err) != 0)
        return -1;
    struct table_view *view = exam->domain_count == 0 ? NULL : table_view_open(exam->table, err);
    int rc = exam->domain_count > 0 && view == NULL ? -1 : 0;
    for (size_t i = 0; i < exam->domain_count && rc == 0; i++) {
        struct choice choice = {.exam = exam, .domain = &exam->domains[i]};
        rc = table_each(view, choice.domain->name, choose_entry, &choice, err) < 0 ? -1 : 0;
        if (rc == 0)
            rc = choose_invented(exam, choice.domain, err);
    }
    if (view != NULL)
        table_view_close(view);
    return rc;
}

int exam_choose_these(struct exam *exam, char **recipients, struct error *err)
{
    for (size_t i = 0; recipients[i] != NULL; i++) {
        struct address address;
        if (i == DOMAINS_MAX)
            return error_set(err, EX_USAGE, "more than %d recipients: name fewer", DOMAINS_MAX);
        struct asked asked = {.domain = &exam->domains[i], .finding = -1};
        if (address_parse(&address, recipients[i], strlen(recipients[i]),
                          &exam->settings->addresses, err) != 0 ||
            address_format(asked.recipient, sizeof asked.recipient, address.written,
                           address.domain) != 0)
            return -1;
        snprintf(exam->domains[i].name, sizeof exam->domains[i].name, "%s", address.domain);
        exam->domain_count = i + 1;
        expect(exam, &asked, false);
        if (add_asked(exam, &asked, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- the mail server */

static void cannot_ask(struct exam *exam, const struct error *err)
{
    exam_fact(exam, "error", "%s", err->text);
    exam_find(exam, "server-down", DOWN, "The mail server cannot be asked: ${error}.",
              "start it; or --smtp HOST:PORT, where it listens");
}

void exam_greet(struct exam *exam)
{
    struct smtp smtp;
    struct error err;
    exam->answers = smtp_open(&smtp, &exam->where, &exam->end, &err) == 0;
    if (!exam->answers) {
        cannot_ask(exam, &err);
        return;
    }
    exam->is_here = smtp.is_here;
    exam->client = smtp.client;
    char client[INET6_ADDRSTRLEN];
    ip_format(client, sizeof client, &smtp.client);
    exam_fact(exam, "client", "%s", client);
    exam->smtputf8 = smtp.smtputf8;
    exam->greeting = smtp.greeting;
    smtp_close(&smtp);
}

/* ---- asking */

/* The session at hand. */
struct session {
    struct smtp smtp;
    bool open;
    unsigned asked, refused;
};

static void end_session(struct session *session)
{
    if (session->open)
        smtp_close(&session->smtp);
    *session = (struct session){.open = false};
}

/* Asks once. A server that goes away in the middle of a session may count errors more narrowly than we do: what
 * it said is then worth nothing, and asked is as if it had not been asked. */
static int ask_once(struct exam *exam, struct session *session, struct asked *asked,
                    struct error *err)
{
    if (session->refused >= exam->refusals)
        end_session(session);
    if (!session->open && smtp_open(&session->smtp, &exam->where, &exam->end, err) != 0)
        return -1;
    session->open = true;
    int rc = smtp_ask(&session->smtp, asked->recipient, address_needs_utf8(asked->recipient),
                      &asked->got, &asked->in_mail, err);
    session->asked++;
    session->refused += asked->got.code / 100 != 2;
    return rc;
}

static int ask(struct exam *exam, struct session *session, struct asked *asked, struct error *err)
{
    bool is_new = !session->open || session->asked == 0;
    int rc = ask_once(exam, session, asked, err);
    if (rc == 0)
        return 0;
    end_session(session);
    if (!is_new) {
        exam->refusals = 1;
        rc = ask_once(exam, session, asked, err);
    }
    if (rc != 0)
        end_session(session);
    return rc != 0 && asked->got.code == 421 ? 0 : rc; /* which is an answer too */
}

/* In the mail server's own words. */
static bool is_unknown(const struct smtp_reply *got)
{
    return got->code / 100 == 5 && (strncmp(got->first, "550 5.1.1", 9) == 0 ||
                                    strcasestr(got->first, "user unknown") != NULL ||
                                    strcasestr(got->first, "unknown user") != NULL ||
                                    strcasestr(got->first, "no such") != NULL);
}

/* As it would be without us. */
static bool is_untouched(const struct smtp_reply *got)
{
    return got->code / 100 == 2 || is_unknown(got);
}

static bool is_as_wanted(const struct exam *exam, struct asked *asked)
{
    if (reply_is_the_same(asked->got.text, asked->want, asked->recipient))
        return true;
    if (exam->settings->trusted_domains.count == 0)
        return false;
    struct asked trusted = *asked;
    expect(exam, &trusted, true);
    return reply_is_the_same(asked->got.text, trusted.want, asked->recipient);
}

static void judge(const struct exam *exam, struct asked *asked)
{
    const struct smtp_reply *got = &asked->got;
    switch (asked->expected.verdict) {
    case VERDICT_REPLY:
        asked->well = is_as_wanted(exam, asked) || (exam->observes && is_untouched(got));
        break;
    case VERDICT_FORWARD:
        asked->well = got->code / 100 == 2 || (exam->observes && is_untouched(got));
        break;
    case VERDICT_CONTINUE:
        asked->well = !asked->in_mail && (asked->invented ? is_unknown(got) : is_untouched(got));
        break;
    }
}

void exam_ask(struct exam *exam)
{
    struct session session = {.open = false};
    struct error err;
    size_t done = 0;
    for (; done < exam->asked_count; done++) {
        if (ask(exam, &session, exam->asked[done], &err) != 0)
            break;
        judge(exam, exam->asked[done]);
    }
    end_session(&session);
    if (done < exam->asked_count) {
        exam->asked[done]->got.code = 0;
        cannot_ask(exam, &err);
    }
}
