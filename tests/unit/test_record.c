/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "table/record.h"

#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct entry entries[] = {
    {.scope = ENTRY_MAILBOX, .local = "alice", .domain = "old.example", .new = "a@new.example"},
    {.scope = ENTRY_DOMAIN, .domain = "old.example", .new = "@new.example", .note = "J\xc3\xb6rg"},
    {.scope = ENTRY_SUBDOMAINS, .domain = "old.example", .action = ENTRY_STAY},
    {.scope = ENTRY_MAILBOX,
     .local = "a@b",
     .domain = "[192.0.2.1]",
     .new = "x@y",
     .action = ENTRY_FORWARD,
     .disclose = ENTRY_NOBODY,
     .from = 1,
     .until = INT64_MAX,
     .forward_until = 1788220800},
    {.scope = ENTRY_MAILBOX, .local = "x", .domain = "d", .until = 0x0102030405060708},
};
START_TEST(what_is_encoded_is_decoded)
{
    const struct entry *entry = &entries[_i];
    char key[RECORD_KEY_MAX];
    unsigned char value[RECORD_VALUE_MAX];
    struct entry back;
    size_t key_length = record_key(key, entry->scope, entry->local, entry->domain);
    size_t value_length = record_encode(value, entry);
    ck_assert_int_eq(record_decode(&back, key, key_length, value, value_length, NULL), 0);
    ck_assert_int_eq(back.scope, entry->scope);
    ck_assert_str_eq(back.local, entry->local);
    ck_assert_str_eq(back.domain, entry->domain);
    ck_assert_str_eq(back.new, entry->new);
    ck_assert_str_eq(back.note, entry->note);
    ck_assert_int_eq(back.action, entry->action);
    ck_assert_int_eq(back.disclose, entry->disclose);
    ck_assert(back.from == entry->from && back.until == entry->until &&
              back.forward_until == entry->forward_until);
}
END_TEST

START_TEST(a_domain_stands_together_its_wildcard_first)
{
    char a[RECORD_KEY_MAX], b[RECORD_KEY_MAX], c[RECORD_KEY_MAX];
    size_t a_length = record_key(a, ENTRY_SUBDOMAINS, "", "old.example");
    size_t b_length = record_key(b, ENTRY_DOMAIN, "", "old.example");
    size_t c_length = record_key(c, ENTRY_MAILBOX, "alice", "old.example");
    ck_assert(memcmp(a, ".old.example@", a_length) == 0 && a_length == 13);
    ck_assert(memcmp(b, "old.example@", b_length) == 0 && b_length == 12);
    ck_assert(memcmp(c, "old.example@alice", c_length) == 0 && c_length == 17);
}
END_TEST

START_TEST(the_longest_key_fits)
{
    char local[ADDRESS_LOCAL_MAX + 1], domain[ADDRESS_DOMAIN_MAX + 1], key[RECORD_KEY_MAX];
    memset(local, 'l', sizeof local - 1);
    memset(domain, 'd', sizeof domain - 1);
    local[sizeof local - 1] = domain[sizeof domain - 1] = '\0';
    ck_assert_uint_eq(record_key(key, ENTRY_MAILBOX, local, domain), RECORD_KEY_MAX);
}
END_TEST

static const struct {
    const char *why, *key, *value;
    size_t value_length;
} damaged[] = {
    {"no '@'", "old.example", "\0\0\0\0\0", 5},
    {"no domain", "@alice", "\0\0\0\0\0", 5},
    {"a mailbox of subdomains", ".old.example@a", "\0\0\0\0\0", 5},
    {"empty value", "d@a", "", 0},
    {"no such action", "d@a", "\3\0\0\0\0", 5},
    {"no such disclose", "d@a", "\0\4\0\0\0", 5},
    {"no such moment", "d@a", "\0\0\x08\0\0", 5},
    {"a moment cut short", "d@a", "\0\0\1\0\0\0\0\0\0", 9},
    {"new cut short", "d@a", "\0\0\0\5\0abcd", 9},
    {"length cut short", "d@a", "\0\0\0\0", 4},
    {"new too long", "d@a", "\0\0\0\xff\xff", 5},
    {"new overwritten with zeros", "d@a", "\0\0\0\3\0\0\0\0", 8},
    {"the end of new overwritten with zeros", "d@a", "\0\0\0\3\0a@\0", 8},
    {"a note overwritten with zeros", "d@a", "\0\0\0\0\0\0\0", 7},
};
START_TEST(damage_is_an_error)
{
    struct entry entry;
    struct error err;
    ck_assert_msg(record_decode(&entry, damaged[_i].key, strlen(damaged[_i].key), damaged[_i].value,
                                damaged[_i].value_length, &err) == -1,
                  "%s", damaged[_i].why);
    ck_assert_int_eq(err.status, EX_DATAERR);
}
END_TEST

/* One octet more than there is room for. */
static const struct {
    const char *why;
    size_t local, domain, new, note;
} too_long[] = {
    {"mailbox name", ADDRESS_LOCAL_MAX + 1, 1, 0, 0},
    {"domain", 1, ADDRESS_DOMAIN_MAX + 1, 0, 0},
    {"new address", 1, 1, ADDRESS_NEW_MAX + 1, 0},
    {"note", 1, 1, 0, ENTRY_NOTE_MAX + 1},
};
START_TEST(a_text_that_is_too_long_is_an_error)
{
    char key[2 * RECORD_KEY_MAX];
    unsigned char value[2 * RECORD_VALUE_MAX] = {0};
    struct entry entry;
    struct error err;
    memset(key, 'a', sizeof key);
    key[too_long[_i].domain] = '@';
    record_put_number(value + 3, too_long[_i].new, 2);
    ck_assert_msg(record_decode(&entry, key, too_long[_i].domain + 1 + too_long[_i].local, value,
                                5 + too_long[_i].new + too_long[_i].note, &err) == -1,
                  "%s", too_long[_i].why);
}
END_TEST

Suite *record_suite(void)
{
    Suite *suite = suite_create("record");
    TCase *tcase = tcase_create("record");
    tcase_add_loop_test(tcase, what_is_encoded_is_decoded, 0, ROWS(entries));
    tcase_add_test(tcase, a_domain_stands_together_its_wildcard_first);
    tcase_add_test(tcase, the_longest_key_fits);
    tcase_add_loop_test(tcase, damage_is_an_error, 0, ROWS(damaged));
    tcase_add_loop_test(tcase, a_text_that_is_too_long_is_an_error, 0, ROWS(too_long));
    suite_add_tcase(suite, tcase);
    return suite;
}
