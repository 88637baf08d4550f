/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/table.h"

#include "table/guard.h"
#include "table/home.h"
#include "table/table_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

/* Address space, not memory or disk: a map opened this large never has to grow under its
 * readers. */
#define MAP_SIZE (sizeof(size_t) >= 8 ? (size_t)1 << 36 : (size_t)1 << 30)

/* ---- opening */

/* Looks at a file of LMDB's in the folder. Returns 0 with *out; 1 if it does not exist; or -1 with err. A symbolic link is
 * refused, because it would lead out of the folder. */
static int ask_file(const struct table *table, const char *name, struct stat *out,
                    struct error *err)
{
    if (fstatat(table->place.folder, name, out, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 1
                               : error_set(err, error_status(errno), "%s/%s: %s", table->path, name,
                                           strerror(errno));
    return S_ISREG(out->st_mode)
               ? 0
               : error_set(err, EX_DATAERR, "%s/%s: not a file: move it elsewhere", table->path,
                           name);
}

/* LMDB would end the process. */
static void on_assertion(MDB_env *env, const char *what)
{
    (void)env;
    (void)what;
    guard_give_up();
}

/* Makes an empty file that the group may write too, whatever the umask is: LMDB fills it. Returns 0, or -1 with errno. */
static int make_file(const struct table *table, const char *name)
{
    int fd =
        openat(table->place.folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0660);
    if (fd < 0)
        return -1;
    int rc = fchmod(fd, 0660);
    close(fd);
    return rc;
}

static int open_env(struct table *table, unsigned flags, struct error *err)
{
    char path[PATH_MAX];
    (void)make_file(table, "lock.mdb"); /* if this fails, LMDB reports the reason */
    place_path(&table->place, table->path, path);
    int rc = mdb_env_create(&table->env);
    if (rc == 0) { /* the settings cannot fail before the file is opened */
        (void)mdb_env_set_maxreaders(table->env, READERS_MAX);
        (void)mdb_env_set_mapsize(table->env, MAP_SIZE);
        (void)mdb_env_set_assert(table->env, on_assertion);
        (void)mdb_env_set_maxdbs(table->env, table->databases);
        rc = lockfile_can_be_opened(path) ? 0 : LOCKS_DAMAGED;
    }
    if (rc == 0)
        GUARDED(rc, mdb_env_open(table->env, path, flags | MDB_NOTLS, 0660));
    if (rc == 0 && lockfile_open(&table->lockfile, path) != 0)
        rc = errno;
    return rc == 0 ? 0 : table_lmdb_error(err, table, rc);
}

static int check_meta(struct table *table, MDB_txn *txn, bool fold_case, struct error *err)
{
    int folded, format;
    int rc = mdb_dbi_open(txn, NULL, 0, &table->entries);
    if (rc != 0)
        return table_lmdb_error(err, table, rc);
    rc = table_check_format(table, txn, &format);
    if (format < 0 || table_read_fold_case(txn, table->entries, &folded) != 0)
        return error_set(err, EX_DATAERR,
                         "%s: an LMDB file, but no table of moved mailboxes: "
                         "write the folder of the table",
                         table->path);
    if (rc != 0)
        return table_lmdb_error(err, table, rc);
    table->fold_case = folded != 0;
    if (table->fold_case != fold_case)
        return error_set(err, EX_CONFIG,
                         "addresses.fold_case: %s was made with fold_case = %s: set it so, or "
                         "export, init and import to change it",
                         table->path, folded ? "true" : "false");
    return 0;
}

/* Returns 0, or 1 with err; a fault is -1. */
static int check_inside(struct table *table, MDB_txn *txn, bool fold_case, struct error *err)
{
    MDB_envinfo info;
    if (check_meta(table, txn, fold_case, err) != 0)
        return 1;
    int rc = mdb_env_info(table->env, &info);
    if (rc != 0)
        table_lmdb_error(err, table, rc);
    /* On a read-only mount LMDB continues without reader locks, and a writer elsewhere could reuse pages that are being
     * read. Then the number of readers is 0, even during this transaction. */
    else if (info.me_numreaders == 0)
        rc = error_set(err, EX_NOPERM,
                       "%s/lock.mdb: cannot be written, and readers must lock: "
                       "mount it read-write (systemd: ReadWritePaths)",
                       table->path);
    else
        rc = table_check_whole(table, txn, err);
    return rc != 0;
}

static int check_table(struct table *table, bool fold_case, struct error *err)
{
    MDB_txn *txn;
    if (table_check_size(table, err) != 0)
        return -1;
    int rc = table_begin_read(table, &txn);
    if (rc != 0)
        return table_lmdb_error(err, table, rc);
    GUARDED(rc, check_inside(table, txn, fold_case, err));
    if (rc == GUARD_FAULT)
        table_lmdb_error(err, table, PAGE_MISSING);
    if (rc != 0) {
        table_end_read(txn);
        return -1;
    }
    SLOT_GUARDED(rc, table, mdb_txn_commit(txn)); /* so that the database handles stay open */
    return rc == 0 ? 0 : table_lmdb_error(err, table, rc);
}

struct table *table_new(const char *path, struct error *err)
{
    struct table *table = calloc(1, sizeof *table);
    if (table == NULL || strlen(path) >= sizeof table->path) {
        free(table);
        error_set(err, EX_OSERR, "%s: %s", path, strerror(table == NULL ? ENOMEM : ENAMETOOLONG));
        return NULL;
    }
    snprintf(table->path, sizeof table->path, "%s", path);
    table->place.folder = -1;
    table->lockfile.fd = -1;
    pthread_mutex_init(&table->lock, NULL);
    pthread_mutex_init(&table->beginning, NULL);
    guard_install();
    return table;
}

static void wake_up(int number)
{
    (void)number;
}

/* As the folder's owner, who could put a FIFO in the place of a file between our look and LMDB's open(2): that would wait
 * for ever, and is interrupted each second. */
static int open_as_owner(struct table *table, unsigned flags, struct error *err)
{
    const struct sigaction action = {.sa_handler = wake_up}; /* no SA_RESTART */
    const struct itimerval second = {{1, 0}, {1, 0}}, never = {{0, 0}, {0, 0}};
    struct sigaction before;
    if (table->place.owner == 0)
        return open_env(table, flags, err);
    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &second, NULL);
    int rc = open_env(table, flags, err);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    return rc;
}

/* LMDB would create missing files, and its errors say little: this checks them first. */
static int check_files(const struct table *table, bool creates, struct error *err)
{
    struct stat status;
    int there = ask_file(table, "data.mdb", &status, err);
    if (there < 0 || ask_file(table, "lock.mdb", &(struct stat){0}, err) < 0)
        return -1;
    if (there == 1 && creates)
        return make_file(table, "data.mdb") == 0 || errno == EEXIST
                   ? 0
                   : error_set(err, EX_CANTCREAT, "%s: %s", table->path, strerror(errno));
    if (there == 1)
        return error_set(err, EX_NOINPUT, "%s: no table there: make one with movedctl init",
                         table->path);
    if (faccessat(table->place.folder, "data.mdb", R_OK, AT_EACCESS) != 0)
        return error_set(err, error_status(errno),
                         "%s/data.mdb: %s: give this user the right to read it", table->path,
                         strerror(errno));
    if (status.st_size == 0 && !creates)
        return error_set(err, EX_DATAERR, "%s/data.mdb: empty file: restore a copy of the table",
                         table->path);
    return 0;
}

int table_open_files(struct table *table, enum table_mode mode, bool creates, struct error *err)
{
    if (place_enter(&table->place, err) != 0)
        return -1;
    int rc = check_files(table, creates, err);
    if (rc == 0)
        rc = open_as_owner(table, mode == TABLE_READ ? MDB_RDONLY : 0, err);
    place_leave(&table->place);
    return rc;
}

int table_open(struct table **out, const char *path, enum table_mode mode, bool fold_case,
               struct error *err)
{
    struct stat status = {.st_uid = 0};
    struct table *table = table_new(path, err);
    if (table == NULL)
        return -1;
    table->follows = mode == TABLE_FOLLOW;
    int rc = home_find(&table->place, path, err);
    if (rc == 1 || (rc < 0 && errno == ENOENT))
        rc = error_set(err, EX_NOINPUT, "%s: no table there: make one with movedctl init", path);
    if (rc == 0 && fstat(table->place.folder, &status) == 0) {
        table->owner = status.st_uid;
        table->group = status.st_gid;
        rc = table_open_files(table, mode, false, err);
    }
    place_free(&table->place);
    if (rc != 0 || check_table(table, fold_case, err) != 0) {
        table_free(table);
        return -1;
    }
    *out = table;
    return 0;
}

void table_set_author(struct table *table, const struct table_author *author)
{
    table->author = *author;
}

void table_free(struct table *table)
{
    int rc = 0;
    if (table == NULL)
        return;
    table_free_views(table);
    if (table->env != NULL)
        GUARDED(rc, (mdb_env_close(table->env), 0)); /* gives back slots of lock.mdb last of all */
    (void)rc;                                        /* a fault leaves them behind */
    lockfile_close(&table->lockfile);
    place_free(&table->place);
    pthread_mutex_destroy(&table->lock);
    pthread_mutex_destroy(&table->beginning);
    free(table);
}

/* ---- making */

static int write_first(struct table *table, const struct mark *mark, struct error *err)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(table->env, NULL, 0, &txn);
    if (rc == 0)
        rc = mdb_dbi_open(txn, NULL, 0, &table->entries);
    if (rc == 0)
        rc = table_put_metas(txn, table, TABLE_FORMAT);
    if (rc == 0 && mark != NULL)
        rc = table_put_mark(txn, table, mark);
    if (rc != 0)
        mdb_txn_abort(txn);
    else
        rc = mdb_txn_commit(txn);
    return rc == 0 ? 0 : table_lmdb_error(err, table, rc);
}

static int write_new(struct table *table, const struct mark *mark, struct error *err)
{
    struct stat status;
    if (ask_file(table, "lock.mdb", &status, err) < 0)
        return -1;
    if (make_file(table, "data.mdb") != 0)
        return errno == EEXIST
                   ? error_set(err, EX_CANTCREAT, "%s: there is a table already: it stays as it is",
                               table->path)
                   : error_set(err, EX_CANTCREAT, "%s: %s", table->path, strerror(errno));
    int rc = open_as_owner(table, 0, err);
    if (rc == 0)
        rc = write_first(table, mark, err);
    if (rc != 0)
        unlinkat(table->place.folder, "data.mdb", 0);
    return rc;
}

int table_create(const char *path, bool fold_case, const struct mark *mark, uid_t owner,
                 gid_t group, struct error *err)
{
    struct place above = {.folder = -1};
    struct table *table = table_new(path, err);
    if (table == NULL)
        return -1;
    table->fold_case = fold_case;
    int missing = home_find(&table->place, path, err), rc = missing;
    if (missing < 0 && errno == ENOENT)
        error_set(err, EX_CANTCREAT, "%s: %s: make the folder above it first", path,
                  strerror(ENOENT));
    if (missing == 1) {
        above = table->place;
        rc = home_make(&table->place, &above, 0700, err) == 0 ? 0 : error_at(err, path, 0);
    }
    if (rc == 0)
        rc = home_settle(&table->place, missing == 1, owner, group, err);
    if (rc == 0)
        rc = place_enter(&table->place, err);
    if (rc == 0) {
        rc = write_new(table, mark, err);
        place_leave(&table->place);
    }
    if (rc != 0 && missing == 1)
        unlinkat(above.folder, above.name, AT_REMOVEDIR); /* if it was made, and is empty */
    place_free(&above);
    table_free(table);
    if (rc != 0 && err != NULL)
        err->status = EX_CANTCREAT;
    return rc;
}
