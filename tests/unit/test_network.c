/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "base/network.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const struct {
    const char *network, *ip;
    bool inside;
} rows[] = {
    {"192.0.2.0/24", "192.0.2.255", true},
    {"192.0.2.0/24", "192.0.3.0", false},
    {"192.0.2.7", "192.0.2.7", true},
    {"192.0.2.7", "192.0.2.8", false},
    {"0.0.0.0/0", "203.0.113.9", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"10.0.0.0/9", "10.127.255.255", true},
    {"10.0.0.0/9", "10.128.0.0", false},
    {"2001:db8::/33", "2001:db8:7fff::1", true},
    {"2001:db8::/33", "2001:db8:8000::1", false},
    {"::1", "::1", true},
    {"127.0.0.0/8", "::ffff:127.0.0.1", true},
    {"::/0", "192.0.2.1", false},
    {"::/0", "::", true},
    {"::/8", "::ffff:192.0.2.1", false},
    {"[2001:db8::1]", "IPv6:2001:db8::1", true},
};
START_TEST(a_network_has_its_addresses)
{
    struct network network;
    struct ip ip;
    struct error err;
    ck_assert_msg(network_parse(&network, rows[_i].network, &err) == 0, "%s", err.text);
    ck_assert_msg(ip_parse(&ip, rows[_i].ip, &err) == 0, "%s", err.text);
    ck_assert_msg(network_contains(&network, 1, &ip) == rows[_i].inside, "%s, %s", rows[_i].network,
                  rows[_i].ip);
}
END_TEST

static const char *const bad[] = {
    "",
    "x",
    "192.0.2.0/33",
    "192.0.2.0/",
    "192.0.2.0/-1",
    "192.0.2.0/2x",
    "192.0.2.1/24",
    "2001:db8::1/64",
    "2001:db8::/129",
    "192.0.2",
    "192.0.2.0/24/8",
    "localhost",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};
START_TEST(what_is_no_network_is_refused)
{
    struct network network;
    struct error err;
    ck_assert_msg(network_parse(&network, bad[_i], &err) == -1, "%s", bad[_i]);
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_ptr_nonnull(strstr(err.text, ": write "));
}
END_TEST

START_TEST(socket_addresses_have_an_ip_or_none)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000207)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct ip ip;
    char text[INET6_ADDRSTRLEN];

    ck_assert(ip_from_sockaddr(&ip, (struct sockaddr *)&v4) && ip_is_v4(&ip));
    ip_format(text, sizeof text, &ip);
    ck_assert_str_eq(text, "192.0.2.7");
    ck_assert(ip_from_sockaddr(&ip, (struct sockaddr *)&v6) && !ip_is_v4(&ip));
    ip_format(text, sizeof text, &ip);
    ck_assert_str_eq(text, "::1");
    ck_assert(!ip_from_sockaddr(&ip, (struct sockaddr *)&local));
    ck_assert(!ip_from_sockaddr(&ip, NULL));
}
END_TEST

Suite *network_suite(void)
{
    Suite *suite = suite_create("network");
    TCase *tcase = tcase_create("network");
    tcase_add_loop_test(tcase, a_network_has_its_addresses, 0, ROWS(rows));
    tcase_add_loop_test(tcase, what_is_no_network_is_refused, 0, ROWS(bad));
    tcase_add_test(tcase, socket_addresses_have_an_ip_or_none);
    suite_add_tcase(suite, tcase);
    return suite;
}
