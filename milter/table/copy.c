#include "table/copy.h"

#include "table/table_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct copy {
    struct table *table;
    const char *folder, *part;
    uid_t owner; /* of the copy; -1: this user, and this user's group */
    gid_t group;
    bool makes_folder;
    void (*settle)(void);
    char data[PATH_MAX + 16], lock[PATH_MAX + 16], above[PATH_MAX + 16];
};

static int cannot(struct error *err, const char *path)
{
    return error_set(err, EX_CANTCREAT, "%s: %s", path, strerror(errno));
}

/* What its group cannot be given to is for its owner alone. */
static int hand_over(const struct copy *copy, const char *path, mode_t mode, struct error *err)
{
    if (chown(path, copy->owner, copy->group) != 0) {
        if (errno != EPERM)
            return cannot(err, path);
        mode &= 0700;
    }
    return chmod(path, mode) == 0 ? 0 : cannot(err, path);
}

static int sync_folder(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return cannot(err, path);
    int rc = fsync(fd) == 0 || errno == EINVAL ? 0 : cannot(err, path); /* EINVAL: it has no need */
    close(fd);
    return rc;
}

/* ---- step by step */

static int write_part(const struct copy *copy, struct error *err)
{
    int fd = open(copy->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return cannot(err, copy->folder);
    int rc = mdb_env_copyfd2(copy->table->env, fd, MDB_CP_COMPACT);
    if (rc == 0 && fsync(fd) != 0)
        rc = errno;
    if (close(fd) != 0 && rc == 0)
        rc = errno;
    if (rc == 0)
        return hand_over(copy, copy->part, 0660, err);
    errno = rc;
    return rc > 0 ? cannot(err, copy->folder) : table_lmdb_error(err, copy->table, rc);
}

static int make_folder(const struct copy *copy, struct error *err)
{
    if (mkdir(copy->folder, 0700) != 0)
        return cannot(err, copy->folder);
    if (hand_over(copy, copy->folder, 02770, err) == 0)
        return 0;
    rmdir(copy->folder);
    return -1;
}

/* A lock file without its data file is of a table that was taken away; who has that open still has it. */
static int move_in(const struct copy *copy, struct error *err)
{
    if (unlink(copy->lock) != 0 && errno != ENOENT)
        return cannot(err, copy->lock);
    int rc = copy->makes_folder /* then there is none to be lost, and any file system will do */
                 ? rename(copy->part, copy->data)
                 : renameat2(AT_FDCWD, copy->part, AT_FDCWD, copy->data, RENAME_NOREPLACE);
    return rc == 0 ? 0 : cannot(err, copy->data);
}

/* Opens it, which makes its lock file. */
static int try_out(const struct copy *copy, size_t *entries, struct error *err)
{
    struct table *made;
    if (sync_folder(copy->folder, err) != 0 || sync_folder(copy->above, err) != 0 ||
        table_open(&made, copy->folder, TABLE_READ, copy->table->fold_case, err) != 0)
        return -1;
    int rc = table_count(made, entries, err);
    table_free(made);
    return rc == 0 ? hand_over(copy, copy->lock, 0660, err) : rc;
}

static int make(const struct copy *copy, size_t *entries, struct error *err)
{
    bool made = false, moved = false;
    int rc = write_part(copy, err);
    if (rc == 0)
        copy->settle();
    if (rc == 0 && copy->makes_folder) {
        rc = make_folder(copy, err);
        made = rc == 0;
    }
    if (rc == 0) {
        rc = move_in(copy, err);
        moved = rc == 0;
    }
    if (rc == 0)
        rc = try_out(copy, entries, err);
    if (rc == 0)
        return 0;
    unlink(moved ? copy->data : copy->part);
    if (moved)
        unlink(copy->lock);
    if (made)
        rmdir(copy->folder);
    return -1;
}

static int begin(struct copy *out, struct table *table, const char *folder, const char *part,
                 struct error *err)
{
    if (table_check(table, err) != 0)
        return -1;
    *out = (struct copy){.table = table, .folder = folder, .part = part};
    out->owner = (uid_t)-1;
    out->group = (gid_t)-1;
    snprintf(out->data, sizeof out->data, "%s/data.mdb", folder);
    snprintf(out->lock, sizeof out->lock, "%s/lock.mdb", folder);
    snprintf(out->above, sizeof out->above, "%s/..", folder);
    return 0;
}

int table_backup(struct table *table, const char *folder, const char *part, void (*settle)(void),
                 size_t *entries, struct error *err)
{
    struct stat status;
    struct copy copy;
    if (begin(&copy, table, folder, part, err) != 0)
        return -1;
    if (lstat(folder, &status) == 0)
        return error_set(err, EX_CANTCREAT, "%s: is there already: write a folder that is not",
                         folder);
    copy.makes_folder = true;
    copy.settle = settle;
    if (stat(table->path, &status) != 0)
        return cannot(err, table->path);
    copy.group = status.st_gid;
    if (geteuid() == 0)
        copy.owner = status.st_uid;
    return make(&copy, entries, err);
}

int table_place(struct table *table, const char *folder, const char *part, uid_t owner, gid_t group,
                void (*settle)(void), size_t *entries, struct error *err)
{
    struct stat status;
    struct copy copy;
    if (begin(&copy, table, folder, part, err) != 0)
        return -1;
    copy.settle = settle;
    if (lstat(copy.data, &status) == 0)
        return error_set(err, EX_CANTCREAT, "%s: there is a table already: it stays as it is",
                         folder);
    copy.makes_folder = stat(folder, &status) != 0;
    copy.owner = owner;
    copy.group = group;
    return make(&copy, entries, err);
}
