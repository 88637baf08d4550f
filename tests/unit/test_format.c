#include "suites.h"

#include "reading.h"

#include <stdio.h>
#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct address_rules rules = {
    .fold_case = true, .delimiters = "+", .local_domain = "local.example"};

START_TEST(formats_are_found_by_name)
{
    struct error err;
    ck_assert_ptr_eq(format_find("csv", NULL, &err), &format_csv);
    ck_assert_ptr_eq(format_find("csv", "moved.jsonl", &err), &format_csv);
    ck_assert_ptr_eq(format_find(NULL, "a.csv/moved.jsonl", &err), &format_jsonl);
    ck_assert_ptr_eq(format_find(NULL, "moved.txt", &err), &format_csv);
    ck_assert_ptr_eq(format_find(NULL, NULL, &err), &format_csv);
    ck_assert_ptr_null(format_find("xml", "moved.csv", &err));
    ck_assert_int_eq(err.status, EX_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "write csv or "));
}
END_TEST

static const struct {
    const struct format *format;
    const char *why, *text, *said;
    const char *words; /* of a reason; NULL: none is asked for */
} rows[] = {
    {&format_jsonl, "plain", "{\"old\": \"alice@old.example\", \"new\": \"a@new.example\"}\n",
     "1:alice@old.example>a@new.example ", NULL},
    {&format_jsonl, "byte order mark, CRLF, empty lines, no line end at the end",
     "\xef\xbb\xbf\r\n{\"new\":\"\",\"old\":\"b@old.example\"}\r\n "
     "\n{\"old\":\"@c.example\",\"new\":null}",
     "2:b@old.example> 4:@c.example> ", NULL},
    {&format_jsonl, "escapes",
     "{\"old\":\"\\\"al ice\\\"@old.example\",\"new\":\"\",\"note\":\"gr\\u00fcn\"}\n",
     "1:\"al ice\"@old.example>#gr\xc3\xbcn ", NULL},
    {&format_jsonl, "an unknown name", "{\"old\":\"a@b.example\",\"new\":\"\",\"nwe\":\"\"}\n",
     "1! ", "no such name 'nwe'"},
    {&format_jsonl, "no new", "{\"old\":\"a@b.example\"}\n", "1! ", "no 'new'"},
    {&format_jsonl, "a name twice",
     "{\"old\":\"a@b.example\",\"old\":\"c@b.example\",\"new\":\"\"}\n", "1! ", "duplicate"},
    {&format_jsonl, "a number", "{\"old\":\"a@b.example\",\"new\":\"\",\"from\":2026}\n", "1! ",
     "from: no string"},
    {&format_jsonl, "an array", "[]\n{\"old\":\"a@b.example\",\"new\":\"\"}\n",
     "1! 2:a@b.example> ", "no JSON object"},
    {&format_jsonl, "two on a line", "{\"old\":\"a@b.example\",\"new\":\"\"} {}\n", "1! ",
     "no JSON object"},
    {&format_jsonl, "one over two lines", "{\"old\":\"a@b.example\",\n\"new\":\"\"}\n", "1! 2! ",
     "no JSON object"},
    {&format_jsonl, "NUL", "{\"old\":\"a\\u0000@b.example\",\"new\":\"\"}\n", "1! ",
     "no JSON object"},
    {&format_jsonl, "no UTF-8", "{\"old\":\"\xff@b.example\",\"new\":\"\"}\n", "1! ",
     "unable to decode byte 0xff"},
    {&format_jsonl, "a bad address",
     "{\"old\":\"a\",\"new\":\"\"}\n{\"old\":\"@b.example\",\"new\":\"b\"}\n",
     "1:a@local.example> 2! ", "new: no '@'"},
};
START_TEST(lines_are_read_with_their_numbers)
{
    struct said said;
    struct error err;
    int rc = said_of(&said, rows[_i].format, &rules, rows[_i].text, strlen(rows[_i].text), &err);
    ck_assert_msg(rc == 0, "%s: %s", rows[_i].why, err.text);
    ck_assert_msg(strcmp(said.text, rows[_i].said) == 0, "%s, %s: '%s' %s", rows[_i].format->name,
                  rows[_i].why, said.text, said.why);
    ck_assert_msg(rows[_i].words == NULL || strstr(said.why, rows[_i].words) != NULL, "%s, %s: %s",
                  rows[_i].format->name, rows[_i].why, said.why);
}
END_TEST

static const struct format *const by_line[] = {&format_jsonl};
START_TEST(an_endless_line_is_cut_off)
{
    static char text[300000];
    struct said said;
    struct error err;
    memset(text, 'x', sizeof text);
    memcpy(text + sizeof text - 3, "\n#\n", 3);
    ck_assert_int_eq(said_of(&said, by_line[_i], &rules, text, sizeof text, &err), 0);
    ck_assert_msg(strncmp(said.text, "1! ", 3) == 0, "%s: %s", by_line[_i]->name, said.text);
    ck_assert_msg(strstr(said.why, "over 65535 octets") != NULL, "%s", said.why);
}
END_TEST

START_TEST(json_is_written_as_get_shows_it)
{
    char text[4096] = "";
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
    ck_assert_int_eq(format_jsonl.write(&out, &entry, &err), FORMAT_WHOLE);
    fclose(out.file);
    ck_assert_str_eq(
        text,
        "{\"old\": \"\\\"a \\\\\\\"b\\\\\\\"\\\"@old.example\", \"new\": \"x@new.example\", "
        "\"action\": \"forward\", \"from\": \"1970-01-02T00:00:00Z\", \"until\": \"\", "
        "\"forward_until\": \"\", \"disclose\": \"trusted\", \"note\": \"so, \\\"it\\\" is\"}\n");
}
END_TEST

Suite *format_suite(void)
{
    Suite *suite = suite_create("format");
    TCase *tcase = tcase_create("format");
    tcase_add_test(tcase, formats_are_found_by_name);
    tcase_add_loop_test(tcase, lines_are_read_with_their_numbers, 0, ROWS(rows));
    tcase_add_loop_test(tcase, an_endless_line_is_cut_off, 0, ROWS(by_line));
    tcase_add_test(tcase, json_is_written_as_get_shows_it);
    suite_add_tcase(suite, tcase);
    return suite;
}
