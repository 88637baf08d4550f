/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "table/entry.h"

#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct address_rules rules = {
    .fold_case = true, .delimiters = "+", .local_domain = NULL};

static const struct {
    struct entry_text text;
    const char *old, *new;
    enum entry_action action;
} good[] = {
    {{.old = "Alice@OLD.example", .new = "Alice@New.Example"},
     "alice@old.example",
     "Alice@new.example",
     ENTRY_REJECT},
    {{.old = "@Old.Example.", .new = "@new.example"}, "@old.example", "@new.example", ENTRY_REJECT},
    {{.old = "@.old.example", .new = "x@new.example"},
     "@.old.example",
     "x@new.example",
     ENTRY_REJECT},
    {{.old = "bob@old.example"}, "bob@old.example", "", ENTRY_REJECT},
    {{.old = "bob@old.example", .action = "gone"}, "bob@old.example", "", ENTRY_REJECT},
    {{.old = "bob@old.example", .action = "stay"}, "bob@old.example", "", ENTRY_STAY},
    {{.old = "a@o.example", .new = "a@n.example", .action = "forward"},
     "a@o.example",
     "a@n.example",
     ENTRY_FORWARD},
    {{.old = "a@o.example", .new = "a@n.example", .forward_until = "2026-09-01"},
     "a@o.example",
     "a@n.example",
     ENTRY_FORWARD},
    {{.old = "\"al ice\"@o.example", .new = "\"al ice\"@n.example"},
     "\"al ice\"@o.example",
     "\"al ice\"@n.example",
     ENTRY_REJECT},
    {{.old = "a@o.example", .new = "a%b@n.example", .disclose = "trusted", .note = "J\xc3\xb6rg"},
     "a@o.example",
     "a%b@n.example",
     ENTRY_REJECT},
    {{.old = "a@o.example",
      .new = "a@b\xc3\xbc"
             "cher.example"},
     "a@o.example",
     "a@xn--bcher-kva.example",
     ENTRY_REJECT},
    {{.old = "@[IPv6:2001:DB8::1]", .new = "@[192.0.2.1]"},
     "@[ipv6:2001:db8::1]",
     "@[192.0.2.1]",
     ENTRY_REJECT},
    {{.old = "@a,@b:x@o.example", .new = "a@n.example"},
     "x@o.example",
     "a@n.example",
     ENTRY_REJECT},
    {{.old = "<a@o.example>", .new = "<b@o.example>"}, "a@o.example", "b@o.example", ENTRY_REJECT},
};
START_TEST(entries_are_read)
{
    struct entry entry;
    struct error err;
    char old[ADDRESS_TEXT_SIZE];
    ck_assert_msg(entry_parse(&entry, &good[_i].text, &rules, &err) == 0, "%s", err.text);
    entry_format_old(old, sizeof old, &entry);
    ck_assert_str_eq(old, good[_i].old);
    ck_assert_str_eq(entry.new, good[_i].new);
    ck_assert_int_eq(entry.action, good[_i].action);
}
END_TEST

#define A100                                                                                       \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaa"
static const struct {
    const char *field;
    struct entry_text text;
} bad[] = {
    {"old", {.old = "", .new = "a@n.example"}},
    {"old", {.old = NULL, .new = "a@n.example"}},
    {"old", {.old = "alice", .new = "a@n.example"}},
    {"old", {.old = "@", .new = "@n.example"}},
    {"old", {.old = "@.", .new = "@n.example"}},
    {"old", {.old = "a@b@c", .new = "a@n.example"}},
    {"new", {.old = "a@o.example", .new = "alice"}},
    {"new", {.old = "a@o.example", .new = "a@o.example"}},
    {"new", {.old = "A@o.example", .new = "a@O.example."}},
    {"new", {.old = "@o.example", .new = "@O.example"}},
    {"new", {.old = "a@o.example", .new = "@O.example"}},
    {"new", {.old = "a@o.example", .new = "a\r\n@n.example"}},
    {"new", {.old = "a@o.example", .new = A100 A100 "@" A100}},
    {"new",
     {.old = "a@o.example",
      .new = A100 A100 "@nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.nnnnnnnnnnnnnnnnnnnnnnnn"}},
    {"new", {.old = "a@o.example", .action = "forward"}},
    {"action", {.old = "a@o.example", .new = "a@n.example", .action = "vanish"}},
    {"action", {.old = "a@o.example", .new = "a@n.example", .action = "stay"}},
    {"action", {.old = "a@o.example", .new = "a@n.example", .action = "gone"}},
    {"disclose", {.old = "a@o.example", .new = "a@n.example", .disclose = "everyone"}},
    {"from", {.old = "a@o.example", .new = "a@n.example", .from = "soon"}},
    {"until", {.old = "a@o.example", .new = "a@n.example", .until = "later"}},
    {"until",
     {.old = "a@o.example", .new = "a@n.example", .from = "2026-09-02", .until = "2026-09-02"}},
    {"forward_until", {.old = "a@o.example", .new = "a@n.example", .forward_until = "x"}},
    {"note", {.old = "a@o.example", .new = "a@n.example", .note = "two\nlines"}},
    {"note", {.old = "a@o.example", .new = "a@n.example", .note = "\xff"}},
};
START_TEST(bad_entries_name_the_field)
{
    struct entry entry;
    struct error err;
    ck_assert_msg(entry_parse(&entry, &bad[_i].text, &rules, &err) == -1, "%s, row %d",
                  bad[_i].field, _i);
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_msg(strncmp(err.text, bad[_i].field, strlen(bad[_i].field)) == 0 &&
                      err.text[strlen(bad[_i].field)] == ':',
                  "%s", err.text);
}
END_TEST

START_TEST(a_new_address_has_at_most_254_octets)
{
    char new[256];
    struct entry entry;
    struct error err;
    const struct entry_text text = {.old = "a@o.example", .new = new};
    memset(new, 'n', sizeof new);
    memcpy(new + 242, "@new.example", 13);
    ck_assert_uint_eq(strlen(new), 254);
    ck_assert_msg(entry_parse(&entry, &text, &rules, &err) == 0, "%s", err.text);
    ck_assert_str_eq(entry.new, new);
    memcpy(new + 243, "@new.example", 13);
    ck_assert_int_eq(entry_parse(&entry, &text, &rules, &err), -1);
}
END_TEST

START_TEST(from_is_included_and_until_is_not)
{
    struct entry entry = {.from = 100, .until = 200};
    ck_assert(!entry_in_force(&entry, 99));
    ck_assert(entry_in_force(&entry, 100));
    ck_assert(entry_in_force(&entry, 199));
    ck_assert(!entry_in_force(&entry, 200));
    entry.from = entry.until = TIMESTAMP_NONE;
    ck_assert(entry_in_force(&entry, 1));
}
END_TEST

Suite *entry_suite(void)
{
    Suite *suite = suite_create("entry");
    TCase *tcase = tcase_create("entry");
    tcase_add_loop_test(tcase, entries_are_read, 0, ROWS(good));
    tcase_add_loop_test(tcase, bad_entries_name_the_field, 0, ROWS(bad));
    tcase_add_test(tcase, a_new_address_has_at_most_254_octets);
    tcase_add_test(tcase, from_is_included_and_until_is_not);
    suite_add_tcase(suite, tcase);
    return suite;
}
