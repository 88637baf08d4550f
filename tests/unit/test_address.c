/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "mail/address.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct address_rules rules = {
    .fold_case = true, .delimiters = "+", .local_domain = NULL};
static const struct address_rules home = {
    .fold_case = true, .delimiters = "+-", .local_domain = "home.example"};
static const struct address_rules exact = {
    .fold_case = false, .delimiters = "", .local_domain = NULL};

/* As address_parse, with the text at the end of a page: behind it nothing can be read. */
static int parse_guarded(struct address *out, const char *text, size_t length, struct error *err)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(pages != MAP_FAILED && mprotect(pages + page, page, PROT_NONE) == 0);
    char *at = pages + page - length;
    memcpy(at, text, length);
    int rc = address_parse(out, at, length, &rules, err);
    munmap(pages, 2 * page);
    return rc;
}

static const struct {
    const char *why, *text, *local, *domain;
} same[] = {
    {"as it is", "<alice@old.example>", "alice", "old.example"},
    {"no brackets", "alice@old.example", "alice", "old.example"},
    {"case, final dot", "<Alice@OLD.example.>", "alice", "old.example"},
    {"needless quotes", "<\"alice\"@old.example>", "alice", "old.example"},
    {"quoted pair", "<\"al\\ice\"@old.example>", "alice", "old.example"},
    {"quotes that are needed", "<\"al ice\"@old.example>", "al ice", "old.example"},
    {"an '@' in quotes", "<\"a@b\"@old.example>", "a@b", "old.example"},
    {"source route", "<@relay.example,@b.example:alice@old.example>", "alice", "old.example"},
    {"letters and their neighbours", "<\"@AZ[`az{@AZ[`az{AZ[@`az{\"@old.example>",
     "@az[`az{@az[`az{az[@`az{", "old.example"},
    {"extension stays in the local-part", "<alice+x@old.example>", "alice+x", "old.example"},
    {"percent", "<a%b@old.example>", "a%b", "old.example"},
    {"dots of the wild", "<.a..b.@old.example>", ".a..b.", "old.example"},
    {"U-label",
     "<alice@B\xc3\x9c"
     "CHER.example>",
     "alice", "xn--bcher-kva.example"},
    {"A-label", "<alice@XN--bcher-KVA.example>", "alice", "xn--bcher-kva.example"},
    {"decomposed U-label",
     "<alice@bu\xcc\x88"
     "cher.example>",
     "alice", "xn--bcher-kva.example"},
    {"no valid A-label is left alone", "<a@xn--zzzzzzzz99999.example>", "a",
     "xn--zzzzzzzz99999.example"},
    {"UTF-8 local-part folded", "<J\xc3\x96RG@old.example>", "j\xc3\xb6rg", "old.example"},
    {"full case folding",
     "<stra\xc3\x9f"
     "e@old.example>",
     "strasse", "old.example"},
    {"NFC", "<jo\xcc\x88rg@old.example>", "j\xc3\xb6rg", "old.example"},
    {"address literal", "<alice@[192.0.2.1]>", "alice", "[192.0.2.1]"},
    {"underscore", "<alice@a_b.example>", "alice", "a_b.example"},
    {"no domain", "<alice>", "alice", ""},
};
START_TEST(spellings_of_one_mailbox)
{
    struct address got;
    struct error err;
    int rc = parse_guarded(&got, same[_i].text, strlen(same[_i].text), &err);
    ck_assert_msg(rc == 0, "%s: %s", same[_i].why, err.text);
    ck_assert_msg(strcmp(got.local, same[_i].local) == 0, "%s: %s", same[_i].why, got.local);
    ck_assert_msg(strcmp(got.domain, same[_i].domain) == 0, "%s: %s", same[_i].why, got.domain);
}
END_TEST

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
static const struct {
    const char *why, *text;
    size_t length; /* 0: strlen */
} bad[] = {
    {"empty", "", 0},
    {"a source route alone", "@a,@b:", 0},
    {"null path", "<>", 0},
    {"control character", "<al\001ice@old.example>", 0},
    {"control character in quotes", "<\"al\001ice\"@old.example>", 0},
    {"NUL", "<al\0ice@old.example>", 20},
    {"NUL in the domain", "<alice@old\0.example>", 20},
    {"two '@'", "<alice@b@old.example>", 0},
    {"an '@' in a literal", "<alice@[192.0.2.1@old.example]>", 0},
    {"no local-part", "<@old.example>", 0},
    {"empty quotes", "<\"\"@old.example>", 0},
    {"no domain after '@'", "<alice@>", 0},
    {"no closing bracket", "<alice@old.example", 0},
    {"text behind the bracket", "<alice@old.example> SIZE=1", 0},
    {"blank", "<al ice@old.example>", 0},
    {"quote not closed", "<\"alice@old.example>", 0},
    {"backslash at the end", "<\"alice\\", 0},
    {"text behind the quotes", "<\"alice\"x@old.example>", 0},
    {"empty label", "<alice@old..example>", 0},
    {"long label", "<alice@" A50 A50 ".example>", 0},
    {"a blank in the domain", "<alice@old example>", 0},
    {"local-part not UTF-8",
     "<\xff"
     "alice@old.example>",
     0},
    {"overlong UTF-8",
     "<\xc0\xaf"
     "alice@old.example>",
     0},
    {"surrogate",
     "<\xed\xa0\x80"
     "alice@old.example>",
     0},
    {"domain not UTF-8", "<alice@\xff.example>", 0},
    {"no IDNA letter", "<alice@\xe2\x98\x83\xef\xbf\xbd.example>", 0},
    {"literal not closed", "<alice@[192.0.2.1>", 0},
    {"local-part of 300", "<" A50 A50 A50 A50 A50 A50 "@old.example>", 0},
    {"domain of 300", "<a@" A50 "." A50 "." A50 "." A50 "." A50 "." A50 ">", 0},
};
START_TEST(bad_addresses_get_one_line)
{
    struct address got = {.local = "local", .written = "Local", .domain = "old.example"};
    struct error err = {.status = 0};
    size_t length = bad[_i].length == 0 ? strlen(bad[_i].text) : bad[_i].length;
    ck_assert_msg(parse_guarded(&got, bad[_i].text, length, &err) == -1, "%s", bad[_i].why);
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_msg(strstr(err.text, ": write ") != NULL || strstr(err.text, "write") != NULL, "%s",
                  err.text);
    for (const char *at = err.text; *at != '\0'; at++)
        ck_assert_msg((unsigned char)*at >= 0x20 && *at != 0x7f, "%s: control character",
                      bad[_i].why);
    ck_assert_str_eq(got.local, "");
    ck_assert_str_eq(got.written, "");
    ck_assert_str_eq(got.domain, "");
}
END_TEST

START_TEST(ten_thousand_octets_are_refused)
{
    static char text[10001];
    struct address got;
    struct error err;
    memset(text, 'a', sizeof text - 1);
    ck_assert_int_eq(address_parse(&got, text, sizeof text - 1, &rules, &err), -1);
    memcpy(text + 5000, "@", 1);
    ck_assert_int_eq(address_parse(&got, text, sizeof text - 1, &rules, &err), -1);
}
END_TEST

START_TEST(the_longest_parts_are_taken)
{
    char text[600];
    struct address got;
    struct error err;
    memset(text, 'a', sizeof text);
    text[255] = '@';
    for (int i = 256; i < 511; i++)
        text[i] = (i - 256) % 50 == 49 ? '.' : 'd';
    ck_assert_msg(address_parse(&got, text, 511, &rules, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(strlen(got.local), 255);
    ck_assert_uint_eq(strlen(got.domain), 255);
}
END_TEST

START_TEST(an_address_without_a_domain_gets_ours)
{
    struct address got;
    ck_assert_int_eq(address_parse(&got, "<alice>", 7, &home, NULL), 0);
    ck_assert_str_eq(got.domain, "home.example");
    ck_assert_int_eq(address_parse(&got, "<Postmaster>", 12, &home, NULL), 0);
    ck_assert_str_eq(got.domain, "");
}
END_TEST

START_TEST(case_counts_where_the_rules_say_so)
{
    struct address got;
    ck_assert_int_eq(address_parse(&got, "<Alice@OLD.example>", 19, &exact, NULL), 0);
    ck_assert_str_eq(got.local, "Alice");
    ck_assert_str_eq(got.domain, "old.example");
    ck_assert_int_eq(address_parse(&got, "Postmasters@d", 13, &exact, NULL), 0);
    ck_assert_str_eq(got.local, "Postmasters");
}
END_TEST

START_TEST(case_never_counts_in_a_reserved_name)
{
    struct address got;
    ck_assert_int_eq(address_parse(&got, "\"PostMaster\"@d", 14, &exact, NULL), 0);
    ck_assert_str_eq(got.local, "postmaster");
    ck_assert_str_eq(got.written, "PostMaster");
    ck_assert_int_eq(address_parse(&got, "MAILER-DAEMON@d", 15, &exact, NULL), 0);
    ck_assert_str_eq(got.local, "mailer-daemon");
}
END_TEST

START_TEST(what_was_written_is_kept)
{
    struct address got;
    ck_assert_int_eq(address_parse(&got, "<\"Alice\"+X@old.example>", 23, &rules, NULL), -1);
    ck_assert_int_eq(address_parse(&got, "<\"Alice+X\"@old.example>", 23, &rules, NULL), 0);
    ck_assert_str_eq(got.local, "alice+x");
    ck_assert_str_eq(got.written, "Alice+X");
}
END_TEST

/* As Postfix's split_addr.c does it. */
static const struct {
    const char *delimiters, *local;
    size_t base;
} bases[] = {
    {"+", "alice", 5},
    {"+", "alice+a+b", 5},
    {"+-", "alice-a+b", 5},
    {"", "alice+x", 7},
    {"+", "+alice", 6},
    {"+", "+alice+x", 8},
    {"+", "postmaster+x", 10},
    {"-", "mailer-daemon", 13},
    {"-", "Double-Bounce", 13},
    {"-", "mailer-daemon-x", 6},
    /* mailing lists: only where '-' is a delimiter, and then at no delimiter */
    {"+-", "owner-news", 10},
    {"+-", "Owner-news+x", 12},
    {"+-", "news-request", 12},
    {"+-", "news+x-REQUEST", 14},
    {"+-", "-request", 8},
    {"+-", "owners-news", 6},
    {"+-", "news-requests", 4},
    {"+", "owner-news+x", 10},
    {"+", "news+x-request", 4},
    /* the sender rewriting scheme */
    {"+-=", "SRS0=HHH=TT=old.example=al", 26},
    {"+", "SRS0+HHH+TT+old.example+al", 26},
    {"-", "srs1-HHH-a.example--HHH", 23},
    {"+", "SRS0", 4},
    {"+", "SRS0x+a", 5},
    {"+", "SRS2+a", 4},
};
START_TEST(an_extension_begins_at_the_first_delimiter)
{
    for (int fold = 0; fold < 2; fold++) {
        const struct address_rules its = {.fold_case = fold == 1,
                                          .delimiters = bases[_i].delimiters};
        ck_assert_uint_eq(address_base_length(bases[_i].local, &its), bases[_i].base);
    }
}
END_TEST

static const struct {
    const char *local;
    bool reserved;
} reserved[] = {
    {"postmaster", true},
    {"POSTMASTER", true},
    {"Mailer-Daemon", true},
    {"double-BOUNCE", true},
    {"postmaster+x", true},
    {"Postmaster-x", true},
    {"SRS0=H=T=d=l", true},
    {"srs1+H+d++H", true},
    {"Srs0-H-T-d-l", true},
    {"SRS0", false},
    {"SRS0.H", false},
    {"SRS2=H", false},
    {"xSRS0=H", false},
    {"postmasters", false},
    {"x-postmaster", false},
    {"mailer-daemons", false},
    {"", false},
};
START_TEST(no_wildcard_matches_what_is_reserved)
{
    for (int fold = 0; fold < 2; fold++) {
        const struct address_rules its = {.fold_case = fold == 1, .delimiters = "+-"};
        ck_assert_msg(address_is_reserved(reserved[_i].local, &its) == reserved[_i].reserved, "%s",
                      reserved[_i].local);
    }
}
END_TEST

static const struct {
    const char *local, *text;
} written[] = {
    {"alice", "alice@d"},   {"a.b", "a.b@d"},     {".a", "\".a\"@d"},
    {"a..b", "\"a..b\"@d"}, {"a b", "\"a b\"@d"}, {"a\"b\\", "\"a\\\"b\\\\\"@d"},
    {"a@b", "\"a@b\"@d"},   {"a%b", "a%b@d"},     {"j\xc3\xb6rg", "j\xc3\xb6rg@d"},
};
START_TEST(quotes_are_written_where_they_are_needed)
{
    char text[ADDRESS_TEXT_SIZE];
    struct address back;
    ck_assert_int_eq(address_format(text, sizeof text, written[_i].local, "d"), 0);
    ck_assert_str_eq(text, written[_i].text);
    ck_assert_int_eq(address_parse(&back, text, strlen(text), &exact, NULL), 0);
    ck_assert_str_eq(back.written, written[_i].local);
    ck_assert_int_eq(address_format(text, strlen(written[_i].text), written[_i].local, "d"), -1);
}
END_TEST

START_TEST(domains_are_shown_in_unicode)
{
    char text[64];
    ck_assert_int_eq(address_domain_to_unicode(text, sizeof text, "xn--bcher-kva.example"), 0);
    ck_assert_str_eq(text, "b\xc3\xbc"
                           "cher.example");
    ck_assert_int_eq(address_domain_to_unicode(text, sizeof text, "xn--zzzzzzzz99999.example"), 0);
    ck_assert_str_eq(text, "xn--zzzzzzzz99999.example");
    ck_assert_int_eq(address_domain_to_unicode(text, 5, "old.example"), -1);
}
END_TEST

Suite *address_suite(void)
{
    Suite *suite = suite_create("address");
    TCase *tcase = tcase_create("address");
    tcase_add_loop_test(tcase, spellings_of_one_mailbox, 0, ROWS(same));
    tcase_add_loop_test(tcase, bad_addresses_get_one_line, 0, ROWS(bad));
    tcase_add_test(tcase, ten_thousand_octets_are_refused);
    tcase_add_test(tcase, the_longest_parts_are_taken);
    tcase_add_test(tcase, an_address_without_a_domain_gets_ours);
    tcase_add_test(tcase, case_counts_where_the_rules_say_so);
    tcase_add_test(tcase, case_never_counts_in_a_reserved_name);
    tcase_add_test(tcase, what_was_written_is_kept);
    tcase_add_loop_test(tcase, an_extension_begins_at_the_first_delimiter, 0, ROWS(bases));
    tcase_add_loop_test(tcase, no_wildcard_matches_what_is_reserved, 0, ROWS(reserved));
    tcase_add_loop_test(tcase, quotes_are_written_where_they_are_needed, 0, ROWS(written));
    tcase_add_test(tcase, domains_are_shown_in_unicode);
    suite_add_tcase(suite, tcase);
    return suite;
}
