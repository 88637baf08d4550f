/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "scratch.h"

#include <fcntl.h>
#include <lmdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const char *const some[] = {"alice@old.example", "alice@new.example", NULL};

static void fill_with(char *out, size_t size, int how)
{
    static const char text[] = "old,new\n";
    unsigned long state = (unsigned long)how;
    for (size_t i = 0; i < size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        out[i] = how == 0   ? '\0'
                 : how == 1 ? '\xff'
                 : how == 2 ? text[i % (sizeof text - 1)]
                            : (char)(state >> 56);
    }
}

/* Written back, it is read with the same handle, and views that have met a fault. */
START_TEST(a_file_that_is_overwritten_while_it_is_open)
{
    struct error err = {.status = 0};
    struct stat status;
    struct entry entry;
    scratch_fill_many(2000);
    struct table *table = scratch_open();
    ck_assert_int_eq(scratch_find(table, ENTRY_MAILBOX, "u001000", "old.example", &entry),
                     TABLE_FOUND);
    ck_assert_int_eq(stat(scratch_file("data.mdb"), &status), 0);
    char *good = malloc((size_t)status.st_size), *bad = malloc((size_t)status.st_size);
    int fd = open(scratch_file("data.mdb"), O_RDONLY);
    ck_assert_int_eq(read(fd, good, (size_t)status.st_size), status.st_size);
    close(fd);
    fill_with(bad, (size_t)status.st_size, _i);
    scratch_overwrite(0, bad, (size_t)status.st_size);
    for (int i = 0; i < 100; i++) {
        struct table_view *view = table_view_open(table, &err);
        if (view != NULL)
            ck_assert_int_ne(
                table_find(view, ENTRY_MAILBOX, "u001000", "old.example", &entry, &err),
                TABLE_ABSENT);
        table_view_close(view);
    }
    ck_assert_msg(err.status == EX_DATAERR, "%s", err.text);
    scratch_overwrite(0, good, (size_t)status.st_size);
    ck_assert_int_eq(scratch_find(table, ENTRY_MAILBOX, "u001000", "old.example", &entry),
                     TABLE_FOUND);
    free(good);
    free(bad);
    table_free(table);
}
END_TEST

/* Its pages are sound, and no mailbox is in them. */
START_TEST(a_file_without_records_over_one_that_is_open)
{
    char path[128], octets[2 * 4096];
    MDB_env *env;
    struct entry entry;
    struct error err;
    scratch_fill(some);
    struct table *table = scratch_open();
    ck_assert_int_eq(scratch_find(table, ENTRY_MAILBOX, "alice", "old.example", &entry),
                     TABLE_FOUND);
    ck_assert_int_eq(mkdir(scratch_file("empty"), 0700), 0);
    ck_assert_int_eq(mdb_env_create(&env), 0);
    ck_assert_int_eq(mdb_env_open(env, scratch_file("empty"), 0, 0600), 0);
    mdb_env_close(env);
    snprintf(path, sizeof path, "%s/empty/data.mdb", scratch_table);
    int fd = open(path, O_RDONLY);
    ck_assert_int_eq(read(fd, octets, sizeof octets), sizeof octets);
    close(fd);
    scratch_overwrite(0, octets, sizeof octets);
    ck_assert_ptr_null(table_view_open(table, &err));
    ck_assert_int_eq(err.status, EX_DATAERR);
    table_free(table);
}
END_TEST

/* Wherever the damage is: absent is never the answer. */
START_TEST(each_page_of_zeros)
{
    static const char zeros[4096];
    char good[4096];
    struct stat status;
    struct entry entry;
    struct error err;
    struct table *table;
    int failed = 0;
    scratch_fill((const char *[]){"@.sub.example", "@new.example", NULL});
    for (int i = 0; i < 60;
         i++) /* the change log then has pages of its own, before those of the entries */
        scratch_put(
            &(struct entry_text){.old = "alice@old.example", .note = i % 2 == 0 ? "even" : "odd"});
    ck_assert_int_eq(stat(scratch_file("data.mdb"), &status), 0);
    int fd = open(scratch_file("data.mdb"), O_RDONLY);
    for (off_t at = 2 * 4096; at < status.st_size; at += 4096) {
        ck_assert_int_eq(pread(fd, good, sizeof good, at), sizeof good);
        scratch_overwrite(at, zeros, sizeof zeros);
        struct table_view *view = NULL;
        if (table_open(&table, scratch_table, TABLE_READ, true, &err) == 0) {
            view = table_view_open(table, &err);
            enum table_result found =
                view == NULL ? TABLE_FAILED
                             : table_find(view, ENTRY_SUBDOMAINS, "", "sub.example", &entry, &err);
            ck_assert_int_ne(found, TABLE_ABSENT);
            failed += found == TABLE_FAILED;
            table_view_close(view);
            table_free(table);
        }
        scratch_overwrite(at, good, sizeof good);
    }
    close(fd);
    ck_assert_int_gt(failed, 0);
}
END_TEST

enum { LOCK_REMOVED = -1, LOCK_TEXT = -2, LOCK_ZEROS = -3 };

static void damage_lock(int how)
{
    char octets[8192];
    fill_with(octets, sizeof octets, how == LOCK_ZEROS ? 0 : 2);
    if (how == LOCK_REMOVED)
        ck_assert_int_eq(unlink(scratch_file("lock.mdb")), 0);
    else
        ck_assert_int_eq(truncate(scratch_file("lock.mdb"), how > 0 ? how : 0), 0);
    if (how == LOCK_TEXT || how == LOCK_ZEROS) {
        int fd = open(scratch_file("lock.mdb"), O_WRONLY);
        for (int i = 0; i < 40; i++) /* longer than it was */
            ck_assert_int_eq(write(fd, octets, sizeof octets), sizeof octets);
        close(fd);
    }
}

static const int lock_damages[] = {0,   1,    8,    9,      100,          128,       191,
                                   192, 4096, 8191, 262271, LOCK_REMOVED, LOCK_TEXT, LOCK_ZEROS};

START_TEST(a_lock_file_that_is_damaged_while_it_is_open)
{
    struct error err;
    struct entry entry;
    scratch_fill(some);
    struct table *table = scratch_open();
    struct table_view *views[3];
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_nonnull(views[i] = table_view_open(table, &err));
    table_view_close(views[0]);
    damage_lock(lock_damages[_i]);
    ck_assert_int_ne(table_find(views[1], ENTRY_MAILBOX, "alice", "old.example", &entry, &err),
                     TABLE_ABSENT);
    table_view_close(views[1]);
    for (int i = 0; i < 3; i++) { /* more than there are waiting: one needs a slot */
        views[i == 0 ? 0 : 1] = table_view_open(table, &err);
        if (i == 1)
            table_view_close(views[1]);
    }
    table_view_close(views[0]);
    table_view_close(views[1]);
    table_view_close(views[2]);
    ck_assert_int_eq(table_check(table, &err), -1);
    ck_assert_int_eq(err.status, EX_TEMPFAIL);
    ck_assert_ptr_nonnull(strstr(err.text, "lock.mdb"));
    table_free(table);
    table = scratch_open(); /* LMDB recreates it if no program uses it */
    ck_assert_int_eq(scratch_find(table, ENTRY_MAILBOX, "alice", "old.example", &entry),
                     TABLE_FOUND);
    ck_assert_int_eq(table_check(table, &err), 0);
    table_free(table);
}
END_TEST

/* Its locks look taken to whoever asks for one. */
START_TEST(no_slot_is_asked_of_a_damaged_lock_file)
{
    struct error err;
    scratch_fill(some);
    struct table *table = scratch_open();
    damage_lock(lock_damages[_i]);
    ck_assert_ptr_null(table_view_open(table, &err));
    ck_assert_int_eq(err.status, EX_TEMPFAIL);
    table_free(table);
}
END_TEST

START_TEST(a_table_that_is_lost_stays_so)
{
    struct error err;
    struct stat status;
    scratch_fill(some);
    struct table *table = scratch_open();
    struct table_view *view = table_view_open(table, &err);
    ck_assert_int_eq(stat(scratch_file("lock.mdb"), &status), 0);
    char *octets = malloc((size_t)status.st_size);
    int fd = open(scratch_file("lock.mdb"), O_RDWR);
    ck_assert_int_eq(read(fd, octets, (size_t)status.st_size), status.st_size);
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    table_view_close(view);
    ck_assert_int_eq(pwrite(fd, octets, (size_t)status.st_size, 0), status.st_size);
    ck_assert_ptr_null(table_view_open(table, &err));
    ck_assert_int_eq(table_check(table, &err), -1);
    ck_assert_int_eq(err.status, EX_TEMPFAIL);
    free(octets);
    close(fd);
    table_free(table);
}
END_TEST

/* Its slots can still be used, but no other program sees them. */
START_TEST(a_lock_file_under_another_name)
{
    struct error err;
    char old[128];
    scratch_fill(some);
    struct table *table = scratch_open();
    snprintf(old, sizeof old, "%s/lock.old", scratch_table);
    ck_assert_int_eq(rename(scratch_file("lock.mdb"), old), 0);
    ck_assert_int_eq(table_check(table, &err), -1);
    ck_assert_int_eq(err.status, EX_TEMPFAIL);
    ck_assert_int_eq(link(old, scratch_file("lock.mdb")), 0);
    ck_assert_int_eq(table_check(table, &err), 0);
    table_free(table);
}
END_TEST

/* Until it is told to end. */
static void use_table(int may, int ready)
{
    char octet;
    struct table *table = scratch_open();
    if (table == NULL || write(ready, "", 1) != 1 || read(may, &octet, 1) != 0)
        _exit(1);
    _exit(0);
}

START_TEST(a_damaged_lock_file_that_another_program_uses)
{
    int may[2], ready[2];
    char octet;
    scratch_fill(some);
    ck_assert_int_eq(pipe(may), 0);
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        close(may[1]);
        use_table(may[0], ready[1]);
    }
    ck_assert_int_eq(read(ready[0], &octet, 1), 1);
    damage_lock(lock_damages[_i]);
    bool can_be_told = lock_damages[_i] != LOCK_REMOVED && lock_damages[_i] < 8192;
    if (can_be_told)
        scratch_refuses(EX_TEMPFAIL, "lock.mdb");
    else
        table_free(scratch_open());
    close(may[1]);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    close(may[0]);
    close(ready[0]);
    close(ready[1]);
    table_free(scratch_open());
}
END_TEST

/* What other programs do to the files of a table that is open. */
Suite *damage_suite(void)
{
    Suite *suite = suite_create("damage");
    TCase *tcase = tcase_create("damage");
    tcase_add_checked_fixture(tcase, scratch_setup, scratch_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_file_that_is_overwritten_while_it_is_open, 0, 40);
    tcase_add_test(tcase, a_file_without_records_over_one_that_is_open);
    tcase_add_test(tcase, each_page_of_zeros);
    tcase_add_loop_test(tcase, a_lock_file_that_is_damaged_while_it_is_open, 0, ROWS(lock_damages));
    tcase_add_loop_test(tcase, no_slot_is_asked_of_a_damaged_lock_file, 0, ROWS(lock_damages));
    tcase_add_test(tcase, a_table_that_is_lost_stays_so);
    tcase_add_test(tcase, a_lock_file_under_another_name);
    tcase_add_loop_test(tcase, a_damaged_lock_file_that_another_program_uses, 0,
                        ROWS(lock_damages));
    suite_add_tcase(suite, tcase);
    return suite;
}
