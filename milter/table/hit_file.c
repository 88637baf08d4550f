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

/* hits/ needs another advice than the table. */
static int damaged(struct error *err, const struct hit_file *file)
{
    return error_set(err, EX_DATAERR,
                     "%s/data.mdb: damaged, or cut short: movedctl hits --clear --all begins again",
                     file->files->path);
}

static int never(struct error *err, const struct table *files)
{
    return error_set(err, EX_NOINPUT, "%s: nothing has been counted yet", files->path);
}

/* ---- the state */

static int get_state(struct hit_file *file)
{
    uint64_t *numbers = (uint64_t *)&file->state;
    MDB_val value, key = {sizeof STATE - 1, (void *)STATE};
    int rc = mdb_get(file->txn, file->meta, &key, &value);
    if (rc != 0)
        return rc;
    struct record_input in = {value.mv_data, value.mv_size, false};
    for (size_t i = 0; i < STATE_SIZE / sizeof *numbers; i++)
        numbers[i] = record_take_number(&in, 8);
    if (in.is_damaged || in.left > 0)
        return MDB_CORRUPTED;
    if (file->state.format > HIT_FORMAT)
        return MDB_VERSION_MISMATCH;
    return file->state.gaps > HIT_GAPS_MAX || file->state.current > 2 ||
                   file->state.chunks > UINT32_MAX
               ? MDB_CORRUPTED
               : 0;
}

/* ---- a transaction */

static int begin(struct hit_file *file)
{
    static const char *const names[DATABASES] = {"rows", "today", "seen", "meta"};
    MDB_dbi *const handles[DATABASES] = {&file->rows, &file->today, &file->seen, &file->meta};
    struct hit_state *state = &file->state;
    int dead;
    if (file->writes)
        mdb_reader_check(file->files->env, &dead);
    int rc = mdb_txn_begin(file->files->env, NULL, file->writes ? 0 : MDB_RDONLY, &file->txn);
    for (int i = 0; rc == 0 && i < DATABASES; i++)
        rc = mdb_dbi_open(file->txn, names[i], file->writes ? MDB_CREATE : 0, handles[i]);
    if (rc == 0)
        rc = get_state(file);
    file->before = rc == 0 ? *state : (struct hit_state){.format = 0};
    if (rc != MDB_NOTFOUND || !file->writes)
        return rc == MDB_NOTFOUND ? HIT_NEVER : rc;
    *state = (struct hit_state){.format = HIT_FORMAT};
    return getrandom(state->key, sizeof state->key, 0) == sizeof state->key ? 0 : EIO;
}

int hit_begin(struct hit_file *file, unsigned flags)
{
    int rc;
    file->writes = (flags & MDB_RDONLY) == 0;
    GUARDED(rc, begin(file));
    return rc;
}

/* Commits also after reading: only then the handles of the databases remain valid. */
static int commit(struct hit_file *file)
{
    unsigned char octets[STATE_SIZE], *at = octets;
    const uint64_t *numbers = (const uint64_t *)&file->state;
    MDB_val key = {sizeof STATE - 1, (void *)STATE}, value = {sizeof octets, octets};
    MDB_txn *txn = file->txn;
    int rc = 0;
    if (file->writes && memcmp(&file->before, &file->state, STATE_SIZE) != 0) {
        for (size_t i = 0; i < STATE_SIZE / sizeof *numbers; i++)
            at = record_put_number(at, numbers[i], 8);
        rc = mdb_put(txn, file->meta, &key, &value, 0);
    }
    if (rc != 0)
        return rc;
    file->txn = NULL; /* mdb_txn_commit frees it in any case */
    return mdb_txn_commit(txn);
}

int hit_end(struct hit_file *file, int rc, struct error *err)
{
    if (rc == 0 || rc == MDB_NOTFOUND)
        GUARDED(rc, commit(file));
    table_end_read(file->txn); /* NULL is allowed */
    file->txn = NULL;
    if (file->writes) /* a smaller file is truncated */
        atomic_store(&file->files->size, table_file_size(file->files));
    if (rc == 0 || rc == HIT_TOLD)
        return rc == 0 ? 0 : -1;
    if (rc == HIT_NEVER)
        return never(err, file->files);
    table_lmdb_error(err, file->files, rc);
    return err != NULL && err->status == EX_DATAERR ? damaged(err, file) : -1;
}

/* ---- opening */

/* Finds the folder hits/; creates it for TABLE_WRITE, with the group of the table's folder, which is setgid. It stays as it is
 * made: under systemd's RestrictSUIDSGID= no mode with that bit can be set. */
static int find_folder(struct table *files, enum table_mode mode, struct error *err)
{
    struct place above;
    int missing = home_find(&files->place, files->path, err);
    if (missing != 1)
        return missing;
    if (mode == TABLE_READ)
        return never(err, files);
    above = files->place;
    int rc = home_make(&files->place, &above, 0770, err);
    place_free(&above);
    return rc;
}

/* The daemon may be creating the file. LMDB would write to an empty one, though it is opened for reading only. */
static bool is_empty(const struct table *files)
{
    struct stat status;
    if (fstatat(files->place.folder, "data.mdb", &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT;
    return S_ISREG(status.st_mode) && status.st_size == 0;
}

static int open_files(struct hit_file *file, enum table_mode mode, struct error *err)
{
    struct table *files = file->files;
    files->databases = DATABASES;
    int rc = find_folder(files, mode, err);
    if (rc == 0 && mode == TABLE_READ && is_empty(files))
        rc = never(err, files);
    if (rc == 0)
        rc = table_open_files(files, mode, mode == TABLE_WRITE, err);
    place_free(&files->place);
    return rc != 0 && err != NULL && err->status == EX_DATAERR ? damaged(err, file) : rc;
}

int hit_file_open(struct hit_file **out, const char *table, enum table_mode mode, struct error *err)
{
    char path[PATH_MAX];
    struct hit_state state;
    struct hit_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        return error_no_memory(err);
    snprintf(path, sizeof path, "%.4000s/" FOLDER, table);
    file->files = table_new(path, err);
    int rc = file->files == NULL ? -1 : open_files(file, mode, err);
    if (rc == 0)
        rc = hit_file_check(file, err);
    /* Not to write: after a fault, closing the file would leave its lock held. */
    if (rc == 0 && mode == TABLE_READ)
        rc = hit_file_state(file, &state, err);
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
    int rc = table_check(file->files, err);
    return rc != 0 && err->status == EX_DATAERR ? damaged(err, file) : rc;
}

/* ---- the state, and single rows */

int hit_file_state(struct hit_file *file, struct hit_state *out, struct error *err)
{
    int rc = hit_end(file, hit_begin(file, MDB_RDONLY), err);
    *out = file->state;
    return rc;
}

int hit_file_pause(struct hit_file *file, struct error *err)
{
    int rc = hit_begin(file, 0);
    file->state.paused = 1;
    return hit_end(file, rc, err);
}

enum table_result hit_file_find(struct hit_file *file, const char *key, size_t length,
                                struct hit_row *out, struct error *err)
{
    const MDB_val name = {length, (void *)key}; /* only read */
    int rc = hit_begin(file, MDB_RDONLY);
    if (rc == 0)
        GUARDED(rc, hit_file_get(file, &name, out));
    return hit_end(file, rc, err) != 0 ? TABLE_FAILED : rc == 0 ? TABLE_FOUND : TABLE_ABSENT;
}

int hit_file_clear_entry(struct hit_file *file, const char *key, size_t length, uint32_t today,
                         struct error *err)
{
    const MDB_val name = {length, (void *)key}; /* only read */
    int rc = hit_begin(file, 0);
    if (rc == 0)
        GUARDED(rc, hit_file_put(file, &name, &(struct hit_row){.born = today}));
    return hit_end(file, rc, err);
}

int hit_file_get(struct hit_file *file, const MDB_val *key, struct hit_row *out)
{
    MDB_val value, name = *key;
    int rc = mdb_get(file->txn, file->rows, &name, &value);
    if (rc != 0)
        *out = (struct hit_row){.count = 0};
    else if (hit_row_decode(out, value.mv_data, value.mv_size) != 0)
        rc = MDB_CORRUPTED;
    return rc;
}

int hit_file_put(struct hit_file *file, const MDB_val *key, const struct hit_row *row)
{
    unsigned char octets[HIT_ROW_MAX];
    MDB_val name = *key, value = {hit_row_encode(octets, row), octets};
    return mdb_put(file->txn, file->rows, &name, &value, 0);
}

/* ---- removing */

/* Renames the folder first: a program that opens hits/ meanwhile finds both of its files, or none. */
static int remove_folder(const struct place *above, struct error *err)
{
    char gone[sizeof FOLDER + 24];
    snprintf(gone, sizeof gone, FOLDER ".%ld", (long)getpid());
    if (renameat(above->folder, FOLDER, above->folder, gone) != 0)
        return errno == ENOENT ? 0 : error_set(err, error_status(errno), "%s", strerror(errno));
    int folder = openat(above->folder, gone, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0) {
        (void)unlinkat(folder, "data.mdb", 0);
        (void)unlinkat(folder, "lock.mdb", 0);
        close(folder);
    }
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
        rc = remove_folder(&above, err) == 0 ? 0 : error_at(err, table, 0);
        place_leave(&above);
    }
    place_free(&above);
    return rc;
}
