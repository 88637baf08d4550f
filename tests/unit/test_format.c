/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "format/plain.h"
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
    ck_assert_ptr_eq(format_find(NULL, "MOVED.JSONL", &err), &format_jsonl);
    ck_assert_ptr_eq(format_find(NULL, "moved.txt", &err), &format_csv);
    ck_assert_ptr_eq(format_find(NULL, NULL, &err), &format_csv);
    ck_assert_ptr_null(format_find("xml", "moved.csv", &err));
    ck_assert_int_eq(err.status, EX_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "write csv, "));
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
     "{\"old\":\"a@b.example\",\"old\":\"c@b.example\",\"new\":\"\"}\n", "1! ",
     "a name twice in the object"},
    {&format_jsonl, "a name twice, once with an escape",
     "{\"old\":\"a@b.example\",\"\\u006fld\":\"c@b.example\",\"new\":\"\"}\n", "1! ",
     "a name twice in the object"},
    {&format_jsonl, "a number", "{\"old\":\"a@b.example\",\"new\":\"\",\"from\":2026}\n", "1! ",
     "from: no string"},
    {&format_jsonl, "an array", "{\"old\":\"a@b.example\",\"new\":\"\"}\n[]\n",
     "1:a@b.example> 2! ", "no JSON object"},
    {&format_jsonl, "a text", " \"a@b.example\"\n", "1! ", "no JSON object: write {\"old\": "},
    {&format_jsonl, "two on a line", "{\"old\":\"a@b.example\",\"new\":\"\"} {}\n", "1! ",
     "no JSON object"},
    {&format_jsonl, "one over two lines", "{\"old\":\"a@b.example\",\n\"new\":\"\"}\n", "1! 2! ",
     "no JSON object"},
    {&format_jsonl, "NUL in a text and in a name",
     "{\"old\":\"a\\u0000@b.example\",\"new\":\"\"}\n{\"old\\u0000\":\"\",\"new\":\"\"}\n",
     "1! 2! ", "a NUL character: write text\n\\u0000"},
    {&format_jsonl, "no UTF-8", "{\"old\":\"\xff@b.example\",\"new\":\"\"}\n", "1! ", "not UTF-8"},
    {&format_jsonl, "a bad address",
     "{\"old\":\"a\",\"new\":\"\"}\n{\"old\":\"@b.example\",\"new\":\"b\"}\n",
     "1:a@local.example> 2! ", "new: no '@'"},
    {&format_relocated, "blanks, comments, empty lines",
     "# moved\n\n  # so\nalice@old.example \t a@new.example  \r\n\n",
     "4:alice@old.example>a@new.example ", NULL},
    {&format_relocated, "no line end at the end", "alice@old.example a@new.example",
     "1:alice@old.example>a@new.example ", NULL},
    {&format_relocated, "continued, over a comment and an empty line",
     "alice@old.example\n# where?\n\n\ta@new.example\nb@old.example b@new.example\n",
     "1:alice@old.example>a@new.example 5:b@old.example>b@new.example ", NULL},
    {&format_relocated, "a continuation is put behind what is there",
     "alice@old.example a@new.example\n  b@new.example\n", "1! ", "new: "},
    {&format_relocated, "a line that continues nothing",
     " alice@old.example a@new.example\nb@old.example b@new.example\n",
     "1! 2:b@old.example>b@new.example ", "begins with a blank"},
    {&format_relocated, "no value", "alice@old.example\n", "1! ", "no value"},
    {&format_relocated, "quoted names",
     "\"al ice\"@old.example \"a b\"@new.example\n\"a\\\"b\"@old.example x@new.example\n",
     "1:\"al ice\"@old.example>\"a b\"@new.example 2:\"a\\\"b\"@old.example>x@new.example ", NULL},
    {&format_relocated, "a quote never closed",
     "a\"b@old.example x@new.example\nc@old.example d@new.example\n",
     "1! 2:c@old.example>d@new.example ", "never closed"},
    {&format_relocated, "a name without a domain",
     "bob b@new.example\n\"bo b\" b@new.example\n\"b@b\" b@new.example\n",
     "1:bob@local.example>b@new.example 2:\"bo b\"@local.example>b@new.example "
     "3:\"b@b\"@local.example>b@new.example ",
     NULL},
    {&format_relocated, "postmaster without a domain", "postmaster b@new.example\n",
     "1:postmaster@local.example>b@new.example ", NULL},
    {&format_relocated, "a domain", "@old.example w@new.example\n", "1:@old.example>w@new.example ",
     NULL},
    {&format_relocated, "subdomains", "@.old.example w@new.example\n", "1! ",
     "never looks '@.old.example' up"},
    {&format_relocated, "in brackets", "a@old.example <a@new.example>\n",
     "1:a@old.example>a@new.example ", NULL},
    {&format_relocated, "with its own prefix",
     "a@old.example 5.1.6 User has moved to a@new.example\nb@old.example 5.1.6 user has moved to "
     "\"b b\"@new.example\n"
     "c@old.example 5.1.6 User not local; please try <c@new.example>\n",
     "1:a@old.example>a@new.example 2:b@old.example>\"b b\"@new.example "
     "3:c@old.example>c@new.example ",
     NULL},
    {&format_relocated, "as the manual of Postfix 3.11 has it",
     "a@old.example 5.1.6 Mailbox has moved to a@new.example\nb@old.example 5.1.6 Mailbox has "
     "moved to b@new.example. Ask help@old.example\n",
     "1:a@old.example>a@new.example 2:b@old.example>b@new.example ", NULL},
    {&format_relocated, "a text of its own without the code",
     "a@old.example moved to a@new.example\nb@old.example Please try <b@new.example>, or call\n",
     "1:a@old.example>a@new.example 2:b@old.example>b@new.example ", NULL},
    {&format_relocated, "an address and a text", "a@old.example a@new.example until May\n", "1! ",
     "'User has moved to a@new.example until May': write user@domain alone"},
    {&format_relocated, "an address within a text", "a@old.example Ask b@new.example\n", "1! ",
     "new: 'Ask b@new.example' is told to senders as it is"},
    {&format_relocated, "two addresses and no word for either",
     "a@old.example 5.1.6 Ask <a@x.example> or <b@x.example>\n", "1! ",
     "is told to senders as it is"},
    {&format_relocated, "another code", "a@old.example 5.1.1 User has moved to a@new.example\n",
     "1! ", "is told to senders as it is"},
    {&format_relocated, "a code and no address", "a@old.example 5.1.6 Gone fishing\n", "1! ",
     "is told to senders as it is"},
    {&format_relocated, "a text", "a@old.example Room 5, Main Street\n", "1! ",
     "new: 'Room 5, Main Street' is told to senders as it is"},
    {&format_relocated, "a domain for a value", "@old.example @new.example\n", "1! ",
     "write user@domain"},
    {&format_relocated, "a regular expression", "/^a@old\\.example$/ a@new.example\n", "1! ",
     "a regular expression"},
    {&format_relocated, "one for what does not match", "!/x/ a@new.example\n", "1! ",
     "a regular expression"},
    {&format_relocated, "slashes in a name", "/S=Lee/@old.example a@new.example\n",
     "1:/s=lee/@old.example>a@new.example ", NULL},
    {&format_relocated, "one domain in both spellings",
     "a@xn--bcher-kva.example a@new.example\na@b\xc3\xbc"
     "cher.example a@new.example\n",
     "1:a@xn--bcher-kva.example>a@new.example 2:a@xn--bcher-kva.example>a@new.example ", NULL},
    {&format_relocated, "no comment within a line", "a#b@old.example a@new.example # so\n", "1! ",
     "new: "},
    {&format_access, "quoted",
     "# moved\n\nTo:alice@old.example\tERROR:5.1.6:\"551 5.1.6 User not local; please try "
     "<a@new.example>\"\n",
     "3:alice@old.example>a@new.example ", NULL},
    {&format_access, "unquoted, other words, other case",
     "to:a@old.example  error:5.1.6:551 5.1.6 Moved, see <a@new.example> \r\n",
     "1:a@old.example>a@new.example ", NULL},
    {&format_access, "parts missing",
     "To:a@old.example ERROR:\"551 5.1.6 x <a@new.example>\"\nTo:b@old.example ERROR:551 x "
     "<b@new.example>\n"
     "To:c@old.example 551 moved to c@new.example\nTo:d@old.example 550 5.1.6 moved to "
     "<d@new.example>\n",
     "1:a@old.example>a@new.example 2:b@old.example>b@new.example 3:c@old.example>c@new.example "
     "4:d@old.example>d@new.example ",
     NULL},
    {&format_access, "quotes in the quotes",
     "To:a@old.example ERROR:5.1.6:\"551 5.1.6 x <\\\"a \\\\\\\"< b\\\"@new.example>\"\n",
     "1:a@old.example>\"a \\\"< b\"@new.example ", NULL},
    {&format_access, "per cent",
     "To:a@old.example ERROR:5.1.6:\"551 5.1.6 x <a%%b%c%1@new.example>\"\n",
     "1:a@old.example>a%b%c@new.example ", NULL},
    {&format_access, "several in brackets: the one behind 'please try' or 'moved to' counts",
     "To:a@old.example ERROR:5.1.6:\"551 5.1.6 Ask <x@y.example>, or please try <a@new.example>, "
     "see <https://y.example/moved>\"\n"
     "To:b@old.example 550 5.1.6 Moved to <b@new.example> for <b@old.example>\n"
     "To:c@old.example 551 <https://y.example> now <c@new.example>\n",
     "1:a@old.example>a@new.example 2:b@old.example>b@new.example 3:c@old.example>c@new.example ",
     NULL},
    {&format_access, "no brackets",
     "To:a@old.example 551 User has moved to a@new.example.\nTo:b@old.example 550 5.1.6 Moved to "
     "Paris, please try b@new.example; bye\n",
     "1:a@old.example>a@new.example 2:b@old.example>b@new.example ", NULL},
    {&format_access, "an address that cannot be placed",
     "To:a@old.example ERROR:5.1.6:\"551 5.1.6 Ask <a@new.example> or <b@new.example>\"\n"
     "To:b@old.example ERROR:5.1.6:\"550 5.1.6 Ask <a@new.example> or <b@new.example>\"\n"
     "To:c@old.example ERROR:5.1.6:\"550 5.1.6 Gone, ask help@old.example\"\n"
     "To:d@old.example ERROR:5.1.6:\"551 5.1.6 please try <d@new.example\"\n",
     "1! 2! 3! 4! ", "write please try <user@domain>"},
    {&format_access, "gone",
     "To:a@old.example ERROR:5.1.6:\"550 5.1.6 User not local; no forwarding address\"\n",
     "1:a@old.example> ", NULL},
    {&format_access, "a domain and its subdomains",
     "To:old.example ERROR:5.1.6:\"551 5.1.6 x <a@new.example>\"\n",
     "1:@old.example>a@new.example 1:@.old.example>a@new.example ", NULL},
    {&format_access, "subdomains alone",
     "To:.old.example ERROR:5.1.6:\"551 5.1.6 x <a@new.example>\"\n",
     "1:@.old.example>a@new.example ", NULL},
    {&format_access, "a name without a domain",
     "To:bob@ ERROR:5.1.6:\"551 5.1.6 x <b@new.example>\"\n", "1:bob@local.example>b@new.example ",
     NULL},
    {&format_access, "a mailbox that stays", "To:root@old.example OK\nTo:old.example OK\n",
     "1:root@old.example> 2- ", NULL},
    {&format_access, "other actions",
     "To:a@old.example REJECT\nTo:b@old.example ERROR:5.1.1:\"550 unknown\"\nTo:c@old.example "
     "ERROR:4.7.1:\"450 later\"\n",
     "1- 2- 3- ", "not about a mailbox that has moved"},
    {&format_access, "other tags",
     "Connect:192.0.2.1 RELAY\nFrom:a@old.example 551 <b@new.example>\na@old.example 551 "
     "<b@new.example>\n",
     "1- 2? 3? ", "no To: in front"},
    {&format_access, "551 without an address", "To:a@old.example ERROR:5.1.6:\"551 5.1.6 gone\"\n",
     "1! ", "no new address"},
    {&format_access, "a quote never closed",
     "To:a@old.example ERROR:5.1.6:\"551 5.1.6 x <a@new.example>\n", "1! ", "never closed"},
    {&format_access, "nothing is continued", "To:a@old.example\n\t551 <a@new.example>\n", "1! 2! ",
     "begins with a blank"},
    {&format_access, "a domain behind an @", "To:@old.example 551 <a@new.example>\n", "1! ",
     "write To:old.example"},

    {&format_aliases, "plain", "# c\n\nalice: a@new.example.REDIRECT\n",
     "3:alice@local.example>a@new.example ", NULL},
    {&format_aliases, "blanks, case, a final dot", "Bob \t:  b@new.example.redirect. \r\n",
     "1:bob@local.example>b@new.example ", NULL},
    {&format_aliases, "continued lines",
     "a:\n\ta@new.example.REDIRECT\nb: \\\nb@new.example.REDIRECT\nc: c@new.example.REDIRECT\n \n",
     "1:a@local.example>a@new.example 3:b@local.example>b@new.example "
     "5:c@local.example>c@new.example ",
     NULL},
    {&format_aliases, "a comment ends a line", "a: a@new.example.REDIRECT\n# c\n b\n",
     "1:a@local.example>a@new.example 3! ", "begins with a blank"},
    {&format_aliases, "a comment goes on behind a backslash", "# c \\\na: a@new.example.REDIRECT\n",
     "", NULL},
    {&format_aliases, "quoted names",
     "\"al ice\": \"a, b\"@new.example.REDIRECT\n\"#x\": x@new.example.REDIRECT\n",
     "1:\"al ice\"@local.example>\"a, b\"@new.example 2:#x@local.example>x@new.example ", NULL},
    {&format_aliases, "comments and names",
     "a: a@new.example.REDIRECT (moved (in) May)\nb: B. (x, y) <b@new.example.REDIRECT>\n",
     "1:a@local.example>a@new.example 2:b@local.example>b@new.example ", NULL},
    {&format_aliases, "a name with its domain", "a@old.example: a@new.example.REDIRECT\n",
     "1:a@old.example>a@new.example ", NULL},
    {&format_aliases, "ordinary ones",
     "root: me\nlist: a@x.example, b@y.example.REDIRECT\nincl: :include:/x\nprog: "
     "\"|/bin/x\"\nfile: /x.REDIRECT\nuser: user.REDIRECT\n"
     "hash: h@new.example.REDIRECT # c\n",
     "1- 2? 3- 4- 5- 6- 7- ", "an ordinary alias"},
    {&format_aliases, "notify and forward",
     "a: a@new.example.REDIRECT, a@new.example\nb: \"b, b\"@x.example, B <b@new.example.REDIRECT>\n"
     "c: a@x.example, \"b@new.example.REDIRECT, c\"@x.example\n",
     "1? 2? 3- ", "'notify and forward' tells senders b@new.example and"},
    {&format_aliases, "no colon, no name, no target",
     "a b@new.example.REDIRECT\n: b@new.example.REDIRECT\nb:\n", "1! 2! 3! ", "no colon"},
    {&format_aliases, "a colon in quotes", "\"a:b\": b@new.example.REDIRECT\n", "1! ", "old: "},
    {&format_aliases, "no address", "a: a b@new.example.REDIRECT\n", "1! ", "new: "},
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

/* An alias of that length is a list, and not ours; else it is bad. */
static const struct {
    const struct format *format;
    const char *said, *why;
} endless[] = {
    {&format_jsonl, "1! ", "over 65535 octets"},
    {&format_relocated, "1! ", "over 65535 octets"},
    {&format_aliases, "1- ", "several targets"},
    {&format_access, "1! ", "over 65535 octets"},
};
START_TEST(an_endless_line_is_cut_off)
{
    static char text[300000];
    struct said said;
    struct error err;
    memset(text, 'x', sizeof text);
    memcpy(text, "a: ", 3);
    memcpy(text + sizeof text - 3, "\n#\n", 3);
    ck_assert_int_eq(said_of(&said, endless[_i].format, &rules, text, sizeof text, &err), 0);
    ck_assert_msg(strncmp(said.text, endless[_i].said, 3) == 0, "%s: %s", endless[_i].format->name,
                  said.text);
    ck_assert_msg(strstr(said.why, endless[_i].why) != NULL, "%s", said.why);
}
END_TEST

static const struct format *const texts[] = {&format_jsonl, &format_relocated, &format_aliases,
                                             &format_access};
START_TEST(a_nul_is_named_and_hides_nothing)
{
    static const char text[] = "\0\na: \0@b.example\n";
    struct said said;
    struct error err;
    ck_assert_int_eq(said_of(&said, texts[_i], &rules, text, sizeof text - 1, &err), 0);
    ck_assert_msg(strcmp(said.text, "1! 2! ") == 0, "%s: %s", texts[_i]->name, said.text);
    ck_assert_msg(strstr(said.why, "a NUL octet") != NULL, "%s", said.why);
}
END_TEST

#define OCTETS(text) text, sizeof text - 1
static const struct {
    const char *octets;
    size_t length;
    const char *why;
} strange[] = {
    {OCTETS("\xff\xfeo\0l\0d\0,\0n\0e\0w\0\n\0"), "file: UTF-16"},
    {OCTETS("\xfe\xff\0o\0l\0d\0,\0n\0e\0w\0\n"), "file: UTF-16"},
    {OCTETS("o\0l\0d\0,\0n\0e\0w\0\n\0"), "file: UTF-16"},
    {OCTETS("\0o\0l\0d\0,\0n\0e\0w\0\n"), "file: UTF-16"},
    {OCTETS("\x1f\x8b\x08\0\0\0\0\0\0\x03"), "file: compressed with gzip: unpack it"},
    {OCTETS("\xfd"
            "7zXZ\0\0\x04"),
     "file: compressed with xz"},
    {OCTETS("PK\x03\x04\x14\0\x08"), ".xlsx or .ods: save the sheet as CSV in UTF-8"},
    {OCTETS("\0\0\0\0\x01\0\0\0\0\0\0\0\x61\x15\x06\0\x09"), "file: a database"},
    {OCTETS("\0\0\0\0\0\0\0\0\0\0\x08\0\0\0\0\0\xde\xc0\xef\xbe\x01"), "file: a database"},
};
START_TEST(what_is_no_text_is_named_for_what_it_is)
{
    struct said said;
    struct error err;
    for (size_t i = 0; formats[i] != NULL; i++) {
        err.text[0] = '\0';
        ck_assert_int_eq(
            said_of(&said, formats[i], &rules, strange[_i].octets, strange[_i].length, &err), -1);
        ck_assert_int_eq(err.status, EX_DATAERR);
        ck_assert_msg(strstr(err.text, strange[_i].why) != NULL, "%s: %s", formats[i]->name,
                      err.text);
        ck_assert_str_eq(said.text, "");
    }
}
END_TEST

START_TEST(a_file_that_must_end_with_a_line_break_is_refused_without)
{
    static const char *const ends[] = {"", "\n", "\n\n", " ", "\n#"};
    const struct format_in how = {.rules = &rules, .must_end = true};
    for (size_t i = 0; formats[i] != NULL; i++)
        for (size_t j = 0; j < sizeof ends / sizeof *ends; j++) {
            struct said said;
            struct error err = {.text = ""};
            char text[100];
            bool whole = ends[j][0] == '\n' && ends[j][1] != '#';
            snprintf(text, sizeof text, "old,new\na@old.example,%s", ends[j]);
            int rc = said_of_how(&said, formats[i], how, text, strlen(text), &err);
            ck_assert_msg((rc == 0) == whole || formats[i] == &format_csv, "%s %zu: %s",
                          formats[i]->name, j, err.text);
            ck_assert_msg(whole == (strstr(err.text, "no line break at the end") == NULL),
                          "%s %zu: %s", formats[i]->name, j, err.text);
        }
}
END_TEST

START_TEST(a_nul_before_a_continued_line_is_named_too)
{
    static const char relocated[] = "a@old.example a@new.example\0\n x\n";
    static const char aliases[] = "a: a@new.example.REDIRECT\0\n x\n";
    struct said said;
    struct error err;
    ck_assert_int_eq(
        said_of(&said, &format_relocated, &rules, relocated, sizeof relocated - 1, &err), 0);
    ck_assert_str_eq(said.text, "1! ");
    ck_assert_int_eq(said_of(&said, &format_aliases, &rules, aliases, sizeof aliases - 1, &err), 0);
    ck_assert_str_eq(said.text, "1! ");
}
END_TEST

START_TEST(no_name_is_not_every_name)
{
    struct entry entry;
    struct error err;
    ck_assert_int_eq(plain_parse(&entry, "", "a@new.example", &rules, &err), -1);
    ck_assert_int_eq(plain_parse(&entry, "\"\"", "a@new.example", &rules, &err), -1);
}
END_TEST

#define A   .old = "a@old.example"
#define B   .new = "b@new.example"
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
static const struct {
    const struct format *format;
    const struct entry_text entry;
    const char *text; /* NULL: refused */
    const char *why;  /* words of it; NULL: written whole */
} written[] = {
    {&format_relocated, {A, B}, "a@old.example\tb@new.example\n", NULL},
    {&format_relocated, {.old = "@old.example", B}, "@old.example\tb@new.example\n", NULL},
    {&format_relocated,
     {.old = "\"a \\\"\\\\b\"@old.example", B},
     "\"a \\\"\\\\b\"@old.example\tb@new.example\n",
     NULL},
    {&format_relocated,
     {.old = "a@b\xc3\xbc"
             "cher.example",
      B},
     "a@xn--bcher-kva.example\tb@new.example\na@b\xc3\xbc"
     "cher.example\tb@new.example\n",
     NULL},
    {&format_relocated, {A, B, .note = "so"}, "a@old.example\tb@new.example\n", "its note"},
    {&format_relocated,
     {A, B, .disclose = "anyone"},
     "a@old.example\tb@new.example\n",
     "its disclose"},
    {&format_relocated, {A, B, .disclose = "trusted"}, NULL, "tells everyone"},
    {&format_relocated, {A, .action = "stay"}, NULL, "it stays"},
    {&format_relocated, {A, B, .action = "forward"}, NULL, "forward"},
    {&format_relocated, {A, B, .forward_until = "2099-01-01"}, NULL, "forward"},
    {&format_relocated, {A, B, .from = "2099-01-01"}, NULL, "dates"},
    {&format_relocated, {A, B, .until = "2099-01-01"}, NULL, "dates"},
    {&format_relocated, {A}, NULL, "no new address"},
    {&format_relocated, {.old = "@old.example", .new = "@new.example"}, NULL, "the same name"},
    {&format_relocated, {.old = "@.old.example", B}, NULL, "every subdomain"},
    {&format_relocated,
     {A, .new = "@new.example"},
     "a@old.example\ta@new.example\n",
     "a full address"},
    {&format_relocated,
     {.old = X50 X50 X50 X50 X50 "@old.example", .new = "@new.example"},
     NULL,
     "a full new address of over 254 octets"},
    {&format_relocated, {.old = "#a@old.example", B}, NULL, "such a first letter"},

#define TO_A(text) "To:a@old.example\tERROR:5.1.6:\"" text "\"\n"
#define TRY(new)   TO_A("551 5.1.6 User not local; please try <" new ">")
    {&format_access, {A, B}, TRY("b@new.example"), NULL},
    {&format_access, {A}, TO_A("550 5.1.6 User not local; no forwarding address"), NULL},
    {&format_access,
     {A, .new = "\"b \\\\\\\"\"@new.example"},
     TRY("\\\"b \\\\\\\\\\\\\\\"\\\"@new.example"),
     NULL},
    {&format_access, {A, .new = "b%c@new.example"}, TRY("b%%c@new.example"), NULL},
    {&format_access, {A, .action = "stay"}, "To:a@old.example\tOK\n", NULL},
    {&format_access, {A, .action = "stay", .until = "2099-01-01"}, NULL, "dates"},
    {&format_access,
     {A, .disclose = "nobody"},
     TO_A("550 5.1.6 User not local; no forwarding address"),
     "its disclose"},
    {&format_access, {.old = "a%b@old.example", B}, NULL, "does not find"},
    {&format_access, {.old = "a!b@old.example", B}, NULL, "does not find"},
    {&format_access, {.old = "\"a b\"@old.example", B}, NULL, "does not find"},
    {&format_access, {.old = "\xc3\xb6@old.example", B}, NULL, "beyond ASCII"},
    {&format_access, {A, .new = "\xc3\xb6@new.example"}, NULL, "beyond ASCII"},
    {&format_access, {.old = "@old.example", B}, NULL, "without its subdomains"},
    {&format_access, {.old = "@.old.example", B}, NULL, "without the domain itself"},
    {&format_access, {.old = "@old.example", .action = "stay"}, NULL, "it stays"},
    {&format_access, {.old = "@old.example", .new = "@new.example"}, NULL, "the same names"},

    {&format_aliases, {A, B}, "a:\tb@new.example.REDIRECT\n", NULL},
    {&format_aliases,
     {.old = "\"a b\"@old.example", B},
     "\"a b\":\tb@new.example.REDIRECT\n",
     NULL},
    {&format_aliases, {.old = "#a@old.example", B}, "\"#a\":\tb@new.example.REDIRECT\n", NULL},
    {&format_aliases, {A}, NULL, "no new address"},
    {&format_aliases, {A, .action = "stay"}, NULL, "it stays"},
    {&format_aliases, {.old = "a@other.example", B}, NULL, "another domain"},
    {&format_aliases, {.old = "@old.example", B}, NULL, "every name"},
    {&format_aliases, {.old = "a%b@old.example", B}, NULL, "does not find"},
    {&format_aliases, {.old = "\"a:b\"@old.example", B}, NULL, "does not find"},
    {&format_aliases, {.old = "/a@old.example", B}, NULL, "does not find"},
    {&format_aliases, {A, .new = "\"b c\"@new.example"}, NULL, "does not tell it"},
    {&format_aliases, {A, .new = "b@[192.0.2.1]"}, NULL, "does not tell it"},
    {&format_aliases, {A, .new = "|b@new.example"}, NULL, "does not tell it"},
    {&format_aliases, {A, .new = "\xc3\xb6@new.example"}, NULL, "beyond ASCII"},
};

/* Writes row of written, or of its like. */
static enum format_result write_row(char *text, size_t size, const struct format *format,
                                    const struct entry_text *row, enum entry_disclose disclose,
                                    struct error *err)
{
    const struct format_out out = {.file = fmemopen(text, size, "w"),
                                   .local_domain = "old.example",
                                   .fold_case = true,
                                   .disclose = disclose};
    struct entry entry;
    ck_assert_msg(entry_parse(&entry, row, &rules, err) == 0, "%s", err->text);
    enum format_result result = format->write(&out, &entry, err);
    fclose(out.file);
    return result;
}

START_TEST(a_writer_says_what_it_cannot_say)
{
    char text[4096] = "";
    struct error err = {.text = ""};
    enum format_result result =
        write_row(text, sizeof text, written[_i].format, &written[_i].entry, ENTRY_ANYONE, &err);
    ck_assert_int_eq(result, written[_i].text == NULL  ? FORMAT_REFUSED
                             : written[_i].why == NULL ? FORMAT_WHOLE
                                                       : FORMAT_LESS);
    ck_assert_str_eq(text, written[_i].text == NULL ? "" : written[_i].text);
    ck_assert_msg(written[_i].why == NULL || strstr(err.text, written[_i].why) != NULL, "%s",
                  err.text);
}
END_TEST

static const struct format *const public[] = {&format_relocated, &format_access, &format_aliases};
START_TEST(who_is_told_by_default_counts)
{
    char text[4096] = "";
    struct error err;
    const struct entry_text row = {A, B};
    ck_assert_int_eq(write_row(text, sizeof text, public[_i], &row, ENTRY_NOBODY, &err),
                     FORMAT_REFUSED);
    ck_assert_str_eq(text, "");
}
END_TEST

/* Sendmail's limits: the quotes of a map and the text of a reply. */
static const struct {
    const struct format *format;
    int longest; /* octets of a new address */
} limits[] = {{&format_access, 215}, {&format_aliases, 220}};
START_TEST(a_new_address_that_sendmail_would_cut_is_refused)
{
    char text[4096] = "", new[ADDRESS_TEXT_SIZE];
    struct error err;
    const struct entry_text row = {A, .new = new};
    for (int length = limits[_i].longest; length <= limits[_i].longest + 1; length++) {
        memset(new, 'n', (size_t)length);
        strcpy(new + length - strlen("@new.example"), "@new.example");
        ck_assert_int_eq(write_row(text, sizeof text, limits[_i].format, &row, ENTRY_ANYONE, &err),
                         length == limits[_i].longest ? FORMAT_WHOLE : FORMAT_REFUSED);
    }
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
    tcase_add_loop_test(tcase, an_endless_line_is_cut_off, 0, ROWS(endless));
    tcase_add_test(tcase, a_nul_before_a_continued_line_is_named_too);
    tcase_add_test(tcase, no_name_is_not_every_name);
    tcase_add_loop_test(tcase, what_is_no_text_is_named_for_what_it_is, 0, ROWS(strange));
    tcase_add_test(tcase, a_file_that_must_end_with_a_line_break_is_refused_without);
    tcase_add_loop_test(tcase, a_nul_is_named_and_hides_nothing, 0, ROWS(texts));
    tcase_add_loop_test(tcase, a_writer_says_what_it_cannot_say, 0, ROWS(written));
    tcase_add_loop_test(tcase, who_is_told_by_default_counts, 0, ROWS(public));
    tcase_add_loop_test(tcase, a_new_address_that_sendmail_would_cut_is_refused, 0, ROWS(limits));
    tcase_add_test(tcase, json_is_written_as_get_shows_it);
    suite_add_tcase(suite, tcase);
    return suite;
}
