/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "mta/postfix/cf.h"

#include <stdlib.h>
#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

/* Lines of main.cf, and the value of the parameter called list. */
static const struct {
    const char *why, *text, *value;
} parameters[] = {
    {"one line", "list = a b\n", "a b"},
    {"no blanks", "list=a\nother = b\n", "a"},
    {"the last counts", "list = a\nlist = b\n", "b"},
    {"continued", "list = a,\n  b\n\tc\nx = y\n", "a,  b\tc"},
    {"comments and empty lines in it", "list = a,\n# x\n\n  # y\n  b\n# z\nx = y\n",
     "a,          b"},
    {"a name that begins alike", "lists = a\nlist = b", "b"},
    {"commented out", "#list = a\n", NULL},
    {"empty", "list =\n", ""},
};
START_TEST(a_parameter_of_main_cf)
{
    struct cf cf = {.text = NULL};
    struct setting set;
    ck_assert_int_eq(cf_read(&cf, parameters[_i].text), 0);
    bool found = cf_parameter(&cf, "list", &set) > 0;
    ck_assert_msg(found == (parameters[_i].value != NULL), "%s", parameters[_i].why);
    char *copy = found ? cf_copy(&cf, set.value) : NULL;
    if (found)
        ck_assert_str_eq(copy, parameters[_i].value);
    free(copy);
    cf_free(&cf);
}
END_TEST

/* A service of master.cf, and its second option. */
static const struct {
    const char *why, *text, *name, *value;
} options[] = {
    {"each on its line", "smtp inet n - y - - smtpd\n  -o a=b\n  -o c=d\nx unix - - - - - y\n", "c",
     "d"},
    {"on one line", "smtp inet n - y - - smtpd -o a=b -o c=d\n", "c", "d"},
    {"in braces", "smtp inet n - y - - smtpd\n -o { a = b -o x=y }\n -o{c = d e}\n", "c", "d e"},
    {"braces in braces", "smtp inet n - y - - smtpd -o {a={b}{x}} -o { c = { d, e=f } }", "c",
     "{ d, e=f }"},
    {"a comment between", "smtp inet n - y - - smtpd\n -o a=b\n# -o x=y\n  # -o x=y\n -o c=d\n",
     "c", "d"},
    {"no value", "smtp inet n - y - - smtpd -o a= -o c=\n", "c", ""},
    {"no second one", "smtp inet n - y - - smtpd -o a=b\nx unix - - - - - y -o c=d\n", NULL, NULL},
};
START_TEST(an_option_of_a_service)
{
    struct cf cf = {.text = NULL};
    struct setting option = {.line = {0, 0}};
    ck_assert_int_eq(cf_read(&cf, options[_i].text), 0);
    ck_assert(cf_next(&cf, &option.line));
    option.whole = (struct span){option.line.start, option.line.start};
    ck_assert(cf_option(&cf, &option));
    ck_assert(cf_is(&cf, option.name, "a"));
    bool found = cf_option(&cf, &option);
    ck_assert_msg(found == (options[_i].name != NULL), "%s", options[_i].why);
    ck_assert(!found || cf_is(&cf, option.name, options[_i].name));
    ck_assert(!found || cf_is(&cf, option.value, options[_i].value));
    cf_free(&cf);
}
END_TEST

START_TEST(an_item_takes_no_blank_of_an_empty_option)
{
    struct cf cf = {.text = NULL};
    struct setting option = {.line = {0, 0}};
    ck_assert_int_eq(cf_read(&cf, "smtp inet n - y - - smtpd -o { a = }\n"), 0);
    ck_assert(cf_next(&cf, &option.line));
    option.whole = (struct span){option.line.start, option.line.start};
    ck_assert(cf_option(&cf, &option));
    cf_replace(&cf, option.value, "$x");
    ck_assert_str_eq(cf.text, "smtp inet n - y - - smtpd -o { a =$x }\n");
    cf_free(&cf);
}
END_TEST

static const char *const texts[] = {"a = b\n",     "a = b",           "a = b\n  c",
                                    "a = b\n\n\n", "# x\na = b\n# y", "a = b\nc = d\n  e\n"};
START_TEST(what_is_added_and_removed_leaves_every_byte)
{
    struct cf cf = {.text = NULL};
    struct setting set;
    ck_assert_int_eq(cf_read(&cf, texts[_i]), 0);
    cf_append_lines(&cf, "ours =\nx = y");
    ck_assert(cf_parameter(&cf, "ours", &set) == 1);
    cf_remove(&cf, set.line);
    ck_assert(cf_parameter(&cf, "x", &set) == 1);
    cf_remove(&cf, set.line);
    ck_assert(!cf.failed);
    ck_assert_str_eq(cf.text, texts[_i]);
    cf_free(&cf);
}
END_TEST

Suite *cf_suite(void)
{
    Suite *suite = suite_create("cf");
    TCase *tcase = tcase_create("cf");
    tcase_add_loop_test(tcase, a_parameter_of_main_cf, 0, ROWS(parameters));
    tcase_add_test(tcase, an_item_takes_no_blank_of_an_empty_option);
    tcase_add_loop_test(tcase, an_option_of_a_service, 0, ROWS(options));
    tcase_add_loop_test(tcase, what_is_added_and_removed_leaves_every_byte, 0, ROWS(texts));
    suite_add_tcase(suite, tcase);
    return suite;
}
