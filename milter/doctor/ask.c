/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/ask.c: which recipients the mail server is asked about, and asking it */
#include "doctor/exam.h"

#include "net/io.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INVENTED "no-such-mailbox-movedctl-doctor" /* nobody has that, nor gets it by chance */
#define ABROAD   INVENTED "@elsewhere.invalid"     /* nobody serves that domain (RFC 2606) */

/* Entries of a domain. */
#define LOOKED_AT     1000 /* among which some are chosen */
#define OF_EACH_RULE  2    /* for each outcome: moved, gone, forward ... */
#define OF_DOMAIN_MAX 4    /* in all */

#define RESTART_SECONDS 2
#define ASK_AGAIN_MS    100

#define REFUSALS 3 /* in one session: few enough for servers that allow few errors */

/* ---- choosing */

/* What milter-moved should answer. By its name a client may be trusted too, but only the server knows how it calls
 * us. */
static void expect(const struct exam *exam, struct asked *asked, bool trusted)
{
    const struct question question = {
        .recipient = asked->recipient,
        .length = strlen(asked->recipient),
        .client = {.has_ip = true,
                   .ip = exam->evidence.server.client,
                   .authenticated = trusted,
                   .loses_quotes = exam->mta != NULL && exam->mta->loses_quotes,
                   .smtputf8 = address_needs_utf8(asked->recipient)},
        .now = time(NULL)};
    answer_ask(
        &asked->expected, &question,
        &(struct answer_source){exam->evidence.settings, exam->table, &exam->table_error, NULL});
    if (asked->expected.verdict == VERDICT_REPLY)
        asked_format(asked->want, sizeof asked->want, &asked->expected.reply);
}

static int add_asked(struct evidence *evidence, const struct asked *asked, struct error *err)
{
    struct asked **more = realloc(evidence->asked, (evidence->asked_count + 1) * sizeof *more);
    if (more != NULL)
        evidence->asked = more;
    struct asked *copy = more == NULL ? NULL : malloc(sizeof *copy);
    if (copy == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    *copy = *asked;
    more[evidence->asked_count++] = copy;
    return 0;
}

/* A walk over the entries of one domain. */
struct choice {
    struct exam *exam;
    const struct asked_domain *domain;
    unsigned looked_at, taken, of_rule[RULES];
};

static int choose_entry(const struct entry *entry, void *data, struct error *err)
{
    struct choice *choice = data;
    struct evidence *evidence = &choice->exam->evidence;
    struct asked asked = {.domain = choice->domain, .finding = -1};

    if (++choice->looked_at > LOOKED_AT || choice->taken == OF_DOMAIN_MAX)
        return 1;
    if (entry->scope != ENTRY_MAILBOX ||
        (address_needs_utf8(entry->local) && !evidence->server.smtputf8) ||
        address_format(asked.recipient, sizeof asked.recipient, entry->local, entry->domain) != 0)
        return 0;
    expect(choice->exam, &asked, false);
    if (asked.expected.verdict == VERDICT_CONTINUE ||
        choice->of_rule[asked.expected.rule]++ >= OF_EACH_RULE)
        return 0;
    choice->taken++;
    return add_asked(evidence, &asked, err);
}

static int choose_invented(struct exam *exam, const struct asked_domain *domain, struct error *err)
{
    struct asked asked = {.domain = domain, .invented = true, .finding = -1};
    if (address_format(asked.recipient, sizeof asked.recipient, INVENTED, domain->name) != 0)
        return 0;
    expect(exam, &asked, false);
    return add_asked(&exam->evidence, &asked, err);
}

/* A stranger's mail to somebody elsewhere: only where the server lets us ask as a stranger. */
static int choose_abroad(struct exam *exam, struct error *err)
{
    struct asked asked = {.recipient = ABROAD, .abroad = true, .finding = -1};
    return exam->evidence.server.xclient ? add_asked(&exam->evidence, &asked, err) : 0;
}

void exam_ask_rules(struct exam *exam)
{
    struct asked asked = {.recipient = ABROAD, .abroad = true, .finding = -1};
    struct error err;
    bool relays;
    if (exam->view == NULL || exam->specialist->relays == NULL || exam->evidence.server.xclient ||
        exam->evidence.domain_count == 0 ||
        exam->specialist->relays(exam->view, ABROAD, &relays, &err) != 0)
        return;
    asked.well = !relays;
    asked.got.code = relays ? 250 : 550;
    snprintf(asked.got.first, sizeof asked.got.first, "%s",
             relays ? "250 by its rules" : "550 by its rules");
    snprintf(asked.got.text, sizeof asked.got.text, "%s", asked.got.first);
    (void)add_asked(&exam->evidence, &asked, &err);
}

int exam_choose(struct exam *exam, struct error *err)
{
    const struct evidence *evidence = &exam->evidence;
    if (exam->table == NULL)
        return 0;
    if (exam_choose_domains(exam, err) != 0)
        return -1;
    if (evidence->domain_count == 0)
        return 0;
    struct table_view *view = table_view_open(exam->table, err);
    int rc = view == NULL ? -1 : 0;
    for (size_t i = 0; i < evidence->domain_count && rc == 0; i++) {
        struct choice choice = {.exam = exam, .domain = &evidence->domains[i]};
        rc = table_each(view, choice.domain->name, choose_entry, &choice, err) < 0 ? -1 : 0;
        if (rc == 0)
            rc = choose_invented(exam, choice.domain, err);
    }
    if (view != NULL)
        table_view_close(view);
    return rc == 0 ? choose_abroad(exam, err) : rc;
}

int exam_choose_these(struct exam *exam, char **recipients, struct error *err)
{
    struct evidence *evidence = &exam->evidence;
    for (size_t i = 0; recipients[i] != NULL; i++) {
        struct address address;
        if (i == DOMAINS_MAX)
            return error_set(err, EX_USAGE, "more than %d recipients: name fewer", DOMAINS_MAX);
        struct asked_domain *domain = &evidence->domains[i];
        struct asked asked = {.domain = domain, .finding = -1};
        if (address_parse(&address, recipients[i], strlen(recipients[i]),
                          &evidence->settings->addresses, err) != 0 ||
            address_format(asked.recipient, sizeof asked.recipient, address.written,
                           address.domain) != 0)
            return -1;
        snprintf(domain->name, sizeof domain->name, "%s", address.domain);
        evidence->domain_count = i + 1;
        expect(exam, &asked, false);
        if (add_asked(evidence, &asked, err) != 0)
            return -1;
    }
    return 0;
}

/* ---- the mail server */

static void cannot_ask(struct exam *exam, const struct error *err)
{
    fact_set(&exam->facts, "error", "%s", err->text);
    findings_note(&exam->findings, "server-down", DOWN,
                  "The mail server cannot be asked: ${error}.",
                  "Start it; or ask it where it listens: --smtp HOST:PORT.");
}

/* Opens the first session. A server that restarts refuses connections for a moment. */
static int open_first(const struct exam *exam, struct smtp *smtp, struct error *err)
{
    const struct server_state *server = &exam->evidence.server;
    const struct timespec soon = io_deadline(RESTART_SECONDS);
    int rc;
    while ((rc = smtp_open(smtp, &server->where, server->as, &exam->end, err)) != 0 &&
           smtp->greeting.code == 0 && io_milliseconds_left(&soon) > 0)
        poll(NULL, 0, ASK_AGAIN_MS);
    return rc;
}

void exam_greet(struct exam *exam)
{
    struct server_state *server = &exam->evidence.server;
    struct smtp smtp;
    struct error err;
    server->answers = open_first(exam, &smtp, &err) == 0;
    if (!server->answers) {
        cannot_ask(exam, &err);
        return;
    }
    server->is_here = smtp.is_here;
    server->client = smtp.client;
    server->address = smtp.server;
    server->smtputf8 = smtp.smtputf8;
    server->xclient = smtp.xclient;
    server->greeting = smtp.greeting;
    smtp_close(&smtp);
    char client[INET6_ADDRSTRLEN];
    ip_format(client, sizeof client, &server->client);
    fact_set(&exam->facts, "client", "%s", client);
}

/* ---- asking */

/* The session at hand. */
struct questioning {
    struct smtp smtp;
    bool open;
    bool abroad; /* as doctor_stranger */
    unsigned asked, refused;
    unsigned refusals; /* the most recipients that may be refused in one session */
};

static void end_session(struct questioning *session)
{
    if (session->open)
        smtp_close(&session->smtp);
    session->open = false;
    session->asked = session->refused = 0;
}

/* Asks once. */
static int ask_once(const struct exam *exam, struct questioning *session, struct asked *asked,
                    struct error *err)
{
    if (session->refused >= session->refusals || session->abroad != asked->abroad)
        end_session(session);
    session->abroad = asked->abroad;
    if (!session->open && smtp_open(&session->smtp, &exam->evidence.server.where,
                                    asked->abroad ? &doctor_stranger : exam->evidence.server.as,
                                    &exam->end, err) != 0)
        return -1;
    session->open = true;
    int rc = smtp_ask(&session->smtp, asked->recipient, address_needs_utf8(asked->recipient),
                      &asked->got, &asked->in_mail, err);
    session->asked++;
    session->refused += asked->got.code / 100 != 2;
    return rc;
}

/* A server that ends a session after some recipients may count errors more strictly than we do: its reply then tells
 * nothing about this recipient, which is asked about again in a session of its own. */
static int ask(const struct exam *exam, struct questioning *session, struct asked *asked,
               struct error *err)
{
    bool is_first = session->asked == 0;
    int rc = ask_once(exam, session, asked, err);
    if (rc == 0)
        return 0;
    end_session(session);
    if (!is_first) {
        session->refusals = 1;
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

static bool is_as_wanted(const struct exam *exam, const struct asked *asked)
{
    if (asked_has_wanted(asked))
        return true;
    if (exam->evidence.settings->trusted_domains.count == 0)
        return false;
    struct asked trusted = *asked;
    expect(exam, &trusted, true);
    return asked_has_wanted(&trusted);
}

static bool is_well(const struct exam *exam, const struct asked *asked)
{
    const struct smtp_reply *got = &asked->got;
    bool observes = exam->evidence.daemon.observes;
    if (asked->abroad)
        return got->code / 100 != 2;
    switch (asked->expected.verdict) {
    case VERDICT_REPLY: return is_as_wanted(exam, asked) || (observes && is_untouched(got));
    case VERDICT_FORWARD: return got->code / 100 == 2 || (observes && is_untouched(got));
    case VERDICT_CONTINUE: break;
    }
    if (asked->invented) /* as without us, in an unserved domain or where recipients are verified */
        return !asked->in_mail && (is_unknown(got) || asked_denies_relaying(asked) ||
                                   asked_says(asked, "undeliverable address") ||
                                   asked_says(asked, "unverified address"));
    return !asked->in_mail && is_untouched(got);
}

void exam_ask(struct exam *exam)
{
    struct questioning session = {.refusals = REFUSALS};
    const struct evidence *evidence = &exam->evidence;
    struct error err;
    size_t done = 0;
    for (; done < evidence->asked_count; done++) {
        struct asked *asked = evidence->asked[done];
        if (ask(exam, &session, asked, &err) != 0)
            break;
        asked->well = is_well(exam, asked);
    }
    end_session(&session);
    if (done < evidence->asked_count) {
        evidence->asked[done]->got.code = 0;
        cannot_ask(exam, &err);
    }
}
