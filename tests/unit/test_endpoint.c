/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "base/endpoint.h"

#include <stdio.h>
#include <string.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct {
    const char *milter, *host, *postfix, *sendmail;
} forms[] = {
    {"unix:/run/milter-moved/milter.sock", "unix:/run/milter-moved/milter.sock",
     "unix:/run/milter-moved/milter.sock", "unix:/run/milter-moved/milter.sock"},
    {"inet:9550@127.0.0.1", "127.0.0.1:9550", "inet:127.0.0.1:9550", "inet:9550@127.0.0.1"},
    {"inet:9550@localhost", "localhost:9550", "inet:localhost:9550", "inet:9550@localhost"},
    {"inet6:9550@[::1]", "[::1]:9550", "inet:[::1]:9550", "inet6:9550@::1"},
    {"inet:65535@mx.old.example", "mx.old.example:65535", "inet:mx.old.example:65535",
     "inet:65535@mx.old.example"},
};

START_TEST(each_writes_its_own_form)
{
    struct endpoint endpoint;
    struct error err;
    char out[ENDPOINT_TEXT_SIZE];
    ck_assert_msg(endpoint_parse(&endpoint, forms[_i].milter, &err) == 0, "%s", err.text);
    ck_assert_str_eq(endpoint_format_host(out, sizeof out, &endpoint), forms[_i].host);
    ck_assert_str_eq(endpoint_format_postfix(out, sizeof out, &endpoint), forms[_i].postfix);
    ck_assert_str_eq(endpoint_format_sendmail(out, sizeof out, &endpoint), forms[_i].sendmail);
}
END_TEST

START_TEST(each_form_is_read_again)
{
    struct endpoint endpoint, again;
    ck_assert_int_eq(endpoint_parse(&endpoint, forms[_i].milter, NULL), 0);
    ck_assert(endpoint_parse_postfix(&again, forms[_i].postfix));
    ck_assert_str_eq(again.name, endpoint.name);
    ck_assert_uint_eq(again.port, endpoint.port);
    ck_assert(endpoint_is_same(&again, &endpoint));
    ck_assert(endpoint_parse_sendmail(&again, forms[_i].sendmail));
    ck_assert(endpoint_is_same(&again, &endpoint));
}
END_TEST

static const struct {
    const char *why, *text, *says;
} bad[] = {
    {"nothing", "", "no such kind"},
    {"no kind", "/run/x", "no such kind"},
    {"another kind", "local:/run/x", "no such kind"},
    {"no path", "unix:", "no path"},
    {"no host", "inet:9550", "every address"},
    {"an empty host", "inet:9550@", "every address"},
    {"no port", "inet:x@127.0.0.1", "no port"},
    {"port 0", "inet:0@127.0.0.1", "no port"},
    {"a port over 65535", "inet:65536@127.0.0.1", "no port"},
    {"a port that is negative", "inet:-1@127.0.0.1", "no port"},
    {"Postfix's form", "inet:127.0.0.1:9550", "no port"},
    {"IPv6 with inet", "inet:9550@[::1]", "write inet6:9550@[::1]"},
    {"IPv4 with inet6", "inet6:9550@127.0.0.1", "write inet:9550@127.0.0.1"},
};
START_TEST(what_is_no_endpoint_is_refused)
{
    struct endpoint endpoint = {.port = 7};
    struct error err;
    ck_assert_msg(endpoint_parse(&endpoint, bad[_i].text, &err) == -1, "%s", bad[_i].why);
    ck_assert_msg(strstr(err.text, bad[_i].says) != NULL, "%s: %s", bad[_i].why, err.text);
    ck_assert_uint_eq(endpoint.port, 7);
}
END_TEST

static const struct {
    const char *text, *name;
    unsigned port; /* 0: it is refused */
} hosts[] = {
    {"mx.old.example", "mx.old.example", 25},
    {"mx.old.example:587", "mx.old.example", 587},
    {"192.0.2.1", "192.0.2.1", 25},
    {"192.0.2.1:2525", "192.0.2.1", 2525},
    {"2001:db8::1", "2001:db8::1", 25},
    {"[2001:db8::1]", "2001:db8::1", 25},
    {"[2001:db8::1]:2525", "2001:db8::1", 2525},
    {"", "", 0},
    {":25", "", 0},
    {"mx.old.example:", "", 0},
    {"mx.old.example:smtp", "", 0},
    {"mx.old.example:0", "", 0},
    {"mx.old.example:65536", "", 0},
    {"mx.old.example:25:25", "", 0},
    {"[mx.old.example]:25", "", 0},
    {"[2001:db8::1]25", "", 0},
    {"[]:25", "", 0},
    {"mx old:25", "", 0},
    {"unix:/run/x:25", "", 0},
    {"al@old.example", "", 0},
};
START_TEST(an_administrator_types_a_host_and_a_port)
{
    struct endpoint endpoint;
    struct error err;
    int rc = endpoint_parse_host(&endpoint, hosts[_i].text, 25, &err);
    ck_assert_msg((rc == 0) == (hosts[_i].port != 0), "'%s'", hosts[_i].text);
    if (rc != 0)
        return;
    ck_assert_str_eq(endpoint.name, hosts[_i].name);
    ck_assert_uint_eq(endpoint.port, hosts[_i].port);
}
END_TEST

static const struct {
    bool postfix, yes;
    const char *text;
} foreign[] = {
    {true, true, "unix:milter-moved/milter.sock"},
    {true, false, "inet:127.0.0.1"},
    {true, false, "inet:9550@127.0.0.1"},
    {true, false, "{"},
    {true, false, ""},
    {false, true, "local:/run/milter.sock"},
    {false, true, "/run/milter.sock"},
    {false, true, "inet6:9550@[::1]"},
    {false, false, "inet:127.0.0.1:9550"},
    {false, false, ""},
};
START_TEST(mail_servers_have_forms_of_their_own)
{
    struct endpoint endpoint;
    bool yes = foreign[_i].postfix ? endpoint_parse_postfix(&endpoint, foreign[_i].text)
                                   : endpoint_parse_sendmail(&endpoint, foreign[_i].text);
    ck_assert_msg(yes == foreign[_i].yes, "'%s'", foreign[_i].text);
}
END_TEST

START_TEST(a_name_that_is_too_long_is_refused)
{
    struct endpoint endpoint;
    char path[300], host[300];
    snprintf(path, sizeof path, "unix:/%0260d", 0);
    snprintf(host, sizeof host, "inet:25@%0260d", 0);
    ck_assert_int_eq(endpoint_parse(&endpoint, path, NULL), -1);
    ck_assert_int_eq(endpoint_parse(&endpoint, host, NULL), -1);
    ck_assert_int_eq(endpoint_parse_host(&endpoint, host + strlen("inet:25@"), 25, NULL), -1);
}
END_TEST

Suite *endpoint_suite(void)
{
    Suite *suite = suite_create("endpoint");
    TCase *tests = tcase_create("endpoint");
    tcase_add_loop_test(tests, each_writes_its_own_form, 0, ROWS(forms));
    tcase_add_loop_test(tests, each_form_is_read_again, 0, ROWS(forms));
    tcase_add_loop_test(tests, what_is_no_endpoint_is_refused, 0, ROWS(bad));
    tcase_add_loop_test(tests, an_administrator_types_a_host_and_a_port, 0, ROWS(hosts));
    tcase_add_loop_test(tests, mail_servers_have_forms_of_their_own, 0, ROWS(foreign));
    tcase_add_test(tests, a_name_that_is_too_long_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
