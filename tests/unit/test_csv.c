#include "suites.h"

#include "reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct address_rules rules = {
    .fold_case = true, .delimiters = "+", .local_domain = NULL};

static int read_text(struct said *said, const char *text, size_t length, struct error *err)
{
    return said_of(said, &format_csv, &rules, text, length, err);
}

#define HEAD "old,new\n"
#define A    "alice@old.example,a@new.example"
#define A_OK "alice@old.example>a@new.example "
static const struct {
    const char *why, *text, *said;
    size_t length; /* 0: strlen */
} rows[] = {
    {"plain", HEAD A "\n", "2:" A_OK, 0},
    {"no line end at the end", HEAD A, "2:" A_OK, 0},
    {"CRLF", "old,new\r\n" A "\r\nb@old.example,\r\n", "2:" A_OK "3:b@old.example> ", 0},
    {"byte order mark", "\xef\xbb\xbf" HEAD A "\n", "2:" A_OK, 0},
    {"columns in another order", "note,new,old\nhi,a@new.example,alice@old.example\n",
     "2:alice@old.example>a@new.example#hi ", 0},
    {"quotes", "old,new,note\n\"alice@old.example\",a@new.example,\"a \"\"b\"\", c\"\n",
     "2:alice@old.example>a@new.example#a \"b\", c ", 0},
    {"empty lines", HEAD "\n\n" A "\n\n", "4:" A_OK, 0},
    {"quoted local-part", HEAD "\"\"\"al ice\"\"@old.example\",a@new.example\n",
     "2:\"al ice\"@old.example>a@new.example ", 0},
    {"a bad address between good ones", HEAD A "\nbad,x@y.example\nb@old.example,\n",
     "2:" A_OK "3! 4:b@old.example> ", 0},
    {"bad quoting", HEAD "\"a\"b@old.example,x@y.example\n" A "\n", "2! 3:" A_OK, 0},
    {"a quote in the middle", HEAD "a\"b@old.example,x@y.example\n" A "\n", "2! 3:" A_OK, 0},
    {"a quote never closed", HEAD A "\n\"b@old.example,x\ny\n", "2:" A_OK "3! ", 0},
    {"blanks round plain fields", HEAD " alice@old.example\t, a@new.example \n", "2:" A_OK, 0},
    {"too many fields for anybody", HEAD ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n" A "\n",
     "2! 3:" A_OK, 0},
    {"empty lines that end in CRLF", HEAD "\r\n" A "\r\n\r\n", "3:" A_OK, 0},
    {"too few fields", HEAD "alice@old.example\n" A "\n", "2! 3:" A_OK, 0},
    {"too many fields", HEAD A ",x\n" A "\n", "2! 3:" A_OK, 0},
    {"a bare CR", HEAD A "\r" A "\n" A "\n", "2! 3:" A_OK, 0},
    {"NUL", HEAD "ali\0ce@old.example,a@new.example\n", "2! ", 8 + 33},
    {"invalid UTF-8", HEAD "\xff@old.example,a@new.example\n", "2! ", 0},
    {"a quoted line break shifts the lines", "old,new,note\na@old.example,,\"x\ny\"\nbad,,\n",
     "2! 4! ", 0},
};
START_TEST(rows_are_read_with_their_lines)
{
    struct said said;
    struct error err;
    size_t length = rows[_i].length == 0 ? strlen(rows[_i].text) : rows[_i].length;
    ck_assert_msg(read_text(&said, rows[_i].text, length, &err) == 0, "%s: %s", rows[_i].why,
                  err.text);
    ck_assert_msg(strcmp(said.text, rows[_i].said) == 0, "%s: '%s' %s", rows[_i].why, said.text,
                  said.why);
}
END_TEST

static const struct {
    const char *text, *error;
} useless[] = {
    {" ", "empty"},
    {"\n", "empty"},
    {"old,note\na,b\n", "no column 'new'"},
    {"alice@old.example,a@new.example\n", "no such column 'alice@old.example'"},
    {"old,new,old\n", "column 'old' twice"},
    {"old,new,colour\n", "no such column 'colour'"},
    {"o\"ld,new\n", "bad quoting"},
};
START_TEST(a_file_without_its_columns_is_refused_whole)
{
    struct said said;
    struct error err;
    ck_assert_int_eq(read_text(&said, useless[_i].text, strlen(useless[_i].text), &err), -1);
    ck_assert_msg(strstr(err.text, useless[_i].error) != NULL, "%s", err.text);
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_str_eq(said.text, "");
}
END_TEST

START_TEST(an_endless_field_is_cut_off)
{
    static char text[300000];
    struct said said;
    struct error err;
    memset(text, 'x', sizeof text);
    memcpy(text, HEAD "\"", 9);
    for (size_t i = 100; i < sizeof text; i += 100)
        text[i] = '\n';
    ck_assert_int_eq(read_text(&said, text, sizeof text, &err), 0);
    ck_assert(strncmp(said.text, "2! ", 3) == 0);
}
END_TEST

START_TEST(what_is_written_is_read_again)
{
    char text[4096] = "";
    struct said said;
    struct error err;
    const struct entry entry = {.scope = ENTRY_MAILBOX,
                                .local = "a \"b\"",
                                .domain = "old.example",
                                .new = "x@new.example",
                                .action = ENTRY_FORWARD,
                                .disclose = ENTRY_TRUSTED,
                                .from = 86400,
                                .note = "so, \"it\" is"};
    const struct format_out out = {.file = fmemopen(text, sizeof text, "w")};
    ck_assert_int_eq(format_csv.write_head(out.file, &err), 0);
    ck_assert_int_eq(format_csv.write(&out, &entry, &err), FORMAT_WHOLE);
    fclose(out.file);
    ck_assert_str_eq(text, "old,new,action,from,until,forward_until,disclose,note\n"
                           "\"\"\"a "
                           "\\\"\"b\\\"\"\"\"@old.example\",x@new.example,forward,1970-01-02T00:00:"
                           "00Z,,,trusted,\"so, \"\"it\"\" is\"\n");
    ck_assert_int_eq(read_text(&said, text, strlen(text), &err), 0);
    ck_assert_str_eq(said.text, "2:\"a \\\"b\\\"\"@old.example>x@new.example#so, \"it\" is ");
}
END_TEST

Suite *csv_suite(void)
{
    Suite *suite = suite_create("csv");
    TCase *tcase = tcase_create("csv");
    tcase_add_loop_test(tcase, rows_are_read_with_their_lines, 0, ROWS(rows));
    tcase_add_loop_test(tcase, a_file_without_its_columns_is_refused_whole, 0, ROWS(useless));
    tcase_add_test(tcase, an_endless_field_is_cut_off);
    tcase_add_test(tcase, what_is_written_is_read_again);
    suite_add_tcase(suite, tcase);
    return suite;
}
