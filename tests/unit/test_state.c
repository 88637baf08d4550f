/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "follow/state.h"
#include "scratch.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

static size_t open_files(void)
{
    size_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(folder);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

START_TEST(what_is_written_is_read)
{
    struct follow_state state = {.status = FOLLOW_HELD, .version = 7, .held = 30};
    struct error err;
    skipped_add(&state.skipped, "A@old.example", "write a@old.example");
    ck_assert_int_eq(state_write(&state, scratch, &err), 0);
    state_clear(&state);
    ck_assert_int_eq(state_read(&state, scratch, &err), 0);
    ck_assert(state.status == FOLLOW_HELD && state.version == 7 && state.held == 30);
    ck_assert(skipped_has(&state.skipped, "A@old.example", "write a@old.example"));
    ck_assert_uint_eq(state.skipped.count, 1);
    state_clear(&state);
}
END_TEST

START_TEST(a_file_that_does_not_end_is_not_read_to_its_end)
{
    struct follow_state state;
    struct error err;
    char path[256];
    snprintf(path, sizeof path, "%s/follow.json", scratch);
    FILE *file = fopen(path, "w");
    fprintf(file, "{\"version\": 7%*s}", 17 << 20, "");
    fclose(file);
    ck_assert_int_eq(state_read(&state, scratch, &err), -1);
    ck_assert_int_eq(err.status, EX_DATAERR);
}
END_TEST

START_TEST(the_folder_above_is_not_the_tables)
{
    struct follow_state state = {.status = FOLLOW_IN_STEP};
    struct error err;
    ck_assert_int_eq(state_write(&state, scratch, &err), 0);
    ck_assert_int_eq(state_read(&state, scratch_table, &err), 1); /* which is missing */
    ck_assert_int_eq(state_write(&state, scratch_table, &err), -1);
    ck_assert_int_eq(err.status, EX_NOINPUT);
    ck_assert_int_eq(state_remove(scratch_table, &err), -1);
    ck_assert_int_eq(state_read(&state, scratch, &err), 0);
}
END_TEST

START_TEST(a_full_disk_costs_no_descriptor_and_no_file)
{
    const struct rlimit none = {0, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    struct follow_state state = {.status = FOLLOW_IN_STEP, .version = 7};
    struct error err;
    size_t before = open_files();
    ck_assert_int_eq(state_write(&state, scratch, &err), 0);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &none);
    state.version = 8;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(state_write(&state, scratch, &err), -1);
    setrlimit(RLIMIT_FSIZE, &all);
    ck_assert_uint_eq(open_files(), before);
    ck_assert_int_eq(state_read(&state, scratch, &err), 0);
    ck_assert_int_eq(state.version, 7);
}
END_TEST

Suite *state_suite(void)
{
    Suite *suite = suite_create("state");
    TCase *tcase = tcase_create("state");
    tcase_add_checked_fixture(tcase, scratch_setup, scratch_teardown);
    tcase_add_test(tcase, what_is_written_is_read);
    tcase_add_test(tcase, a_file_that_does_not_end_is_not_read_to_its_end);
    tcase_add_test(tcase, the_folder_above_is_not_the_tables);
    tcase_add_test(tcase, a_full_disk_costs_no_descriptor_and_no_file);
    suite_add_tcase(suite, tcase);
    return suite;
}
