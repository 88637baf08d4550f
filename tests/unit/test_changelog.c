/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "scratch.h"
#include "table/changelog.h"
#include "table/table_internal.h"

#include <lmdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct table *table; /* open to write */

static void begin(void)
{
    struct error err;
    scratch_setup();
    ck_assert_msg(table_create(scratch_table, true, NULL, (uid_t)-1, (gid_t)-1, &err) == 0 &&
                      table_open(&table, scratch_table, TABLE_WRITE, true, &err) == 0,
                  "%s", err.text);
    table_set_author(table, &(struct table_author){"root", "alice", "words"});
}

static void end(void)
{
    table_free(table);
    table = NULL;
    scratch_teardown();
}

/* ---- changes, each in a few words */

static struct table_edit *edit_begin(void)
{
    struct error err;
    struct table_edit *edit = table_edit_begin(table, &err);
    ck_assert_msg(edit != NULL, "%s", err.text);
    return edit;
}

static void commit(struct table_edit *edit)
{
    struct error err;
    ck_assert_msg(table_edit_commit(edit, &err) == 0, "%s", err.text);
}

static struct entry entry_of(const char *local, const char *new)
{
    struct entry entry = {.scope = ENTRY_MAILBOX, .domain = "old.example"};
    snprintf(entry.local, sizeof entry.local, "%s", local);
    snprintf(entry.new, sizeof entry.new, "%s", new);
    return entry;
}

static void put_in(struct table_edit *edit, const char *local, const char *new)
{
    struct error err;
    struct entry entry = entry_of(local, new);
    ck_assert_int_ne(table_edit_put(edit, &entry, true, &err), TABLE_FAILED);
}

static void put(const char *local, const char *new)
{
    struct table_edit *edit = edit_begin();
    put_in(edit, local, new);
    commit(edit);
}

static void del_in(struct table_edit *edit, const char *local)
{
    struct error err;
    struct entry entry = entry_of(local, "");
    ck_assert_int_eq(table_edit_del(edit, &entry, &err), TABLE_FOUND);
}

static void del(const char *local)
{
    struct table_edit *edit = edit_begin();
    del_in(edit, local);
    commit(edit);
}

static struct change undo(void)
{
    struct error err;
    struct change undone;
    struct table_edit *edit = edit_begin();
    ck_assert_msg(table_edit_undo(edit, 0, &undone, &err) == 0, "%s", err.text);
    commit(edit);
    return undone;
}

static void undo_refused(const char *words)
{
    struct error err;
    struct change undone;
    struct table_edit *edit = edit_begin();
    ck_assert_int_eq(table_edit_undo(edit, 0, &undone, &err), -1);
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
    table_edit_abort(edit);
}

/* ---- what is there, in a few words */

static char told[1024];

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
    va_list args;
    size_t used = strlen(told);
    va_start(args, format);
    vsnprintf(told + used, sizeof told - used, format, args);
    va_end(args);
}

static int tell_entry(const struct entry *entry, void *data, struct error *err)
{
    (void)data;
    (void)err;
    tell("%s=%s ", entry->local, entry->new);
    return 0;
}

static const char *entries(void)
{
    struct error err;
    struct table_view *view = table_view_open(table, &err);
    told[0] = '\0';
    ck_assert_msg(table_each(view, NULL, tell_entry, NULL, &err) == 0, "%s", err.text);
    table_view_close(view);
    return told;
}

static int tell_change_entry(const struct change_entry *entry, void *data, struct error *err)
{
    (void)data;
    (void)err;
    tell(" %s:%s>%s", entry->before != NULL ? entry->before->local : entry->after->local,
         entry->before != NULL ? entry->before->new : "-",
         entry->after != NULL ? entry->after->new : "-");
    return 0;
}

static int tell_change(const struct change *change, void *data, struct error *err)
{
    tell("%llu", (unsigned long long)change->number);
    if (change->undoes != 0)
        tell("(%llu)", (unsigned long long)change->undoes);
    (void)data;
    int rc = changelog_each_entry(table, change->number, tell_change_entry, NULL, err);
    tell("\n");
    return rc;
}

static const char *changes(void)
{
    struct error err;
    told[0] = '\0';
    ck_assert_msg(changelog_each(table, tell_change, NULL, &err) == 0, "%s", err.text);
    return told;
}

static int keep_first(const struct change *change, void *data, struct error *err)
{
    (void)err;
    *(struct change *)data = *change;
    return 1;
}

static struct change last_change(void)
{
    struct error err;
    struct change change;
    ck_assert_int_eq(changelog_each(table, keep_first, &change, &err), 1);
    return change;
}

static size_t count(void)
{
    struct error err;
    size_t entries_there;
    ck_assert_int_eq(table_count(table, &entries_there, &err), 0);
    return entries_there;
}

/* ---- */

START_TEST(each_commit_is_one_change)
{
    ck_assert_str_eq(changes(), "");
    put("a", "x");
    struct table_edit *edit = edit_begin();
    put_in(edit, "a", "y");
    put_in(edit, "b", "z");
    commit(edit);
    del("a");
    ck_assert_str_eq(changes(), "3 a:y>-\n2 a:x>y b:->z\n1 a:->x\n");
    ck_assert_str_eq(entries(), "b=z ");
    ck_assert_uint_eq(count(), 1);

    const struct change change = last_change();
    ck_assert_str_eq(change.user, "root");
    ck_assert_str_eq(change.behind, "alice");
    ck_assert_str_eq(change.command, "words");
    ck_assert_uint_eq(change.uid, getuid());
    ck_assert_int_ne(change.when, 0);
    ck_assert_uint_eq(change.removed, 1);
    ck_assert(change.held);
}
END_TEST

START_TEST(what_changes_nothing_is_no_change)
{
    put("a", "x");
    put("a", "x");
    struct table_edit *edit = edit_begin();
    put_in(edit, "b", "x");
    table_edit_abort(edit);
    commit(edit_begin());
    ck_assert_str_eq(changes(), "1 a:->x\n");
}
END_TEST

START_TEST(an_undo_is_undone_by_the_next)
{
    put("a", "x");
    put("b", "x");
    struct table_edit *edit = edit_begin();
    del_in(edit, "a");
    del_in(edit, "b");
    put_in(edit, "b", "y");
    put_in(edit, "c", "z");
    commit(edit);
    ck_assert_str_eq(entries(), "b=y c=z ");
    ck_assert_uint_eq(undo().number, 3);
    ck_assert_str_eq(entries(), "a=x b=x ");
    ck_assert_uint_eq(undo().number, 4);
    ck_assert_str_eq(entries(), "b=y c=z ");
    ck_assert_uint_eq(undo().number, 5);
    ck_assert_str_eq(entries(), "a=x b=x ");
    ck_assert_str_eq(changes(), "6(5) c:z>- b:y>- b:->x a:->x\n"
                                "5(4) a:x>- b:x>- b:->y c:->z\n"
                                "4(3) c:z>- b:y>- b:->x a:->x\n"
                                "3 a:x>- b:x>- b:->y c:->z\n"
                                "2 b:->x\n"
                                "1 a:->x\n");
}
END_TEST

START_TEST(an_earlier_change_is_undone_where_nothing_has_come_behind_it)
{
    struct error err;
    struct change undone;
    put("a", "x");
    put("b", "x");
    put("a", "y");
    struct table_edit *edit = edit_begin();
    ck_assert_int_eq(table_edit_undo(edit, 2, &undone, &err), 0);
    commit(edit);
    ck_assert_str_eq(entries(), "a=y ");
    ck_assert_uint_eq(last_change().undoes, 2);

    edit = edit_begin();
    ck_assert_int_eq(table_edit_undo(edit, 1, &undone, &err), -1);
    ck_assert_str_eq(err.text,
                     "'a@old.example' is no longer what change 1 made of it: see movedctl "
                     "log, and correct it with add or del");
    table_edit_abort(edit);
    edit = edit_begin();
    ck_assert_int_eq(table_edit_undo(edit, 5, &undone, &err), -1);
    ck_assert_str_eq(err.text, "change 5 is not in the log: see movedctl log");
    table_edit_abort(edit);
}
END_TEST

START_TEST(nothing_to_undo)
{
    undo_refused("nothing to undo");
}
END_TEST

START_TEST(thousands_of_entries_come_back)
{
    char local[20];
    struct table_edit *edit = edit_begin();
    for (int i = 0; i < 20000; i++) {
        snprintf(local, sizeof local, "u%d", i);
        put_in(edit, local, "x");
    }
    ck_assert(edit->change.held);
    commit(edit);
    ck_assert_uint_eq(count(), 20000);
    undo();
    ck_assert_uint_eq(count(), 0);
    undo();
    ck_assert_uint_eq(count(), 20000);
    ck_assert_uint_eq(last_change().added, 20000);
}
END_TEST

/* Until the log does not hold the edit. */
static size_t put_too_many(struct table_edit *edit)
{
    struct error err;
    size_t done = 0;
    struct entry entry = entry_of("", "x");
    memset(entry.note, 'n', ENTRY_NOTE_MAX);
    for (; edit->change.held; done++) {
        snprintf(entry.local, sizeof entry.local, "u%zu", done);
        ck_assert_int_eq(table_edit_put(edit, &entry, false, &err), TABLE_ABSENT);
    }
    return done;
}

START_TEST(more_than_the_log_holds_is_logged_without_its_entries)
{
    put("a", "x");
    struct table_edit *edit = edit_begin();
    size_t done = put_too_many(edit);
    put_in(edit, "z", "x");
    commit(edit);
    ck_assert_str_eq(changes(), "2\n1 a:->x\n");
    ck_assert_uint_eq(last_change().added, done + 1);
    ck_assert(!last_change().held);
    ck_assert_uint_eq(count(), done + 2);
    undo_refused("more entries than the change log holds");
    put("a", "y");
    undo();
    ck_assert_uint_eq(count(), done + 2);
}
END_TEST

/* ---- bounds */

static bool lazy; /* nothing waits for the disk */

int fdatasync(int fd)
{
    return lazy ? 0 : fsync(fd);
}

START_TEST(the_oldest_changes_make_room)
{
    char new[20];
    lazy = true;
    for (int i = 1; i <= CHANGELOG_CHANGES_MAX + 100; i++) {
        snprintf(new, sizeof new, "x%d", i);
        put("a", new);
    }
    lazy = false;
    struct error err;
    ck_assert_uint_eq(last_change().number, CHANGELOG_CHANGES_MAX + 100);
    told[0] = '\0';
    ck_assert_int_eq(changelog_each_entry(table, 100, tell_change_entry, NULL, &err), 0);
    ck_assert_str_eq(told, "");
    ck_assert_int_eq(changelog_each_entry(table, 101, tell_change_entry, NULL, &err), 0);
    ck_assert_str_eq(told, " a:x100>x101");
    ck_assert_uint_eq(count(), 1);
}
END_TEST

static long long data_size(void)
{
    FILE *file = fopen(scratch_file("data.mdb"), "rb");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    long long size = ftell(file);
    fclose(file);
    return size;
}

static int stop(const struct change_entry *entry, void *data, struct error *err)
{
    (void)entry;
    (void)data;
    (void)err;
    return 1;
}

/* Each of these takes over 12 MiB of the log: three do not fit. */
START_TEST(great_changes_make_room_for_each_other)
{
    struct error err;
    struct entry entry = entry_of("a", "x");
    memset(entry.note, 'n', ENTRY_NOTE_MAX);
    for (int i = 1; i <= 12; i++) {
        struct table_edit *edit = edit_begin();
        for (int k = 0; k < 6500; k++) {
            entry.note[0] = (char)('a' + k % 2);
            ck_assert_int_ne(table_edit_put(edit, &entry, true, &err), TABLE_FAILED);
        }
        commit(edit);
        ck_assert(last_change().held);
        ck_assert_uint_eq(count(), 1);
        ck_assert_int_le(data_size(), 4LL * CHANGELOG_OCTETS_MAX);
    }
    ck_assert_int_eq(changelog_each_entry(table, 10, stop, NULL, &err), 0);
    ck_assert_int_eq(changelog_each_entry(table, 11, stop, NULL, &err), 1);
}
END_TEST

/* ---- what something else writes */

static void write_raw(const char *key, size_t length, const char *value)
{
    scratch_put_octets(key, length, value, strlen(value));
}

/* A record of the first change: 0 is its head. */
static void write_log(unsigned char record, const void *value, size_t length)
{
    const unsigned char key[] = {0, 'l', 'o', 'g', 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, record};
    scratch_put_octets(key, sizeof key, value, length);
}

#define FORMAT "\0format"

static int read_format(void)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi entries;
    MDB_val value, name = {sizeof FORMAT - 1, (void *)FORMAT};
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(mdb_env_create(&env) != 0 || mdb_env_open(env, scratch_table, MDB_RDONLY, 0) != 0 ||
                      mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0 ||
                      mdb_dbi_open(txn, NULL, 0, &entries) != 0 ||
                      mdb_get(txn, entries, &name, &value) != 0
                  ? 255
                  : *(const char *)value.mv_data - '0');
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
}

START_TEST(what_the_log_does_not_know_is_not_undone)
{
    static const char damaged[] = "no entry";
    put("a", "x");
    put("b", "x");
    write_raw("old.example@b", 13, damaged);
    undo_refused("'b@old.example' is no longer what change 2 made of it");
    del("a");
    undo();
    ck_assert_str_eq(changes(), "4(3) a:->x\n3 a:x>-\n2 b:->x\n1 a:->x\n");
}
END_TEST

/* Whoever follows the numbers would go round for ever. */
START_TEST(a_head_with_the_number_of_another_change_is_damage)
{
    unsigned char head[CHANGE_HEAD_MAX];
    struct error err;
    put("a", "x");
    struct change change = last_change();
    change.number = 2;
    write_log(0, head, change_encode_head(head, &change));
    ck_assert_int_eq(changelog_each(table, keep_first, &change, &err), -1);
    ck_assert_int_eq(err.status, EX_DATAERR);
}
END_TEST

static const size_t no_items[] = {1, CHANGELOG_ITEMS_MAX + 1};

START_TEST(items_that_cannot_be_read_are_damage)
{
    static const unsigned char octets[CHANGELOG_ITEMS_MAX + 1] = {0xff};
    struct error err;
    put("a", "x");
    write_log(1, octets, no_items[_i]);
    undo_refused("damaged");
    ck_assert_int_eq(changelog_each_entry(table, 1, tell_change_entry, NULL, &err), -1);
    ck_assert_int_eq(err.status, EX_DATAERR);
}
END_TEST

START_TEST(a_value_that_is_longer_than_that_of_an_entry_is_damage)
{
    static const char octets[100 * RECORD_VALUE_MAX];
    struct error err;
    scratch_put_octets("old.example@a", 13, octets, sizeof octets);
    struct table_view *view = table_view_open(table, &err);
    ck_assert_int_eq(table_each(view, NULL, tell_entry, NULL, &err), -1);
    ck_assert_int_eq(err.status, EX_DATAERR);
    table_view_close(view);
}
END_TEST

START_TEST(the_first_change_of_an_older_table_makes_it_one_of_this_format)
{
    struct error err;
    write_raw(FORMAT, sizeof FORMAT - 1, "1");
    table_free(table);
    ck_assert_int_eq(table_open(&table, scratch_table, TABLE_WRITE, true, &err), 0);
    undo_refused("nothing to undo");
    commit(edit_begin());
    ck_assert_int_eq(read_format(), 1);
    ck_assert_uint_eq(count(), 0);
    struct table_edit *edit = edit_begin();
    put_in(edit, "a", "x");
    table_edit_abort(edit);
    ck_assert_int_eq(read_format(), 1);
    put("a", "x");
    ck_assert_int_eq(read_format(), 2);
    ck_assert_str_eq(changes(), "1 a:->x\n");
}
END_TEST

START_TEST(a_table_that_has_become_newer_is_neither_written_nor_read)
{
    struct error err;
    put("a", "x");
    ck_assert_str_eq(entries(), "a=x ");
    write_raw(FORMAT, sizeof FORMAT - 1, "3");
    ck_assert_ptr_null(table_edit_begin(table, &err));
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_ptr_null(table_view_open(table, &err)); /* one that waited to be used again */
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_ptr_null(table_view_open(table, &err));
    write_raw(FORMAT, sizeof FORMAT - 1, "2");
    ck_assert_str_eq(entries(), "a=x ");
}
END_TEST

START_TEST(a_table_that_is_none_any_more_is_neither_written_nor_read)
{
    struct error err;
    put("a", "x");
    ck_assert_str_eq(entries(), "a=x ");
    write_raw(FORMAT, sizeof FORMAT - 1, "");
    ck_assert_ptr_null(table_edit_begin(table, &err));
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_ptr_null(table_view_open(table, &err));
    ck_assert_int_eq(err.status, EX_DATAERR);
}
END_TEST

Suite *changelog_suite(void)
{
    Suite *suite = suite_create("changelog");
    TCase *tcase = tcase_create("changelog");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_set_timeout(tcase, 600); /* thousands of changes, each of which waits for the disk */
    tcase_add_test(tcase, each_commit_is_one_change);
    tcase_add_test(tcase, what_changes_nothing_is_no_change);
    tcase_add_test(tcase, an_undo_is_undone_by_the_next);
    tcase_add_test(tcase, an_earlier_change_is_undone_where_nothing_has_come_behind_it);
    tcase_add_test(tcase, nothing_to_undo);
    tcase_add_test(tcase, thousands_of_entries_come_back);
    tcase_add_test(tcase, more_than_the_log_holds_is_logged_without_its_entries);
    tcase_add_test(tcase, the_oldest_changes_make_room);
    tcase_add_test(tcase, great_changes_make_room_for_each_other);
    tcase_add_test(tcase, what_the_log_does_not_know_is_not_undone);
    tcase_add_test(tcase, a_head_with_the_number_of_another_change_is_damage);
    tcase_add_loop_test(tcase, items_that_cannot_be_read_are_damage, 0,
                        sizeof no_items / sizeof *no_items);
    tcase_add_test(tcase, a_value_that_is_longer_than_that_of_an_entry_is_damage);
    tcase_add_test(tcase, the_first_change_of_an_older_table_makes_it_one_of_this_format);
    tcase_add_test(tcase, a_table_that_has_become_newer_is_neither_written_nor_read);
    tcase_add_test(tcase, a_table_that_is_none_any_more_is_neither_written_nor_read);
    suite_add_tcase(suite, tcase);
    return suite;
}
