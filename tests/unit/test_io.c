/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "net/io.h"
#include "scratch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

START_TEST(a_peer_that_is_silent_costs_the_deadline_and_no_more)
{
    int ends[2];
    char octet;
    const struct timespec over = io_deadline(-1), soon = io_deadline(1);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ck_assert_int_eq(io_receive(ends[0], &octet, 1, &over), -1);
    ck_assert_int_eq(errno, ETIMEDOUT);
    ck_assert_int_eq(io_receive(ends[0], &octet, 1, &soon), -1);
    ck_assert_int_eq(errno, ETIMEDOUT);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(a_peer_that_takes_nothing_is_not_waited_for)
{
    static const char much[1 << 20];
    const struct timespec soon = io_deadline(1);
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ck_assert_int_eq(io_send(ends[0], much, sizeof much, &soon), -1);
    ck_assert_int_eq(errno, ETIMEDOUT);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

START_TEST(what_was_sent_before_the_end_is_received)
{
    const struct timespec end = io_deadline(60);
    char text[8];
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ck_assert_int_eq(io_send(ends[0], "250 ok", 6, &end), 0);
    close(ends[0]);
    ck_assert_int_eq(io_receive(ends[1], text, sizeof text, &end), 6);
    ck_assert_int_eq(memcmp(text, "250 ok", 6), 0);
    ck_assert_int_eq(io_receive(ends[1], text, sizeof text, &end), 0);
    ck_assert_int_eq(io_send(ends[1], "x", 1, &end), -1); /* and no SIGPIPE */
    close(ends[1]);
}
END_TEST

START_TEST(a_listener_with_a_full_queue_is_not_waited_for)
{
    struct endpoint where = {.kind = ENDPOINT_UNIX};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timespec end = io_deadline(60);
    struct error err;
    int fds[4], count = 0, listener = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(where.name, sizeof where.name, "%s/full.sock", scratch);
    memcpy(address.sun_path, where.name, strnlen(where.name, sizeof address.sun_path - 1));
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 0), 0);

    fds[count++] =
        io_connect(&where, &end, &err); /* listen(2): the queue has room for one more than that */
    ck_assert_msg(fds[0] >= 0, "%s", err.text);
    const struct timespec soon = io_deadline(1);
    while (count < 4 && (fds[count] = io_connect(&where, &soon, &err)) >= 0)
        count++;
    ck_assert_int_lt(count, 4);
    ck_assert_msg(strstr(err.text, strerror(ETIMEDOUT)) != NULL, "%s", err.text);
    while (count > 0)
        close(fds[--count]);
    close(listener);
}
END_TEST

START_TEST(where_nobody_listens_the_error_names_the_place)
{
    const struct timespec end = io_deadline(60);
    struct endpoint where = {.kind = ENDPOINT_UNIX};
    struct error err;
    snprintf(where.name, sizeof where.name, "%s/none.sock", scratch);
    ck_assert_int_eq(io_connect(&where, &end, &err), -1);
    ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    ck_assert_msg(strstr(err.text, where.name) != NULL, "%s", err.text);
}
END_TEST

Suite *io_suite(void)
{
    Suite *suite = suite_create("io");
    TCase *tests = tcase_create("io");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, scratch_setup, scratch_teardown);
    tcase_add_test(tests, a_peer_that_is_silent_costs_the_deadline_and_no_more);
    tcase_add_test(tests, a_peer_that_takes_nothing_is_not_waited_for);
    tcase_add_test(tests, what_was_sent_before_the_end_is_received);
    tcase_add_test(tests, a_listener_with_a_full_queue_is_not_waited_for);
    tcase_add_test(tests, where_nobody_listens_the_error_names_the_place);
    suite_add_tcase(suite, tests);
    return suite;
}
