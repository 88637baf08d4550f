/* SPDX-License-Identifier: BSD-2-Clause */
#include "scratch.h"
#include "suites.h"

#include "table/sort.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS(table)  (int)(sizeof(table) / sizeof *(table))
#define LEAST_MEMORY 1 /* the sort takes 64 KiB then: about 1,000 records */

static void add(struct sort *sort, const char *key, const char *value, unsigned long line)
{
    struct error err;
    const struct sort_record record = {.key = key,
                                       .key_length = strlen(key),
                                       .value = value,
                                       .value_length = strlen(value),
                                       .line = line};
    ck_assert_msg(sort_add(sort, &record, &err) == 0, "%s", err.text);
}

/* In which order count numbers come: each from 0 to count - 1 once. */
static size_t as_they_are(size_t i, size_t count)
{
    (void)count;
    return i;
}

static size_t backwards(size_t i, size_t count)
{
    return count - 1 - i;
}

static size_t mixed(size_t i, size_t count)
{
    return i * 7919 % count;
}

static size_t one_late(size_t i, size_t count)
{
    return i == count - 1 ? 0 : i + 1;
}

static size_t halves(size_t i, size_t count)
{
    return (i + count / 2) % count;
}

static const struct {
    size_t count;
    size_t (*number)(size_t i, size_t count);
} orders[] = {
    {0, as_they_are}, {1, as_they_are}, {500, mixed},       {500, backwards},  {20000, as_they_are},
    {20000, mixed},   {20000, halves},  {20000, backwards}, {20000, one_late},
};

static void check_order(struct sort *sort, size_t count)
{
    struct error err;
    struct sort_record got;
    char key[32];
    ck_assert_int_eq(sort_rewind(sort, &err), 0);
    for (size_t i = 0; i < count; i++) {
        snprintf(key, sizeof key, "u%08zu", i);
        ck_assert(sort_next(sort, &got));
        ck_assert_uint_eq(got.key_length, strlen(key));
        ck_assert_mem_eq(got.key, key, strlen(key));
        ck_assert_uint_eq(got.value_length, i % 50);
        ck_assert_uint_eq(got.line, i + 1);
    }
    ck_assert(!sort_next(sort, &got));
    ck_assert(!sort_next(sort, &got));
}

START_TEST(all_come_in_order_each_time_they_are_read)
{
    static const char fifty[51] = "12345678901234567890123456789012345678901234567890";
    size_t count = orders[_i].count;
    struct sort *sort = sort_new(LEAST_MEMORY, scratch);
    for (size_t i = 0; i < count; i++) {
        char key[32], value[51] = "";
        size_t number = orders[_i].number(i, count);
        snprintf(key, sizeof key, "u%08zu", number);
        memcpy(value, fifty, number % 50);
        add(sort, key, value, number + 1);
    }
    check_order(sort, count);
    check_order(sort, count);
    sort_free(sort);
}
END_TEST

START_TEST(octets_are_unsigned_a_beginning_is_less_and_lines_decide_last)
{
    static const struct {
        const char *key;
        unsigned long line;
    } expected[] = {{"a", 9}, {"ab", 2}, {"ab", 3}, {"ab", 5000000000}, {"b", 1}, {"\xc3\xa4", 4}};
    static const int added[] = {5, 3, 1, 4, 2, 0};
    struct sort *sort = sort_new(LEAST_MEMORY, scratch);
    struct sort_record got;
    struct error err;
    for (int i = 0; i < ROWS(added); i++)
        add(sort, expected[added[i]].key, "", expected[added[i]].line);
    ck_assert_int_eq(sort_rewind(sort, &err), 0);
    for (int i = 0; i < ROWS(expected); i++) {
        ck_assert(sort_next(sort, &got));
        ck_assert_uint_eq(got.key_length, strlen(expected[i].key));
        ck_assert_mem_eq(got.key, expected[i].key, got.key_length);
        ck_assert_uint_eq(got.line, expected[i].line);
    }
    ck_assert(!sort_next(sort, &got));
    sort_free(sort);
}
END_TEST

/* Keys that are each other's beginnings, repeat each other, or differ late. */
static const struct {
    size_t shared, most; /* octets: the same in all, and behind them */
    unsigned letters;
} alikes[] = {{0, 30, 2}, {0, 4, 3}, {300, 3, 26}, {7, 9, 1}, {8, 8, 2}, {0, 1, 256}, {480, 31, 2}};

static int order_of(const struct sort_record *a, const struct sort_record *b)
{
    size_t less = a->key_length < b->key_length ? a->key_length : b->key_length;
    int rc = memcmp(a->key, b->key, less);
    if (rc != 0)
        return rc;
    if (a->key_length != b->key_length)
        return a->key_length < b->key_length ? -1 : 1;
    return a->line < b->line ? -1 : 1;
}

START_TEST(keys_that_are_alike)
{
    enum { COUNT = 5000 };
    struct error err;
    struct sort_record got, last = {.key = "", .line = 0};
    unsigned char key[SORT_KEY_MAX], before[SORT_KEY_MAX];
    unsigned long lines = 0, state = 1;
    struct sort *sort = sort_new(_i % 2 == 0 ? LEAST_MEMORY : 4 * 1024 * 1024, scratch);

    for (unsigned long line = 1; line <= COUNT; line++) {
        memset(key, 'k', sizeof key);
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t length = alikes[_i].shared + 1 + (state >> 33) % alikes[_i].most;
        for (size_t i = alikes[_i].shared; i < length; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            key[i] = (unsigned char)((state >> 33) % alikes[_i].letters);
        }
        const struct sort_record record = {
            .key = key, .key_length = length, .value = "", .line = line};
        ck_assert_int_eq(sort_add(sort, &record, &err), 0);
    }
    ck_assert_int_eq(sort_rewind(sort, &err), 0);
    while (sort_next(sort, &got)) {
        ck_assert(lines == 0 || order_of(&last, &got) < 0);
        memcpy(before, got.key, got.key_length);
        last = got;
        last.key = before;
        lines++;
    }
    ck_assert_uint_eq(lines, COUNT);
    sort_free(sort);
}
END_TEST

START_TEST(the_longest_records_fit)
{
    char key[SORT_KEY_MAX + 1], value[SORT_VALUE_MAX + 1];
    struct sort *sort = sort_new(LEAST_MEMORY, scratch);
    struct sort_record got;
    struct error err;
    memset(key, 'k', SORT_KEY_MAX);
    memset(value, 'v', SORT_VALUE_MAX);
    key[SORT_KEY_MAX] = value[SORT_VALUE_MAX] = '\0';
    for (unsigned long line = 500; line >= 1; line--)
        add(sort, key, value, line);
    ck_assert_int_eq(sort_rewind(sort, &err), 0);
    for (unsigned long line = 1; line <= 500; line++) {
        ck_assert(sort_next(sort, &got));
        ck_assert_uint_eq(got.line, line);
        ck_assert_mem_eq(got.value, value, SORT_VALUE_MAX);
    }
    sort_free(sort);
}
END_TEST

START_TEST(the_temporary_file_has_no_name)
{
    int files = 0;
    struct sort *sort = sort_new(LEAST_MEMORY, scratch);
    for (size_t i = 20000; i > 0; i--) {
        char key[32];
        snprintf(key, sizeof key, "%08zu", i);
        add(sort, key, "", i);
    }
    DIR *folder = opendir(scratch);
    for (struct dirent *file; (file = readdir(folder)) != NULL;)
        files += file->d_name[0] != '.';
    closedir(folder);
    ck_assert_int_eq(files, 0);
    sort_free(sort);
}
END_TEST

START_TEST(a_folder_that_cannot_be_written_is_an_error)
{
    struct error err;
    const struct sort_record record = {.key = "k", .key_length = 1, .value = "", .line = 1};
    struct sort *sort = sort_new(LEAST_MEMORY, "/proc/nowhere");
    int rc = 0;
    for (int i = 0; i < 20000 && rc == 0; i++)
        rc = sort_add(sort, &record, &err);
    ck_assert_int_eq(rc, -1);
    ck_assert_int_eq(err.status, EX_IOERR);
    ck_assert_ptr_nonnull(strstr(err.text, "/proc/nowhere"));
    sort_free(sort);
}
END_TEST

Suite *sort_suite(void)
{
    Suite *suite = suite_create("sort");
    TCase *tcase = tcase_create("sort");
    tcase_add_checked_fixture(tcase, scratch_setup, scratch_teardown);
    tcase_add_loop_test(tcase, all_come_in_order_each_time_they_are_read, 0, ROWS(orders));
    tcase_add_test(tcase, octets_are_unsigned_a_beginning_is_less_and_lines_decide_last);
    tcase_add_loop_test(tcase, keys_that_are_alike, 0, ROWS(alikes));
    tcase_add_test(tcase, the_longest_records_fit);
    tcase_add_test(tcase, the_temporary_file_has_no_name);
    tcase_add_test(tcase, a_folder_that_cannot_be_written_is_an_error);
    suite_add_tcase(suite, tcase);
    return suite;
}
