/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "answer/map.h"
#include "scratch.h"

#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))
#define NOW         1788220800 /* 2026-09-01 */

static struct settings *settings;
static struct table *table;

static const struct entry_text entries[] = {
    {.old = "alice@old.example", .new = "alice@new.example"},
    {.old = "shy@old.example", .new = "shy@new.example", .disclose = "trusted"},
    {.old = "secret@old.example", .new = "secret@new.example", .disclose = "nobody"},
    {.old = "gone@old.example"},
    {.old = "fwd@old.example", .new = "fwd@new.example", .action = "forward"},
    {.old = "fwdloop@old.example", .new = "fwdloop2@old.example", .action = "forward"},
    {.old = "fwdloop2@old.example", .new = "fwdloop@old.example"},
    {.old = "loop@old.example", .new = "loop2@old.example"},
    {.old = "loop2@old.example", .new = "loop@old.example"},
    {.old = "j\xc3\xb6rg@old.example", .new = "j\xc3\xb6rg@new.example"},
    {.old = "fwdutf8@old.example", .new = "j\xc3\xb6rg@new.example", .action = "forward"},
    {.old = "expired@old.example", .new = "e@new.example", .until = "2026-09-01"},
    {.old = "\"two words\"@old.example", .new = "two@new.example"},
    {.old = "quoted@old.example", .new = "\"two words\"@new.example"},
    {.old = "a%0b@old.example", .new = "a%0b@new.example"},
    {.old = "@gone.example"},
    {.old = "@moved.example", .new = "@new.example"},
    {.old = "here@moved.example", .action = "stay"},
};

static void setup(void)
{
    scratch_setup();
    scratch_fill(NULL);
    for (int i = 0; i < ROWS(entries); i++)
        scratch_put(&entries[i]);
    table = scratch_open();
    settings = settings_new();
    ck_assert_ptr_nonnull(settings);
    settings->limit = 0;
    settings->addresses.local_domain = "old.example";
}

static void teardown(void)
{
    settings_free(settings);
    table_free(table);
}

/* As a mail server with a session open, long after the start. */
static struct map_question question(const char *request)
{
    return (struct map_question){
        .request = request, .length = strlen(request), .now = NOW, .uptime = 86400, .sessions = 1};
}

static struct map_answer ask(const char *request, struct limit *limit)
{
    const struct map_question asked = question(request);
    struct map_answer found;
    map_ask(&found, &asked, &(struct answer_source){settings, table, NULL, limit});
    return found;
}

/* NULL for not found. */
static const struct {
    const char *request, *value;
} lookups[] = {
    {"listed alice@old.example", "alice@old.example"},
    {"listed Alice+X@OLD.example.", "alice+x@old.example"},
    {"listed \"alice\"@old.example", "alice@old.example"},
    {"listed <alice@old.example>", "alice@old.example"},
    {"listed \"two words\"@old.example", "\"two words\"@old.example"},
    {"listed @relay.example:alice@old.example", "alice@old.example"},
    {"listed shy@old.example", "shy@old.example"},
    {"refused alice@old.example", "OK"},
    {"refused gone@old.example", "OK"},
    {"refused Shy+X@OLD.example.", "OK"},
    {"refused secret@old.example", "OK"},
    {"refused fwd@old.example", NULL},
    {"refused fwdloop@old.example", "OK"},
    {"refused nobody@old.example", NULL},
    {"refused here@moved.example", NULL},
    {"refused @old.example", NULL},
    {"refused alice", NULL},
    {"listed secret@old.example", "secret@old.example"},
    {"listed gone@old.example", "gone@old.example"},
    {"listed fwd@old.example", "fwd@old.example"},
    {"listed loop@old.example", "loop@old.example"},
    {"listed j\xc3\xb6rg@old.example", "j\xc3\xb6rg@old.example"},
    {"listed J\xc3\x96RG@old.example", "j\xc3\xb6rg@old.example"},
    {"listed anyone@moved.example", "anyone@moved.example"},
    {"listed here@moved.example", NULL},
    {"listed postmaster@moved.example", NULL},
    {"listed expired@old.example", NULL},
    {"listed nobody@old.example", NULL},
    /* what Postfix asks beside the whole address */
    {"listed alice", NULL},
    {"listed @moved.example", NULL},
    {"listed moved.example", NULL},
    {"listed alice@", NULL},
    {"listed \"alice@old.example\"", NULL},
    {"listed ", NULL},
    {"listed", NULL},
    {"listed al\001ice@old.example", NULL},

    {"relocated alice@old.example", "alice@new.example"},
    {"relocated alice+x@old.example", "alice+x@new.example"},
    {"relocated shy@old.example", NULL},
    {"relocated secret@old.example", NULL},
    {"relocated gone@old.example", NULL},
    {"relocated fwd@old.example", NULL},
    {"relocated j\xc3\xb6rg@old.example", NULL},
    {"relocated alice", NULL},
    {"relocated @moved.example", NULL},

    {"reply 192.0.2.7 0 0 alice@old.example", "moved alice@new.example"},
    {"reply 192.0.2.7 0 0 <alice@old.example>", "moved alice@new.example"},
    {"reply 192.0.2.7 0 0 alice", "moved alice@new.example"},
    {"reply 192.0.2.7 0 0 <alice@old.example> eva@client.example", "moved alice@new.example"},
    {"reply 192.0.2.7 0 0 <alice@old.example> ", "moved alice@new.example"}, /* <> */
    {"reply 192.0.2.7 0 0 <alice@old.example> a> b@client.example", "moved alice@new.example"},
    {"reply 192.0.2.7 0 0 <two words@old.example> eva@client.example", "moved two@new.example"},
    {"reply 192.0.2.7 1 0 <shy@old.example> eva@client.example", "moved shy@new.example"},
    {"reply 192.0.2.7 0 0 <nobody@old.example> alice@old.example", NULL},
    {"reply 192.0.2.7 0 0 alice@old.example eva@client.example", NULL},
    {"reply 192.0.2.7 0 0 a%0b@old.example", "moved a%%0b@new.example"},
    {"reply 192.0.2.7 0 0 %1@moved.example", "moved %%1@new.example"},
    {"reply 192.0.2.7 0 0 %%@moved.example", "moved %%%%@new.example"},
    {"reply 192.0.2.7 0 0 100%@gone.example", "gone 100%%@gone.example"},
    {"relocated a%0b@old.example", "a%0b@new.example"},
    {"listed a%0b@old.example", "a%0b@old.example"},
    {"reply IPv6:2001:db8::7 0 0 alice@old.example", "moved alice@new.example"},
    {"reply 192.0.2.7 0 0 \"two words\"@old.example", "moved two@new.example"},
    {"reply 192.0.2.7 0 0 <two words@old.example>",
     "moved two@new.example"}, /* as Sendmail has it */
    {"reply 192.0.2.7 0 0 <a@b@c>", NULL},
    {"reply 192.0.2.7 0 0 <", NULL},
    {"reply 192.0.2.7 0 0 <>", NULL},
    {"reply 192.0.2.7 0 0 @", NULL},
    {"reply 192.0.2.7 0 0 quoted@old.example", "withheld quoted@old.example"},
    {"listed two words@old.example", NULL},
    {"reply 192.0.2.7 0 0 shy@old.example", "withheld shy@old.example"},
    {"reply 192.0.2.7 1 0 shy@old.example", "moved shy@new.example"},
    {"reply 127.0.0.1 0 0 shy@old.example", "moved shy@new.example"},
    {"reply 192.0.2.7 1 0 secret@old.example", "withheld secret@old.example"},
    {"reply 192.0.2.7 0 0 gone@old.example", "gone gone@old.example"},
    {"reply 192.0.2.7 0 0 loop@old.example", "gone loop@old.example"},
    {"reply 192.0.2.7 0 0 fwdloop@old.example", "deferred fwdloop@old.example"},
    {"reply 192.0.2.7 0 0 fwd@old.example", NULL},
    {"reply 192.0.2.7 0 1 j\xc3\xb6rg@old.example", "moved j\xc3\xb6rg@new.example"},
    {"reply 192.0.2.7 0 0 j\xc3\xb6rg@old.example", "withheld j??rg@old.example"},
    {"reply 0 0 0 alice@old.example", NULL}, /* mail of this host */
    {"reply 192.0.2.7 0 0 nobody@old.example", NULL},
    {"reply 192.0.2.7 2 0 alice@old.example", NULL},
    {"reply nonsense 0 0 alice@old.example", NULL},
    {"reply alice@old.example", NULL},
    {"reply", NULL},
};
START_TEST(a_look_up)
{
    struct map_answer found = ask(lookups[_i].request, NULL);
    ck_assert_int_eq(found.result, lookups[_i].value == NULL ? MAP_NOTFOUND : MAP_OK);
    ck_assert_str_eq(found.value, lookups[_i].value == NULL ? "" : lookups[_i].value);
}
END_TEST

START_TEST(while_observing_nothing_is_found)
{
    settings->mode = MODE_OBSERVE;
    struct map_answer found = ask(lookups[_i].request, NULL);
    ck_assert_int_eq(found.result, MAP_NOTFOUND);
    ck_assert_str_eq(found.value, "");
}
END_TEST

/* What listed says of an old address at this moment. */
static const struct {
    const char *why;
    int64_t uptime;
    unsigned sessions;
    enum settings_mode mode;
    enum map_result result;
} moments[] = {
    {"a session is open", 86400, 1, MODE_ENFORCE, MAP_OK},
    {"one is open just after the start", 0, 1, MODE_ENFORCE, MAP_OK},
    {"none is open: nobody would refuse", 86400, 0, MODE_ENFORCE, MAP_NOTFOUND},
    {"none is open after 300 s", MAP_RESTART_SECONDS, 0, MODE_ENFORCE, MAP_NOTFOUND},
    {"just after a start it may have been cut", 0, 0, MODE_ENFORCE, MAP_TEMP},
    {"for 300 s", MAP_RESTART_SECONDS - 1, 0, MODE_ENFORCE, MAP_TEMP},
    {"observing", 86400, 1, MODE_OBSERVE, MAP_NOTFOUND},
    {"observing, just after the start", 0, 0, MODE_OBSERVE, MAP_NOTFOUND},
};
START_TEST(listed_and_refused_at_this_moment)
{
    struct map_question asked =
        question(_i % 2 == 0 ? "listed alice@old.example" : "refused alice@old.example");
    struct map_question unknown =
        question(_i % 2 == 0 ? "listed nobody@old.example" : "refused nobody@old.example");
    struct map_answer found;
    const int row = _i / 2;
    settings->mode = moments[row].mode;
    asked.uptime = unknown.uptime = moments[row].uptime;
    asked.sessions = unknown.sessions = moments[row].sessions;
    map_ask(&found, &asked, &(struct answer_source){settings, table, NULL, NULL});
    ck_assert_msg(found.result == moments[row].result, "%s", moments[row].why);
    map_ask(&found, &unknown, &(struct answer_source){settings, table, NULL, NULL});
    ck_assert_msg(found.result == MAP_NOTFOUND, "%s, unknown", moments[row].why);
}
END_TEST

START_TEST(the_other_maps_need_no_session)
{
    struct map_question asked =
        question(_i == 0 ? "relocated alice@old.example" : "reply 192.0.2.7 0 0 alice@old.example");
    struct map_answer found;
    asked.uptime = asked.sessions = 0;
    map_ask(&found, &asked, &(struct answer_source){settings, table, NULL, NULL});
    ck_assert_int_eq(found.result, MAP_OK);
}
END_TEST

/* A source route is not counted in an address, so a key can be far longer than one. */
START_TEST(listed_never_echoes_the_key)
{
    static const char end[] = ":alice@old.example";
    char request[2048] = "listed @";
    size_t used = strlen(request), length = (size_t)(900 + 50 * _i);
    memset(request + used, 'a', length);
    memcpy(request + used + length, end, sizeof end);
    ck_assert_str_eq(ask(request, NULL).value, "alice@old.example");
}
END_TEST

static const struct {
    const char *request, *sender;
} senders[] = {
    {"reply 192.0.2.7 0 0 <alice@old.example> eva@client.example", "eva@client.example"},
    {"reply 192.0.2.7 0 0 <alice@old.example> ", ""},
    {"reply 192.0.2.7 0 0 <alice@old.example>", NULL},
    {"reply 192.0.2.7 0 0 alice@old.example", NULL},
    {"reply 192.0.2.7 0 0 <a>b@old.example> eva@client.example", "eva@client.example"},
    {"listed alice@old.example", NULL},
};
START_TEST(the_sender_of_a_key)
{
    struct map_answer found = ask(senders[_i].request, NULL);
    ck_assert_int_eq(found.sender == NULL, senders[_i].sender == NULL);
    if (found.sender != NULL) {
        ck_assert_uint_eq(found.sender_length, strlen(senders[_i].sender));
        ck_assert(memcmp(found.sender, senders[_i].sender, found.sender_length) == 0);
    }
}
END_TEST

START_TEST(a_table_that_cannot_be_read)
{
    static const char *const requests[] = {
        "listed alice@old.example",
        "relocated alice@old.example",
        "reply 192.0.2.7 0 0 alice@old.example",
    };
    const struct error why = {.status = EX_DATAERR, .text = "cut short"};
    const struct map_question asked = question(requests[_i]), bare = question("listed alice");
    struct map_answer found;
    map_ask(&found, &asked, &(struct answer_source){settings, NULL, &why, NULL});
    ck_assert_int_eq(found.result, MAP_TEMP);
    ck_assert_str_ne(found.value, "");
    settings->on_table_error = TABLE_ERROR_ACCEPT;
    map_ask(&found, &asked, &(struct answer_source){settings, NULL, &why, NULL});
    ck_assert_int_eq(found.result, MAP_NOTFOUND);
    map_ask(&found, &bare, &(struct answer_source){settings, NULL, &why, NULL});
    ck_assert_int_eq(found.result, MAP_NOTFOUND);
}
END_TEST

START_TEST(an_unknown_map_is_no_answer)
{
    ck_assert_int_eq(ask("liste alice@old.example", NULL).result, MAP_TEMP);
    ck_assert_int_eq(ask("", NULL).result, MAP_TEMP);
}
END_TEST

START_TEST(sendmail_gets_no_octet_over_127_without_smtputf8)
{
    ck_assert_str_eq(ask("reply 192.0.2.7 0 0 j\xc3\xb6rg@moved.example", NULL).value,
                     "withheld j??rg@moved.example");
    ck_assert_str_eq(ask("reply 192.0.2.7 0 1 j\xc3\xb6rg@moved.example", NULL).value,
                     "moved j\xc3\xb6rg@new.example");
}
END_TEST

START_TEST(a_map_without_a_client_trusts_nobody)
{
    struct network all[2];
    ck_assert_int_eq(network_parse(&all[0], "::/0", NULL), 0);
    ck_assert_int_eq(network_parse(&all[1], "0.0.0.0/0", NULL), 0);
    struct network *own = settings->trusted;
    size_t count = settings->trusted_count;
    settings->trusted = all;
    settings->trusted_count = 2;
    ck_assert_int_eq(ask("relocated shy@old.example", NULL).result, MAP_NOTFOUND);
    ck_assert_str_eq(ask("reply 192.0.2.7 0 0 shy@old.example", NULL).value,
                     "moved shy@new.example");
    settings->trusted = own;
    settings->trusted_count = count;
}
END_TEST

START_TEST(what_is_concealed_from_all_is_not_listed)
{
    settings->conceal = true;
    settings->disclose = 1;
    ck_assert_int_eq(ask("listed alice@old.example", NULL).result, MAP_OK);
    ck_assert_str_eq(ask("reply 192.0.2.7 0 0 alice@old.example", NULL).value,
                     "withheld alice@old.example");
    ck_assert_str_eq(ask("reply 192.0.2.7 0 0 gone@old.example", NULL).value,
                     "withheld gone@old.example");
    ck_assert_str_eq(ask("reply 192.0.2.7 0 0 loop@old.example", NULL).value,
                     "withheld loop@old.example");
    settings->disclose = 2;
    ck_assert_int_eq(ask("listed alice@old.example", NULL).result, MAP_NOTFOUND);
    ck_assert_int_eq(ask("listed fwd@old.example", NULL).result, MAP_OK);
    ck_assert_int_eq(ask("listed fwdutf8@old.example", NULL).result, MAP_OK); /* with SMTPUTF8 */
    ck_assert_str_eq(ask("reply 192.0.2.7 1 0 alice@old.example", NULL).value,
                     "withheld alice@old.example");
}
END_TEST

START_TEST(the_limit_counts_for_reply_alone)
{
    const struct limit_rules one = {.period = 60, .client = {1, 32, 64}, .memory = 1 << 20};
    struct limit *limit = limit_new(&one);
    const char *second = "reply 192.0.2.7 0 0 x@moved.example";
    ck_assert_str_eq(ask("relocated y@moved.example", limit).value, "y@new.example");
    ck_assert_str_eq(ask("reply 192.0.2.7 0 0 alice@old.example", limit).value,
                     "moved alice@new.example");
    ck_assert_str_eq(ask("relocated x@moved.example", limit).value, "x@new.example");
    ck_assert_str_eq(ask(second, limit).value, "withheld x@moved.example");
    settings->over_limit = OVER_LIMIT_DEFER;
    ck_assert_str_eq(ask(second, limit).value, "deferred x@moved.example");
    ck_assert_str_eq(ask("reply 192.0.2.7 1 0 x@moved.example", limit).value,
                     "moved x@new.example");
    limit_free(limit);
}
END_TEST

Suite *map_suite(void)
{
    Suite *suite = suite_create("map");
    TCase *tcase = tcase_create("map");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_look_up, 0, ROWS(lookups));
    tcase_add_loop_test(tcase, while_observing_nothing_is_found, 0, ROWS(lookups));
    tcase_add_loop_test(tcase, listed_and_refused_at_this_moment, 0, 2 * ROWS(moments));
    tcase_add_loop_test(tcase, the_other_maps_need_no_session, 0, 2);
    tcase_add_loop_test(tcase, listed_never_echoes_the_key, 0, 21);
    tcase_add_loop_test(tcase, the_sender_of_a_key, 0, ROWS(senders));
    tcase_add_loop_test(tcase, a_table_that_cannot_be_read, 0, 3);
    tcase_add_test(tcase, an_unknown_map_is_no_answer);
    tcase_add_test(tcase, the_limit_counts_for_reply_alone);
    tcase_add_test(tcase, a_map_without_a_client_trusts_nobody);
    tcase_add_test(tcase, what_is_concealed_from_all_is_not_listed);
    tcase_add_test(tcase, sendmail_gets_no_octet_over_127_without_smtputf8);
    suite_add_tcase(suite, tcase);
    return suite;
}
