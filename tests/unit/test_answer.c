/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "answer/answer.h"
#include "answer/chain.h"
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))
#define NOW         1788220800 /* 2026-09-01 */

#define LONG50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
static const char *const table_rows[] = {
    "alice@old.example",
    "alice@new.example",
    "alice+known@old.example",
    "known@new.example",
    "percent@old.example",
    "a%b@new.example",
    "\"quo ted\"@old.example",
    "\"quo ted\"@new.example",
    "bob@old.example",
    "gone",
    "root@moved.example",
    "stay",
    "@moved.example",
    "@new.example",
    "@.sub.example",
    "x@new.example",
    "@.deep.sub.example",
    "deep@new.example",
    "postmaster@own.example",
    "pm@new.example",
    "SRS0+own@own.example",
    "srs@new.example",
    "tosrs@old.example",
    "SRS0=H=T=d=l@moved.example",
    "same@old.example",
    "@new.example",
    "j\xc3\xb6rg@old.example",
    "j\xc3\xb6rg@new.example",
    "idn@old.example",
    "idn@b\xc3\xbc"
    "cher.example",
    "fwd@old.example",
    "forward:fwd@new.example",
    /* chains */
    "chain@old.example",
    "step@moved.example",
    "togone@old.example",
    "bob@old.example",
    "tostay@old.example",
    "root@moved.example",
    "loop1@old.example",
    "loop2@old.example",
    "loop2@old.example",
    "loop1@old.example",
    "fwdloop@old.example",
    "forward:loop1@old.example",
    "c1@c.example",
    "c2@c.example",
    "c2@c.example",
    "c3@c.example",
    "c3@c.example",
    "c4@c.example",
    "c4@c.example",
    "c5@c.example",
    "c5@c.example",
    "c6@c.example",
    "c6@c.example",
    "c7@c.example",
    "c7@c.example",
    "c8@c.example",
    "c8@c.example",
    "c9@c.example",
    "c0@c.example",
    "c1@c.example",
    NULL,
};

static struct settings *settings;
static struct table *table;

static void put(struct entry_text text)
{
    scratch_put(&text);
}

/* Chains, and entries that look over each other. */
static void put_more(void)
{
    static const struct entry_text more[] = {
        {.old = "dated@moved.example", .action = "stay", .from = "2026-09-02"},
        {.old = "ext+one@old.example", .new = "one@new.example", .until = "2026-09-01"},
        {.old = "ext@old.example", .new = "all@new.example"},
        {.old = "@b.over.example", .action = "stay"},
        {.old = "@.over.example", .new = "@new.example"},
        {.old = "@old-idn.b\xc3\xbc"
                "cher.example",
         .new = "@new.example"},
        {.old = "toext@old.example", .new = "ext+two@old.example"},
        {.old = "toexpired@old.example", .new = "ext+one@old.example"},
        {.old = "strictfirst@old.example", .new = "open@old.example", .disclose = "nobody"},
        {.old = "open@old.example", .new = "open@new.example", .disclose = "anyone"},
        {.old = "trustedfirst@old.example", .new = "secret@old.example", .disclose = "trusted"},
        {.old = "fwdchain@old.example", .new = "open@old.example", .action = "forward"},
        {.old = "tofwd@old.example", .new = "fwd@old.example"},
        {.old = "fwdgone@old.example", .new = "bob@old.example", .action = "forward"},
        {.old = "fwdstay@old.example", .new = "root@moved.example", .action = "forward"},
        {.old = "fwdlong@c.example", .new = "c1@c.example", .action = "forward"},
        {.old = "graceloop@old.example", .new = "loop1@old.example", .forward_until = "2026-09-02"},
        {.old = "selfish@turn.example", .new = "other@turn.example"},
        {.old = "@.many.example", .new = "@one.example"},
        {.old = "x@one.example", .new = "@two.example"},
        {.old = "grow@old.example", .new = "grow+x@old.example"},
        {.old = "fwdidn@old.example",
         .new = "i@b\xc3\xbc"
                "cher.example",
         .action = "forward"},
        {.old = "fwdutf8@old.example", .new = "j\xc3\xb6rg@new.example", .action = "forward"},
        {.old = "c1@old.example",
         .new = "a\xc2\x85"
                "b@new.example"},
        {.old = "fwdext@old.example", .new = "ext@new.example", .action = "forward"},
        {.old = "fwduntil@old.example",
         .new = "u@new.example",
         .from = "2026-08-31",
         .until = "2026-09-03",
         .forward_until = "2026-09-02"},
        {.old = "@turn.example", .new = "@turned.example"},
        {.old = "@turned.example", .new = "@turn.example"},
    };
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        put(more[i]);
}

/* Once for all: the tests only read it. */
static void make_table(void)
{
    scratch_setup();
    scratch_fill(table_rows);
    put_more();
    put((struct entry_text){.old = "timed@old.example",
                            .new = "t@new.example",
                            .from = "2026-09-01",
                            .until = "2026-09-02"});
    put((struct entry_text){
        .old = "timed@moved.example", .new = "t@new.example", .until = "2026-08-01"});
    put((struct entry_text){
        .old = "grace@old.example", .new = "g@new.example", .forward_until = "2026-09-02"});
    put((struct entry_text){
        .old = "shy@old.example", .new = "shy@new.example", .disclose = "trusted"});
    put((struct entry_text){
        .old = "secret@old.example", .new = "secret@new.example", .disclose = "nobody"});
    put((struct entry_text){
        .old = "viashy@old.example", .new = "shy@old.example", .disclose = "anyone"});
    put((struct entry_text){.old = LONG50 "@old.example",
                            .new = LONG50 LONG50 "@" LONG50 "." LONG50 ".example"});
}

/* In each test's own process, since LMDB wants to be opened behind fork(2). */
static void setup(void)
{
    settings = settings_new();
    table = scratch_open();
}

static void teardown(void)
{
    table_free(table);
    settings_free(settings);
}

static struct question question_of(const char *recipient, struct client client, int64_t now)
{
    return (struct question){
        .recipient = recipient, .length = strlen(recipient), .client = client, .now = now};
}

static struct answer ask(const char *recipient, struct client client, int64_t now)
{
    struct answer answer;
    const struct question question = question_of(recipient, client, now);
    answer_ask(&answer, &question, &(struct answer_source){settings, table, NULL, NULL});
    return answer;
}

static const char *line_of(const struct answer *answer)
{
    static char line[2 * ADDRESS_TEXT_SIZE];
    switch (answer->verdict) {
    case VERDICT_CONTINUE: return "continue";
    case VERDICT_FORWARD: snprintf(line, sizeof line, "forward %s", answer->new); break;
    case VERDICT_REPLY:
        snprintf(line, sizeof line, "%s %s %s", answer->reply.code, answer->reply.enhanced,
                 answer->reply.text[0]);
        break;
    }
    return line;
}

static const struct client stranger = {
    .has_ip = true, .ip = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 7}}};

#define MOVED(new)  "551 5.1.6 User not local; please try <" new ">"
#define GONE        "550 5.1.6 User not local; no forwarding address"
#define WITHHELD    "550 5.1.6 User not local; forwarding address withheld"
#define TABLE_ERROR "451 4.3.0 Table of moved mailboxes unavailable"

static const struct {
    const char *recipient, *line;
    enum rule rule;
} rows[] = {
    {"<alice@old.example>", MOVED("alice@new.example"), RULE_MOVED},
    {"<ALICE@Old.Example.>", MOVED("alice@new.example"), RULE_MOVED},
    {"<\"alice\"@old.example>", MOVED("alice@new.example"), RULE_MOVED},
    {"<@a.example,@b.example:alice@old.example>", MOVED("alice@new.example"), RULE_MOVED},
    {"<alice+List@old.example>", MOVED("alice+List@new.example"), RULE_MOVED},
    {"<alice+known@old.example>", MOVED("known@new.example"), RULE_MOVED},
    {"<percent@old.example>", MOVED("a%b@new.example"), RULE_MOVED},
    {"<\"quo ted\"@old.example>", MOVED("\"quo ted\"@new.example"), RULE_MOVED},
    {"<same@old.example>", MOVED("same@new.example"), RULE_MOVED},
    {"<same+x@old.example>", MOVED("same+x@new.example"), RULE_MOVED},
    {"<bob@old.example>", GONE, RULE_GONE},
    {"<nobody@old.example>", "continue", RULE_NOT_LISTED},
    {"<nobody@elsewhere.example>", "continue", RULE_NOT_LISTED},
    {"<Any.Body+x@moved.example>", MOVED("Any.Body+x@new.example"), RULE_MOVED},
    {"<root@moved.example>", "continue", RULE_STAY},
    {"<postmaster@moved.example>", "continue", RULE_NOT_LISTED},
    {"<MAILER-DAEMON@moved.example>", "continue", RULE_NOT_LISTED},
    {"<double-bounce@moved.example>", "continue", RULE_NOT_LISTED},
    {"<postmaster+list@moved.example>", "continue", RULE_NOT_LISTED},
    {"<Double-Bounce+x@b.sub.example>", "continue", RULE_NOT_LISTED},
    {"<SRS0=HHH=TT=new.example=al@moved.example>", "continue", RULE_NOT_LISTED},
    {"<srs1+HHH+a.example++HHH@b.sub.example>", "continue", RULE_NOT_LISTED},
    {"<SRS0+own@own.example>", MOVED("srs@new.example"), RULE_MOVED},
    {"<SRS0+own+x@own.example>", "continue", RULE_NOT_LISTED},
    {"<tosrs@old.example>", MOVED("SRS0=H=T=d=l@moved.example"), RULE_MOVED},
    {"<postmaster@own.example>", MOVED("pm@new.example"), RULE_MOVED},
    {"<postmaster+list@own.example>", MOVED("pm+list@new.example"), RULE_MOVED},
    {"<postmaster>", "continue", RULE_NO_DOMAIN},
    {"<alice>", "continue", RULE_NO_DOMAIN},
    {"<a@sub.example>", "continue", RULE_NOT_LISTED},
    {"<a@b.sub.example>", MOVED("x@new.example"), RULE_MOVED},
    {"<a@c.b.sub.example>", MOVED("x@new.example"), RULE_MOVED},
    {"<a@c.deep.sub.example>", MOVED("deep@new.example"), RULE_MOVED},
    {"<postmaster@b.sub.example>", "continue", RULE_NOT_LISTED},
    {"<idn@old.example>", MOVED("idn@xn--bcher-kva.example"), RULE_MOVED},
    {"<j\xc3\xb6rg@old.example>", WITHHELD, RULE_UNWRITABLE},
    {"<fwd@old.example>", "forward fwd@new.example", RULE_FORWARD},
    {"<chain@old.example>", MOVED("step@new.example"), RULE_MOVED},
    {"<togone@old.example>", GONE, RULE_GONE},
    {"<tostay@old.example>", MOVED("root@moved.example"), RULE_MOVED},
    {"<loop1@old.example>", GONE, RULE_LOOP},
    {"<fwdloop@old.example>", "451 4.4.6 Forwarding loop; try again later", RULE_LOOP},
    {"<c1@c.example>", MOVED("c9@c.example"), RULE_MOVED},
    {"<c0@c.example>", GONE, RULE_LOOP},
    {"<timed@old.example>", MOVED("t@new.example"), RULE_MOVED},
    {"<timed@moved.example>", MOVED("timed@new.example"), RULE_MOVED},
    {"<grace@old.example>", "forward g@new.example", RULE_FORWARD},
    {"<shy@old.example>", WITHHELD, RULE_NOT_DISCLOSED},
    {"<secret@old.example>", WITHHELD, RULE_NOT_DISCLOSED},
    {"<viashy@old.example>", WITHHELD, RULE_NOT_DISCLOSED},
    /* an entry out of force is as if absent: the next in the order counts */
    {"<dated@moved.example>", MOVED("dated@new.example"), RULE_MOVED},
    {"<ext+one@old.example>", MOVED("all+one@new.example"), RULE_MOVED},
    {"<toexpired@old.example>", MOVED("all+one@new.example"), RULE_MOVED},
    /* the extension: kept as written, whatever the quotes, and through a chain */
    {"<\"ext+Two\"@old.example>", MOVED("all+Two@new.example"), RULE_MOVED},
    {"<ext+a+b@old.example>", MOVED("all+a+b@new.example"), RULE_MOVED},
    {"<ext+@old.example>", MOVED("all+@new.example"), RULE_MOVED},
    {"<\"ext+a b\"@old.example>", MOVED("\"all+a b\"@new.example"), RULE_MOVED},
    {"<+ext@old.example>", "continue", RULE_NOT_LISTED},
    {"<toext+x@old.example>", MOVED("all+two+x@new.example"), RULE_MOVED},
    {"<root+x@moved.example>", "continue", RULE_STAY},
    {"<\"al\\ice\"@old.example>", MOVED("alice@new.example"), RULE_MOVED},
    {"<\"alice\"+x@old.example>", "continue", RULE_NOT_AN_ADDRESS},
    {"<@x.example:\"Alice+X\"@OLD.example.>", MOVED("alice+X@new.example"), RULE_MOVED},
    {"alice@old.example", MOVED("alice@new.example"), RULE_MOVED},
    /* the nearer entry, and what no wildcard is for */
    {"<a@b.over.example>", "continue", RULE_STAY},
    {"<a@c.b.over.example>", MOVED("a@new.example"), RULE_MOVED},
    {"<a@over.example>", "continue", RULE_NOT_LISTED},
    {"<a@notover.example>", "continue", RULE_NOT_LISTED},
    {"<a@[192.0.2.1]>", "continue", RULE_NOT_LISTED},
    {"<\"PostMaster\"@moved.example>", "continue", RULE_NOT_LISTED},
    {"<a@OLD-IDN.xn--bcher-kva.example>", MOVED("a@new.example"), RULE_MOVED},
    /* chains: the strictest disclose, the first entry's forward, and no end */
    {"<strictfirst@old.example>", WITHHELD, RULE_NOT_DISCLOSED},
    {"<trustedfirst@old.example>", WITHHELD, RULE_NOT_DISCLOSED},
    {"<fwdchain@old.example>", "forward open@new.example", RULE_FORWARD},
    {"<tofwd@old.example>", MOVED("fwd@new.example"), RULE_MOVED},
    {"<fwdgone@old.example>", GONE, RULE_GONE},
    {"<fwdstay@old.example>", "forward root@moved.example", RULE_FORWARD},
    {"<fwdlong@c.example>", "451 4.4.6 Forwarding loop; try again later", RULE_LOOP},
    {"<graceloop@old.example>", "451 4.4.6 Forwarding loop; try again later", RULE_LOOP},
    {"<selfish@turn.example>", GONE, RULE_LOOP},
    {"<A.b@c.many.example>", MOVED("A.b@one.example"), RULE_MOVED},
    {"<x+y@c.many.example>", MOVED("x+y@two.example"), RULE_MOVED},
    {"<grow@old.example>", GONE, RULE_LOOP},
    {"<fwdext+A.b@old.example>", "forward ext+A.b@new.example", RULE_FORWARD},
    {"<fwdidn@old.example>", "forward i@xn--bcher-kva.example", RULE_FORWARD},
    {"<fwdutf8@old.example>", WITHHELD, RULE_UNWRITABLE},
    {"<alice@old.example\">", "continue", RULE_NOT_AN_ADDRESS},
    {"<alice@old.example", "continue", RULE_NOT_AN_ADDRESS},
    {"<al\001ice@old.example>", "continue", RULE_NOT_AN_ADDRESS},
    {"<>", "continue", RULE_NOT_AN_ADDRESS},
    {"<a@b@moved.example>", "continue", RULE_NOT_AN_ADDRESS},
};
START_TEST(a_stranger_is_answered)
{
    struct answer answer = ask(rows[_i].recipient, stranger, NOW);
    ck_assert_msg(strcmp(line_of(&answer), rows[_i].line) == 0, "%s: %s", rows[_i].recipient,
                  line_of(&answer));
    ck_assert_msg(answer.rule == rows[_i].rule, "%s: %s", rows[_i].recipient,
                  rule_name(answer.rule));
}
END_TEST

static void expect(const char *recipient, struct client client, int64_t now, const char *line)
{
    struct answer answer = ask(recipient, client, now);
    ck_assert_msg(strcmp(line_of(&answer), line) == 0, "%s: %s", recipient, line_of(&answer));
}

START_TEST(time_decides)
{
    expect("<timed@old.example>", stranger, NOW - 1, "continue");
    expect("<timed@old.example>", stranger, NOW + 86399, MOVED("t@new.example"));
    expect("<timed@old.example>", stranger, NOW + 86400, "continue");
    expect("<grace@old.example>", stranger, NOW + 86399, "forward g@new.example");
    expect("<grace@old.example>", stranger, NOW + 86400, MOVED("g@new.example"));
    expect("<dated@moved.example>", stranger, NOW + 86399, MOVED("dated@new.example"));
    expect("<dated@moved.example>", stranger, NOW + 86400, "continue");
    expect("<ext+one@old.example>", stranger, NOW - 1, MOVED("one@new.example"));
    expect("<graceloop@old.example>", stranger, NOW + 86400, GONE);
    expect("<fwduntil@old.example>", stranger, NOW - 86401, "continue");
    expect("<fwduntil@old.example>", stranger, NOW - 86400, "forward u@new.example");
    expect("<fwduntil@old.example>", stranger, NOW + 86400, MOVED("u@new.example"));
    expect("<fwduntil@old.example>", stranger, NOW + 2 * 86400, "continue");
}
END_TEST

START_TEST(trusted_clients_are_told_more)
{
    struct client user = stranger, near = stranger;
    user.authenticated = true;
    ck_assert_int_eq(ip_parse(&near.ip, "127.0.0.1", NULL), 0);
    expect("<shy@old.example>", user, NOW, MOVED("shy@new.example"));
    expect("<shy@old.example>", near, NOW, MOVED("shy@new.example"));
    expect("<secret@old.example>", user, NOW, WITHHELD);
    expect("<viashy@old.example>", user, NOW, MOVED("shy@new.example"));
    expect("<trustedfirst@old.example>", user, NOW, WITHHELD);
    settings->disclose = 1;
    expect("<alice@old.example>", stranger, NOW, WITHHELD);
    expect("<open@old.example>", stranger, NOW, MOVED("open@new.example"));
    expect("<alice@old.example>", user, NOW, MOVED("alice@new.example"));
    settings->disclose = 2;
    expect("<alice@old.example>", user, NOW, WITHHELD);
}
END_TEST

#define UNKNOWN(name)                                                                              \
    "550 5.1.1 <" name ">: Recipient address rejected: User unknown in local recipient table"

START_TEST(concealed_from_those_who_may_not_know)
{
    struct client user = stranger;
    user.authenticated = true;
    settings->conceal = true;
    settings->disclose = 1;
    expect("<alice@old.example>", stranger, NOW, UNKNOWN("alice@old.example"));
    expect("<Alice+X@OLD.example.>", stranger, NOW, UNKNOWN("Alice+X@OLD.example."));
    expect("<@a,@b:\"a\\lice\"@old.example>", stranger, NOW, UNKNOWN("alice@old.example"));
    expect("alice@old.example", stranger, NOW, UNKNOWN("alice@old.example"));
    expect("<bob@old.example>", stranger, NOW, UNKNOWN("bob@old.example"));
    expect("<loop1@old.example>", stranger, NOW, UNKNOWN("loop1@old.example"));
    expect("<idn@old.example>", stranger, NOW, UNKNOWN("idn@old.example"));
    expect("<secret@old.example>", user, NOW, UNKNOWN("secret@old.example"));
    expect("<alice@old.example>", user, NOW, MOVED("alice@new.example"));
    expect("<bob@old.example>", user, NOW, GONE);
    expect("<open@old.example>", stranger, NOW, MOVED("open@new.example"));
    expect("<fwd@old.example>", stranger, NOW, "forward fwd@new.example");
    expect("<fwdutf8@old.example>", stranger, NOW, UNKNOWN("fwdutf8@old.example"));
    expect("<fwdutf8@old.example>", user, NOW, WITHHELD);
    expect("<stays@old.example>", stranger, NOW, "continue");
    expect("<j\xc3\xb6rg@old.example>", stranger, NOW, "550 5.1.1 User unknown");
}
END_TEST

static enum trust trust_of(const char *ip, const char *name)
{
    struct client client = stranger;
    client.confirmed_name = name;
    ck_assert_int_eq(ip_parse(&client.ip, ip, NULL), 0);
    return ask("<shy@old.example>", client, NOW).trust;
}

START_TEST(a_client_is_trusted_by_its_confirmed_name)
{
    char *domains[] = {(char *)"partner.example", (char *)"xn--bcher-kva.example"};
    struct client named = stranger;
    named.confirmed_name = "mx.partner.example";
    expect("<shy@old.example>", named, NOW, WITHHELD);

    settings->trusted_domains = (struct conf_list){domains, 2};
    expect("<shy@old.example>", named, NOW, MOVED("shy@new.example"));
    expect("<secret@old.example>", named, NOW, WITHHELD);
    ck_assert_int_eq(trust_of("192.0.2.1", "Partner.EXAMPLE"), TRUST_DOMAIN);
    ck_assert_int_eq(trust_of("192.0.2.1", "a.b.xn--bcher-kva.example"), TRUST_DOMAIN);
    ck_assert_int_eq(trust_of("192.0.2.1", "mypartner.example"), TRUST_NONE);
    ck_assert_int_eq(trust_of("192.0.2.1", "partner.example.evil.example"), TRUST_NONE);
    ck_assert_int_eq(trust_of("192.0.2.1", "example"), TRUST_NONE);
    ck_assert_int_eq(trust_of("192.0.2.1", ""), TRUST_NONE);
    ck_assert_int_eq(trust_of("192.0.2.1", NULL), TRUST_NONE);
    ck_assert_int_eq(trust_of("127.0.0.1", "mx.partner.example"), TRUST_NETWORK);
    settings->trusted_domains = (struct conf_list){.items = NULL};
}
END_TEST

START_TEST(one_mailbox_is_one_new_address_in_either_spelling)
{
    const struct limit_rules one = {.period = 60, .client = {1, 32, 64}, .memory = 1 << 20};
    struct limit *limit = limit_new(&one);
    struct answer answer;
    struct question question = question_of("<idn@old.example>", stranger, NOW);
    answer_ask(&answer, &question, &(struct answer_source){settings, table, NULL, limit});
    ck_assert_int_eq(answer.rule, RULE_MOVED);
    question.client.smtputf8 = true;
    answer_ask(&answer, &question, &(struct answer_source){settings, table, NULL, limit});
    ck_assert_int_eq(answer.rule, RULE_MOVED);
    ck_assert_str_eq(answer.new, "idn@b\xc3\xbc"
                                 "cher.example");
    limit_free(limit);
}
END_TEST

START_TEST(utf8_goes_into_sessions_that_carry_it)
{
    struct client modern = stranger;
    modern.smtputf8 = true;
    expect("<j\xc3\xb6rg@old.example>", modern, NOW, MOVED("j\xc3\xb6rg@new.example"));
    expect("<J\xc3\x96RG@old.example>", modern, NOW, MOVED("j\xc3\xb6rg@new.example"));
    expect("<c1@old.example>", modern, NOW, WITHHELD); /* with '?' it would be another one */
    expect("<idn@old.example>", modern, NOW,
           MOVED("idn@b\xc3\xbc"
                 "cher.example"));
    expect("<fwdutf8@old.example>", modern, NOW, "forward j\xc3\xb6rg@new.example");
    expect("<fwdidn@old.example>", modern, NOW, "forward i@xn--bcher-kva.example");
}
END_TEST

START_TEST(local_submission_is_never_refused)
{
    const struct client local = {.has_ip = false};
    struct answer answer = ask("<alice@old.example>", local, NOW);
    ck_assert_int_eq(answer.verdict, VERDICT_CONTINUE);
    ck_assert_int_eq(answer.rule, RULE_LOCAL);
    expect("<fwdloop@old.example>", local, NOW, "continue");
    expect("<bob@old.example>", local, NOW, "continue");
    expect("<j\xc3\xb6rg@old.example>", local, NOW, "continue");
    const struct question question = question_of("<x@elsewhere.example>", local, NOW);
    answer_ask(&answer, &question, &(struct answer_source){settings, NULL, NULL, NULL});
    ck_assert_int_eq(answer.verdict, VERDICT_CONTINUE);
    answer = ask("<fwd@old.example>", local, NOW);
    ck_assert_int_eq(answer.verdict, VERDICT_FORWARD);
}
END_TEST

START_TEST(a_limit_is_kept)
{
    const struct limit_rules one = {.period = 60, .client = {1, 32, 64}, .memory = 1 << 20};
    struct limit *limit = limit_new(&one);
    struct answer answer;
    struct question question = question_of("<alice@old.example>", stranger, NOW);
    answer_ask(&answer, &question, &(struct answer_source){settings, table, NULL, limit});
    ck_assert_int_eq(answer.rule, RULE_MOVED);
    question.recipient = "<percent@old.example>";
    question.length = 21;
    answer_ask(&answer, &question, &(struct answer_source){settings, table, NULL, limit});
    ck_assert_int_eq(answer.rule, RULE_OVER_LIMIT);
    ck_assert_str_eq(line_of(&answer), WITHHELD);
    settings->over_limit = OVER_LIMIT_DEFER;
    answer_ask(&answer, &question, &(struct answer_source){settings, table, NULL, limit});
    ck_assert_str_eq(line_of(&answer), "450 4.7.1 Too many moved recipients; try again later");
    question.client.authenticated = true;
    answer_ask(&answer, &question, &(struct answer_source){settings, table, NULL, limit});
    ck_assert_int_eq(answer.rule, RULE_MOVED);
    limit_free(limit);
}
END_TEST

static void set(char **text, const char *value)
{
    free(*text);
    *text = strdup(value);
}

static void set_text(enum text_kind kind, const char *text)
{
    struct error err;
    set(&settings->texts.of[kind], text);
    ck_assert_msg(texts_check(&settings->texts, &settings->texts_by_domain, &err) == 0, "%s",
                  err.text);
}

START_TEST(texts_of_the_administrator)
{
    set_text(TEXT_MOVED, "551 5.7.1 ${old} is now ${new}, please try <${new}>");
    expect("<Alice+X@old.example>", stranger, NOW,
           "551 5.7.1 Alice+X@old.example is now alice+X@new.example, please try "
           "<alice+X@new.example>");
    set_text(TEXT_GONE, "550 5.1.6 ${old} has left");
    expect("<bob@old.example>", stranger, NOW, "550 5.1.6 bob@old.example has left");
}
END_TEST

START_TEST(an_old_address_in_utf8_is_not_echoed_into_a_session_without)
{
    set_text(TEXT_WITHHELD, "550 5.1.6 ${old} has moved");
    expect("<j\xc3\xb6rg@old.example>", stranger, NOW, WITHHELD);
    expect("<shy@old.example>", stranger, NOW, "550 5.1.6 shy@old.example has moved");
}
END_TEST

START_TEST(delimiters_are_the_configurations)
{
    settings->addresses.delimiters = "+-";
    expect("<alice-x@old.example>", stranger, NOW, MOVED("alice-x@new.example"));
    expect("<alice-x+y@old.example>", stranger, NOW, MOVED("alice-x+y@new.example"));
    expect("<owner-alice@old.example>", stranger, NOW, "continue");
    expect("<alice-request@old.example>", stranger, NOW, "continue");
    expect("<Owner-x@moved.example>", stranger, NOW, MOVED("Owner-x@new.example"));
    settings->addresses.delimiters = "";
    expect("<alice+x@old.example>", stranger, NOW, "continue");
    expect("<alice+known@old.example>", stranger, NOW, MOVED("known@new.example"));
}
END_TEST

START_TEST(what_is_reserved_is_so_in_any_case_of_letters)
{
    settings->addresses.fold_case = settings->fold_case = false;
    settings->addresses.local_domain = "moved.example";
    expect("<POSTMASTER>", stranger, NOW, "continue");
    expect("<POSTMASTER@moved.example>", stranger, NOW, "continue");
    expect("<Mailer-Daemon@b.sub.example>", stranger, NOW, "continue");
    expect("<PostMaster+x@moved.example>", stranger, NOW, "continue");
    expect("<srs0=H=T=d=l@moved.example>", stranger, NOW, "continue");
    expect("<ANYBODY@moved.example>", stranger, NOW, MOVED("ANYBODY@new.example"));
}
END_TEST

/* On the open file: what the daemon meets where a restore goes wrong. */
START_TEST(a_table_that_is_damaged_is_never_not_moved)
{
    char copy[256];
    struct error err;
    struct table *other;
    struct answer answer;
    const struct question question = question_of("<nobody@elsewhere.example>", stranger, NOW);
    snprintf(copy, sizeof copy, "mkdir %s/cut && cp %s/*.mdb %s/cut", scratch, scratch_table,
             scratch);
    ck_assert_int_eq(system(copy), 0);
    snprintf(copy, sizeof copy, "%s/cut", scratch);
    ck_assert_msg(table_open(&other, copy, TABLE_READ, true, &err) == 0, "%s", err.text);
    answer_ask(&answer, &question, &(struct answer_source){settings, other, NULL, NULL});
    ck_assert_int_eq(answer.rule, RULE_NOT_LISTED);
    snprintf(copy, sizeof copy, "%s/cut/data.mdb", scratch);
    ck_assert_int_eq(truncate(copy, 2 * 4096), 0);
    scratch_next_tick();
    answer_ask(&answer, &question, &(struct answer_source){settings, other, NULL, NULL});
    ck_assert_int_eq(answer.rule, RULE_TABLE_ERROR);
    ck_assert_str_eq(line_of(&answer), TABLE_ERROR);
    ck_assert_int_eq(answer.error.status, EX_DATAERR);
    table_free(other);
}
END_TEST

START_TEST(a_mailbox_name_of_255_octets_is_found)
{
    char recipient[400];
    memset(recipient, 'v', sizeof recipient);
    memcpy(recipient, "<alice+", 7);
    memcpy(recipient + 1 + 255, "@old.example>", 14);
    struct answer answer = ask(recipient, stranger, NOW);
    ck_assert_int_eq(answer.rule, RULE_MOVED);
    memcpy(recipient + 1 + 255, "v@old.example>", 15);
    answer = ask(recipient, stranger, NOW);
    ck_assert_int_eq(answer.rule, RULE_NOT_AN_ADDRESS);
}
END_TEST

START_TEST(a_line_over_512_octets_falls_back)
{
    set_text(TEXT_MOVED, "551 5.1.6 ${new} ${new} ${new} please try <${new}>");
    expect("<" LONG50 "@old.example>", stranger, NOW,
           MOVED(LONG50 LONG50 "@" LONG50 "." LONG50 ".example"));
}
END_TEST

START_TEST(a_new_address_too_long_for_a_path_is_withheld)
{
    char recipient[400];
    snprintf(recipient, sizeof recipient, "<%s%s%s%s%s@moved.example>", LONG50, LONG50, LONG50,
             LONG50, LONG50);
    struct answer answer = ask(recipient, stranger, NOW);
    ck_assert_int_eq(answer.rule, RULE_UNWRITABLE);
    ck_assert_str_eq(line_of(&answer), WITHHELD);
    snprintf(recipient, sizeof recipient, "<alice+%s%s%s%s%s@old.example>", LONG50, LONG50, LONG50,
             LONG50, "x");
    answer = ask(recipient, stranger, NOW);
    ck_assert_int_eq(answer.rule, RULE_MOVED);
    snprintf(recipient, sizeof recipient, "<alice+%s%s%s%s%s@old.example>", LONG50, LONG50, LONG50,
             LONG50, LONG50 + 10);
    expect(recipient, stranger, NOW,
           MOVED("alice@new.example")); /* without the extension it is still the mailbox */
}
END_TEST

START_TEST(a_table_that_cannot_be_read_is_never_not_moved)
{
    struct answer answer;
    const struct error why = {EX_NOINPUT, "missing"};
    const struct question question = question_of("<nobody@elsewhere.example>", stranger, NOW);
    answer_ask(&answer, &question, &(struct answer_source){settings, NULL, &why, NULL});
    ck_assert_int_eq(answer.rule, RULE_TABLE_ERROR);
    ck_assert_str_eq(line_of(&answer), TABLE_ERROR);
    ck_assert_str_eq(answer.error.text, "missing");
    settings->on_table_error = TABLE_ERROR_ACCEPT;
    answer_ask(&answer, &question, &(struct answer_source){settings, NULL, &why, NULL});
    ck_assert_int_eq(answer.verdict, VERDICT_CONTINUE);
    ck_assert_int_eq(answer.rule, RULE_TABLE_ERROR);
}
END_TEST

START_TEST(the_local_domain_counts)
{
    set(&settings->local_domain, "old.example");
    settings->addresses.local_domain = settings->local_domain;
    put((struct entry_text){.old = "postmaster@old.example", .new = "pm@new.example"});
    expect("<alice>", stranger, NOW, MOVED("alice@new.example"));
    expect("<postmaster>", stranger, NOW, "continue");
    expect("<po\xc5\xbftmaster>", stranger, NOW, "continue"); /* the same name, folded */
}
END_TEST

static const struct {
    const char *recipient, *resolved, *line;
} resolutions[] = {
    {"<old.example!alice>", "alice@old.example", MOVED("alice@new.example")},
    {"<alice%old.example@mx.example>", "alice@old.example", MOVED("alice@new.example")},
    {"<alice>", "alice@old.example", MOVED("alice@new.example")},
    {"<alice@old>", "alice@old.example", MOVED("alice@new.example")},
    {"<a@old.example@mx.example>", "alice@old.example", MOVED("alice@new.example")},
    {"<old.example!\"quo ted\">", "quo ted@old.example", MOVED("\"quo ted\"@new.example")},
    {"<alice@old.example>", "nobody@old.example", MOVED("alice@new.example")},
    {"<root@moved.example>", "alice@old.example", "continue"}, /* an entry says that it stays */
    {"<postmaster>", "postmaster@own.example", "continue"},
    {"<nobody@old.example>", "nobody@old.example", "continue"},
    {"<nobody>", "nobody", "continue"},
    {"<nobody>", "", "continue"},
    {"<nobody@old.example>", "not an address", "continue"},
};
static const char *say(void *data)
{
    return data;
}

static const char *say_nothing(void *called)
{
    *(bool *)called = true;
    return NULL;
}

START_TEST(the_mail_server_is_asked_only_about_what_is_not_listed)
{
    static const char *const recipients[] = {"<alice@old.example>", "<bob@old.example>",
                                             "<root@moved.example>", "<nobody@old.example>"};
    struct answer answer;
    for (size_t i = 0; i < sizeof recipients / sizeof *recipients; i++) {
        struct question question = question_of(recipients[i], stranger, NOW);
        bool called = false;
        question.resolve = say_nothing;
        question.data = &called;
        answer_ask(&answer, &question, &(struct answer_source){settings, table, NULL, NULL});
        ck_assert_int_eq(called, answer.rule == RULE_NOT_LISTED);
    }
    ck_assert_int_eq(answer.rule, RULE_NOT_LISTED);
}
END_TEST

START_TEST(what_the_mail_server_reads_counts)
{
    struct answer answer;
    struct question question = question_of(resolutions[_i].recipient, stranger, NOW);
    question.resolve = say;
    question.data = (void *)resolutions[_i].resolved; /* only read */
    answer_ask(&answer, &question, &(struct answer_source){settings, table, NULL, NULL});
    ck_assert_msg(strcmp(line_of(&answer), resolutions[_i].line) == 0, "%s: %s",
                  resolutions[_i].recipient, line_of(&answer));
}
END_TEST

/* Whatever octet a client or a table can bring, a reply stays one line of the right code. */
START_TEST(no_octet_breaks_a_reply)
{
    char recipient[] = "<a?b@moved.example>";
    struct client modern = stranger;
    modern.smtputf8 = true;
    recipient[2] = (char)_i;
    struct answer answer = ask(recipient, modern, NOW);
    if (answer.verdict != VERDICT_REPLY)
        return;
    ck_assert_str_eq(answer.reply.code, "551");
    for (const char *at = answer.reply.text[0]; *at != '\0'; at++)
        ck_assert((unsigned char)*at >= 0x20 && *at != 0x7f);
}
END_TEST

/* What entry_parse would not have let through: nobody is told it, no mail is taken for it, and none is refused for good. */
static const struct {
    const char *new;
    enum entry_action action;
} damages[] = {
    {"nowhere", ENTRY_REJECT},
    {"nowhere", ENTRY_FORWARD},
    {"@", ENTRY_REJECT},
    {"x@.", ENTRY_REJECT},
    {"<x@new.example>", ENTRY_REJECT},
    {"<x@new.example>", ENTRY_FORWARD},
    {"two words@new.example", ENTRY_REJECT},
    {"two words@new.example", ENTRY_FORWARD},
    {"a\r\nb@new.example", ENTRY_REJECT},
    {"\x85@new.example", ENTRY_REJECT},
};
START_TEST(a_damaged_new_address_is_no_address)
{
    struct entry entry = {.scope = ENTRY_MAILBOX,
                          .local = "damaged",
                          .domain = "old.example",
                          .action = damages[_i].action,
                          .from = TIMESTAMP_NONE,
                          .until = TIMESTAMP_NONE,
                          .forward_until = TIMESTAMP_NONE};
    struct client modern = stranger;
    modern.smtputf8 = true;
    snprintf(entry.new, sizeof entry.new, "%s", damages[_i].new);
    scratch_put_entry(&entry);
    expect("<damaged@old.example>", stranger, NOW, TABLE_ERROR);
    expect("<damaged+x@old.example>", modern, NOW, TABLE_ERROR);
    struct answer answer = ask("<damaged@old.example>", stranger, NOW);
    ck_assert_int_eq(answer.rule, RULE_TABLE_ERROR);
    ck_assert_int_eq(answer.error.status, EX_DATAERR);
}
END_TEST

/* Entries whose records cannot be read, where each look-up meets one: whatever else the table has, the answer is not known. */
static const char *const unreadable[] = {
    "<torn@torn.example>",      "<torn+x@torn.example>", "<torn+x+y@torn.example>",
    "<x@all.torn.example>",     "<x@a.b.torn.example>",  "<totorn@good.torn.example>",
    "<wild@step.torn.example>",
};

static void put_torn(enum entry_scope scope, const char *local, const char *domain)
{
    struct entry entry = {.scope = scope, .action = ENTRY_STAY + 1};
    snprintf(entry.local, sizeof entry.local, "%s", local);
    snprintf(entry.domain, sizeof entry.domain, "%s", domain);
    scratch_put_entry(&entry);
}

START_TEST(an_entry_that_cannot_be_read_is_never_not_moved)
{
    put_torn(ENTRY_MAILBOX, "torn", "torn.example");
    put_torn(ENTRY_DOMAIN, "", "all.torn.example");
    put_torn(ENTRY_SUBDOMAINS, "", "b.torn.example");
    put((struct entry_text){.old = "@torn.example", .new = "@new.example"});
    put((struct entry_text){.old = "@.torn.example", .new = "@new.example"});
    put((struct entry_text){.old = "totorn@good.torn.example", .new = "torn@torn.example"});
    put((struct entry_text){.old = "@step.torn.example", .new = "@all.torn.example"});
    struct answer answer = ask(unreadable[_i], stranger, NOW);
    ck_assert_int_eq(answer.rule, RULE_TABLE_ERROR);
    ck_assert_str_eq(line_of(&answer), TABLE_ERROR);
    ck_assert_int_eq(answer.error.status, EX_DATAERR);
}
END_TEST

/* Which entries an address leads through, and how that ends. */
static const struct {
    const char *from, *way;
    enum rule rule;
    bool circles;
} ways[] = {
    {"alice@old.example", "alice@old.example>", RULE_MOVED, false},
    {"nobody@old.example", "", RULE_NOT_LISTED, false},
    {"root@moved.example", "root@moved.example>", RULE_STAY, false},
    {"chain@old.example", "chain@old.example>@moved.example>", RULE_MOVED, false},
    {"tostay@old.example", "tostay@old.example>root@moved.example>", RULE_MOVED, false},
    {"togone@old.example", "togone@old.example>bob@old.example>", RULE_GONE, false},
    {"c2@c.example",
     "c2@c.example>c3@c.example>c4@c.example>c5@c.example>c6@c.example>c7@c.example>c8@c.example>",
     RULE_MOVED, false},
    {"loop1@old.example",
     "loop1@old.example>loop2@old.example>loop1@old.example>loop2@old.example>loop1@old.example>"
     "loop2@old.example>loop1@old.example>loop2@old.example>loop1@old.example>",
     RULE_LOOP, true},
    {"fwdlong@c.example",
     "fwdlong@c.example>c1@c.example>c2@c.example>c3@c.example>c4@c.example>c5@c.example>c6@c."
     "example>c7@c.example>c8@c.example>",
     RULE_LOOP, false},
};
START_TEST(the_way_of_an_address_is_told)
{
    static struct chain_trace trace;
    struct address from;
    struct error err;
    char way[ADDRESS_TEXT_SIZE] = "";
    ck_assert_int_eq(
        address_parse(&from, ways[_i].from, strlen(ways[_i].from), &settings->addresses, &err), 0);
    struct table_view *view = table_view_open(table, &err);
    const struct chain_question question = {.view = view, .settings = settings, .now = NOW};
    chain_trace(&trace, &from, &question, &err);
    for (unsigned i = 0; i < trace.chain.met; i++)
        strcat(strcat(way, trace.old[i]), ">");
    ck_assert_str_eq(way, ways[_i].way);
    ck_assert_int_eq(trace.chain.rule, ways[_i].rule);
    ck_assert_int_eq(chain_trace_circles(&trace), ways[_i].circles);
    table_view_close(view);
}
END_TEST

Suite *answer_suite(void)
{
    Suite *suite = suite_create("answer");
    TCase *tcase = tcase_create("answer");
    tcase_add_unchecked_fixture(tcase, make_table, scratch_teardown);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, a_stranger_is_answered, 0, ROWS(rows));
    tcase_add_loop_test(tcase, a_damaged_new_address_is_no_address, 0, ROWS(damages));
    tcase_add_loop_test(tcase, an_entry_that_cannot_be_read_is_never_not_moved, 0,
                        ROWS(unreadable));
    tcase_add_test(tcase, time_decides);
    tcase_add_test(tcase, the_mail_server_is_asked_only_about_what_is_not_listed);
    tcase_add_test(tcase, trusted_clients_are_told_more);
    tcase_add_test(tcase, utf8_goes_into_sessions_that_carry_it);
    tcase_add_test(tcase, local_submission_is_never_refused);
    tcase_add_test(tcase, a_limit_is_kept);
    tcase_add_test(tcase, concealed_from_those_who_may_not_know);
    tcase_add_test(tcase, a_client_is_trusted_by_its_confirmed_name);
    tcase_add_test(tcase, one_mailbox_is_one_new_address_in_either_spelling);
    tcase_add_test(tcase, texts_of_the_administrator);
    tcase_add_test(tcase, an_old_address_in_utf8_is_not_echoed_into_a_session_without);
    tcase_add_test(tcase, delimiters_are_the_configurations);
    tcase_add_test(tcase, what_is_reserved_is_so_in_any_case_of_letters);
    tcase_add_test(tcase, a_table_that_is_damaged_is_never_not_moved);
    tcase_add_test(tcase, a_mailbox_name_of_255_octets_is_found);
    tcase_add_test(tcase, a_line_over_512_octets_falls_back);
    tcase_add_test(tcase, a_new_address_too_long_for_a_path_is_withheld);
    tcase_add_test(tcase, a_table_that_cannot_be_read_is_never_not_moved);
    tcase_add_test(tcase, the_local_domain_counts);
    tcase_add_loop_test(tcase, the_way_of_an_address_is_told, 0, ROWS(ways));
    tcase_add_loop_test(tcase, what_the_mail_server_reads_counts, 0, ROWS(resolutions));
    tcase_add_loop_test(tcase, no_octet_breaks_a_reply, 1, 256);
    suite_add_tcase(suite, tcase);
    return suite;
}
