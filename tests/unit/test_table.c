/* SPDX-License-Identifier: BSD-2-Clause */
#include "suites.h"

#include "scratch.h"
#include "table/table_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <lmdb.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROWS(table) (int)(sizeof(table) / sizeof *(table))

static const char *const some[] = {"alice@old.example",
                                   "alice@new.example",
                                   "@old.example",
                                   "@new.example",
                                   "@.sub.example",
                                   "x@new.example",
                                   "zoe@other.example",
                                   "gone",
                                   NULL};

START_TEST(entries_are_found_by_scope)
{
    struct entry entry;
    scratch_fill(some);
    struct table *table = scratch_open();
    ck_assert_int_eq(scratch_find(table, ENTRY_MAILBOX, "alice", "old.example", &entry),
                     TABLE_FOUND);
    ck_assert_str_eq(entry.new, "alice@new.example");
    ck_assert_int_eq(scratch_find(table, ENTRY_DOMAIN, "", "old.example", &entry), TABLE_FOUND);
    ck_assert_str_eq(entry.new, "@new.example");
    ck_assert_int_eq(scratch_find(table, ENTRY_SUBDOMAINS, "", "sub.example", &entry), TABLE_FOUND);
    ck_assert_int_eq(scratch_find(table, ENTRY_MAILBOX, "bob", "old.example", &entry),
                     TABLE_ABSENT);
    ck_assert_int_eq(scratch_find(table, ENTRY_DOMAIN, "", "sub.example", &entry), TABLE_ABSENT);
    ck_assert_int_eq(scratch_find(table, ENTRY_SUBDOMAINS, "", "old.example", &entry),
                     TABLE_ABSENT);
    table_free(table);
}
END_TEST

START_TEST(what_is_committed_is_seen_by_the_next_view)
{
    static const char *const nothing[] = {NULL};
    struct entry entry;
    scratch_fill(nothing);
    struct table *table = scratch_open();
    ck_assert_int_eq(scratch_find(table, ENTRY_MAILBOX, "a", "old.example", &entry), TABLE_ABSENT);
    scratch_put(&(struct entry_text){.old = "a@old.example", .new = "b@new.example"});
    ck_assert_int_eq(scratch_find(table, ENTRY_MAILBOX, "a", "old.example", &entry), TABLE_FOUND);
    scratch_put(&(struct entry_text){.old = "@.old.example", .new = "b@new.example"});
    ck_assert_int_eq(scratch_find(table, ENTRY_SUBDOMAINS, "", "old.example", &entry), TABLE_FOUND);
    table_free(table);
}
END_TEST

static int count_each(const struct entry *entry, void *data, struct error *err)
{
    char *all = data, old[ADDRESS_TEXT_SIZE];
    (void)err;
    entry_format_old(old, sizeof old, entry);
    strcat(strcat(all, old), " ");
    return 0;
}

START_TEST(entries_are_walked_by_domain)
{
    char all[512] = "", one[512] = "";
    size_t count;
    struct error err;
    scratch_fill(some);
    struct table *table = scratch_open();
    struct table_view *view = table_view_open(table, &err);
    ck_assert_int_eq(table_each(view, NULL, count_each, all, &err), 0);
    ck_assert_str_eq(all, "@.sub.example @old.example alice@old.example zoe@other.example ");
    ck_assert_int_eq(table_each(view, "old.example", count_each, one, &err), 0);
    ck_assert_str_eq(one, "@old.example alice@old.example ");

    char rest[512] = "";
    struct entry after;
    ck_assert_int_eq(
        entry_parse_old(&after, "@old.example", &(struct address_rules){.delimiters = ""}, &err),
        0);
    ck_assert_int_eq(table_each_after(view, &after, count_each, rest, &err), 0);
    ck_assert_str_eq(rest, "alice@old.example zoe@other.example ");
    snprintf(after.local, sizeof after.local, "bob"); /* is not there */
    after.scope = ENTRY_MAILBOX;
    rest[0] = '\0';
    ck_assert_int_eq(table_each_after(view, &after, count_each, rest, &err), 0);
    ck_assert_str_eq(rest, "zoe@other.example ");
    table_view_close(view);
    ck_assert_int_eq(table_count(table, &count, &err), 0);
    ck_assert_uint_eq(count, 4);
    table_free(table);
}
END_TEST

/* The first entries of each domain, in a row. */
static int name_first(const struct entry *first, void *data, struct error *err)
{
    char *names = data, old[ADDRESS_TEXT_SIZE];
    (void)err;
    entry_format_old(old, sizeof old, first);
    snprintf(names + strlen(names), 200 - strlen(names), " %s", old);
    return strlen(names) > 150;
}

START_TEST(each_domain_is_walked_once)
{
    static const char *const several[] = {"alice@old.example", "a@new.example", "bob@old.example",
                                          "b@new.example",     "@.old.example", "@new.example",
                                          "zoe@older.example", "gone",          NULL};
    struct error err;
    char names[200] = "";
    scratch_fill(several);
    struct table *table = scratch_open();
    struct table_view *view = table_view_open(table, &err);
    ck_assert_int_eq(table_each_domain(view, name_first, names, &err), 0);
    ck_assert_str_eq(names, " @.old.example alice@old.example zoe@older.example");
    table_view_close(view);
    table_free(table);
}
END_TEST

START_TEST(an_edit_is_all_or_nothing)
{
    struct table *table;
    struct error err;
    struct entry entry, other;
    size_t count;
    scratch_fill(some);
    ck_assert_int_eq(table_open(&table, scratch_table, TABLE_WRITE, true, &err), 0);
    ck_assert_int_eq(scratch_find(table, ENTRY_MAILBOX, "alice", "old.example", &entry),
                     TABLE_FOUND);

    struct table_edit *edit = table_edit_begin(table, &err);
    ck_assert_int_eq(table_edit_put(edit, &entry, false, &err), TABLE_FOUND);
    strcpy(entry.new, "replaced@new.example");
    ck_assert_int_eq(table_edit_put(edit, &entry, false, &err), TABLE_FOUND);
    ck_assert_int_eq(table_edit_del(edit, &entry, &err), TABLE_FOUND);
    ck_assert_int_eq(table_edit_del(edit, &entry, &err), TABLE_ABSENT);
    table_edit_abort(edit);
    ck_assert_int_eq(scratch_find(table, ENTRY_MAILBOX, "alice", "old.example", &other),
                     TABLE_FOUND);
    ck_assert_str_eq(other.new, "alice@new.example");

    edit = table_edit_begin(table, &err);
    ck_assert_int_eq(table_edit_put(edit, &entry, true, &err), TABLE_FOUND);
    ck_assert_int_eq(table_edit_commit(edit, &err), 0);
    ck_assert_int_eq(scratch_find(table, ENTRY_MAILBOX, "alice", "old.example", &other),
                     TABLE_FOUND);
    ck_assert_str_eq(other.new, "replaced@new.example");
    ck_assert_int_eq(table_count(table, &count, &err), 0);
    ck_assert_uint_eq(count, 4);
    table_free(table);
}
END_TEST

START_TEST(a_table_that_is_there_stays)
{
    struct error err;
    struct entry entry;
    scratch_fill(some);
    ck_assert_int_eq(table_create(scratch_table, true, NULL, (uid_t)-1, (gid_t)-1, &err), -1);
    ck_assert_int_eq(err.status, EX_CANTCREAT);
    struct table *table = scratch_open();
    ck_assert_int_eq(scratch_find(table, ENTRY_MAILBOX, "alice", "old.example", &entry),
                     TABLE_FOUND);
    table_free(table);
}
END_TEST

START_TEST(folder_and_files_are_for_user_and_group_whatever_the_umask_is)
{
    struct stat status;
    mode_t others = umask(077);
    scratch_fill(some);
    ck_assert_int_eq(unlink(scratch_file("lock.mdb")), 0);
    table_free(scratch_open());
    umask(others);
    ck_assert_int_eq(stat(scratch_table, &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 02770);
    ck_assert_int_eq(stat(scratch_file("data.mdb"), &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0660);
    ck_assert_int_eq(stat(scratch_file("lock.mdb"), &status), 0);
    ck_assert_int_eq(status.st_mode & 07777, 0660);
}
END_TEST

/* ---- tables that cannot be read */

START_TEST(a_missing_table)
{
    scratch_refuses(EX_NOINPUT, "movedctl init");
    ck_assert_int_eq(mkdir(scratch_table, 0755), 0);
    scratch_refuses(EX_NOINPUT, "movedctl init");
    ck_assert_int_ne(access(scratch_file("data.mdb"), F_OK), 0);
}
END_TEST

START_TEST(an_empty_file)
{
    scratch_fill(some);
    ck_assert_int_eq(truncate(scratch_file("data.mdb"), 0), 0);
    scratch_refuses(EX_DATAERR, "empty");
}
END_TEST

START_TEST(no_lmdb_file)
{
    char text[8192];
    scratch_fill(some);
    memset(text, 'x', sizeof text);
    scratch_overwrite(0, text, sizeof text);
    scratch_refuses(EX_DATAERR, "not an LMDB file");
}
END_TEST

START_TEST(a_short_text_file)
{
    scratch_fill(some);
    ck_assert_int_eq(truncate(scratch_file("data.mdb"), 0), 0);
    scratch_overwrite(0, "old,new\n", 8);
    scratch_refuses(EX_DATAERR, "not an LMDB file");
}
END_TEST

static void foreign_environment(const char *format)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi entries;
    ck_assert_int_eq(mkdir(scratch_table, 0755), 0);
    ck_assert_int_eq(mdb_env_create(&env), 0);
    ck_assert_int_eq(mdb_env_open(env, scratch_table, 0, 0644), 0);
    ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    ck_assert_int_eq(mdb_dbi_open(txn, NULL, 0, &entries), 0);
    MDB_val key = {5, (void *)"thing"}, value = {5, (void *)"other"};
    ck_assert_int_eq(mdb_put(txn, entries, &key, &value, 0), 0);
    if (format != NULL) {
        MDB_val name = {7, (void *)"\0format"}, number = {strlen(format), (void *)format};
        MDB_val fold = {10, (void *)"\0fold_case"}, yes = {1, (void *)"1"};
        ck_assert_int_eq(mdb_put(txn, entries, &name, &number, 0), 0);
        ck_assert_int_eq(mdb_put(txn, entries, &fold, &yes, 0), 0);
    }
    ck_assert_int_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

START_TEST(an_lmdb_file_of_someone_else)
{
    foreign_environment(NULL);
    scratch_refuses(EX_DATAERR, "no table of moved mailboxes");
}
END_TEST

START_TEST(a_newer_format)
{
    foreign_environment("4");
    scratch_refuses(EX_DATAERR, "its format is newer");
}
END_TEST

START_TEST(the_other_rule_of_case)
{
    struct table *table;
    struct error err;
    scratch_fill(some);
    ck_assert_int_eq(table_open(&table, scratch_table, TABLE_READ, false, &err), -1);
    ck_assert_int_eq(err.status, EX_CONFIG);
}
END_TEST

static bool in_commit;

/* So many changes of one entry that the log does not hold the edit. */
static void overfill_log(struct table_edit *edit)
{
    struct error err;
    struct entry entry = {.scope = ENTRY_DOMAIN, .domain = "old.example", .new = "@new.example"};
    memset(entry.note, 'n', ENTRY_NOTE_MAX);
    for (unsigned i = 0; edit->change.held; i++) {
        entry.note[0] = i % 2 == 0 ? 'm' : 'n';
        ck_assert_int_ne(table_edit_put(edit, &entry, true, &err), TABLE_FAILED);
    }
}

/* Puts count entries in no order, and deletes all but the first kept again, in one edit; 0: none. */
static void put_many(unsigned count, unsigned kept)
{
    struct table *table;
    struct error err;
    ck_assert_int_eq(table_open(&table, scratch_table, TABLE_WRITE, true, &err), 0);
    struct table_edit *edit = table_edit_begin(table, &err);
    if (kept > 0)
        overfill_log(edit); /* it would take the room that becomes free */
    for (unsigned i = 0; i < count; i++) {
        struct entry entry = {
            .scope = ENTRY_MAILBOX, .domain = "old.example", .new = "a@new.example"};
        snprintf(entry.local, sizeof entry.local, "m%09u", i * 2654435761U >> 4);
        ck_assert_int_ne(table_edit_put(edit, &entry, true, &err), TABLE_FAILED);
    }
    for (unsigned i = count; kept > 0 && i-- > kept;) {
        struct entry entry = {.scope = ENTRY_MAILBOX, .domain = "old.example"};
        snprintf(entry.local, sizeof entry.local, "m%09u", i * 2654435761U >> 4);
        ck_assert_int_eq(table_edit_del(edit, &entry, &err), TABLE_FOUND);
    }
    in_commit = true;
    ck_assert_int_eq(table_edit_commit(edit, &err), 0);
    in_commit = false;
    table_free(table);
}

/* Octets that are left, and of the last row that are missing from what the file needs. */
static const long cuts[] = {1, 100, 4095, 4096, 4097, 8191, 8192, 8193, 12288, -4097, -4096, -1};
START_TEST(a_file_that_ends_anywhere)
{
    MDB_env *env;
    MDB_envinfo info;
    scratch_fill_many(2000);
    ck_assert_int_eq(mdb_env_create(&env), 0);
    ck_assert_int_eq(mdb_env_open(env, scratch_table, MDB_RDONLY, 0), 0);
    ck_assert_int_eq(mdb_env_info(env, &info), 0);
    mdb_env_close(env);
    long needed = (long)(info.me_last_pgno + 1) * 4096;
    ck_assert_int_eq(truncate(scratch_file("data.mdb"), needed), 0);
    table_free(scratch_open());
    ck_assert_int_eq(
        truncate(scratch_file("data.mdb"), cuts[_i] > 0 ? cuts[_i] : needed + cuts[_i]), 0);
    scratch_refuses(EX_DATAERR, "");
}
END_TEST

/* A file that was cut and made long again, or a disk that lost power: absent is never the answer. */
START_TEST(pages_of_zeros)
{
    static const char zeros[4096];
    struct error err = {.status = 0};
    struct stat status;
    struct entry entry;
    char local[16];
    int failed = 0;
    scratch_fill_many(20000);
    ck_assert_int_eq(stat(scratch_file("data.mdb"), &status), 0);
    for (long at = status.st_size / 4; at < status.st_size; at += 4096)
        scratch_overwrite(at / 4096 * 4096, zeros, sizeof zeros);
    struct table *table;
    if (table_open(&table, scratch_table, TABLE_READ, true, &err) != 0) {
        ck_assert_int_eq(err.status, EX_DATAERR);
        return;
    }
    for (int i = 0; i < 20000; i += 100) {
        snprintf(local, sizeof local, "u%06d", i);
        struct table_view *view = table_view_open(table, &err);
        enum table_result result =
            table_find(view, ENTRY_MAILBOX, local, "old.example", &entry, &err);
        ck_assert_int_ne(result, TABLE_ABSENT);
        failed += result == TABLE_FAILED;
        table_view_close(view);
    }
    ck_assert_int_gt(failed, 0);
    ck_assert_int_eq(err.status, EX_DATAERR);
    table_free(table);
}
END_TEST

/* Sixteenths of the file that are left. */
START_TEST(a_file_that_was_cut_short)
{
    struct stat status;
    scratch_fill_many(20000);
    ck_assert_int_eq(stat(scratch_file("data.mdb"), &status), 0);
    ck_assert_int_eq(truncate(scratch_file("data.mdb"), status.st_size / 16 * _i), 0);
    scratch_refuses(EX_DATAERR, "");
}
END_TEST

/* Sixteenths of the file that are left: what is gone is an error for whoever looks there, and
 * never a signal. */
START_TEST(a_file_that_is_cut_short_while_it_is_open)
{
    struct stat status;
    struct error err = {.status = 0};
    struct entry entry;
    char local[16];
    int failed = 0;
    scratch_fill_many(20000);
    struct table *table = scratch_open();
    ck_assert_int_eq(scratch_find(table, ENTRY_MAILBOX, "u000001", "old.example", &entry),
                     TABLE_FOUND);
    ck_assert_int_eq(stat(scratch_file("data.mdb"), &status), 0);
    ck_assert_int_eq(truncate(scratch_file("data.mdb"), status.st_size / 16 * _i), 0);
    scratch_next_tick();
    for (int i = 0; i < 20000; i += 100) {
        snprintf(local, sizeof local, "u%06d", i);
        struct table_view *view = table_view_open(table, &err);
        enum table_result result =
            view == NULL ? TABLE_FAILED
                         : table_find(view, ENTRY_MAILBOX, local, "old.example", &entry, &err);
        ck_assert_int_ne(result, TABLE_ABSENT);
        failed += result == TABLE_FAILED;
        table_view_close(view);
    }
    ck_assert_int_gt(failed, 0);
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_ptr_nonnull(strstr(err.text, "cut short"));
    ck_assert_int_eq(table_check(table, &err), -1);
    table_free(table);
}
END_TEST

/* ---- calls that something happens behind, or in place of */

static void (*behind_fstat)(void);
static bool dies_in_place_of_filling_up;

/* Ours instead of the C library's, for the whole program. */
int fstat(int fd, struct stat *status)
{
    int rc = fstatat(fd, "", status, AT_EMPTY_PATH);
    void (*does)(void) = behind_fstat;
    behind_fstat = NULL; /* once */
    if (does != NULL)
        does();
    return rc;
}

int posix_fallocate(int fd, off_t from, off_t length)
{
    if (dies_in_place_of_filling_up && in_commit)
        raise(SIGKILL);
    return fallocate(fd, 0, from, length) == 0 ? 0 : errno;
}

/* In a process of its own, as movedctl is. */
static void grow_to(unsigned count)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        put_many(count, 0);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

static void grow_more(void)
{
    grow_to(40000);
}

START_TEST(a_file_that_grows_while_it_is_asked_is_whole)
{
    struct error err = {.text = ""};
    scratch_fill(some);
    struct table *table = scratch_open();
    grow_to(10000);
    behind_fstat = grow_more;
    ck_assert_msg(table_check(table, &err) == 0, "%s", err.text);
    ck_assert(behind_fstat == NULL);
    ck_assert_msg(table_check(table, &err) == 0, "%s", err.text);
    table_free(table);
}
END_TEST

/* Nine of ten entries are put and deleted again: their pages at the end of the file are never written. */
START_TEST(a_writer_that_is_killed_behind_its_commit_leaves_the_table_whole)
{
    struct error err;
    struct stat status;
    size_t count;
    int how;
    scratch_fill(NULL);
    pid_t child = fork();
    if (child == 0) {
        dies_in_place_of_filling_up = true;
        for (int i = 0; i < 10; i++)
            put_many(20000, 2000);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);

    struct table *table = scratch_open();
    ck_assert_int_eq(table_count(table, &count, &err), 0);
    ck_assert_uint_eq(count, 2001);
    table_free(table);
    ck_assert_int_eq(stat(scratch_file("data.mdb"), &status), 0);
    ck_assert_int_eq(truncate(scratch_file("data.mdb"), status.st_size - 4096), 0);
    scratch_refuses(EX_DATAERR, "cut short");
}
END_TEST

/* In a child, since it gives up its rights: returns its exit status. */
static int in_child(int (*does)(void))
{
    int status;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(does());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "the child was killed by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

static int open_status(void)
{
    struct table *table;
    struct error err;
    return table_open(&table, scratch_table, TABLE_READ, true, &err) == 0 ? 0 : err.status;
}

static int open_as_nobody(void)
{
    return setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0 ? 255
                                                                               : open_status();
}

START_TEST(a_table_that_this_user_may_not_read)
{
    if (geteuid() != 0)
        return; /* whoever is not root cannot make a file that he may not read and then read it as another */
    scratch_fill(some);
    ck_assert_int_eq(chmod(scratch, 0755), 0);
    ck_assert_int_eq(in_child(open_as_nobody), EX_NOPERM);
    ck_assert_int_eq(chmod(scratch_table, 0755), 0);
    ck_assert_int_eq(in_child(open_as_nobody), EX_NOPERM);
    ck_assert_int_eq(chmod(scratch_file("data.mdb"), 0644), 0);
    ck_assert_int_eq(in_child(open_as_nobody), EX_NOPERM); /* the lock file cannot be written */
    ck_assert_int_eq(chmod(scratch_file("lock.mdb"), 0666), 0);
    ck_assert_int_eq(in_child(open_as_nobody), 0);
}
END_TEST

enum { NO_RIGHT_TO_MOUNT = 200, IN_A_CHROOT, NO_MOUNT };

static int open_on_read_only_mount(void)
{
    if (unshare(CLONE_NEWNS) != 0)
        return NO_RIGHT_TO_MOUNT;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return errno == EINVAL ? IN_A_CHROOT : NO_MOUNT; /* whose root is no mount of its own */
    if (mount(scratch_table, scratch_table, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, scratch_table, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
        return NO_MOUNT;
    return open_status();
}

START_TEST(a_read_only_mount)
{
    scratch_fill(some);
    int status = in_child(open_on_read_only_mount);
    if (status == IN_A_CHROOT || (status == NO_RIGHT_TO_MOUNT && getenv("CI") == NULL))
        return;
    ck_assert_int_eq(status, EX_NOPERM);
}
END_TEST

/* ---- a writer that is killed */

static void write_until_killed(int ready)
{
    struct table *table;
    struct error err;
    if (table_open(&table, scratch_table, TABLE_WRITE, true, &err) != 0)
        _exit(1);
    struct table_edit *edit = table_edit_begin(table, &err);
    for (int i = 0;; i++) {
        struct entry entry = {
            .scope = ENTRY_MAILBOX, .domain = "killed.example", .new = "a@new.example"};
        snprintf(entry.local, sizeof entry.local, "u%06d", i);
        if (table_edit_put(edit, &entry, false, &err) != TABLE_ABSENT)
            _exit(1);
        if (i == 1000 && write(ready, "", 1) != 1)
            _exit(1);
        if (i == 50000)
            pause();
    }
}

START_TEST(a_writer_that_is_killed_leaves_the_table_whole)
{
    struct error err;
    size_t count;
    scratch_fill(some);
    for (int i = 0; i < 20; i++) {
        int ends[2];
        char octet;
        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0)
            write_until_killed(ends[1]);
        ck_assert_int_eq(read(ends[0], &octet, 1), 1);
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        close(ends[0]);
        close(ends[1]);
        struct table *table = scratch_open();
        ck_assert_int_eq(table_count(table, &count, &err), 0);
        ck_assert_uint_eq(count, 4);
        table_free(table);
    }
    scratch_put(&(struct entry_text){.old = "a@old.example",
                                     .new = "b@new.example"}); /* the lock is free again */
}
END_TEST

/* ---- readers that are killed */

/* When it may, takes all the slots for readers that are left. */
static void read_until_killed(int may, int ready)
{
    char octet;
    struct table *table;
    struct error err;
    if (read(may, &octet, 1) != 1 || table_open(&table, scratch_table, TABLE_READ, true, &err) != 0)
        _exit(1);
    while (table_view_open(table, &err) != NULL)
        ;
    if (err.status != EX_TEMPFAIL || write(ready, "", 1) != 1)
        _exit(1);
    pause();
}

START_TEST(slots_of_killed_readers_are_used_again)
{
    int may[2], ready[2];
    char octet;
    struct error err;
    scratch_fill(some);
    ck_assert_int_eq(pipe(may), 0);
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0)
        read_until_killed(may[0], ready[1]);
    struct table *table = scratch_open(); /* the last to close it would clear all the slots */
    ck_assert_int_eq(write(may[1], "", 1), 1);
    ck_assert_int_eq(read(ready[0], &octet, 1), 1);
    ck_assert_ptr_null(table_view_open(table, &err));
    ck_assert_int_eq(err.status, EX_TEMPFAIL);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    for (int i = 0; i < 2; i++) {
        close(may[i]);
        close(ready[i]);
    }
    struct table_view *view = table_view_open(table, &err);
    ck_assert_msg(view != NULL, "%s", err.text);
    table_view_close(view);
    table_free(table);
}
END_TEST

START_TEST(another_table_in_its_place_is_seen)
{
    char aside[128];
    struct error err;
    scratch_fill(some);
    struct table *table = scratch_open();
    ck_assert_int_eq(table_check(table, &err), 0);
    snprintf(aside, sizeof aside, "%s/aside", scratch);
    ck_assert_int_eq(rename(scratch_table, aside), 0);
    ck_assert_int_eq(table_check(table, &err), -1);
    ck_assert_int_eq(table_create(scratch_table, true, NULL, (uid_t)-1, (gid_t)-1, &err), 0);
    ck_assert_int_eq(table_check(table, &err), -1);
    ck_assert_int_eq(err.status, EX_NOINPUT);
    table_free(table);
}
END_TEST

Suite *table_suite(void)
{
    Suite *suite = suite_create("table");
    TCase *tcase = tcase_create("table");
    tcase_add_checked_fixture(tcase, scratch_setup, scratch_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, entries_are_found_by_scope);
    tcase_add_test(tcase, what_is_committed_is_seen_by_the_next_view);
    tcase_add_test(tcase, entries_are_walked_by_domain);
    tcase_add_test(tcase, each_domain_is_walked_once);
    tcase_add_test(tcase, an_edit_is_all_or_nothing);
    tcase_add_test(tcase, a_table_that_is_there_stays);
    tcase_add_test(tcase, folder_and_files_are_for_user_and_group_whatever_the_umask_is);
    tcase_add_test(tcase, a_missing_table);
    tcase_add_test(tcase, an_empty_file);
    tcase_add_test(tcase, no_lmdb_file);
    tcase_add_test(tcase, a_short_text_file);
    tcase_add_test(tcase, an_lmdb_file_of_someone_else);
    tcase_add_test(tcase, a_newer_format);
    tcase_add_test(tcase, the_other_rule_of_case);
    tcase_add_loop_test(tcase, a_file_that_was_cut_short, 1, 14);
    tcase_add_loop_test(tcase, a_file_that_ends_anywhere, 0, ROWS(cuts));
    tcase_add_test(tcase, pages_of_zeros);
    tcase_add_loop_test(tcase, a_file_that_is_cut_short_while_it_is_open, 0, 14);
    tcase_add_test(tcase, a_file_that_grows_while_it_is_asked_is_whole);
    tcase_add_test(tcase, a_writer_that_is_killed_behind_its_commit_leaves_the_table_whole);
    tcase_add_test(tcase, a_table_that_this_user_may_not_read);
    tcase_add_test(tcase, a_read_only_mount);
    tcase_add_test(tcase, a_writer_that_is_killed_leaves_the_table_whole);
    tcase_add_test(tcase, slots_of_killed_readers_are_used_again);
    tcase_add_test(tcase, another_table_in_its_place_is_seen);
    suite_add_tcase(suite, tcase);
    return suite;
}
