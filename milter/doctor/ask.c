/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/ask.c: which recipients the mail server is asked about, and asking it */
#include "doctor/exam.h"

#include "net/io.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVENTED "no-such-mailbox-movedctl-doctor" /* nobody has that, nor gets it by chance */
#define ABROAD   INVENTED "@elsewhere.invalid"     /* nobody serves that domain (RFC 2606) */

/* Entries of a domain. */
#define LOOKED_AT     1000 /* among which some are chosen */
#define OF_EACH_RULE  2    /* for each outcome: moved, gone, forward ... */
#define OF_DOMAIN_MAX 4    /* in all */

/* With one invented of each domain, and one abroad. */
#define RECIPIENTS_MAX (DOMAINS_MAX * (OF_DOMAIN_MAX + 1) + 1)

#define RESTART_SECONDS 2
#define ASK_AGAIN_MS    100

#define REFUSALS 3 /* in one session: few enough for servers that allow few errors */

/* ---- choosing */

/* Sets what milter-moved should answer. A client may be trusted by its name too, but only the mail server knows the name
 * that it has for us. */
static void expect(const struct exam *exam, struct asked *asked, bool trusted)
{
    const struct question question = {
        .recipient = asked->recipient,
        .length = strlen(asked->recipient),
        .client = {.has_ip = true,
                   .ip = exam->server.client,
                   .authenticated = trusted,
                   .loses_quotes = exam->mta != NULL && exam->mta->loses_quotes,
                   .smtputf8 = address_needs_utf8(asked->recipient)},
        .now = time(NULL)};
    answer_ask(&asked->expected, &question,
               &(struct answer_source){exam->settings, exam->table, &exam->table_error, NULL});
    if (asked->expected.verdict == VERDICT_REPLY)
        asked_format(asked->want, sizeof asked->want, &asked->expected.reply);
}

/* The place of the next recipient, which is taken once recipient_count counts it. */
static struct asked *next_asked(const struct exam *exam, const struct asked_domain *domain)
{
    struct asked *asked = &exam->recipients[exam->recipient_count];
    *asked = (struct asked){.domain = domain, .finding = -1};
    return asked;
}

static struct asked *add_abroad(struct exam *exam)
{
    struct asked *asked = next_asked(exam, NULL);
    snprintf(asked->recipient, sizeof asked->recipient, ABROAD);
    asked->abroad = true;
    exam->recipient_count++;
    return asked;
}

/* A walk over all domains that chooses some of them. */
struct domain_walk {
    struct exam *exam;
    size_t seen;
    char only[ADDRESS_DOMAIN_MAX + 1]; /* "": all */
};

static int choose_domain(const struct entry *first, void *data, struct error *err)
{
    struct domain_walk *walk = data;
    struct exam *exam = walk->exam;
    (void)err;
    if (first->scope == ENTRY_SUBDOMAINS) /* nobody can tell their names */
        return 0;
    size_t number = walk->seen++, all = exam->all_domains;
    bool chosen = *walk->only != '\0' ? strcmp(walk->only, first->domain) == 0
                                      : all <= DOMAINS_MAX || number * DOMAINS_MAX / all !=
                                                                  walk->seen * DOMAINS_MAX / all;
    if (chosen && exam->domain_count < DOMAINS_MAX)
        snprintf(exam->domains[exam->domain_count++].name, sizeof exam->domains->name, "%s",
                 first->domain);
    return 0;
}

static int choose_domains(struct exam *exam, struct table_view *view, struct error *err)
{
    struct domain_walk walk = {.exam = exam};
    const char *only = exam->request->domain;
    if (only != NULL && address_domain_parse(walk.only, only, strlen(only), err) != 0)
        return error_at(err, "--domain", 0);
    if (table_each_domain(view, choose_domain, &walk, err) != 0)
        return -1;
    return only == NULL || exam->domain_count > 0
               ? 0
               : error_set(err, EX_DATAERR, "--domain: the table has no entry of '%s'", only);
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
    struct exam *exam = choice->exam;
    struct asked *asked = next_asked(exam, choice->domain);

    (void)err;
    if (++choice->looked_at > LOOKED_AT || choice->taken == OF_DOMAIN_MAX)
        return 1;
    if (entry->scope != ENTRY_MAILBOX ||
        (address_needs_utf8(entry->local) && !exam->server.smtputf8) ||
        address_format(asked->recipient, sizeof asked->recipient, entry->local, entry->domain) != 0)
        return 0;
    expect(exam, asked, false);
    if (asked->expected.verdict != VERDICT_CONTINUE &&
        choice->of_rule[asked->expected.rule]++ < OF_EACH_RULE) {
        choice->taken++;
        exam->recipient_count++;
    }
    return 0;
}

static void choose_invented(struct exam *exam, const struct asked_domain *domain)
{
    struct asked *asked = next_asked(exam, domain);
    asked->invented = true;
    if (address_format(asked->recipient, sizeof asked->recipient, INVENTED, domain->name) != 0)
        return;
    expect(exam, asked, false);
    exam->recipient_count++;
}

/* A stranger's mail to somebody elsewhere is asked about only where the server lets us ask as a stranger. */
static int choose(struct exam *exam, struct error *err)
{
    struct table_view *view = table_view_open(exam->table, err);
    int rc = view == NULL ? -1 : choose_domains(exam, view, err);
    for (size_t i = 0; i < exam->domain_count && rc == 0; i++) {
        struct choice choice = {.exam = exam, .domain = &exam->domains[i]};
        rc = table_each(view, choice.domain->name, choose_entry, &choice, err) < 0 ? -1 : 0;
        choose_invented(exam, choice.domain);
    }
    if (view != NULL)
        table_view_close(view);
    if (rc == 0 && exam->domain_count > 0 && exam->server.xclient)
        add_abroad(exam);
    return rc;
}

/* Those of the request. */
static int choose_these(struct exam *exam, struct error *err)
{
    char **recipients = exam->request->recipients;
    for (size_t i = 0; recipients[i] != NULL; i++) {
        struct address address;
        if (i == DOMAINS_MAX)
            return error_set(err, EX_USAGE, "more than %d recipients: name fewer", DOMAINS_MAX);
        struct asked_domain *domain = &exam->domains[i];
        struct asked *asked = next_asked(exam, domain);
        if (address_parse(&address, recipients[i], strlen(recipients[i]),
                          &exam->settings->addresses, err) != 0 ||
            address_format(asked->recipient, sizeof asked->recipient, address.written,
                           address.domain) != 0)
            return -1;
        snprintf(domain->name, sizeof domain->name, "%s", address.domain);
        exam->domain_count = exam->recipient_count = i + 1;
        expect(exam, asked, false);
    }
    return 0;
}

int exam_choose(struct exam *exam, struct error *err)
{
    exam->recipients = calloc(RECIPIENTS_MAX, sizeof *exam->recipients);
    if (exam->recipients == NULL)
        return error_no_memory(err);
    if (*exam->request->recipients != NULL)
        return choose_these(exam, err);
    return exam->table == NULL ? 0 : choose(exam, err);
}

/* ---- the mail server */

static void cannot_ask(struct exam *exam, const struct error *err)
{
    fact_set(&exam->facts, "error", "%s", err->text);
    exam_note(exam, "server-down", DOWN, "The mail server cannot be asked: ${error}.",
              "Start it; or ask it where it listens: --smtp HOST:PORT.");
}

void exam_greet(struct exam *exam)
{
    const struct timespec soon = io_deadline(RESTART_SECONDS);
    char client[INET6_ADDRSTRLEN];
    struct error err;
    int rc;
    /* A server that restarts refuses connections for a moment. */
    while ((rc = smtp_open(&exam->server, &exam->where, exam->as, &exam->end, &err)) != 0 &&
           exam->server.greeting.code == 0 && io_milliseconds_left(&soon) > 0)
        poll(NULL, 0, ASK_AGAIN_MS);
    exam->answers = rc == 0;
    if (!exam->answers) {
        cannot_ask(exam, &err);
        return;
    }
    smtp_close(&exam->server);
    ip_format(client, sizeof client, &exam->server.client);
    fact_set(&exam->facts, "client", "%s", client);
}

/* ---- asking */

/* The session at hand. */
struct questioning {
    struct smtp smtp;
    bool abroad; /* as doctor_stranger */
    unsigned asked, refused;
    unsigned refusals; /* the most recipients that may be refused in one session */
};

static void end_session(struct questioning *session)
{
    smtp_close(&session->smtp);
    session->asked = session->refused = 0;
}

static int ask_once(const struct exam *exam, struct questioning *session, struct asked *asked,
                    struct error *err)
{
    if (session->refused >= session->refusals || session->abroad != asked->abroad)
        end_session(session);
    session->abroad = asked->abroad;
    if (session->smtp.fd < 0 &&
        smtp_open(&session->smtp, &exam->where, asked->abroad ? &doctor_stranger : exam->as,
                  &exam->end, err) != 0)
        return -1;
    int rc = smtp_ask(&session->smtp, asked->recipient, address_needs_utf8(asked->recipient),
                      &asked->got, &asked->in_mail, err);
    session->asked++;
    session->refused += asked->got.code / 100 != 2;
    if (rc != 0)
        end_session(session);
    return rc;
}

/* A server that ends a session after some recipients may count errors more strictly than we do: its reply then tells
 * nothing about this recipient, which is asked about again in a session of its own. */
static int ask(const struct exam *exam, struct questioning *session, struct asked *asked,
               struct error *err)
{
    bool is_first = session->asked == 0;
    int rc = ask_once(exam, session, asked, err);
    if (rc != 0 && !is_first) {
        session->refusals = 1;
        rc = ask_once(exam, session, asked, err);
    }
    return asked->got.code == 421 ? 0 : rc; /* which is an answer too */
}

static bool is_as_wanted(const struct exam *exam, const struct asked *asked)
{
    if (asked_has_wanted(asked))
        return true;
    if (exam->settings->trusted_domains.count == 0)
        return false;
    struct asked trusted = *asked;
    expect(exam, &trusted, true);
    return asked_has_wanted(&trusted);
}

/* Replies that the mail server gives without milter-moved. */
#define UNKNOWN   "^(550 5\\.1\\.1|5.*(user unknown|unknown user|no such))"
#define UNTOUCHED "^2|" UNKNOWN

static bool is_well(const struct exam *exam, const struct asked *asked)
{
    bool untouched = asked_matches(asked, UNTOUCHED);
    if (asked->abroad)
        return !asked_matches(asked, "^2");
    switch (asked->expected.verdict) {
    case VERDICT_REPLY: return is_as_wanted(exam, asked) || (exam->daemon.observes && untouched);
    case VERDICT_FORWARD: return asked_matches(asked, "^2") || (exam->daemon.observes && untouched);
    case VERDICT_CONTINUE: break;
    }
    if (asked->invented) /* as without us, in an unserved domain or where recipients are verified */
        return !asked->in_mail &&
               asked_matches(asked,
                             UNKNOWN "|" DENIES_RELAY "|undeliverable address|unverified address");
    return !asked->in_mail && untouched;
}

/* Adds what its rules say about a stranger's mail to somebody elsewhere, where no session can be a stranger's. */
static void ask_rules(struct exam *exam)
{
    if (exam->view == NULL || exam->specialist->relays == NULL || exam->server.xclient ||
        exam->domain_count == 0)
        return;
    int relays = exam->specialist->relays(exam, ABROAD);
    if (relays < 0)
        return;
    struct asked *asked = add_abroad(exam);
    asked->well = relays == 0;
    asked->got.code = relays ? 250 : 550;
    snprintf(asked->got.text, sizeof asked->got.text, "%d by its rules", asked->got.code);
}

void exam_ask(struct exam *exam)
{
    struct questioning session = {.smtp = {.fd = -1}, .refusals = REFUSALS};
    struct error err;
    for (size_t i = 0; i < exam->recipient_count; i++) {
        struct asked *asked = &exam->recipients[i];
        if (ask(exam, &session, asked, &err) != 0) {
            asked->got.code = 0;
            cannot_ask(exam, &err);
            break;
        }
        asked->well = is_well(exam, asked);
    }
    end_session(&session);
    if (*exam->request->recipients == NULL)
        ask_rules(exam);
}
