/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "scratch.h"
#include "table/hit_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START 20000 /* a day */

static const struct hit_rules rules = {.senders = 8, .keep = 400, .memory = 12};
static struct hit_file *file;

static void setup(void)
{
    struct error err;
    scratch_setup();
    scratch_fill((const char *const[]){"al@old.example", "al@new.example", "@gone.example", "gone",
                                       "bo@old.example", "bo@new.example", NULL});
    ck_assert_msg(hit_file_open(&file, scratch_table, TABLE_WRITE, &err) == 0, "%s", err.text);
}

static void teardown(void)
{
    hit_file_free(file);
    file = NULL;
    scratch_teardown();
}

static size_t key_of(char *key, const char *local, const char *domain)
{
    return record_key(key, *local == '\0' ? ENTRY_DOMAIN : ENTRY_MAILBOX, local, domain);
}

static struct hit hit_of(char *key, const char *local, const char *sender, uint32_t day)
{
    return (struct hit){.key = key,
                        .key_length = key_of(key, local, "old.example"),
                        .domain = sender,
                        .domain_length = strlen(sender),
                        .mails = 1,
                        .day = day};
}

static void write_hits(const struct hit *hits, size_t count, uint32_t day)
{
    struct error err;
    ck_assert_msg(hit_file_write(file, hits, count, 0, day, &rules, &err) == 0, "%s", err.text);
}

static void mail(const char *local, const char *sender, uint32_t day)
{
    char key[RECORD_KEY_MAX];
    const struct hit hit = hit_of(key, local, sender, day);
    write_hits(&hit, 1, day);
}

static struct hit_row row_of(const char *local)
{
    char key[RECORD_KEY_MAX];
    struct hit_row row = {.count = 0};
    struct error err;
    ck_assert_msg(hit_file_find(file, key, key_of(key, local, "old.example"), &row, &err) !=
                      TABLE_FAILED,
                  "%s", err.text);
    return row;
}

static struct hit_state state(void)
{
    struct hit_state out;
    struct error err;
    ck_assert_msg(hit_file_state(file, &out, &err) == 0, "%s", err.text);
    return out;
}

static void reopen(void)
{
    struct error err;
    hit_file_free(file);
    ck_assert_msg(hit_file_open(&file, scratch_table, TABLE_WRITE, &err) == 0, "%s", err.text);
}

/* ---- the row */

START_TEST(a_row_is_decoded_as_it_was_encoded)
{
    struct hit_row row = {.count = 1ull << 40,
                          .strangers = 3,
                          .first = START,
                          .last = START + 9,
                          .born = 7,
                          .slots = 2};
    struct hit_row back;
    unsigned char octets[HIT_ROW_MAX];
    row.slot[0] = (struct hit_slot){.domain = "a.example", .mails = 5, .days = 2, .last = START};
    row.slot[1] = (struct hit_slot){.domain = "<>", .mails = 6, .days = 3, .last = START + 9};
    size_t length = hit_row_encode(octets, &row);
    ck_assert_int_eq(hit_row_decode(&back, octets, length), 0);
    ck_assert(back.count == row.count && back.strangers == 3 && back.first == START &&
              back.last == START + 9 && back.born == 7 && back.slots == 2);
    ck_assert_str_eq(back.slot[1].domain, "<>");
    ck_assert(back.slot[1].mails == 6 && back.slot[1].days == 3 && back.slot[1].last == START + 9);
    for (size_t shorter = 0; shorter < length; shorter++)
        ck_assert_int_eq(hit_row_decode(&back, octets, shorter), -1);
}
END_TEST

START_TEST(rows_of_two_hosts_add_up)
{
    struct hit_row a = {.count = 3, .strangers = 1, .first = 10, .last = 12, .slots = 1};
    struct hit_row b = {.count = 5, .strangers = 2, .first = 9, .last = 11, .slots = 2};
    a.slot[0] = (struct hit_slot){.domain = "a.example", .mails = 2, .days = 3, .last = 12};
    b.slot[0] = (struct hit_slot){.domain = "a.example", .mails = 1, .days = 4, .last = 11};
    b.slot[1] = (struct hit_slot){.domain = "b.example", .mails = 2, .days = 2, .last = 11};
    hit_row_add(&a, &b);
    ck_assert(a.count == 8 && a.strangers == 3 && a.first == 9 && a.last == 12 && a.slots == 2);
    ck_assert(a.slot[0].mails == 3 && a.slot[0].days == 4 && a.slot[0].last == 12);
}
END_TEST

/* ---- counting */

START_TEST(a_domain_is_known_when_it_comes_back_on_another_day)
{
    mail("al", "client.example", START);
    mail("al", "CLIENT.example.", START);
    struct hit_row row = row_of("al");
    ck_assert(row.count == 2 && row.strangers == 2 && row.slots == 0);
    mail("al", "client.example", START + 31);
    mail("al", "client.example", START + 31);
    mail("al", "other.example", START + 31);
    row = row_of("al");
    ck_assert(row.count == 5 && row.strangers == 3 && row.slots == 1);
    ck_assert(row.first == START && row.last == START + 31);
    ck_assert(row.slot[0].mails == 2 && row.slot[0].days == 2 && row.slot[0].last == START + 31);
    ck_assert_uint_eq(row_of("bo").count, 0);
}
END_TEST

START_TEST(a_domain_that_stays_away_for_three_months_is_a_stranger_again)
{
    mail("al", "client.example", START);
    mail("bo", "x.example", START + 45);
    mail("al", "client.example", START + 121);
    ck_assert_uint_eq(row_of("al").slots, 0);
}
END_TEST

static const struct {
    const char *sender, *domain;
} domains[] = {
    {"<>", "<>"},
    {"", "(none)"},
    {"[192.0.2.7]", "(none)"},
    {"192.0.2.7", "(none)"},
    {"192.0.2.7.", "(none)"},
    {"7.example.7a", "7.example.7a"},
    {"b\xc3\xbc"
     "cher.example",
     "xn--bcher-kva.example"},
    {"a b", "(none)"},
};
START_TEST(the_domain_of_a_sender)
{
    mail("al", domains[_i].sender, START);
    mail("al", domains[_i].sender, START + 1);
    struct hit_row row = row_of("al");
    ck_assert_uint_eq(row.slots, 1);
    ck_assert_str_eq(row.slot[0].domain, domains[_i].domain);
}
END_TEST

START_TEST(who_was_seen_is_known_after_a_kill)
{
    int status;
    mail("al", "first.example", START);
    hit_file_free(file);
    file = NULL;
    pid_t child = fork();
    if (child == 0) {
        reopen();
        mail("al", "second.example", START);
        _exit(0); /* nothing is closed */
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    struct error err;
    ck_assert_int_eq(hit_file_open(&file, scratch_table, TABLE_WRITE, &err), 0);
    mail("al", "first.example", START + 1);
    mail("al", "second.example", START + 1);
    ck_assert_uint_eq(row_of("al").slots, 2);
}
END_TEST

START_TEST(a_clock_that_is_set_back_over_midnight_makes_no_new_day)
{
    mail("al", "client.example", START + 1);
    mail("al", "client.example", START);
    mail("al", "client.example", START + 1);
    ck_assert_uint_eq(row_of("al").slots, 0);
    mail("al", "client.example", START - 10); /* a real correction */
    mail("al", "client.example", START - 9);
    ck_assert_uint_eq(row_of("al").count, 5);
    ck_assert_uint_eq(state().alive, START - 9);
    ck_assert_uint_eq(state().began, START - 10);
}
END_TEST

START_TEST(one_name_after_another_under_a_wildcard_is_one_row)
{
    char key[RECORD_KEY_MAX];
    struct hit hit = hit_of(key, "", "client.example", START);
    struct hit_walk walk;
    struct error err;
    hit.mails = 1000000;
    write_hits(&hit, 1, START);
    hit_walk_begin(&walk, file, "", 0);
    ck_assert_int_eq(hit_walk_next(&walk, &err), 1);
    ck_assert_uint_eq(walk.row.count, 1000000);
    ck_assert_int_eq(hit_walk_next(&walk, &err), 0);
}
END_TEST

/* ---- a year: who comes back is kept, however many strangers come */

#define REGULARS 6

static const uint32_t every[REGULARS] = {1, 1, 3, 7, 14, 30}; /* days */

START_TEST(a_year_of_strangers_displaces_no_regular)
{
    char key[RECORD_KEY_MAX], names[REGULARS + 10][64];
    struct hit hits[REGULARS + 10];
    for (uint32_t day = 0; day < 365; day++) {
        size_t count = 0;
        for (unsigned i = 0; i < REGULARS; i++)
            if (day % every[i] == 0) {
                snprintf(names[count], sizeof *names, "regular%u.example", i);
                hits[count] = hit_of(key, "al", names[count], START + day);
                count++;
            }
        for (unsigned i = 0; i < 10; i++) {
            snprintf(names[count], sizeof *names, "spam%u-%u.example", day, i);
            hits[count] = hit_of(key, "al", names[count], START + day);
            count++;
        }
        write_hits(hits, count, START + day);
    }
    struct hit_row row = row_of("al");
    for (unsigned i = 0; i < REGULARS; i++) {
        snprintf(names[0], sizeof *names, "regular%u.example", i);
        const struct hit_slot *slot = hit_row_find(&row, names[0]);
        ck_assert_msg(slot != NULL, "%s has no slot", names[0]);
        ck_assert_uint_eq(slot->days, 364 / every[i] + 1);
    }
}
END_TEST

/* Filters as full as they may be: some of the strangers are taken for others that were there. */
START_TEST(a_flood_of_new_pairs_displaces_no_regular)
{
    enum { ENTRIES = 50, STRANGERS = 40, DAYS = 100 };
    static const struct hit_rules small = {.senders = 8, .keep = 400, .memory = 1};
    static char keys[ENTRIES][RECORD_KEY_MAX], names[ENTRIES * STRANGERS][32];
    static struct hit hits[ENTRIES * (STRANGERS + 1)];
    struct error err;
    for (uint32_t day = 0; day < DAYS; day++) {
        size_t count = 0, strangers = 0;
        for (unsigned i = 0; i < ENTRIES; i++) {
            char local[16];
            snprintf(local, sizeof local, "u%u", i);
            if (day % 30 == 0)
                hits[count++] = hit_of(keys[i], local, "regular.example", START + day);
            for (unsigned j = 0; j < STRANGERS; j++) {
                snprintf(names[strangers], sizeof *names, "s%u-%u.example", day, j);
                hits[count++] = hit_of(keys[i], local, names[strangers++], START + day);
            }
        }
        ck_assert_int_eq(hit_file_write(file, hits, count, 0, START + day, &small, &err), 0);
    }
    for (unsigned i = 0; i < ENTRIES; i++) {
        char local[16];
        snprintf(local, sizeof local, "u%u", i);
        struct hit_row row = row_of(local);
        ck_assert_ptr_nonnull(hit_row_find(&row, "regular.example"));
    }
}
END_TEST

/* ---- the days of counting */

START_TEST(days_without_the_daemon_are_noted)
{
    write_hits(NULL, 0, START);
    write_hits(NULL, 0, START + 3); /* it ran: the clock has jumped */
    ck_assert_uint_eq(state().gaps, 0);
    reopen();
    write_hits(NULL, 0, START + 4);
    ck_assert_uint_eq(state().gaps, 0);
    reopen();
    write_hits(NULL, 0, START + 9);
    const struct hit_state now = state();
    ck_assert_uint_eq(now.gaps, 1);
    ck_assert(now.gap[0][0] == START + 5 && now.gap[0][1] == START + 8);
    ck_assert_uint_eq(hit_window(&now, 9, START + 9), START);
    ck_assert_uint_eq(hit_window(&now, 10, START + 9), 0);
}
END_TEST

START_TEST(counting_begins_again_where_it_was_switched_off)
{
    struct error err;
    write_hits(NULL, 0, START);
    ck_assert_int_eq(hit_file_pause(file, &err), 0);
    reopen();
    write_hits(NULL, 0, START + 50);
    ck_assert_uint_eq(state().began, START + 50);
    ck_assert_uint_eq(state().paused, 0);
}
END_TEST

START_TEST(losses_are_kept)
{
    struct error err;
    ck_assert_int_eq(hit_file_write(file, NULL, 0, 3, START, &rules, &err), 0);
    ck_assert_int_eq(hit_file_write(file, NULL, 0, 4, START + 1, &rules, &err), 0);
    reopen();
    ck_assert_uint_eq(state().lost, 7);
    ck_assert_uint_eq(state().lost_last, START + 1);
}
END_TEST

/* ---- rows and entries */

static void follow(uint32_t day)
{
    struct error err;
    struct table *table = scratch_open();
    ck_assert_msg(hit_file_follow(file, hit_lend_table, table, day, &err) == 0, "%s", err.text);
    table_free(table);
}

static void del(const char *local)
{
    int status;
    pid_t child = fork(); /* as movedctl does: LMDB must not be open twice in one process */
    if (child == 0) {
        struct error err;
        struct table *table;
        struct entry old = {.scope = ENTRY_MAILBOX, .domain = "old.example"};
        snprintf(old.local, sizeof old.local, "%s", local);
        if (table_open(&table, scratch_table, TABLE_WRITE, true, &err) != 0)
            _exit(1);
        struct table_edit *edit = table_edit_begin(table, &err);
        _exit(table_edit_del(edit, &old, &err) != TABLE_FOUND ||
              table_edit_commit(edit, &err) != 0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

START_TEST(the_change_log_tells_which_entries_are_new_and_which_are_gone)
{
    write_hits(NULL, 0, START);
    follow(START);
    mail("al", "client.example", START);
    scratch_put(&(struct entry_text){.old = "new@old.example", .new = "new@new.example"});
    follow(START);
    ck_assert_uint_ge(row_of("new").born, START); /* the day of the real clock */
    ck_assert_uint_eq(row_of("al").born, 0);
    del("al");
    follow(START);
    ck_assert_uint_eq(row_of("al").count, 0);
    ck_assert_uint_eq(state().unknown, 0);
}
END_TEST

START_TEST(rows_that_are_old_or_have_no_entry_go)
{
    struct hit_place place = {.length = 0};
    struct error err;
    mail("al", "client.example", START);
    mail("none", "client.example", START + 400);
    mail("bo", "client.example", START + 400);
    struct table *table = scratch_open();
    ck_assert_int_eq(hit_file_sweep(file, hit_lend_table, table, &place, START + 1, &err), 0);
    table_free(table);
    ck_assert_uint_eq(row_of("al").count, 0);
    ck_assert_uint_eq(row_of("none").count, 0);
    ck_assert_uint_eq(row_of("bo").count, 1);
}
END_TEST

START_TEST(a_domain_is_forgotten_though_others_still_write)
{
    struct hit_place place = {.length = 0};
    struct error err;
    for (uint32_t day = START; day < START + 2; day++)
        mail("al", "client.example", day);
    mail("al", "spam.example", START + 300);
    ck_assert_uint_eq(row_of("al").slots, 1);
    ck_assert_int_eq(hit_file_sweep(file, NULL, NULL, &place, START + 2, &err), 0);
    ck_assert(row_of("al").slots == 0 && row_of("al").count == 3);
}
END_TEST

START_TEST(what_is_cleared_counts_from_today)
{
    char key[RECORD_KEY_MAX];
    size_t length = key_of(key, "al", "old.example");
    struct error err;
    mail("al", "client.example", START);
    mail("bo", "client.example", START + 5);
    ck_assert_int_eq(hit_file_clear_until(file, START + 3, &err), 0);
    ck_assert_uint_eq(row_of("al").count, 0);
    ck_assert_uint_eq(state().began, START + 3);
    ck_assert_int_eq(hit_file_clear_entry(file, key, length, START + 9, &err), 0);
    ck_assert(row_of("al").count == 0 && row_of("al").born == START + 9);
    ck_assert_uint_eq(row_of("bo").count, 1);
    ck_assert_int_eq(hit_file_remove(scratch_table, &err), 0);
    ck_assert_int_eq(hit_file_check(file, &err), -1);
    reopen();
    write_hits(NULL, 0, START + 9);
    ck_assert_uint_eq(row_of("bo").count, 0);
}
END_TEST

/* ---- damage */

START_TEST(a_file_that_is_cut_short_is_an_error)
{
    char path[160];
    struct error err = {.status = 0};
    for (uint32_t i = 0; i < 500; i++) {
        char local[16];
        snprintf(local, sizeof local, "u%u", i);
        mail(local, "client.example", START + i / 100);
    }
    snprintf(path, sizeof path, "%s/hits/data.mdb", scratch_table);
    ck_assert_int_eq(truncate(path, 4096 * 2), 0);
    ck_assert_int_eq(hit_file_check(file, &err), -1);
    char key[RECORD_KEY_MAX];
    const struct hit hit = hit_of(key, "u7", "client.example", START + 9);
    ck_assert_int_eq(hit_file_write(file, &hit, 1, 0, START + 9, &rules, &err), -1);
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_msg(strstr(err.text, "movedctl hits --clear --all") != NULL, "%s", err.text);
}
END_TEST

/* Overwrites the items of this change, in each page that has them. */
static void damage_change(unsigned char number)
{
    const unsigned char key[] = {0, 'l', 'o', 'g', 0, 0, 0, 0, 0, 0, 0, number, 0, 0, 0, 1};
    static unsigned char octets[1 << 20];
    size_t length, found = 0;
    FILE *data = fopen(scratch_file("data.mdb"), "r");
    ck_assert_ptr_nonnull(data);
    length = fread(octets, 1, sizeof octets, data);
    fclose(data);
    for (size_t at = 0; at + 2 * sizeof key < length; at++)
        if (memcmp(octets + at, key, sizeof key) == 0) {
            scratch_overwrite((long)(at + sizeof key), "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
            found++;
        }
    ck_assert_uint_gt(found, 0);
}

START_TEST(a_damaged_change_log_is_no_damage_of_hits)
{
    struct error err = {.status = 0};
    write_hits(NULL, 0, START);
    follow(START);
    scratch_put(&(struct entry_text){.old = "new@old.example", .new = "new@new.example"});
    damage_change(4);
    struct table *table = scratch_open();
    ck_assert_int_eq(hit_file_follow(file, hit_lend_table, table, START, &err), -1);
    table_free(table);
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_msg(strncmp(err.text, scratch_table, strlen(scratch_table)) == 0 &&
                      strstr(err.text, "hits") == NULL,
                  "%s", err.text);
    mail("al", "client.example", START);
    ck_assert_uint_eq(row_of("al").count, 1);
}
END_TEST

START_TEST(what_is_no_file_of_ours_is_an_error)
{
    char path[160];
    struct error err = {.status = 0};
    hit_file_free(file);
    file = NULL;
    snprintf(path, sizeof path, "%s/hits/data.mdb", scratch_table);
    int fd = open(path, O_WRONLY | O_TRUNC);
    ck_assert_int_eq(write(fd, "nothing of LMDB's, and long enough", 34), 34);
    close(fd);
    ck_assert_int_eq(hit_file_open(&file, scratch_table, TABLE_WRITE, &err), -1);
    ck_assert_int_eq(err.status, EX_DATAERR);
    file = NULL;
}
END_TEST

START_TEST(nothing_counted_yet_is_told_from_damage)
{
    struct error err;
    hit_file_free(file);
    ck_assert_int_eq(hit_file_remove(scratch_table, &err), 0);
    ck_assert_int_eq(hit_file_open(&file, scratch_table, TABLE_READ, &err), -1);
    ck_assert_int_eq(err.status, EX_NOINPUT);
    file = NULL;
}
END_TEST

Suite *hits_suite(void)
{
    Suite *suite = suite_create("hits");
    TCase *tcase = tcase_create("hits");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_row_is_decoded_as_it_was_encoded);
    tcase_add_test(tcase, rows_of_two_hosts_add_up);
    tcase_add_test(tcase, a_domain_is_known_when_it_comes_back_on_another_day);
    tcase_add_test(tcase, a_domain_that_stays_away_for_three_months_is_a_stranger_again);
    tcase_add_loop_test(tcase, the_domain_of_a_sender, 0, sizeof domains / sizeof *domains);
    tcase_add_test(tcase, who_was_seen_is_known_after_a_kill);
    tcase_add_test(tcase, a_clock_that_is_set_back_over_midnight_makes_no_new_day);
    tcase_add_test(tcase, one_name_after_another_under_a_wildcard_is_one_row);
    tcase_add_test(tcase, a_year_of_strangers_displaces_no_regular);
    tcase_add_test(tcase, a_flood_of_new_pairs_displaces_no_regular);
    tcase_add_test(tcase, days_without_the_daemon_are_noted);
    tcase_add_test(tcase, counting_begins_again_where_it_was_switched_off);
    tcase_add_test(tcase, losses_are_kept);
    tcase_add_test(tcase, the_change_log_tells_which_entries_are_new_and_which_are_gone);
    tcase_add_test(tcase, rows_that_are_old_or_have_no_entry_go);
    tcase_add_test(tcase, a_domain_is_forgotten_though_others_still_write);
    tcase_add_test(tcase, what_is_cleared_counts_from_today);
    tcase_add_test(tcase, a_file_that_is_cut_short_is_an_error);
    tcase_add_test(tcase, a_damaged_change_log_is_no_damage_of_hits);
    tcase_add_test(tcase, what_is_no_file_of_ours_is_an_error);
    tcase_add_test(tcase, nothing_counted_yet_is_told_from_damage);
    suite_add_tcase(suite, tcase);
    return suite;
}
