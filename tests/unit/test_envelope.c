#include "suites.h"

#include "mail/envelope.h"

#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct {
    const char *argument, *mailbox, *rest;
} paths[] = {
    {"<al@old.example>", "al@old.example", ""},
    {"<al@old.example> NOTIFY=NEVER", "al@old.example", " NOTIFY=NEVER"},
    {"al@old.example", "al@old.example", ""},
    {"al@old.example NOTIFY=NEVER", "al@old.example", " NOTIFY=NEVER"},
    {"<@a.example,@b.example:al@old.example>", "al@old.example", ""},
    {"@a.example:al@old.example", "al@old.example", ""},
    {"<\"a>b\"@old.example>", "\"a>b\"@old.example", ""},
    {"\"a b\"@old.example", "\"a b\"@old.example", ""},
    {"<\"a\\\">b\"@old.example>", "\"a\\\">b\"@old.example", ""},
    {"<\"a\\", "<\"a\\", ""},
    {"<\"@a:b\"@old.example>", "\"@a:b\"@old.example", ""},
    {"<>", "", ""},
    {"<", "<", ""},
    {"", "", ""},
};
START_TEST(a_path_and_its_mailbox)
{
    size_t whole = envelope_path_length(paths[_i].argument), length = whole;
    const char *mailbox = envelope_mailbox(paths[_i].argument, &length);
    ck_assert_str_eq(paths[_i].argument + whole, paths[_i].rest);
    ck_assert_uint_eq(length, strlen(paths[_i].mailbox));
    ck_assert_int_eq(strncmp(mailbox, paths[_i].mailbox, length), 0);
}
END_TEST

static const struct {
    const char *args[5], *name, *found;
} parameters[] = {
    {{"<a@b>", "NOTIFY=NEVER", "ORCPT=rfc822;x"}, "ORCPT", "ORCPT=rfc822;x"},
    {{"<a@b>", "notify=never"}, "NOTIFY", "notify=never"},
    {{"<a@b> SIZE=10  SMTPUTF8"}, "SMTPUTF8", "SMTPUTF8"},
    {{"<a@b> SMTPUTF8 SIZE=10", "SMTPUTF8"}, "SIZE", "SIZE=10"},
    {{"<a@b>", "SMTPUTF8X", "XSMTPUTF8"}, "SMTPUTF8", NULL},
    {{"<\"SMTPUTF8 \"@b>"}, "SMTPUTF8", NULL},
    {{"<a@b>", "", " "}, "SIZE", NULL},
    {{"<a@b>"}, "SIZE", NULL},
    {{""}, "SIZE", NULL},
};
START_TEST(a_parameter_is_found_wherever_it_stands)
{
    size_t length = 0;
    char **args = (char **)parameters[_i].args; /* only read */
    const char *found = envelope_parameter(args, parameters[_i].name, &length);
    if (parameters[_i].found == NULL) {
        ck_assert_ptr_null(found);
        return;
    }
    ck_assert_ptr_nonnull(found);
    ck_assert_uint_eq(length, strlen(parameters[_i].found));
    ck_assert_int_eq(strncmp(found, parameters[_i].found, length), 0);
}
END_TEST

static const struct {
    const char *mailbox, *parameter;
} orcpts[] = {
    {"Al@old.example", "ORCPT=rfc822;Al@old.example"},
    {"al+x=y@old.example", "ORCPT=rfc822;al+2Bx+3Dy@old.example"},
    {"\"a b\"@old.example", "ORCPT=rfc822;\"a+20b\"@old.example"},
    {"a\\b@old.example", "ORCPT=rfc822;a\\b@old.example"},
    {"j\xc3\xb6rg+x@b\xc3\xbc"
     "cher.example",
     "ORCPT=utf-8;j\\x{F6}rg\\x{2B}x@b\\x{FC}cher.example"},
    {"\xf0\x9f\x98\x80\\@x", "ORCPT=utf-8;\\x{1F600}\\x{5C}@x"},
};
START_TEST(an_original_recipient)
{
    char text[ENVELOPE_ORCPT_SIZE(64)];
    envelope_orcpt(text, orcpts[_i].mailbox, strlen(orcpts[_i].mailbox));
    ck_assert_str_eq(text, orcpts[_i].parameter);
}
END_TEST

START_TEST(an_original_recipient_needs_no_more_room_than_is_said)
{
    char mailbox[32], text[ENVELOPE_ORCPT_SIZE(sizeof mailbox)];
    for (int ascii = 0; ascii < 2; ascii++) {
        memset(mailbox, '+', sizeof mailbox);
        if (!ascii)
            memcpy(mailbox, "\xc3\xb6", 2);
        envelope_orcpt(text, mailbox, sizeof mailbox);
        ck_assert_uint_lt(strlen(text), sizeof text);
    }
}
END_TEST

Suite *envelope_suite(void)
{
    Suite *suite = suite_create("envelope");
    TCase *tcase = tcase_create("envelope");
    tcase_add_loop_test(tcase, a_path_and_its_mailbox, 0, ROWS(paths));
    tcase_add_loop_test(tcase, a_parameter_is_found_wherever_it_stands, 0, ROWS(parameters));
    tcase_add_loop_test(tcase, an_original_recipient, 0, ROWS(orcpts));
    tcase_add_test(tcase, an_original_recipient_needs_no_more_room_than_is_said);
    suite_add_tcase(suite, tcase);
    return suite;
}
