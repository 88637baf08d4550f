/* SPDX-License-Identifier: BSD-2-Clause */
#include "scratch.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct address_rules rules = {
    .fold_case = true, .delimiters = "+", .local_domain = NULL};

char scratch[64] = "";
char scratch_table[80] = "";
static char all[32] = "/tmp/unit-XXXXXX"; /* the folder of all the folders */

void scratch_begin(void)
{
    if (mkdtemp(all) == NULL || chmod(all, 0755) != 0) {
        perror(all);
        exit(EXIT_FAILURE);
    }
}

void scratch_setup(void)
{
    snprintf(scratch, sizeof scratch, "%s/XXXXXX", all);
    ck_assert_ptr_nonnull(mkdtemp(scratch));
    snprintf(scratch_table, sizeof scratch_table, "%s/table", scratch);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
    (void)status;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void scratch_teardown(void)
{
    nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    scratch[0] = '\0';
}

void scratch_end(void)
{
    nftw(all, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int put(const struct entry *entry)
{
    struct error err;
    struct table *table;
    if (table_open(&table, scratch_table, TABLE_WRITE, true, &err) != 0)
        return 1;
    struct table_edit *edit = table_edit_begin(table, &err);
    if (edit == NULL || table_edit_put(edit, entry, true, &err) == TABLE_FAILED ||
        table_edit_commit(edit, &err) != 0)
        return 1;
    table_free(table);
    return 0;
}

/* In a process of its own, as movedctl is: LMDB must not be open twice in one. */
void scratch_put_entry(const struct entry *entry)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(put(entry));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status == 0, "cannot put '%s@%s'", entry->local, entry->domain);
}

void scratch_put(const struct entry_text *text)
{
    struct entry entry;
    struct error err;
    ck_assert_msg(entry_parse(&entry, text, &rules, &err) == 0, "%s", err.text);
    scratch_put_entry(&entry);
}

void scratch_fill(const char *const *pairs)
{
    struct error err;
    ck_assert_msg(table_create(scratch_table, true, NULL, (uid_t)-1, (gid_t)-1, &err) == 0, "%s",
                  err.text);
    for (; pairs != NULL && pairs[0] != NULL; pairs += 2) {
        struct entry_text text = {.old = pairs[0], .new = pairs[1]};
        if (strcmp(pairs[1], "gone") == 0 || strcmp(pairs[1], "stay") == 0)
            text = (struct entry_text){.old = pairs[0], .action = pairs[1]};
        if (strncmp(pairs[1], "forward:", 8) == 0)
            text = (struct entry_text){.old = pairs[0], .new = pairs[1] + 8, .action = "forward"};
        scratch_put(&text);
    }
}

const char *scratch_file(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", scratch_table, name);
    return path;
}

void scratch_next_tick(void)
{
    struct timespec before, now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &before);
    do
        clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

struct table *scratch_open(void)
{
    struct table *table;
    struct error err;
    ck_assert_msg(table_open(&table, scratch_table, TABLE_READ, true, &err) == 0, "%s", err.text);
    return table;
}

enum table_result scratch_find(struct table *table, enum entry_scope scope, const char *local,
                               const char *domain, struct entry *out)
{
    struct error err;
    struct table_view *view = table_view_open(table, &err);
    ck_assert_msg(view != NULL, "%s", err.text);
    enum table_result result = table_find(view, scope, local, domain, out, &err);
    table_view_close(view);
    return result;
}

void scratch_refuses(int status, const char *text)
{
    struct table *table = NULL;
    struct error err = {.status = 0};
    ck_assert_int_eq(table_open(&table, scratch_table, TABLE_READ, true, &err), -1);
    ck_assert_msg(err.status == status && strstr(err.text, text) != NULL, "%d %s", err.status,
                  err.text);
    ck_assert_int_eq(table_open(&table, scratch_table, TABLE_WRITE, true, &err), -1);
    ck_assert_int_eq(err.status, status);
}

void scratch_overwrite(long at, const void *octets, size_t length)
{
    int fd = open(scratch_file("data.mdb"), O_WRONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, octets, length, at), (ssize_t)length);
    close(fd);
}

/* In a process of its own: LMDB must not be open twice in one. */
void scratch_put_octets(const void *key, size_t length, const void *value, size_t value_length)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi entries;
        MDB_val name = {length, (void *)key}, octets = {value_length, (void *)value};
        _exit(mdb_env_create(&env) != 0 || mdb_env_open(env, scratch_table, 0, 0660) != 0 ||
              mdb_txn_begin(env, NULL, 0, &txn) != 0 || mdb_dbi_open(txn, NULL, 0, &entries) != 0 ||
              (value == NULL ? mdb_del(txn, entries, &name, NULL)
                             : mdb_put(txn, entries, &name, &octets, 0)) != 0 ||
              mdb_txn_commit(txn) != 0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

void scratch_fill_many(int count)
{
    struct table *table;
    struct error err;
    scratch_fill(NULL);
    ck_assert_int_eq(table_open(&table, scratch_table, TABLE_WRITE, true, &err), 0);
    struct table_edit *edit = table_edit_begin(table, &err);
    for (int i = 0; i < count; i++) {
        struct entry entry = {
            .scope = ENTRY_MAILBOX, .domain = "old.example", .new = "a@new.example"};
        snprintf(entry.local, sizeof entry.local, "u%06d", i);
        ck_assert_int_eq(table_edit_put(edit, &entry, false, &err), TABLE_ABSENT);
    }
    ck_assert_int_eq(table_edit_commit(edit, &err), 0);
    table_free(table);
}
