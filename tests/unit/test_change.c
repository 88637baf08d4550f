/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "table/change.h"

#include <stdlib.h>
#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static void fill(char *out, size_t length)
{
    memset(out, 'x', length);
    out[length] = '\0';
}

static void same_change(const struct change *a, const struct change *b)
{
    ck_assert_uint_eq(a->number, b->number);
    ck_assert_int_eq(a->when, b->when);
    ck_assert_uint_eq(a->uid, b->uid);
    ck_assert_str_eq(a->user, b->user);
    ck_assert_str_eq(a->behind, b->behind);
    ck_assert_str_eq(a->command, b->command);
    ck_assert_uint_eq(a->undoes, b->undoes);
    ck_assert_uint_eq(a->added, b->added);
    ck_assert_uint_eq(a->changed, b->changed);
    ck_assert_uint_eq(a->removed, b->removed);
    ck_assert_int_eq(a->held, b->held);
    ck_assert_uint_eq(a->octets, b->octets);
    ck_assert_uint_eq(a->octets_end, b->octets_end);
    ck_assert_uint_eq(a->records, b->records);
    ck_assert_uint_eq(a->records_end, b->records_end);
}

START_TEST(a_head_comes_back_as_it_was)
{
    unsigned char head[CHANGE_HEAD_MAX];
    struct change back, change = {.number = 1ULL << 40,
                                  .when = 1764000000,
                                  .uid = 4294967294,
                                  .user = "root",
                                  .behind = "jörg",
                                  .command = "add a@old.example b@new.example",
                                  .undoes = 3,
                                  .added = 4,
                                  .changed = 5,
                                  .removed = 6,
                                  .held = true,
                                  .octets = 7,
                                  .octets_end = 8,
                                  .records = 9,
                                  .records_end = UINT64_MAX};
    size_t length = change_encode_head(head, &change);
    ck_assert_int_eq(change_decode_head(&back, head, length), 0);
    same_change(&back, &change);

    fill(change.user, CHANGE_USER_MAX);
    fill(change.behind, CHANGE_USER_MAX);
    fill(change.command, CHANGE_COMMAND_MAX);
    change.held = false;
    ck_assert_uint_eq(change_encode_head(head, &change), CHANGE_HEAD_MAX);
    ck_assert_int_eq(change_decode_head(&back, head, CHANGE_HEAD_MAX), 0);
    same_change(&back, &change);
}
END_TEST

/* On the heap, and as long as it says, so that a sanitizer sees a read beyond the end. */
static unsigned char *copy(const unsigned char *octets, size_t length)
{
    unsigned char *exact = malloc(length + (length == 0));
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, octets, length);
    return exact;
}

START_TEST(a_head_that_was_cut_short_is_refused)
{
    unsigned char head[CHANGE_HEAD_MAX];
    struct change back;
    const struct change change = {.user = "root", .behind = "alice"};
    size_t length = change_encode_head(head, &change);
    for (size_t cut = 0; cut < length; cut++) {
        unsigned char *exact = copy(head, cut);
        ck_assert_int_eq(change_decode_head(&back, exact, cut), -1);
        free(exact);
    }
}
END_TEST

static const struct {
    const char *why, *key, *before, *after;
} items[] = {
    {"added", "old.example@a", NULL, "new"},
    {"removed", "old.example@a", "old", NULL},
    {"changed", "old.example@a", "before", "and after"},
    {"empty values are values", "old.example@a", "", ""},
};

static struct change_item item_of(int row)
{
    struct change_item item = {.key = items[row].key, .key_length = strlen(items[row].key)};
    item.before = items[row].before;
    item.before_length = item.before == NULL ? 0 : strlen(item.before);
    item.after = items[row].after;
    item.after_length = item.after == NULL ? 0 : strlen(item.after);
    return item;
}

static void same_octets(const void *a, size_t a_length, const void *b, size_t b_length)
{
    ck_assert_int_eq(a == NULL, b == NULL);
    ck_assert_uint_eq(a_length, b_length);
    ck_assert(a_length == 0 || memcmp(a, b, a_length) == 0);
}

static void same_item(const struct change_item *a, const struct change_item *b)
{
    same_octets(a->key, a->key_length, b->key, b->key_length);
    same_octets(a->before, a->before_length, b->before, b->before_length);
    same_octets(a->after, a->after_length, b->after, b->after_length);
}

START_TEST(items_are_read_from_either_end)
{
    unsigned char all[ROWS(items) * 100];
    struct change_item item, back;
    size_t used = 0, at = 0, length;
    for (int i = 0; i < ROWS(items); i++) {
        item = item_of(i);
        change_encode_item(all + used, &item);
        used += change_item_length(&item);
    }
    for (int i = 0; i < ROWS(items); i++, at += length) {
        item = item_of(i);
        length = change_first_item(&back, all + at, used - at);
        ck_assert_msg(length == change_item_length(&item), "%s", items[i].why);
        same_item(&back, &item);
    }
    ck_assert_uint_eq(change_first_item(&back, all + at, used - at), 0);
    for (int i = ROWS(items); i-- > 0; used -= length) {
        item = item_of(i);
        length = change_last_item(&back, all, used);
        ck_assert_uint_eq(length, change_item_length(&item));
        same_item(&back, &item);
    }
    ck_assert_uint_eq(change_last_item(&back, all, used), 0);
}
END_TEST

/* Whatever it says, nothing is read beyond its end. */
START_TEST(items_that_were_changed_are_refused_or_lie_within)
{
    unsigned char octets[200];
    struct change_item back, item = item_of(2);
    size_t length = change_item_length(&item);
    change_encode_item(octets, &item);
    for (size_t at = 0; at < length; at++)
        for (int value = 0; value < 256; value += 5) {
            unsigned char *exact = copy(octets, length);
            exact[at] = (unsigned char)value;
            ck_assert_uint_le(change_first_item(&back, exact, length), length);
            ck_assert_uint_le(change_last_item(&back, exact, length), length);
            free(exact);
        }
    for (size_t cut = 0; cut < length; cut++) {
        unsigned char *exact = copy(octets, cut);
        ck_assert_uint_eq(change_first_item(&back, exact, cut), 0);
        ck_assert_uint_eq(change_last_item(&back, exact, cut), 0);
        free(exact);
    }
}
END_TEST

Suite *change_suite(void)
{
    Suite *suite = suite_create("change");
    TCase *tcase = tcase_create("change");
    tcase_add_test(tcase, a_head_comes_back_as_it_was);
    tcase_add_test(tcase, a_head_that_was_cut_short_is_refused);
    tcase_add_test(tcase, items_are_read_from_either_end);
    tcase_add_test(tcase, items_that_were_changed_are_refused_or_lie_within);
    suite_add_tcase(suite, tcase);
    return suite;
}
