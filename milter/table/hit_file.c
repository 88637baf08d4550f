/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/hit_file.h"

#include "table/guard.h"
#include "table/hit_internal.h"
#include "table/home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER    "hits"
#define DATABASES 4

#define STATE      "state"
#define STATE_SIZE sizeof(struct hit_state)

_Static_assert(STATE_SIZE % sizeof(uint64_t) == 0, "an array of numbers");

/* What the table's words advise is not for this file. */
static int hit_error(struct error *err, const struct hit_file *file, int rc)
{
    table_lmdb_error(err, file->files, rc);
    if (err != NULL && err->status == EX_DATAERR)
        return error_set(
            err, EX_DATAERR,
            "%s/data.mdb: damaged, or cut short: movedctl hits --clear --all begins again",
            file->files->path);
    return -1;
}

/* ---- the state */

static int get_state(struct hit_file *file)
{
    uint64_t *numbers = (uint64_t *)&file->state;
    MDB_val value, key = {sizeof STATE - 1, (void *)STATE};
    int rc = mdb_get(file->txn, file->meta, &key, &value);
    if (rc == 0 && value.mv_size != STATE_SIZE)
        rc = MDB_CORRUPTED;
    for (size_t i = 0; rc == 0 && i < STATE_SIZE / sizeof *numbers; i++)
        numbers[i] = record_get_number((const unsigned char *)value.mv_data + 8 * i, 8);
    if (rc == 0 && file->state.format > HIT_FORMAT)
        return MDB_VERSION_MISMATCH;
    return rc == 0 && (file->state.gaps > HIT_GAPS_MAX || file->state.current > 2 ||
                       file->state.chunks > UINT32_MAX)
               ? MDB_CORRUPTED
               : rc;
}

static int make_state(struct hit_file *file)
{
    file->state = (struct hit_state){.format = HIT_FORMAT};
    return getrandom(file->state.key, sizeof file->state.key, 0) == sizeof file->state.key ? 0
                                                                                           : EIO;
}

static int put_state(struct hit_file *file)
{
    unsigned char octets[STATE_SIZE], *at = octets;
    const uint64_t *numbers = (const uint64_t *)&file->state;
    MDB_val key = {sizeof STATE - 1, (void *)STATE}, value = {sizeof octets, octets};
    for (size_t i = 0; i < STATE_SIZE / sizeof *numbers; i++)
        at = record_put_number(at, numbers[i], 8);
    return mdb_put(file->txn, file->meta, &key, &value, 0);
}

/* ---- a transaction */

static int open_databases(struct hit_file *file, unsigned flags)
{
    unsigned more = (flags & MDB_RDONLY) == 0 ? MDB_CREATE : 0;
    static const char *const names[DATABASES] = {"rows", "today", "seen", "meta"};
    MDB_dbi *const handles[DATABASES] = {&file->rows, &file->today, &file->seen, &file->meta};
    int rc = 0;
    for (int i = 0; rc == 0 && i < DATABASES; i++)
        rc = mdb_dbi_open(file->txn, names[i], more, handles[i]);
    return rc;
}

static int transact(struct hit_file *file, unsigned flags,
                    int (*what)(struct hit_file *file, void *data), void *data)
{
    bool writes = (flags & MDB_RDONLY) == 0;
    int dead;
    if (writes)
        mdb_reader_check(file->files->env, &dead);
    int rc = mdb_txn_begin(file->files->env, NULL, flags, &file->txn);
    if (rc == 0)
        rc = open_databases(file, flags);
    if (rc == 0)
        rc = get_state(file);
    const struct hit_state before = rc == 0 ? file->state : (struct hit_state){.format = 0};
    if (rc == MDB_NOTFOUND && writes)
        rc = make_state(file);
    if (rc == 0)
        rc = what(file, data);
    if (rc == 0 && writes && memcmp(&before, &file->state, sizeof before) != 0)
        rc = put_state(file);
    if (rc != 0)
        return rc;
    MDB_txn *txn = file->txn; /* a commit frees it, whatever comes out */
    file->txn = NULL;
    return mdb_txn_commit(txn);
}

int hit_file_do(struct hit_file *file, unsigned flags,
                int (*what)(struct hit_file *file, void *data), void *data, struct error *err)
{
    int rc;
    GUARDED(rc, transact(file, flags, what, data));
    table_end_read(file->txn); /* NULL is fine */
    file->txn = NULL;
    if ((flags & MDB_RDONLY) == 0) /* smaller than this it is cut short */
        atomic_store(&file->files->size, table_file_size(file->files));
    if (rc == MDB_NOTFOUND)
        return error_set(err, EX_NOINPUT, "%s: nothing has been counted yet", file->files->path);
    if (rc == HIT_TOLD)
        return -1;
    return rc == 0 ? 0 : hit_error(err, file, rc);
}

/* ---- opening */

static int nothing(struct hit_file *file, void *unused)
{
    (void)file;
    (void)unused;
    return 0;
}

/* The folder hits/, which is made where it is missing. */
static int find_folder(struct table *files, enum table_mode mode, struct error *err)
{
    struct place above;
    int missing = home_find(&files->place, files->path, err);
    if (missing != 1)
        return missing;
    if (mode == TABLE_READ) {
        place_free(&files->place);
        return error_set(err, EX_NOINPUT, "%s: nothing has been counted yet", files->path);
    }
    above = files->place;
    int rc = home_make(&files->place, &above, err);
    if (rc == 0)
        rc = home_give(&files->place, "", (uid_t)-1, (gid_t)-1, 02770, err);
    place_free(&above);
    return rc;
}

/* The daemon may be making it: LMDB would want to write to an empty file that is open for reading alone. One that is missing
 * may be there, and empty, when it is opened. */
static bool is_empty(const struct table *files)
{
    struct stat status;
    if (fstatat(files->place.folder, "data.mdb", &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT;
    return S_ISREG(status.st_mode) && status.st_size == 0;
}

int hit_file_open(struct hit_file **out, const char *table, enum table_mode mode, struct error *err)
{
    char path[PATH_MAX];
    struct hit_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        return error_no_memory(err);
    snprintf(path, sizeof path, "%.4000s/" FOLDER, table);
    file->files = table_new(path, err);
    int rc = -1;
    if (file->files != NULL) {
        file->files->databases = DATABASES;
        rc = find_folder(file->files, mode, err);
        if (rc == 0 && mode == TABLE_READ && is_empty(file->files))
            rc = error_set(err, EX_NOINPUT, "%s: nothing has been counted yet", path);
        if (rc == 0)
            rc = table_open_any(file->files, mode, err);
        place_free(&file->files->place);
        if (rc != 0 && err != NULL && err->status == EX_DATAERR)
            hit_error(err, file, PAGE_MISSING);
    }
    if (rc == 0)
        rc = hit_file_check(file, err);
    /* Not to write: a fault would leave the lock held when the file is closed. */
    if (rc == 0 && mode == TABLE_READ)
        rc = hit_file_do(file, MDB_RDONLY, nothing, NULL, err);
    if (rc == 0)
        *out = file;
    else
        hit_file_free(file);
    return rc;
}

void hit_file_free(struct hit_file *file)
{
    if (file != NULL)
        table_free(file->files);
    free(file);
}

int hit_file_check(struct hit_file *file, struct error *err)
{
    if (table_check(file->files, err) == 0)
        return 0;
    return err->status == EX_DATAERR ? hit_error(err, file, PAGE_MISSING) : -1;
}

int hit_file_state(struct hit_file *file, struct hit_state *out, struct error *err)
{
    if (hit_file_do(file, MDB_RDONLY, nothing, NULL, err) != 0)
        return -1;
    *out = file->state;
    return 0;
}

int hit_file_get(struct hit_file *file, const MDB_val *key, struct hit_row *out)
{
    MDB_val name = *key, value;
    int rc = mdb_get(file->txn, file->rows, &name, &value);
    return rc == 0 && hit_row_decode(out, value.mv_data, value.mv_size) != 0 ? MDB_CORRUPTED : rc;
}

int hit_file_put(struct hit_file *file, const MDB_val *key, const struct hit_row *row)
{
    unsigned char octets[HIT_ROW_MAX];
    MDB_val name = *key, value = {hit_row_encode(octets, row), octets};
    return mdb_put(file->txn, file->rows, &name, &value, 0);
}

/* ---- removing */

/* Under another name first: a program that opens hits/ meanwhile finds both of its files, or none. */
static int remove_folder(const struct place *above, struct error *err)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    char gone[sizeof FOLDER + 24];
    snprintf(gone, sizeof gone, FOLDER ".%ld", (long)getpid());
    if (renameat(above->folder, FOLDER, above->folder, gone) != 0)
        return errno == ENOENT ? 0 : error_set(err, error_status(errno), "%s", strerror(errno));
    int folder = openat(above->folder, gone, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    for (size_t i = 0; folder >= 0 && i < sizeof names / sizeof *names; i++)
        (void)unlinkat(folder, names[i], 0);
    if (folder >= 0)
        close(folder);
    return unlinkat(above->folder, gone, AT_REMOVEDIR) == 0
               ? 0
               : error_set(err, error_status(errno), "%s: %s", gone, strerror(errno));
}

int hit_file_remove(const char *table, struct error *err)
{
    struct place above;
    int rc = home_find(&above, table, err);
    if (rc == 1)
        rc = error_set(err, EX_NOINPUT, "%s: no table there", table);
    if (rc == 0)
        rc = place_enter(&above, err);
    if (rc == 0) {
        rc = remove_folder(&above, err);
        place_leave(&above);
        if (rc != 0)
            error_at(err, table, 0);
    }
    place_free(&above);
    return rc;
}
