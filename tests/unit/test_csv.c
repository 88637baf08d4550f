/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "format/columns.h"
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
    {"NUL", HEAD "alice@old.example\0,a@new.example\n", "2! ", 8 + 33},
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
    {" ", "file: empty"},
    {"\n", "file: empty"},
    {"old,note\na,b\n", "file:1: no column 'new'"},
    {"\r\n\nold,note\na,b\n", "file:3: no column 'new'"},
    {"alice@old.example,a@new.example\n", "file:1: no such column 'alice@old.example'"},
    {"old,new,old\n", "file:1: column 'old' twice"},
    {"old,new,colour\n", "file:1: no such column 'colour'"},
    {"o\"ld,new\n", "file:1: bad quoting"},
    {"\"old,new\n" A "\n", "file:1: a quote that is never closed"},
    {"old,new\r" A "\n", "file:1: a carriage return within the line"},
    {"old;new\n" A "\n", "file:1: the columns are separated by semicolons: write --delimiter ';'"},
    {"\xef\xbb\xbf\"old\";\"new\"\r\n" A "\r\n", "file:1: the columns are separated by semicolons"},
    {"old\tnew\n" A "\n", "file:1: the columns are separated by tabs: write --delimiter '\\t'"},
    {"old|new\n" A "\n", "file:1: the columns are separated by vertical bars"},
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

static const struct {
    const char *why, *columns, *delimiter, *text;
    const char *said; /* NULL: an error, which has the words */
    const char *words;
} foreign[] = {
    {"semicolons", NULL, ";", "old;new;note\na@old.example;\"a@new.example\";\"x;y,z\"\n",
     "2:a@old.example>a@new.example#x;y,z ", NULL},
    {"tabs", NULL, "\\t", "old\tnew\na@old.example\ta@new.example\n",
     "2:a@old.example>a@new.example ", NULL},
    {"an empty field between tabs", NULL, "\t", "old\tnew\tnote\na@old.example\t\tx\n",
     "2:a@old.example>#x ", NULL},
    {"commas after all", NULL, ";", "old,new\n", NULL,
     "separated by commas: leave out --delimiter"},
    {"others' names, others' columns", "old=Mail,new=Moved to", NULL,
     "id,Mail,Moved to,,id\n1,a@old.example,a@new.example,x,y\n", "2:a@old.example>a@new.example ",
     NULL},
    {"what is not named keeps its name", "old=mail", ";",
     "note;new;mail\nhi;a@new.example;a@old.example\n", "2:a@old.example>a@new.example#hi ", NULL},
    {"a name that another field has taken", "old=from,new=until,note=old", NULL,
     "from,until,old\na@old.example,a@new.example,hi\n", "2:a@old.example>a@new.example#hi ", NULL},
    {"a field that is not to be read", "old=mail,note=", NULL,
     "mail,new,note,\na@old.example,,hi,x\n", "2:a@old.example> ", NULL},
    {"a column that is named and is not there", "old=mail,note=words", NULL, "mail,new,note\n",
     NULL, "file:1: no column 'words'"},
    {"the column of new is not there", "old=mail", NULL, "mail,to\n", NULL,
     "file:1: no column 'new'"},
    {"a column twice", "old=mail", NULL, "mail,new,mail\n", NULL, "file:1: column 'mail' twice"},
    {"too few fields", "old=mail", NULL, "mail,new,x\na@old.example,\n", "2! ", NULL},
};
START_TEST(files_of_others_are_read_by_name_and_delimiter)
{
    struct columns columns;
    struct said said;
    struct error err = {.text = ""};
    columns_begin(&columns);
    ck_assert(foreign[_i].columns == NULL ||
              columns_parse(&columns, foreign[_i].columns, &err) == 0);
    ck_assert(foreign[_i].delimiter == NULL ||
              columns_parse_delimiter(&columns, foreign[_i].delimiter, &err) == 0);
    int rc =
        said_of_how(&said, &format_csv, (struct format_in){.rules = &rules, .columns = &columns},
                    foreign[_i].text, strlen(foreign[_i].text), &err);
    ck_assert_msg((rc == 0) == (foreign[_i].said != NULL), "%s: %s", foreign[_i].why, err.text);
    ck_assert_str_eq(said.text, foreign[_i].said == NULL ? "" : foreign[_i].said);
    ck_assert_msg(foreign[_i].words == NULL || strstr(err.text, foreign[_i].words) != NULL,
                  "%s: %s", foreign[_i].why, err.text);
}
END_TEST

static const struct {
    const char *columns, *delimiter, *words;
} wrong[] = {
    {"old", NULL, "no '=' in 'old'"},
    {"", NULL, "no '=' in ''"},
    {"old=mail,", NULL, "no '=' in ''"},
    {"mail=old", NULL, "no such field 'mail': write some of old, new"},
    {"old=a,old=b", NULL, "'old' twice"},
    {"old=a,new=a", NULL, "'a' for both old and new"},
    {NULL, "", "'' is no delimiter"},
    {NULL, ";;", "';;' is no delimiter"},
    {NULL, "\"", "is no delimiter"},
    {NULL, "\xc2\xa7", "is no delimiter"},
};
START_TEST(columns_that_cannot_be_meant_are_refused)
{
    struct columns columns;
    struct error err = {.text = ""};
    columns_begin(&columns);
    int rc = wrong[_i].columns != NULL
                 ? columns_parse(&columns, wrong[_i].columns, &err)
                 : columns_parse_delimiter(&columns, wrong[_i].delimiter, &err);
    ck_assert_int_eq(rc, -1);
    ck_assert_int_eq(err.status, EX_USAGE);
    ck_assert_msg(strstr(err.text, wrong[_i].words) != NULL, "%s", err.text);
}
END_TEST

/* A directory's export has a hundred columns. */
START_TEST(a_file_may_have_many_columns)
{
    static char text[2 * COLUMNS_MAX * 16];
    struct columns columns;
    struct said said;
    struct error err = {.text = ""};
    for (int line = 0; line < 2; line++) {
        strcat(text, line == 0 ? "old,new" : "a@old.example,");
        for (int i = 2; i < COLUMNS_MAX; i++)
            sprintf(text + strlen(text), ",x%d", i);
        strcat(text, "\n");
    }
    columns_begin(&columns);
    ck_assert_int_eq(columns_parse(&columns, "old=old", &err), 0);
    ck_assert_int_eq(said_of_how(&said, &format_csv,
                                 (struct format_in){.rules = &rules, .columns = &columns}, text,
                                 strlen(text), &err),
                     0);
    ck_assert_str_eq(said.text, "2:a@old.example> ");
}
END_TEST

START_TEST(an_endless_line_is_cut_off)
{
    static char text[300000];
    struct said said;
    struct error err;
    memset(text, 'x', sizeof text);
    memcpy(text, HEAD, sizeof HEAD - 1);
    memcpy(text + sizeof text - strlen("\n" A "\n"), "\n" A "\n", strlen("\n" A "\n"));
    ck_assert_int_eq(read_text(&said, text, sizeof text, &err), 0);
    ck_assert_str_eq(said.text, "2! 3:" A_OK);
}
END_TEST

/* What is left of it would be a sound row. */
START_TEST(a_row_is_not_cut_off)
{
    static char text[100000];
    struct said said;
    struct error err;
    memset(text, ' ', sizeof text);
    memcpy(text, HEAD A, strlen(HEAD A));
    memcpy(text + sizeof text - 3, ",x\n", 3);
    ck_assert_int_eq(read_text(&said, text, sizeof text, &err), 0);
    ck_assert_str_eq(said.text, "2! ");
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
    ck_assert_uint_gt(strlen(said.text), 3); /* it was given up before the end */
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
    tcase_add_loop_test(tcase, files_of_others_are_read_by_name_and_delimiter, 0, ROWS(foreign));
    tcase_add_loop_test(tcase, columns_that_cannot_be_meant_are_refused, 0, ROWS(wrong));
    tcase_add_test(tcase, a_file_may_have_many_columns);
    tcase_add_test(tcase, an_endless_line_is_cut_off);
    tcase_add_test(tcase, a_row_is_not_cut_off);
    tcase_add_test(tcase, an_endless_field_is_cut_off);
    tcase_add_test(tcase, what_is_written_is_read_again);
    suite_add_tcase(suite, tcase);
    return suite;
}
