/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/copy.h"

#include "table/home.h"
#include "table/table_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct copy {
    struct table *table;
    const char *path;   /* of the copy's folder */
    struct place in;    /* that folder, or the temporary one */
    struct place above; /* the parent, with the temporary name; descriptor -1: the folder existed */
    char name[NAME_MAX + 1]; /* the final one */
    char data[32];           /* the present name of the data file; "": none yet */
};

#define DATA "data.mdb"
#define LOCK "lock.mdb"

static struct copy *running; /* what table_copy_remove removes; NULL: nothing */

/* Works relative to descriptors, so that no other user can redirect it. */
void table_copy_remove(void)
{
    const struct copy *copy = running;
    if (copy == NULL)
        return;
    if (*copy->data != '\0')
        unlinkat(copy->in.folder, copy->data, 0);
    if (strcmp(copy->data, DATA) == 0)
        unlinkat(copy->in.folder, LOCK, 0);
    if (copy->above.folder >= 0)
        unlinkat(copy->above.folder, copy->above.name, AT_REMOVEDIR);
}

static int cannot(const struct copy *copy, struct error *err)
{
    return error_set(err, EX_CANTCREAT, "%s: %s", copy->path, strerror(errno));
}

/* ---- step by step */

/* A lock file without a data file is left from a removed table; a program that has that table open keeps it. */
static int open_data(struct copy *copy, struct error *err)
{
    int in = copy->in.folder, fd = -1;
    if (place_enter(&copy->in, err) != 0)
        return -1;
    if (unlinkat(in, LOCK, 0) == 0 || errno == ENOENT) {
        /* Named before it exists, because a signal may come as soon as it does. */
        snprintf(copy->data, sizeof copy->data, DATA ".%ld", (long)getpid());
        fd = openat(in, copy->data, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    if (fd < 0)
        copy->data[0] = '\0'; /* not ours */
    if (fd < 0 || fchmod(fd, 0660) != 0)
        cannot(copy, err);
    place_leave(&copy->in);
    return fd;
}

static int write_data(struct copy *copy, struct error *err)
{
    int fd = open_data(copy, err);
    if (fd < 0)
        return -1;
    int rc = mdb_env_copyfd2(copy->table->env, fd, MDB_CP_COMPACT);
    if (rc == 0 && fsync(fd) != 0)
        rc = errno;
    if (close(fd) != 0 && rc == 0)
        rc = errno;
    if (rc == 0)
        return 0;
    errno = rc;
    return rc > 0 ? cannot(copy, err) : table_lmdb_error(err, copy->table, rc);
}

/* Renames a file or folder there, and changes its name in the struct. */
static int rename_to(const struct copy *copy, const struct place *place, char *name, const char *to,
                     struct error *err)
{
    if (place_enter(place, err) != 0)
        return -1;
    int rc = renameat2(place->folder, name, place->folder, to, RENAME_NOREPLACE);
    if (rc == 0)
        memcpy(name, to, strlen(to) + 1);
    else
        cannot(copy, err);
    place_leave(place);
    return rc;
}

/* Opens the copy, which creates its lock file. */
static int try_out(const struct copy *copy, size_t *entries, struct error *err)
{
    char path[64];
    struct table *made;
    snprintf(path, sizeof path, "/proc/self/fd/%d", copy->in.folder);
    if (table_open(&made, path, TABLE_READ, copy->table->fold_case, err) != 0)
        return -1;
    int rc = table_count(made, entries, err);
    table_free(made);
    return rc == 0 ? home_sync(&copy->in, err) : -1;
}

/* ---- the whole */

/* Finds the folder, or creates it under a temporary name. */
static int find_folder(struct copy *copy, struct error *err)
{
    int missing = home_find(&copy->in, copy->path, err);
    if (missing < 0 && err != NULL)
        err->status = EX_CANTCREAT;
    if (missing != 1)
        return missing;
    struct place above = copy->in;
    memcpy(copy->name, above.name, sizeof copy->name);
    snprintf(above.name, sizeof above.name, "%.230s.%ld", copy->name, (long)getpid());
    copy->above = above;
    return home_make(&copy->in, &copy->above, 0700, err) == 0 ? 0 : error_at(err, copy->path, 0);
}

/* Gives a backup to the owner and group of the table. */
static int hand_over(const struct copy *copy, struct error *err)
{
    uid_t owner = geteuid() == 0 ? copy->table->owner : (uid_t)-1;
    gid_t group = copy->table->group;
    if (home_give(&copy->in, DATA, owner, group, 0660, err) == 0 &&
        home_give(&copy->in, LOCK, owner, group, 0660, err) == 0 &&
        home_give(&copy->in, "", owner, group, 02770, err) == 0)
        return 0;
    return error_at(err, copy->path, 0);
}

static int copy_table(struct table *table, const char *path, bool is_backup, uid_t owner,
                      gid_t group, void (*settle)(void), size_t *entries, struct error *err)
{
    struct copy copy = {
        .table = table, .path = path, .in = {.folder = -1}, .above = {.folder = -1}};
    struct stat status;
    running = &copy;
    int rc = table_check(table, err);
    if (rc == 0)
        rc = find_folder(&copy, err);
    if (rc == 0 && !is_backup)
        rc = home_settle(&copy.in, copy.above.folder >= 0, owner, group, err);
    if (rc == 0 && fstatat(copy.in.folder, DATA, &status, AT_SYMLINK_NOFOLLOW) == 0)
        rc = error_set(err, EX_CANTCREAT, "%s: there is a table already: it stays as it is", path);
    if (rc == 0) {
        rc = write_data(&copy, err);
        settle();
    }
    if (rc == 0)
        rc = rename_to(&copy, &copy.in, copy.data, DATA, err);
    if (rc == 0)
        rc = try_out(&copy, entries, err);
    if (rc == 0 && is_backup)
        rc = hand_over(&copy, err);
    bool is_new = copy.above.folder >= 0;
    if (rc == 0 && is_new)
        rc = rename_to(&copy, &copy.above, copy.above.name, copy.name, err);
    if (rc == 0 && is_new)
        rc = home_sync(&copy.above, err);
    if (rc != 0)
        table_copy_remove();
    running = NULL;
    place_free(&copy.in);
    place_free(&copy.above);
    return rc;
}

int table_backup(struct table *table, const char *path, void (*settle)(void), size_t *entries,
                 struct error *err)
{
    struct stat status;
    if (lstat(path, &status) == 0)
        return error_set(err, EX_CANTCREAT, "%s: is there already: write a folder that is not",
                         path);
    return copy_table(table, path, true, (uid_t)-1, (gid_t)-1, settle, entries, err);
}

int table_place(struct table *table, const char *path, uid_t owner, gid_t group,
                void (*settle)(void), size_t *entries, struct error *err)
{
    return copy_table(table, path, false, owner, group, settle, entries, err);
}
