#include "suites.h"

#include "mail/reply.h"

#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct {
    const char *template;
    enum reply_class class;
    bool needs_new;
} good[] = {
    {"551 5.1.6 User not local; please try <${new}>", REPLY_PERMANENT, true},
    {"550 5.1.6 ${old} has moved", REPLY_PERMANENT, false},
    {"450 4.7.1 later", REPLY_TRANSIENT, false},
    {"551 5.999.999 100 % $ of them {moved}", REPLY_PERMANENT, false},
};
START_TEST(sound_templates_are_taken)
{
    struct error err;
    ck_assert_msg(reply_check(good[_i].template, good[_i].class, good[_i].needs_new, &err) == 0,
                  "%s", err.text);
}
END_TEST

static const struct {
    const char *why, *template;
    enum reply_class class;
    bool needs_new;
} bad[] = {
    {"a line break", "551 5.1.6 a\n250 2.0.0 b", REPLY_PERMANENT, false},
    {"a carriage return", "551 5.1.6 a\rb", REPLY_PERMANENT, false},
    {"2yz", "251 2.1.6 will forward", REPLY_PERMANENT, false},
    {"4yz where 5yz is due", "450 4.1.6 a", REPLY_PERMANENT, false},
    {"5yz where 4yz is due", "550 5.1.6 a", REPLY_TRANSIENT, false},
    {"421", "421 4.3.0 bye", REPLY_TRANSIENT, false},
    {"codes that disagree", "551 4.1.6 a", REPLY_PERMANENT, false},
    {"no enhanced code", "551 User not local", REPLY_PERMANENT, false},
    {"no text", "551 5.1.6 ", REPLY_PERMANENT, false},
    {"no text, no blank", "551 5.1.6", REPLY_PERMANENT, false},
    {"four digits", "551 5.1.1234 a", REPLY_PERMANENT, false},
    {"no ${new}", "551 5.1.6 gone", REPLY_PERMANENT, true},
    {"a strange variable", "551 5.1.6 ${newer}", REPLY_PERMANENT, false},
    {"a variable not closed", "551 5.1.6 ${new", REPLY_PERMANENT, false},
    {"UTF-8", "551 5.1.6 verz\xc3\xb6gert ${new}", REPLY_PERMANENT, true},
    {"empty", "", REPLY_PERMANENT, false},
};
START_TEST(others_are_refused_with_one_line)
{
    struct error err;
    ck_assert_msg(reply_check(bad[_i].template, bad[_i].class, bad[_i].needs_new, &err) == -1, "%s",
                  bad[_i].why);
    ck_assert_int_eq(err.status, EX_CONFIG);
    ck_assert_msg(strstr(err.text, ": write ") != NULL, "%s: %s", bad[_i].why, err.text);
}
END_TEST

START_TEST(variables_are_filled_in)
{
    struct reply reply;
    ck_assert_int_eq(reply_fill(&reply, "551 5.1.6 ${old} is <${new}>${new} $ %s", "a@b", "c%d@e"),
                     0);
    ck_assert_str_eq(reply.code, "551");
    ck_assert_str_eq(reply.enhanced, "5.1.6");
    ck_assert_str_eq(reply.text, "a@b is <c%d@e>c%d@e $ %s");
    ck_assert_int_eq(reply_fill(&reply, "550 5.1.6 <${old}><${new}>", NULL, NULL), 0);
    ck_assert_str_eq(reply.text, "<><>");
}
END_TEST

START_TEST(no_octet_can_end_or_forge_a_line)
{
    struct reply reply;
    char new[2] = {(char)_i, '\0'};
    ck_assert_int_eq(reply_fill(&reply, "551 5.1.6 <${new}>", NULL, new), 0);
    ck_assert_uint_eq(strlen(reply.text), 3);
    ck_assert(strchr(reply.text, '\r') == NULL && strchr(reply.text, '\n') == NULL);
    ck_assert_int_eq(reply.text[1], _i < 0x20 || _i == 0x7f ? '?' : (char)_i);
}
END_TEST

START_TEST(a_line_has_at_most_512_octets)
{
    struct reply reply;
    char new[600];
    memset(new, 'n', sizeof new);
    new[REPLY_LINE_MAX - 10] = '\0';
    ck_assert_int_eq(reply_fill(&reply, "551 5.1.6 ${new}", NULL, new), 0);
    ck_assert_uint_eq(strlen(reply.text), REPLY_LINE_MAX - 10);
    new[REPLY_LINE_MAX - 10] = 'n';
    new[REPLY_LINE_MAX - 9] = '\0';
    ck_assert_int_eq(reply_fill(&reply, "551 5.1.6 ${new}", NULL, new), -1);
}
END_TEST

Suite *reply_suite(void)
{
    Suite *suite = suite_create("reply");
    TCase *tcase = tcase_create("reply");
    tcase_add_loop_test(tcase, sound_templates_are_taken, 0, ROWS(good));
    tcase_add_loop_test(tcase, others_are_refused_with_one_line, 0, ROWS(bad));
    tcase_add_test(tcase, variables_are_filled_in);
    tcase_add_loop_test(tcase, no_octet_can_end_or_forge_a_line, 1, 256);
    tcase_add_test(tcase, a_line_has_at_most_512_octets);
    suite_add_tcase(suite, tcase);
    return suite;
}
