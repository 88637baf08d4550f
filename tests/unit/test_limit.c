#include "suites.h"

#include "answer/limit.h"

#include <stdio.h>
#include <string.h>

static struct ip client(const char *text)
{
    struct ip ip;
    ck_assert_int_eq(ip_parse(&ip, text, NULL), 0);
    return ip;
}

static int count_allowed(struct limit *limit, const char *from, int asked, int64_t now)
{
    char new[32];
    const struct ip ip = client(from);
    int allowed = 0;
    for (int i = 0; i < asked; i++) {
        snprintf(new, sizeof new, "u%d@new.example", i);
        allowed += limit_allows(limit, &ip, new, now);
    }
    return allowed;
}

START_TEST(a_client_is_told_so_many_and_no_more)
{
    struct limit *limit = limit_new(5, 60);
    ck_assert_int_eq(count_allowed(limit, "192.0.2.7", 20, 1000), 5);
    ck_assert_int_eq(count_allowed(limit, "192.0.2.7", 5, 1001),
                     5); /* the same again costs nothing */
    ck_assert_int_eq(count_allowed(limit, "192.0.2.8", 20, 1001),
                     5); /* another client has its own */
    ck_assert_int_eq(count_allowed(limit, "192.0.2.7", 20, 1059), 5);
    limit_free(limit);
}
END_TEST

START_TEST(a_new_period_begins_anew)
{
    const struct ip ip = client("192.0.2.7");
    struct limit *limit = limit_new(1, 60);
    ck_assert(limit_allows(limit, &ip, "a@new.example", 1000));
    ck_assert(!limit_allows(limit, &ip, "b@new.example", 1059));
    ck_assert(limit_allows(limit, &ip, "b@new.example", 1060));
    ck_assert(!limit_allows(limit, &ip, "a@new.example", 1061));
    limit_free(limit);
}
END_TEST

START_TEST(an_ipv6_client_is_its_64)
{
    const struct ip one = client("2001:db8::1"), two = client("2001:db8::ffff:1"),
                    other = client("2001:db8:0:1::1");
    struct limit *limit = limit_new(1, 60);
    ck_assert(limit_allows(limit, &one, "a@new.example", 1000));
    ck_assert(!limit_allows(limit, &two, "b@new.example", 1000));
    ck_assert(limit_allows(limit, &other, "b@new.example", 1000));
    limit_free(limit);
}
END_TEST

START_TEST(a_thousand_clients_keep_their_counts)
{
    char from[32];
    struct limit *limit = limit_new(3, 3600);
    for (int i = 0; i < 1000; i++) {
        snprintf(from, sizeof from, "198.51.%d.%d", i / 256, i % 256);
        ck_assert_int_eq(count_allowed(limit, from, 3, 1000), 3);
    }
    int leaked = 0;
    for (int i = 0; i < 1000; i++) {
        const char *new = "another@new.example";
        snprintf(from, sizeof from, "198.51.%d.%d", i / 256, i % 256);
        const struct ip ip = client(from);
        leaked += limit_allows(limit, &ip, new, 1001);
    }
    ck_assert_int_le(leaked,
                     20); /* 8 places in each set of the table: hardly any client is forgotten */
    limit_free(limit);
}
END_TEST

Suite *limit_suite(void)
{
    Suite *suite = suite_create("limit");
    TCase *tcase = tcase_create("limit");
    tcase_add_test(tcase, a_client_is_told_so_many_and_no_more);
    tcase_add_test(tcase, a_new_period_begins_anew);
    tcase_add_test(tcase, an_ipv6_client_is_its_64);
    tcase_add_test(tcase, a_thousand_clients_keep_their_counts);
    suite_add_tcase(suite, tcase);
    return suite;
}
