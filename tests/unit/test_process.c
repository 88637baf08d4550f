/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "mta/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

START_TEST(input_output_and_status_of_a_program)
{
    struct output output;
    struct error err;
    const char *const argv[] = {"sh", "-c", "cat; echo wrong >&2; exit 3", NULL};
    ck_assert_int_eq(process_run(&output, argv, "one\ntwo\n", &err), 0);
    ck_assert_str_eq(output.out, "one\ntwo\n");
    ck_assert_str_eq(output.err, "wrong\n");
    ck_assert_int_eq(output.status, 3);
    process_free(&output);
}
END_TEST

START_TEST(without_input_there_is_nothing_to_read)
{
    struct output output;
    struct error err;
    const char *const argv[] = {"cat", NULL};
    ck_assert_int_eq(process_run(&output, argv, NULL, &err), 0);
    ck_assert_str_eq(output.out, "");
    ck_assert_int_eq(output.status, 0);
    process_free(&output);
}
END_TEST

/* However it goes on: with its output open, or closed. Each is killed, and no zombie is left. */
static const char *const endless[] = {
    "exec tail -f /dev/null",
    "exec >/dev/null 2>&1; exec tail -f /dev/null",
};
START_TEST(a_program_that_does_not_end_is_killed)
{
    struct output output;
    struct error err;
    const char *const argv[] = {"sh", "-c", endless[_i], NULL};
    ck_assert_int_eq(process_run_within(&output, argv, NULL, 1, &err), -1);
    ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    ck_assert_str_eq(err.text, "'sh' did not end in 1 s");
    ck_assert_int_eq(output.status, 128 + 9);
    process_free(&output);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(a_program_that_is_not_there)
{
    struct output output;
    struct error err;
    const char *const argv[] = {"no-such-program-movedctl", NULL};
    ck_assert_int_eq(process_run(&output, argv, NULL, &err), -1);
    ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    process_free(&output);
}
END_TEST

START_TEST(the_last_line_on_standard_error_is_the_reason)
{
    struct error err;
    const char *const argv[] = {"sh", "-c", "echo first >&2; echo second >&2; exit 1", NULL};
    ck_assert_ptr_null(process_read(argv, &err));
    ck_assert_str_eq(err.text, "sh: exit status 1: second");
}
END_TEST

Suite *process_suite(void)
{
    Suite *suite = suite_create("process");
    TCase *tests = tcase_create("process");
    tcase_add_test(tests, input_output_and_status_of_a_program);
    tcase_add_test(tests, without_input_there_is_nothing_to_read);
    tcase_add_loop_test(tests, a_program_that_does_not_end_is_killed, 0,
                        (int)(sizeof endless / sizeof *endless));
    tcase_add_test(tests, a_program_that_is_not_there);
    tcase_add_test(tests, the_last_line_on_standard_error_is_the_reason);
    suite_add_tcase(suite, tests);
    return suite;
}
