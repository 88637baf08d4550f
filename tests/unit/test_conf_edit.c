#include "suites.h"

#include "mta/conf_edit.h"

#include <stdlib.h>
#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct {
    const char *why, *text, *edited;
} rows[] = {
    {"an empty file", "", "mode = \"new\";\n"},
    {"no line feed at the end", "user = \"x\";", "user = \"x\";\nmode = \"new\";\n"},
    {"there", "a = 1;\nmode = \"old\";\nb = 2;\n", "a = 1;\nmode = \"new\";\nb = 2;\n"},
    {"a semicolon in the value", "mode = \"o;l\\\"d\"; b = 2;", "mode = \"new\"; b = 2;"},
    {"no semicolon", "mode: \"old\"\nb = 2;\n", "mode = \"new\";\nb = 2;\n"},
    {"a comment in between", "mode /* ; */ = \"old\";", "mode = \"new\";"},
    {"in comments", "# mode = 1;\n// mode = 1;\n/* mode = 1; */",
     "# mode = 1;\n// mode = 1;\n/* mode = 1; */\nmode = \"new\";\n"},
    {"in a string", "user = \"mode = 1;\\\\\";\n", "user = \"mode = 1;\\\\\";\nmode = \"new\";\n"},
    {"in a group", "hits: { mode = 1; };\n", "hits: { mode = 1; };\nmode = \"new\";\n"},
    {"in a longer word", "my-mode = 1;\nmodes = 1;\n",
     "my-mode = 1;\nmodes = 1;\nmode = \"new\";\n"},
    {"a comment without an end", "/* mode = 1;\n", "/* mode = 1;\nmode = \"new\";\n"},
};
START_TEST(one_key_outside_of_groups_is_set)
{
    char *edited = conf_edit_set(rows[_i].text, "mode", "new");
    ck_assert_ptr_nonnull(edited);
    ck_assert_msg(strcmp(edited, rows[_i].edited) == 0, "%s: %s", rows[_i].why, edited);
    free(edited);
}
END_TEST

Suite *conf_edit_suite(void)
{
    Suite *suite = suite_create("conf_edit");
    TCase *tcase = tcase_create("conf_edit");
    tcase_add_loop_test(tcase, one_key_outside_of_groups_is_set, 0, ROWS(rows));
    suite_add_tcase(suite, tcase);
    return suite;
}
