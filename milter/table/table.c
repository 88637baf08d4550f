#include "table/table.h"

#include "table/guard.h"
#include "table/record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Address space, not memory or disk: a map opened this large never has to grow under its readers. */
#define MAP_SIZE (sizeof(size_t) >= 8 ? (size_t)1 << 36 : (size_t)1 << 30)

/* The first process to open the table fixes how many may read at once; LMDB's own default is 126. */
#define READERS_MAX 4096

#define KNOWN_MAX 256 /* domains whose having entries is remembered at a time */

#define SPARE                                                                                      \
    (256 * 1024) /* octets by which the file is longer than it needs to be when an edit begins */

/* Beside LMDB's own codes, which are below -30000, and errno's: a page is not in the file. */
#define PAGE_MISSING (-1)

/* What the table says of itself stands among the entries, under names that no domain begins with: an LMDB database of its
 * own would cost a search in each transaction. */
#define META_FORMAT    "\0format"
#define META_FOLD_CASE "\0fold_case"
#define META_COUNT     2

struct table_view {
    struct table *table;
    MDB_txn *txn;
    MDB_cursor *cursor;
    struct table_view *next; /* in table->idle */
    bool cursor_is_old;      /* of an earlier transaction: renewed when it is first needed */
    bool faulted;            /* a page was missing: not to be used again */
};

struct table {
    char path[PATH_MAX];
    MDB_env *env;
    MDB_dbi entries;
    bool fold_case;
    _Atomic(struct table_view *)
        spare;            /* a reset view at hand: it keeps a reader slot, and holds no page back */
    pthread_mutex_t lock; /* of idle */
    struct table_view *idle; /* more of them, in use when several threads ask at once */
    atomic_llong size;       /* of the data file when it was last seen to be whole, in octets */
    atomic_llong checked;    /* the tick of the clock at which that was */
    atomic_ullong known[KNOWN_MAX]; /* prefixes, and whether any key begins so: see remembered */
    uint64_t secret; /* so that nobody can choose domains that are taken for each other */
};

struct table_edit {
    struct table *table;
    MDB_txn *txn;
};

static int lmdb_error(struct error *err, const struct table *table, int rc)
{
    switch (rc) {
    case MDB_MAP_FULL: return error_set(err, EX_IOERR, "%s: the table is full", table->path);
    case MDB_READERS_FULL:
        return error_set(err, EX_TEMPFAIL, "%s: more than %d readers: stop some", table->path,
                         READERS_MAX);
    case PAGE_MISSING:
        return error_set(
            err, EX_DATAERR,
            "%s/data.mdb: cut short, or on a disk that fails: restore a copy of the table",
            table->path);
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
        return error_set(
            err, EX_DATAERR,
            "%s/data.mdb: not an LMDB file, or a damaged one: restore a copy of the table",
            table->path);
    default:
        return error_set(err, rc > 0 ? error_status(rc) : EX_IOERR, "%s: %s", table->path,
                         mdb_strerror(rc));
    }
}

/* ---- opening */

static void data_path(char *out, size_t size, const char *path)
{
    snprintf(out, size, "%s/data.mdb", path);
}

/* LMDB would make what is missing, and say little of what it cannot read: ask first. */
static int check_file(const struct table *table, struct error *err)
{
    char file[PATH_MAX + 16];
    struct stat status;

    data_path(file, sizeof file, table->path);
    if (stat(file, &status) != 0 || access(file, R_OK) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return error_set(err, EX_NOINPUT, "%s: no table there: make one with movedctl init",
                             table->path);
        return error_set(err, error_status(errno), "%s: %s: give this user the right to read it",
                         file, strerror(errno));
    }
    if (!S_ISREG(status.st_mode))
        return error_set(err, EX_DATAERR, "%s: not a file: restore a copy of the table", file);
    if (status.st_size == 0)
        return error_set(err, EX_DATAERR, "%s: empty file: restore a copy of the table", file);
    return 0;
}

static int open_env(struct table *table, unsigned flags, struct error *err)
{
    int rc = mdb_env_create(&table->env);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(table->env, READERS_MAX);
    if (rc == 0)
        rc = mdb_env_set_mapsize(table->env, MAP_SIZE);
    if (rc == 0)
        rc = mdb_env_open(table->env, table->path, flags | MDB_NOTLS, 0660);
    return rc == 0 ? 0 : lmdb_error(err, table, rc);
}

/* In octets; -1 where it cannot be asked. */
static long long file_size(const struct table *table)
{
    int fd;
    struct stat status;
    return mdb_env_get_fd(table->env, &fd) == 0 && fstat(fd, &status) == 0
               ? (long long)status.st_size
               : -1;
}

static long long needed_size(const struct table *table)
{
    MDB_envinfo info;
    MDB_stat status;
    if (mdb_env_info(table->env, &info) != 0 || mdb_env_stat(table->env, &status) != 0)
        return LLONG_MAX;
    return (long long)(info.me_last_pgno + 1) * status.ms_psize;
}

/* LMDB opens a file that was cut short without a word. A data file never shrinks: one that has must not even
 * be asked for its last page. */
int table_check(struct table *table, struct error *err)
{
    long long size = file_size(table),
              known = atomic_load_explicit(&table->size, memory_order_relaxed);
    if (size == known)
        return 0;
    if (size < known || size < needed_size(table))
        return error_set(err, EX_DATAERR, "%s/data.mdb: cut short: restore a copy of the table",
                         table->path);
    atomic_store_explicit(&table->size, size, memory_order_relaxed);
    return 0;
}

static int meta_get(MDB_txn *txn, MDB_dbi entries, const char *name, size_t length, int *out)
{
    MDB_val value, key = {.mv_size = length, .mv_data = (void *)name}; /* only read */
    int rc = mdb_get(txn, entries, &key, &value);
    if (rc != 0 || value.mv_size == 0 || value.mv_size > 9)
        return -1;
    *out = 0;
    for (size_t i = 0; i < value.mv_size; i++)
        *out = *out * 10 + (((const char *)value.mv_data)[i] - '0');
    return 0;
}

static int meta_put(MDB_txn *txn, MDB_dbi entries, const char *name, size_t length, int number)
{
    char text[12];
    snprintf(text, sizeof text, "%d", number);
    MDB_val key = {.mv_size = length, .mv_data = (void *)name}; /* only read */
    MDB_val value = {.mv_size = strlen(text), .mv_data = text};
    return mdb_put(txn, entries, &key, &value, 0);
}

static int put_metas(MDB_txn *txn, const struct table *table)
{
    int rc = meta_put(txn, table->entries, META_FORMAT, sizeof META_FORMAT - 1, TABLE_FORMAT);
    if (rc == 0)
        rc = meta_put(txn, table->entries, META_FOLD_CASE, sizeof META_FOLD_CASE - 1,
                      table->fold_case);
    return rc;
}

static int check_meta(struct table *table, MDB_txn *txn, bool fold_case, struct error *err)
{
    int format, folded;
    int rc = mdb_dbi_open(txn, NULL, 0, &table->entries);
    if (rc != 0)
        return lmdb_error(err, table, rc);
    if (meta_get(txn, table->entries, META_FORMAT, sizeof META_FORMAT - 1, &format) != 0 ||
        meta_get(txn, table->entries, META_FOLD_CASE, sizeof META_FOLD_CASE - 1, &folded) != 0)
        return error_set(err, EX_DATAERR,
                         "%s: an LMDB file, but no table of moved mailboxes: "
                         "write the folder of the table",
                         table->path);
    if (format > TABLE_FORMAT)
        return error_set(err, EX_DATAERR,
                         "%s: format %d is newer than this program's %d: "
                         "use the milter-moved that wrote it",
                         table->path, format, TABLE_FORMAT);
    table->fold_case = folded != 0;
    if (table->fold_case != fold_case)
        return error_set(err, EX_CONFIG,
                         "%s: made with addresses.fold_case = %s: set it so, or "
                         "export, init and import to change it",
                         table->path, folded ? "true" : "false");
    return 0;
}

/* On a read-only mount LMDB goes on without reader locks, and a writer elsewhere could then reuse pages
 * that are being read: seen by the count of readers staying 0 in the middle of a read transaction. */
static int check_reader_locks(const struct table *table, struct error *err)
{
    MDB_envinfo info;
    int rc = mdb_env_info(table->env, &info);
    if (rc != 0)
        return lmdb_error(err, table, rc);
    if (info.me_numreaders == 0)
        return error_set(err, EX_NOPERM,
                         "%s/lock.mdb: cannot be written, and readers must lock: "
                         "mount it read-write (systemd: ReadWritePaths)",
                         table->path);
    return 0;
}

static int check_table(struct table *table, bool fold_case, struct error *err)
{
    MDB_txn *txn = NULL;
    if (table_check(table, err) != 0)
        return -1;
    int rc = mdb_txn_begin(table->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0)
        return lmdb_error(err, table, rc);
    if (check_meta(table, txn, fold_case, err) != 0 || check_reader_locks(table, err) != 0) {
        mdb_txn_abort(txn);
        return -1;
    }
    rc = mdb_txn_commit(txn); /* so that the database handles stay open */
    return rc == 0 ? 0 : lmdb_error(err, table, rc);
}

static struct table *table_new(const char *path, struct error *err)
{
    struct table *table = calloc(1, sizeof *table);
    if (table == NULL || strlen(path) >= sizeof table->path) {
        free(table);
        error_set(err, EX_OSERR, "%s: %s", path, strerror(table == NULL ? ENOMEM : ENAMETOOLONG));
        return NULL;
    }
    snprintf(table->path, sizeof table->path, "%s", path);
    pthread_mutex_init(&table->lock, NULL);
    if (getrandom(&table->secret, sizeof table->secret, GRND_NONBLOCK) < 0)
        table->secret = (uint64_t)(uintptr_t)table;
    guard_install();
    return table;
}

int table_open(struct table **out, const char *path, enum table_mode mode, bool fold_case,
               struct error *err)
{
    struct table *table = table_new(path, err);
    if (table == NULL)
        return -1;
    if (check_file(table, err) != 0 ||
        open_env(table, mode == TABLE_READ ? MDB_RDONLY : 0, err) != 0 ||
        check_table(table, fold_case, err) != 0) {
        table_free(table);
        return -1;
    }
    *out = table;
    return 0;
}

static void view_free(struct table_view *view)
{
    if (view == NULL)
        return;
    if (view->cursor != NULL)
        mdb_cursor_close(view->cursor);
    mdb_txn_abort(view->txn); /* NULL is fine */
    free(view);
}

void table_free(struct table *table)
{
    if (table == NULL)
        return;
    view_free(atomic_load(&table->spare));
    while (table->idle != NULL) {
        struct table_view *view = table->idle;
        table->idle = view->next;
        view_free(view);
    }
    if (table->env != NULL)
        mdb_env_close(table->env);
    pthread_mutex_destroy(&table->lock);
    free(table);
}

bool table_is_replaced(const struct table *table)
{
    char file[PATH_MAX + 16];
    struct stat there, ours;
    int fd;

    data_path(file, sizeof file, table->path);
    if (mdb_env_get_fd(table->env, &fd) != 0 || fstat(fd, &ours) != 0 || stat(file, &there) != 0)
        return true;
    return there.st_ino != ours.st_ino || there.st_dev != ours.st_dev;
}

/* ---- making */

static int hand_over(const char *folder, uid_t owner, gid_t group, struct error *err)
{
    static const struct {
        const char *name;
        mode_t mode;
    } files[] = {{"data.mdb", 0660}, {"lock.mdb", 0660}, {".", 02770}};

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char file[PATH_MAX + 16];
        snprintf(file, sizeof file, "%s/%s", folder, files[i].name);
        if (chown(file, owner, group) != 0 || chmod(file, files[i].mode) != 0)
            return error_set(err, EX_CANTCREAT, "%s: %s", file, strerror(errno));
    }
    return 0;
}

static int write_first(struct table *table, struct error *err)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(table->env, NULL, 0, &txn);
    if (rc == 0)
        rc = mdb_dbi_open(txn, NULL, 0, &table->entries);
    if (rc == 0)
        rc = put_metas(txn, table);
    if (rc != 0)
        mdb_txn_abort(txn);
    else
        rc = mdb_txn_commit(txn);
    return rc == 0 ? 0 : lmdb_error(err, table, rc);
}

int table_create(const char *path, bool fold_case, uid_t owner, gid_t group, struct error *err)
{
    char file[PATH_MAX + 16];
    struct stat status;
    struct table *table = NULL;

    data_path(file, sizeof file, path);
    if (stat(file, &status) == 0)
        return error_set(err, EX_CANTCREAT, "%s: there is a table already: it stays as it is",
                         path);
    if (mkdir(path, 02770) != 0 && errno != EEXIST)
        return error_set(err, EX_CANTCREAT, "%s: %s", path, strerror(errno));

    if ((table = table_new(path, err)) == NULL)
        return -1;
    table->fold_case = fold_case;
    int rc = open_env(table, 0, err);
    if (rc == 0)
        rc = write_first(table, err);
    if (rc == 0)
        rc = hand_over(path, owner, group, err);
    table_free(table);
    if (rc != 0) {
        unlink(file);
        if (err != NULL)
            err->status = EX_CANTCREAT;
    }
    return rc;
}

/* ---- a view */

/* All that touches the file goes through here: touch returns one of LMDB's codes. A view that a fault has left in
 * the middle of something is not used again. */
static int guarded(struct table_view *view, int (*touch)(struct table_view *view, void *data),
                   void *data)
{
    struct guard guard;
    int rc;
    guard_push(&guard);
    if (sigsetjmp(guard.place, 0) == 0) {
        rc = touch(view, data);
    } else {
        view->faulted = true;
        rc = PAGE_MISSING;
    }
    guard_pop(&guard);
    return rc;
}

static struct table_view *idle_view(struct table *table)
{
    struct table_view *view = atomic_exchange(&table->spare, NULL);
    if (view != NULL)
        return view;
    pthread_mutex_lock(&table->lock);
    view = table->idle;
    if (view != NULL)
        table->idle = view->next;
    pthread_mutex_unlock(&table->lock);
    return view;
}

static struct table_view *new_view(struct table *table, struct error *err)
{
    if (table_check(table, err) != 0) /* mdb_txn_begin takes memory, and so has no guard */
        return NULL;
    struct table_view *view = calloc(1, sizeof *view);
    if (view == NULL) {
        error_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    view->table = table;
    int rc = mdb_txn_begin(table->env, NULL, MDB_RDONLY, &view->txn);
    if (rc == 0)
        rc = mdb_cursor_open(view->txn, table->entries, &view->cursor);
    if (rc != 0) {
        lmdb_error(err, table, rc);
        view_free(view);
        return NULL;
    }
    return view;
}

static int renew(struct table_view *view, void *unused)
{
    (void)unused;
    view->cursor_is_old = true;
    return mdb_txn_renew(view->txn);
}

static int move_cursor(struct table_view *view, MDB_val *key, MDB_val *value, MDB_cursor_op op)
{
    int rc = view->cursor_is_old ? mdb_cursor_renew(view->txn, view->cursor) : 0;
    view->cursor_is_old = false;
    return rc == 0 ? mdb_cursor_get(view->cursor, key, value, op) : rc;
}

/* Where a file was cut in the middle of a page the rest of that page reads as zeros, and an entry there as absent: so
 * the size is asked again at each tick of the clock, every few milliseconds, which costs less than at each view. */
static int check_each_tick(struct table *table, struct error *err)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    long long tick = (long long)now.tv_sec * 1000000000 + now.tv_nsec;
    if (atomic_load_explicit(&table->checked, memory_order_relaxed) == tick)
        return 0;
    if (table_check(table, err) != 0)
        return -1;
    atomic_store_explicit(&table->checked, tick, memory_order_relaxed);
    return 0;
}

struct table_view *table_view_open(struct table *table, struct error *err)
{
    if (check_each_tick(table, err) != 0)
        return NULL;
    struct table_view *view = idle_view(table);
    if (view == NULL)
        return new_view(table, err);
    int rc = guarded(view, renew, NULL);
    if (rc != 0) {
        lmdb_error(err, table, rc);
        view_free(view);
        return NULL;
    }
    return view;
}

void table_view_close(struct table_view *view)
{
    struct table_view *none = NULL;
    if (view == NULL)
        return;
    if (view->faulted) {
        view_free(view);
        return;
    }
    struct table *table = view->table;
    mdb_txn_reset(view->txn);
    if (atomic_compare_exchange_strong(&table->spare, &none, view))
        return;
    pthread_mutex_lock(&table->lock);
    view->next = table->idle;
    table->idle = view;
    pthread_mutex_unlock(&table->lock);
}

/* ---- looking up */

struct lookup {
    MDB_val key;
    struct entry *out;
    struct error *err;
    bool found; /* of a prefix */
};

static int touch_entry(struct table_view *view, void *data)
{
    const struct lookup *lookup = data;
    MDB_val value, key = lookup->key;
    int rc = mdb_get(view->txn, view->table->entries, &key, &value);
    if (rc == 0 && record_decode(lookup->out, key.mv_data, key.mv_size, value.mv_data,
                                 value.mv_size, lookup->err) != 0)
        rc = MDB_CORRUPTED;
    return rc;
}

enum table_result table_find(struct table_view *view, enum entry_scope scope, const char *local,
                             const char *domain, struct entry *out, struct error *err)
{
    char key[RECORD_KEY_MAX];
    struct lookup lookup = {
        .key = {.mv_size = record_key(key, scope, local, domain), .mv_data = key},
        .out = out,
        .err = err};
    if (lookup.key.mv_size == 0)
        return TABLE_ABSENT;
    int rc = guarded(view, touch_entry, &lookup);
    if (rc == 0 || rc == MDB_NOTFOUND)
        return rc == 0 ? TABLE_FOUND : TABLE_ABSENT;
    lmdb_error(err, view->table, rc);
    return TABLE_FAILED;
}

static int touch_prefix(struct table_view *view, void *data)
{
    struct lookup *lookup = data;
    MDB_val value, key = lookup->key;
    int rc = move_cursor(view, &key, &value, MDB_SET_RANGE);
    lookup->found = rc == 0 && key.mv_size >= lookup->key.mv_size &&
                    memcmp(key.mv_data, lookup->key.mv_data, lookup->key.mv_size) == 0;
    return rc;
}

static enum table_result seek_prefix(struct table_view *view, const char *prefix, size_t length,
                                     struct error *err)
{
    struct lookup lookup = {.key = {.mv_size = length, .mv_data = (void *)prefix}}; /* only read */
    int rc = guarded(view, touch_prefix, &lookup);
    if (rc == 0 || rc == MDB_NOTFOUND)
        return lookup.found ? TABLE_FOUND : TABLE_ABSENT;
    lmdb_error(err, view->table, rc);
    return TABLE_FAILED;
}

/* A hash of the prefix and of the transaction that was asked, so that a commit makes all that is remembered
 * strange. The lowest bit is left for the answer; a false match has a chance of 2^-63 (FNV-1a with a secret,
 * mixed at the end). */
static uint64_t fingerprint(const struct table_view *view, const char *prefix, size_t length)
{
    uint64_t hash = view->table->secret ^ mdb_txn_id(view->txn);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)prefix[i]) * 0x100000001b3ULL;
    hash = (hash ^ (hash >> 32)) * 0x9e3779b97f4a7c15ULL;
    return (hash ^ (hash >> 29)) | 1;
}

/* Whether any key begins with prefix: asked twice for nearly every recipient, and seldom different. */
static enum table_result has_prefix(struct table_view *view, const char *prefix, size_t length,
                                    struct error *err)
{
    uint64_t hash = fingerprint(view, prefix, length);
    atomic_ullong *known = &view->table->known[(hash >> 1) % KNOWN_MAX];
    uint64_t there = atomic_load_explicit(known, memory_order_relaxed);
    if ((there | 1) == hash)
        return (there & 1) != 0 ? TABLE_FOUND : TABLE_ABSENT;

    enum table_result result = seek_prefix(view, prefix, length, err);
    if (result != TABLE_FAILED)
        atomic_store_explicit(known, result == TABLE_FOUND ? hash : hash & ~1ULL,
                              memory_order_relaxed);
    return result;
}

enum table_result table_has_domain(struct table_view *view, enum entry_scope scope,
                                   const char *domain, struct error *err)
{
    char key[RECORD_KEY_MAX];
    if (scope == ENTRY_SUBDOMAINS && domain == NULL)
        return has_prefix(view, ".", 1, err);
    size_t length = record_key(key, scope == ENTRY_SUBDOMAINS ? scope : ENTRY_DOMAIN, "", domain);
    return length == 0 ? TABLE_ABSENT : has_prefix(view, key, length, err);
}

/* ---- walking */

struct walk {
    MDB_val prefix;
    MDB_cursor_op op;
    struct entry *out;
    struct error *err;
};

/* The next entry into walk->out; MDB_NOTFOUND behind the last. */
static int touch_next(struct table_view *view, void *data)
{
    const struct walk *walk = data;
    MDB_val value, key = walk->prefix;
    bool all = walk->prefix.mv_size ==
               1; /* the octet behind the NUL of the metas: where the entries begin */
    int rc = move_cursor(view, &key, &value, walk->op);
    if (rc != 0)
        return rc;
    if (!all && (key.mv_size < walk->prefix.mv_size ||
                 memcmp(key.mv_data, walk->prefix.mv_data, walk->prefix.mv_size) != 0))
        return MDB_NOTFOUND;
    return record_decode(walk->out, key.mv_data, key.mv_size, value.mv_data, value.mv_size,
                         walk->err) == 0
               ? 0
               : MDB_CORRUPTED;
}

int table_each(struct table_view *view, const char *domain,
               int (*each)(const struct entry *entry, void *data, struct error *err), void *data,
               struct error *err)
{
    char prefix[RECORD_KEY_MAX] = "\1";
    struct entry entry;
    struct walk walk = {.prefix = {.mv_size = 1, .mv_data = prefix},
                        .op = MDB_SET_RANGE,
                        .out = &entry,
                        .err = err};
    int rc;

    if (domain != NULL)
        walk.prefix.mv_size = record_key(prefix, ENTRY_DOMAIN, "", domain);
    while ((rc = guarded(view, touch_next, &walk)) == 0) {
        int said = each(&entry, data, err);
        if (said != 0)
            return said;
        walk.op = MDB_NEXT;
    }
    return rc == MDB_NOTFOUND ? 0 : lmdb_error(err, view->table, rc);
}

int table_count(struct table *table, size_t *out, struct error *err)
{
    MDB_stat status;
    struct table_view *view = table_view_open(table, err);
    if (view == NULL)
        return -1;
    int rc = mdb_stat(view->txn, table->entries, &status);
    table_view_close(view);
    if (rc != 0)
        return lmdb_error(err, table, rc);
    *out = status.ms_entries - META_COUNT;
    return 0;
}

/* ---- an edit */

/* Pages that a transaction took at the end of the file and freed again are never written, so the file can
 * end before its last page, which table_check would call cut short. So an edit begins with some pages to
 * spare, and a great one is filled up when it is done. Only for the holder of the writer's lock. */
static void fill_up(struct table *table, size_t spare)
{
    int fd;
    long long size = file_size(table), needed = needed_size(table);
    if (size < 0 || needed == LLONG_MAX || mdb_env_get_fd(table->env, &fd) != 0)
        return;
    needed += (long long)spare;
    if (size < needed)
        (void)posix_fallocate(fd, size, needed - size); /* a full disk shows in the commit */
}

struct table_edit *table_edit_begin(struct table *table, struct error *err)
{
    int dead;
    struct table_edit *edit = calloc(1, sizeof *edit);
    if (edit == NULL) {
        error_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    edit->table = table;
    mdb_reader_check(table->env, &dead); /* a killed reader would hold old pages for ever */
    int rc = mdb_txn_begin(table->env, NULL, 0, &edit->txn);
    if (rc != 0) {
        lmdb_error(err, table, rc);
        free(edit);
        return NULL;
    }
    fill_up(table, SPARE);
    return edit;
}

static int entry_key(MDB_val *out, char *key, const struct entry *entry, struct error *err)
{
    out->mv_data = key;
    out->mv_size = record_key(key, entry->scope, entry->local, entry->domain);
    if (out->mv_size > 0)
        return 0;
    return error_set(err, EX_DATAERR, "old: over %d octets: no SMTP client could write it",
                     RECORD_KEY_MAX);
}

enum table_result table_edit_put(struct table_edit *edit, const struct entry *entry, bool replace,
                                 struct error *err)
{
    char name[RECORD_KEY_MAX];
    unsigned char record[RECORD_VALUE_MAX];
    const MDB_val whole = {.mv_size = record_encode(record, entry), .mv_data = record};
    MDB_val key, value = whole;
    if (entry_key(&key, name, entry, err) != 0)
        return TABLE_FAILED;

    int rc = mdb_put(edit->txn, edit->table->entries, &key, &value, MDB_NOOVERWRITE);
    if (rc == 0)
        return TABLE_ABSENT;
    if (rc == MDB_KEYEXIST && replace) {
        value = whole; /* LMDB has pointed it at what is there */
        rc = mdb_put(edit->txn, edit->table->entries, &key, &value, 0);
    }
    if (rc == 0 || rc == MDB_KEYEXIST)
        return TABLE_FOUND;
    lmdb_error(err, edit->table, rc);
    return TABLE_FAILED;
}

enum table_result table_edit_del(struct table_edit *edit, const struct entry *old,
                                 struct error *err)
{
    char name[RECORD_KEY_MAX];
    MDB_val key;
    if (entry_key(&key, name, old, err) != 0)
        return TABLE_FAILED;
    int rc = mdb_del(edit->txn, edit->table->entries, &key, NULL);
    if (rc == 0 || rc == MDB_NOTFOUND)
        return rc == 0 ? TABLE_FOUND : TABLE_ABSENT;
    lmdb_error(err, edit->table, rc);
    return TABLE_FAILED;
}

int table_edit_clear(struct table_edit *edit, struct error *err)
{
    int rc = mdb_drop(edit->txn, edit->table->entries, 0);
    if (rc == 0)
        rc = put_metas(edit->txn, edit->table);
    return rc == 0 ? 0 : lmdb_error(err, edit->table, rc);
}

int table_edit_commit(struct table_edit *edit, struct error *err)
{
    struct table *table = edit->table;
    int rc = mdb_txn_commit(edit->txn);
    free(edit);
    if (rc != 0)
        return lmdb_error(err, table, rc);

    MDB_txn *txn = NULL;
    if (file_size(table) < needed_size(table) && mdb_txn_begin(table->env, NULL, 0, &txn) == 0) {
        fill_up(table, 0);
        mdb_txn_abort(txn);
    }
    return 0;
}

void table_edit_abort(struct table_edit *edit)
{
    if (edit == NULL)
        return;
    mdb_txn_abort(edit->txn);
    free(edit);
}
