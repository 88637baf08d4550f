/* SPDX-License-Identifier: BSD-2-Clause */
#include "scratch.h"
#include "suites.h"
#include "table/changelog.h"
#include "table/copy.h"
#include "table/mark.h"
#include "table/merge.h"

#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct mark never = {.source = "store"};
static const struct mark seventh = {7, "8c1b", "store"};

static struct table *open_to(enum table_mode mode)
{
    struct error err;
    struct table *table;
    ck_assert_msg(table_open(&table, scratch_table, mode, true, &err) == 0, "%s", err.text);
    return table;
}

static void create_with(const struct mark *mark)
{
    struct error err;
    ck_assert_int_eq(table_create(scratch_table, true, mark, (uid_t)-1, (gid_t)-1, &err), 0);
}

/* Makes the table have these mailboxes of old.example and no others, as a sync does. */
static void sync_to(struct table *table, const char *locals, const struct mark *mark)
{
    const struct merge_watch watch = {NULL};
    struct merge *merge = merge_new(0, scratch, true, &watch);
    struct merge_counts counts;
    struct error err;
    for (; *locals != '\0'; locals++) {
        struct entry entry = {.scope = ENTRY_MAILBOX,
                              .local = {*locals},
                              .domain = "old.example",
                              .from = TIMESTAMP_NONE,
                              .until = TIMESTAMP_NONE,
                              .forward_until = TIMESTAMP_NONE};
        ck_assert_int_eq(merge_add(merge, &entry, 0, &err), 0);
    }
    struct table_edit *edit = table_edit_begin(table, &err);
    struct table_view *view = table_view_open(table, &err);
    ck_assert_int_eq(merge_compare(merge, view, &counts, &err), 0);
    ck_assert_int_eq(merge_write(merge, view, edit, &err), 0);
    table_view_close(view);
    merge_free(merge);
    ck_assert_int_eq(table_edit_mark(edit, mark, &err), 0);
    ck_assert_msg(table_edit_commit(edit, &err) == 0, "%s", err.text);
}

static enum table_result mark_of(struct table *table, struct mark *out)
{
    struct error err;
    enum table_result result = table_get_mark(table, out, &err);
    ck_assert_msg(result != TABLE_FAILED, "%s", err.text);
    return result;
}

static void has(struct table *table, size_t entries, const struct mark *mark)
{
    struct mark there;
    struct error err;
    size_t count;
    ck_assert_int_eq(table_count(table, &count, &err), 0);
    ck_assert_uint_eq(count, entries);
    ck_assert_int_eq(mark_of(table, &there), mark == NULL ? TABLE_ABSENT : TABLE_FOUND);
    if (mark == NULL)
        return;
    ck_assert_int_eq(there.version, mark->version);
    ck_assert_str_eq(there.nonce, mark->nonce);
    ck_assert_str_eq(there.source, mark->source);
}

static int count_change(const struct change *change, void *data, struct error *err)
{
    (void)change;
    (void)err;
    ++*(int *)data;
    return 0;
}

static int changes_of(struct table *table)
{
    struct error err;
    int count = 0;
    ck_assert_int_eq(changelog_each(table, count_change, &count, &err), 0);
    return count;
}

START_TEST(a_table_that_was_never_synced_is_for_the_follower_alone)
{
    create_with(&never);
    scratch_refuses(EX_NOINPUT, "never synced");
    struct table *table = open_to(TABLE_FOLLOW);
    has(table, 0, &never);
    sync_to(table, "", &seventh); /* the store is empty, and says so */
    table_free(table);
    table = open_to(TABLE_READ);
    has(table, 0, &seventh);
    table_free(table);
}
END_TEST

START_TEST(a_reader_meets_a_table_that_becomes_one)
{
    struct error err;
    struct entry entry;
    create_with(NULL);
    struct table *table =
        open_to(TABLE_WRITE); /* one environment: it is not open twice in one process */
    ck_assert_int_eq(scratch_find(table, ENTRY_MAILBOX, "a", "old.example", &entry), TABLE_ABSENT);
    struct table_edit *edit = table_edit_begin(table, &err);
    ck_assert_int_eq(table_edit_mark(edit, &never, &err), 0);
    ck_assert_int_eq(table_edit_commit(edit, &err), 0);
    ck_assert_ptr_null(table_view_open(table, &err));
    ck_assert_int_eq(err.status, EX_NOINPUT);
    ck_assert_ptr_null(table_edit_begin(table, &err));
    ck_assert_int_eq(err.status, EX_NOINPUT);
    table_free(table);
}
END_TEST

/* Rows: few changes are written among what is there, many by writing all of it. */
static const char *const syncs[][2] = {
    {"abcdefgh", "abcdefgx"}, {"a", "bcdefghijk"}, {"abc", "abc"}, {"abc", ""}};

START_TEST(a_sync_writes_its_mark_with_the_entries)
{
    const struct mark eighth = {8, "f00d", "store"};
    create_with(&never);
    struct table *table = open_to(TABLE_FOLLOW);
    sync_to(table, syncs[_i][0], &seventh);
    has(table, strlen(syncs[_i][0]), &seventh);
    sync_to(table, syncs[_i][1], &eighth);
    has(table, strlen(syncs[_i][1]), &eighth);
    table_free(table);
    table = open_to(TABLE_READ);
    has(table, strlen(syncs[_i][1]), &eighth);
    table_free(table);
}
END_TEST

START_TEST(a_mark_alone_is_no_change)
{
    const struct mark eighth = {8, "f00d", "store"};
    create_with(&never);
    struct table *table = open_to(TABLE_FOLLOW);
    sync_to(table, "ab", &seventh);
    ck_assert_int_eq(changes_of(table), 1);
    sync_to(table, "ab", &eighth);
    ck_assert_int_eq(changes_of(table), 1);
    has(table, 2, &eighth);
    table_free(table);
}
END_TEST

START_TEST(a_mark_of_an_edit_that_is_given_up_is_not_there)
{
    struct error err;
    create_with(&seventh);
    struct table *table = open_to(TABLE_FOLLOW);
    struct table_edit *edit = table_edit_begin(table, &err);
    ck_assert_int_eq(table_edit_mark(edit, &never, &err), 0);
    table_edit_abort(edit);
    has(table, 0, &seventh);
    table_free(table);
}
END_TEST

/* The version before reads format 2, and refuses 3. */
static void says_format(const char *expected)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi entries;
    MDB_val value, key = {7, (void *)"\0format"};
    ck_assert_int_eq(mdb_env_create(&env), 0);
    ck_assert_int_eq(mdb_env_open(env, scratch_table, MDB_RDONLY, 0), 0);
    ck_assert_int_eq(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), 0);
    ck_assert_int_eq(mdb_dbi_open(txn, NULL, 0, &entries), 0);
    ck_assert_int_eq(mdb_get(txn, entries, &key, &value), 0);
    ck_assert_mem_eq(value.mv_data, expected, value.mv_size);
    mdb_txn_abort(txn);
    mdb_env_close(env);
}

/* No mark at all; a version cut short, a nonce without its end, one that is too long. */
static const size_t damaged[] = {0, 7, 8 + 1, 8 + MARK_NONCE_MAX + 1 + 1};

START_TEST(a_mark_that_cannot_be_read_is_damage)
{
    char octets[8 + MARK_NONCE_MAX + 2];
    memset(octets, 'a', sizeof octets);
    octets[sizeof octets - 1] = '\0';
    create_with(&seventh);
    scratch_put_octets("\0mark", 5, damaged[_i] == 0 ? NULL : octets, damaged[_i]);
    scratch_refuses(EX_DATAERR, "damaged");
}
END_TEST

static void edit_mark(const struct mark *mark)
{
    struct error err;
    struct table *table = open_to(TABLE_FOLLOW);
    struct table_edit *edit = table_edit_begin(table, &err);
    ck_assert_int_eq(table_edit_mark(edit, mark, &err), 0);
    ck_assert_int_eq(table_edit_commit(edit, &err), 0);
    table_free(table);
}

START_TEST(the_format_is_the_third_as_long_as_there_is_a_mark)
{
    scratch_fill((const char *[]){"a@old.example", "a@new.example", NULL});
    says_format("2");
    edit_mark(&seventh);
    says_format("3");
    edit_mark(NULL);
    says_format("2");
    struct table *table = open_to(TABLE_READ);
    has(table, 1, NULL);
    table_free(table);
}
END_TEST

START_TEST(a_copy_has_the_mark_too)
{
    char copy[96];
    size_t entries;
    struct error err;
    create_with(&never);
    struct table *table = open_to(TABLE_FOLLOW);
    sync_to(table, "abc", &seventh);
    snprintf(copy, sizeof copy, "%s/copy", scratch);
    ck_assert_int_eq(table_backup(table, copy, (void (*)(void))sync, &entries, &err), 0);
    table_free(table);
    ck_assert_int_eq(table_open(&table, copy, TABLE_READ, true, &err), 0);
    has(table, 3, &seventh);
    table_free(table);
}
END_TEST

Suite *mark_suite(void)
{
    Suite *suite = suite_create("mark");
    TCase *tcase = tcase_create("mark");
    tcase_add_checked_fixture(tcase, scratch_setup, scratch_teardown);
    tcase_add_test(tcase, a_table_that_was_never_synced_is_for_the_follower_alone);
    tcase_add_test(tcase, a_reader_meets_a_table_that_becomes_one);
    tcase_add_loop_test(tcase, a_sync_writes_its_mark_with_the_entries, 0,
                        sizeof syncs / sizeof *syncs);
    tcase_add_test(tcase, a_mark_alone_is_no_change);
    tcase_add_test(tcase, a_mark_of_an_edit_that_is_given_up_is_not_there);
    tcase_add_test(tcase, the_format_is_the_third_as_long_as_there_is_a_mark);
    tcase_add_loop_test(tcase, a_mark_that_cannot_be_read_is_damage, 0,
                        sizeof damaged / sizeof *damaged);
    tcase_add_test(tcase, a_copy_has_the_mark_too);
    suite_add_tcase(suite, tcase);
    return suite;
}
