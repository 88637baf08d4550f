/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "answer/limit.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define HARVEST 100000

static const struct limit_rules usual = {
    .period = 3600,
    .client = {.most = 100, .ipv4_prefix = 32, .ipv6_prefix = 64},
    .network = {.most = 1000, .ipv4_prefix = 24, .ipv6_prefix = 48},
    .memory = 32 << 20,
};

static struct limit *make(unsigned most, unsigned period)
{
    struct limit_rules rules = usual;
    rules.client.most = most;
    rules.period = period;
    rules.memory = 1 << 20;
    struct limit *limit = limit_new(&rules);
    ck_assert_ptr_nonnull(limit);
    return limit;
}

static struct ip client(const char *text)
{
    struct ip ip;
    ck_assert_int_eq(ip_parse(&ip, text, NULL), 0);
    return ip;
}

/* The IPv4 client with this number. */
static struct ip v4(uint32_t number)
{
    struct ip ip = {.octets = {[10] = 0xff, [11] = 0xff}};
    number = htonl(number);
    memcpy(ip.octets + 12, &number, sizeof number);
    return ip;
}

/* An IPv6 client of 2001:db8::/32: net is the next 32 bits, host the last ones. */
static struct ip v6(uint32_t net, uint32_t host)
{
    struct ip ip = {.octets = {0x20, 0x01, 0x0d, 0xb8}};
    net = htonl(net);
    host = htonl(host);
    memcpy(ip.octets + 4, &net, sizeof net);
    memcpy(ip.octets + 12, &host, sizeof host);
    return ip;
}

static struct limit_outcome ask(struct limit *limit, const struct ip *ip, int number, int64_t now)
{
    struct address new = {.domain = "new.example"};
    struct limit_outcome out;
    snprintf(new.local, sizeof new.local, "u%d", number);
    limit_ask(&out, limit, ip, &new, now);
    return out;
}

static bool allows(struct limit *limit, const struct ip *ip, int number, int64_t now)
{
    return ask(limit, ip, number, now).allowed;
}

/* Asks for the addresses first to first + asked - 1. */
static int count_from(struct limit *limit, const struct ip *ip, int first, int asked, int64_t now)
{
    int allowed = 0;
    for (int i = first; i < first + asked; i++)
        allowed += allows(limit, ip, i, now);
    return allowed;
}

static int count_allowed(struct limit *limit, const char *from, int asked, int64_t now)
{
    const struct ip ip = client(from);
    return count_from(limit, &ip, 0, asked, now);
}

START_TEST(a_client_is_told_so_many_and_no_more)
{
    struct limit *limit = make(5, 60);
    ck_assert_int_eq(count_allowed(limit, "192.0.2.7", 20, 1000), 5);
    ck_assert_int_eq(count_allowed(limit, "192.0.2.7", 5, 1001), 5);  /* the same costs nothing */
    ck_assert_int_eq(count_allowed(limit, "192.0.2.8", 20, 1001), 5); /* each has its own */
    ck_assert_int_eq(count_allowed(limit, "192.0.2.7", 20, 1059), 5);
    limit_free(limit);
}
END_TEST

START_TEST(a_new_period_counts_from_zero)
{
    const struct ip ip = client("192.0.2.7");
    struct limit *limit = make(1, 60);
    ck_assert(allows(limit, &ip, 1, 1000));
    ck_assert(!allows(limit, &ip, 2, 1059));
    ck_assert(allows(limit, &ip, 2, 1060));
    ck_assert(!allows(limit, &ip, 3, 1061));
    ck_assert(!allows(limit, &ip, 3, 1059)); /* another thread's second */
    ck_assert(allows(limit, &ip, 3, 500));   /* the clock was set back */
    limit_free(limit);
}
END_TEST

START_TEST(what_is_told_again_and_again_never_costs_anything)
{
    const struct ip ip = client("192.0.2.7");
    struct limit *limit = make(2, 60);
    ck_assert(allows(limit, &ip, 1, 1000) && allows(limit, &ip, 2, 1000));
    for (int64_t now = 1000; now < 2000; now += 30)
        ck_assert(allows(limit, &ip, 1, now));
    ck_assert(allows(limit, &ip, 3, 2000) && allows(limit, &ip, 4, 2000));
    ck_assert(!allows(limit, &ip, 5, 2000));
    ck_assert(allows(limit, &ip, 1, 2000));
    limit_free(limit);
}
END_TEST

START_TEST(reaching_the_limit_is_said_once_a_period)
{
    const struct ip ip = client("192.0.2.7");
    struct limit *limit = make(1, 60);
    ck_assert(!ask(limit, &ip, 1, 1000).first);
    struct limit_outcome out = ask(limit, &ip, 2, 1000);
    ck_assert(!out.allowed && out.first && !out.crowded);
    ck_assert_uint_eq(out.most, 1);
    ck_assert_int_eq(out.level, LIMIT_CLIENT);
    ck_assert(!ask(limit, &ip, 3, 1001).first);
    ck_assert(ask(limit, &ip, 3, 1060).allowed);
    ck_assert(ask(limit, &ip, 4, 1060).first);
    limit_free(limit);
}
END_TEST

static const struct {
    const char *one, *other;
    unsigned ipv4_prefix, ipv6_prefix;
    bool same;
} prefixes[] = {
    {"2001:db8::1", "2001:db8::ffff:1", 32, 64, true},
    {"2001:db8::1", "2001:db8:0:1::1", 32, 64, false},
    {"2001:db8::1", "2001:db8:0:1::1", 32, 60, true},
    {"2001:db8::1", "2001:db8:0:10::1", 32, 60, false},
    {"2001:db8::1", "2001:db8::2", 32, 128, false},
    {"192.0.2.1", "192.0.2.2", 32, 64, false},
    {"192.0.2.2", "192.0.2.3", 31, 64, true},
    {"192.0.2.1", "192.0.2.2", 31, 64, false},
    {"192.0.2.1", "192.0.3.2", 24, 64, false},
    {"192.0.2.1", "192.255.2.1", 8, 64, true},
    {"192.0.2.1", "::ffff:192.0.2.1", 32, 64, true},
};
START_TEST(a_client_is_all_that_share_its_prefix)
{
    const struct ip one = client(prefixes[_i].one), other = client(prefixes[_i].other);
    struct limit_rules rules = usual;
    rules.client = (struct limit_share){1, prefixes[_i].ipv4_prefix, prefixes[_i].ipv6_prefix};
    struct limit *limit = limit_new(&rules);
    ck_assert(allows(limit, &one, 1, 1000));
    ck_assert_msg(allows(limit, &other, 2, 1000) != prefixes[_i].same, "%s and %s",
                  prefixes[_i].one, prefixes[_i].other);
    limit_free(limit);
}
END_TEST

START_TEST(a_network_has_a_limit_beside_that_of_its_clients)
{
    struct limit_rules rules = usual;
    rules.client.most = 3;
    rules.network.most = 5;
    struct limit *limit = limit_new(&rules);
    const struct ip one = v4(1), two = v4(2), three = v4(3), elsewhere = v4(256);
    ck_assert_int_eq(count_from(limit, &one, 0, 10, 1000), 3);
    ck_assert_int_eq(count_from(limit, &two, 10, 10, 1000), 2);
    struct limit_outcome out = ask(limit, &three, 20, 1000);
    ck_assert(!out.allowed && out.level == LIMIT_NETWORK && out.most == 5);
    ck_assert(allows(limit, &three, 0, 1000)); /* the network knows it: it costs the client alone */
    ck_assert_int_eq(count_from(limit, &elsewhere, 30, 10, 1000), 3);
    limit_free(limit);
}
END_TEST

START_TEST(everyone_together_may_have_a_limit)
{
    struct limit_rules rules = usual;
    rules.client.most = rules.network.most = 0;
    rules.everyone = 7;
    struct limit *limit = limit_new(&rules);
    int allowed = 0;
    for (uint32_t i = 0; i < 20; i++) {
        const struct ip ip = i % 2 == 0 ? v4(i << 20) : v6(i << 20, 1);
        allowed += allows(limit, &ip, (int)i, 1000);
    }
    ck_assert_int_eq(allowed, 7);
    limit_free(limit);
}
END_TEST

/* ---- harvests: how many of 100,000 addresses are told */

static struct ip one_client(uint32_t i)
{
    (void)i;
    return v4(1);
}

static struct ip of_a_24(uint32_t i)
{
    return v4(i % 256);
}

static struct ip of_a_64(uint32_t i)
{
    return v6(1, i);
}

static struct ip of_a_48(uint32_t i)
{
    return v6(i % 65536, i);
}

static struct ip of_anywhere(uint32_t i)
{
    return v4(i * 2654435761U);
}

static const struct {
    const char *who;
    struct ip (*client)(uint32_t i);
    unsigned everyone;
    int least, most;
} harvests[] = {
    {"one client", one_client, 0, 100, 100},
    {"256 clients of a /24", of_a_24, 0, 1000, 1000},
    {"a whole /64", of_a_64, 0, 100, 100},
    {"a whole /48", of_a_48, 0, 1000, 1000},
    {"clients from anywhere", of_anywhere, 0, HARVEST, HARVEST}, /* each is told one */
    {"clients from anywhere, total_limit", of_anywhere, 2000, 2000, 2000},
};
START_TEST(a_harvest_gets_so_much)
{
    struct limit_rules rules = usual;
    rules.everyone = harvests[_i].everyone;
    struct limit *limit = limit_new(&rules);
    int told = 0;
    for (int i = 0; i < HARVEST; i++) {
        const struct ip ip = harvests[_i].client((uint32_t)i);
        told += allows(limit, &ip, i, 1000 + i / 50);
    }
    ck_assert_msg(told >= harvests[_i].least && told <= harvests[_i].most, "%s: %d",
                  harvests[_i].who, told);
    limit_free(limit);
}
END_TEST

/* ---- more clients than memory */

/* Clients from everywhere, each told one address: 30 for each place that 1 MiB has. */
static void flood(struct limit *limit, uint32_t from, int64_t now)
{
    for (uint32_t i = 0; i < 700000; i++) {
        const struct ip ip = of_anywhere(from + i);
        (void)allows(limit, &ip, (int)i, now);
    }
}

START_TEST(a_flood_of_clients_does_not_make_a_harvester_forgotten)
{
    const struct ip ip = client("2001:db8::7");
    struct limit *limit = make(100, 3600);
    ck_assert_int_eq(count_from(limit, &ip, 0, 200, 1000), 100);
    flood(limit, 0, 1001);
    ck_assert_int_eq(count_from(limit, &ip, 200, 200, 1002), 0);
    limit_free(limit);
}
END_TEST

START_TEST(who_is_half_through_keeps_the_count_in_a_flood)
{
    const struct ip ip = client("2001:db8::7");
    struct limit *limit = make(100, 3600);
    ck_assert_int_eq(count_from(limit, &ip, 0, 60, 1000), 60);
    flood(limit, 0, 1001);
    ck_assert_int_le(count_from(limit, &ip, 60, 200, 1002), 40);
    limit_free(limit);
}
END_TEST

/* Who is forgotten after each address, as well as a flood of three times as many clients as there are places
 * can, begins with what took his place. */
START_TEST(who_is_forgotten_again_and_again_gets_no_more)
{
    const struct ip ip = client("2001:db8::7");
    struct limit_rules rules = usual;
    rules.client.most = 20;
    rules.network.most = 0;
    rules.memory = 1 << 16;
    struct limit *limit = limit_new(&rules);
    int told = 0;
    for (int i = 0; i < 200; i++) {
        told += allows(limit, &ip, 1000000 + i, 1000 + i);
        for (uint32_t n = 0; n < 5000; n++) {
            const struct ip other = of_anywhere((uint32_t)i * 5000 + n);
            (void)allows(limit, &other, (int)n, 1000 + i);
        }
    }
    ck_assert_int_le(told, 20);
    limit_free(limit);
}
END_TEST

START_TEST(a_newcomer_without_a_place_is_said_once)
{
    struct limit *limit = make(1, 3600);
    int said = 0, refused = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        const struct ip ip = of_anywhere(i);
        struct limit_outcome out = ask(limit, &ip, (int)i, 1000);
        refused += !out.allowed && out.crowded;
        said += out.crowded && out.first;
    }
    ck_assert_int_gt(refused, 0);
    ck_assert_int_eq(said, 1);
    const struct ip late = client("2001:db8::1");
    ck_assert(allows(limit, &late, 1, 1000 + 3600)); /* in the next period all have place again */
    limit_free(limit);
}
END_TEST

/* With 8 places in each set hardly anybody has to give way. */
START_TEST(a_hundred_thousand_clients_keep_their_counts)
{
    struct limit_rules rules = usual;
    int told = 0, leaked = 0, told_again = 0;
    rules.client.most = 3;
    rules.network.most = 0;
    struct limit *limit = limit_new(&rules);
    for (uint32_t i = 0; i < 100000; i++) {
        const struct ip ip = of_anywhere(i);
        told += count_from(limit, &ip, 0, 3, 1000);
    }
    for (uint32_t i = 0; i < 100000; i++) {
        const struct ip ip = of_anywhere(i);
        leaked += allows(limit, &ip, 3, 1001);
        told_again += allows(limit, &ip, 1, 1001);
    }
    ck_assert_int_ge(told, 300000 - 20);
    ck_assert_int_le(leaked, 20);
    ck_assert_int_ge(told_again, 100000 - 20);
    limit_free(limit);
}
END_TEST

/* ---- a change of the rules */

static const struct {
    const char *why;
    unsigned most;
    int more;
} changes[] = {{"the same", 5, 0}, {"raised", 8, 3}, {"lowered", 2, 0}};
START_TEST(new_rules_count_on)
{
    struct limit_rules rules = usual;
    const struct ip ip = client("192.0.2.7");
    rules.client.most = 5;
    struct limit *limit = limit_new(&rules);
    ck_assert_int_eq(count_from(limit, &ip, 0, 10, 1000), 5);
    rules.client.most = changes[_i].most;
    limit_adapt(limit, &rules);
    ck_assert_int_eq(count_from(limit, &ip, 10, 10, 1001), changes[_i].more);
    ck_assert(allows(limit, &ip, 0, 1001)); /* it knows that the client knows */
    limit_free(limit);
}
END_TEST

/* ---- threads */

struct asker {
    pthread_t thread;
    struct limit *limit;
    struct ip ip;
    int first, told;
};

static void *harvest(void *data)
{
    struct asker *asker = data;
    asker->told = count_from(asker->limit, &asker->ip, asker->first, 20000, 1000);
    return NULL;
}

/* Eight at once, each for 20,000 addresses that no other asks for: how many they were told together. */
static int harvest_together(struct asker *askers, struct limit *limit, struct ip (*from)(uint32_t))
{
    int told = 0;
    for (int i = 0; i < 8; i++) {
        askers[i] =
            (struct asker){.limit = limit, .ip = from((uint32_t)i), .first = i * 20000, .told = 0};
        ck_assert_int_eq(pthread_create(&askers[i].thread, NULL, harvest, &askers[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(askers[i].thread, NULL);
        told += askers[i].told;
    }
    return told;
}

START_TEST(threads_together_are_told_no_more)
{
    struct asker askers[8];
    struct limit *limit = make(1000, 3600);
    ck_assert_int_eq(harvest_together(askers, limit, one_client), 1000);
    limit_free(limit);
}
END_TEST

/* Who came a moment too late for the network's last one does not get it by asking once more. */
START_TEST(a_network_at_its_limit_is_told_nothing_that_was_refused)
{
    struct limit_rules rules = usual;
    struct asker askers[8];
    int more = 0;
    rules.client.most = 1000000;
    rules.network.most = 100;
    for (int round = 0; round < 10; round++) {
        struct limit *limit = limit_new(&rules);
        int told = harvest_together(askers, limit, of_a_24);
        for (int i = 0; i < 8; i++)
            more += count_from(limit, &askers[i].ip, askers[i].first, 20000, 1001);
        ck_assert_int_eq(told, 100);
        more -= told;
        limit_free(limit);
    }
    ck_assert_int_eq(more, 0);
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

Suite *limit_suite(void)
{
    Suite *suite = suite_create("limit");
    TCase *tcase = tcase_create("limit");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_client_is_told_so_many_and_no_more);
    tcase_add_test(tcase, a_new_period_counts_from_zero);
    tcase_add_test(tcase, what_is_told_again_and_again_never_costs_anything);
    tcase_add_test(tcase, reaching_the_limit_is_said_once_a_period);
    tcase_add_loop_test(tcase, a_client_is_all_that_share_its_prefix, 0, ROWS(prefixes));
    tcase_add_test(tcase, a_network_has_a_limit_beside_that_of_its_clients);
    tcase_add_test(tcase, everyone_together_may_have_a_limit);
    tcase_add_loop_test(tcase, a_harvest_gets_so_much, 0, ROWS(harvests));
    tcase_add_test(tcase, a_flood_of_clients_does_not_make_a_harvester_forgotten);
    tcase_add_test(tcase, who_is_half_through_keeps_the_count_in_a_flood);
    tcase_add_test(tcase, who_is_forgotten_again_and_again_gets_no_more);
    tcase_add_test(tcase, a_newcomer_without_a_place_is_said_once);
    tcase_add_test(tcase, a_hundred_thousand_clients_keep_their_counts);
    tcase_add_loop_test(tcase, new_rules_count_on, 0, ROWS(changes));
    tcase_add_test(tcase, threads_together_are_told_no_more);
    tcase_add_test(tcase, a_network_at_its_limit_is_told_nothing_that_was_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
