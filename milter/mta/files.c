/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/files.h"

#include "mta/process.h"
#include "net/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int file_error(struct error *err, const char *path)
{
    return error_set(err, error_status(errno), "%s: %s", path, strerror(errno));
}

/* ---- reading */

/* Reads all of the open file, which it closes; fd -1: errno says why it is not open. *status becomes what fstat
 * returns. path is for messages. */
static char *read_open(int fd, const char *path, struct stat *status, struct error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fd < 0 || fstat(fd, status) != 0 ? NULL : fdopen(fd, "r");
    if (file == NULL) {
        file_error(err, path);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    ssize_t got = getdelim(&text, &size, '\0', file); /* up to a NUL, or the whole file */
    if (!S_ISREG(status->st_mode)) {
        error_set(err, EX_DATAERR, "%s: is not a regular file", path);
    } else if (ferror(file) || (got < 0 && !feof(file))) {
        file_error(err, path);
    } else if (got > 0 && text[got - 1] == '\0') {
        error_set(err, EX_DATAERR, "%s: contains a NUL: it is not a text file", path);
    } else {
        fclose(file);
        if (got < 0 && text != NULL)
            *text = '\0'; /* an empty file */
        return text != NULL ? text : strdup("");
    }
    fclose(file);
    free(text);
    return NULL;
}

char *file_read(const char *path, struct error *err)
{
    struct stat status;
    return read_open(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), path, &status, err);
}

/* Reads the file as it is now. Returns 0 with *out, NULL if there is no file; or -1 with err. */
static int read_current(const struct file_change *change, char **out, struct stat *status,
                        struct error *err)
{
    *out = NULL;
    if (change->folder < 0) /* there is no such folder yet */
        return 0;
    int fd = openat(change->folder, change->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    *out = read_open(fd, change->path, status, err);
    return *out == NULL ? -1 : 0;
}

bool file_is_newer(const char *path, const char *than)
{
    struct stat a, b;
    return stat(path, &a) == 0 && stat(than, &b) == 0 &&
           (a.st_mtim.tv_sec > b.st_mtim.tv_sec ||
            (a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec > b.st_mtim.tv_nsec));
}

/* ---- writing */

static const struct stat for_owner_alone = {
    .st_mode = 0600, .st_uid = (uid_t)-1, .st_gid = (gid_t)-1};
static const struct stat for_all_to_read = {
    .st_mode = 0644, .st_uid = (uid_t)-1, .st_gid = (gid_t)-1};

/* Writes the text, gives the file the owner and mode of like, and closes it. Returns 0, or -1 with errno. */
static int fill(int fd, const char *text, const struct stat *like)
{
    int rc = fchown(fd, like->st_uid, like->st_gid);
    if (rc == 0)
        rc = fchmod(fd, like->st_mode & 07777);
    if (rc == 0)
        rc = io_write(fd, text, strlen(text));
    if (rc == 0)
        rc = fsync(fd);
    int why = errno;
    if (close(fd) != 0 && rc == 0)
        return -1;
    errno = why;
    return rc;
}

/* Makes a new file. Returns 0; or -1 with errno and no file. */
static int create(int folder, const char *name, const char *text, const struct stat *like)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -1 : fill(fd, text, like), why = errno;
    if (fd >= 0 && rc != 0)
        (void)unlinkat(folder, name, 0);
    errno = why;
    return rc;
}

int file_create(const char *path, const char *text, struct error *err)
{
    return create(AT_FDCWD, path, text, &for_owner_alone) == 0 ? 0 : file_error(err, path);
}

int file_create_temporary(char *path, const char *text, struct error *err)
{
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0 && fill(fd, text, &for_owner_alone) == 0)
        return 0;
    file_error(err, path);
    if (fd >= 0)
        unlink(path);
    return -1;
}

/* Writes the text over the file: one that is a mount point, as in a container, cannot be replaced. Returns 0, or -1 with
 * errno. */
static int rewrite(const struct file_change *change, const char *text, const struct stat *like)
{
    int fd = openat(change->folder, change->name, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -1 : fill(fd, text, like);
}

/* Puts the text in the place of the file, whole or not at all. */
static int replace(const struct file_change *change, const struct stat *like, struct error *err)
{
    char fresh[NAME_MAX + 1];
    int rc, number = 0;
    do {
        snprintf(fresh, sizeof fresh, "%.200s.%d-%d", change->name, (int)getpid(), number++);
        rc = create(change->folder, fresh, change->text, like);
    } while (rc != 0 && errno == EEXIST);
    if (rc == 0 && (rc = renameat(change->folder, fresh, change->folder, change->name)) != 0) {
        int why = errno;
        (void)unlinkat(change->folder, fresh, 0);
        errno = why;
        rc = why == EBUSY ? rewrite(change, change->text, like) : -1;
    }
    return rc == 0 ? 0 : file_error(err, change->path);
}

/* ---- the plan */

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Sets path, name and folder. */
static int locate(struct file_change *change, const char *path, struct error *err)
{
    change->path = realpath(path, NULL);
    if (change->path == NULL && errno == ENOENT)
        change->path = strdup(path);
    if (change->path == NULL)
        return file_error(err, path);
    char *slash = strrchr(change->path, '/');
    change->name = slash == NULL ? change->path : slash + 1;
    char *folder = slash == NULL ? strdup(".") : strndup(change->path, slash - change->path + 1U);
    change->folder = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = change->folder < 0 && errno != ENOENT ? file_error(err, path) : 0;
    free(folder);
    return rc;
}

/* Makes the folder of the file if there is none. Returns 0, or -1 with err. */
static int make_folder(struct file_change *change, struct error *err)
{
    if (change->folder >= 0)
        return 0;
    char *path = strndup(change->path, (size_t)(change->name - change->path) - 1U);
    int rc = path == NULL || mkdir(path, 0755) != 0 ? -1 : 0;
    if (rc == 0)
        change->folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    free(path);
    if (change->folder < 0 || fchmod(change->folder, 0755) != 0) /* whatever the umask is */
        return file_error(err, change->path);
    return 0;
}

/* Removes the folder of a file that is gone, if nothing else is in it. */
static void leave_folder(const struct file_change *change)
{
    char *path = strndup(change->path, (size_t)(change->name - change->path));
    if (path != NULL)
        (void)rmdir(path); /* ENOTEMPTY in most cases */
    free(path);
}

static void free_change(struct file_change *change)
{
    if (change->folder >= 0)
        close(change->folder);
    free(change->path);
    free(change->old);
    free(change->text);
    free(change->copy);
}

int file_changes_add(struct file_changes *changes, const char *path, const char *text,
                     struct error *err)
{
    struct file_change change = {.folder = -1, .text = text == NULL ? NULL : strdup(text)};
    struct stat status;
    int rc = changes->count == FILE_CHANGES_MAX
                 ? error_set(err, EX_SOFTWARE, "%s: too many files to change", path)
                 : locate(&change, path, err);
    if (rc == 0 && text != NULL && change.text == NULL)
        rc = error_no_memory(err);
    if (rc == 0)
        rc = read_current(&change, &change.old, &status, err);
    if (rc == 0 && !same(change.old, change.text))
        changes->files[changes->count++] = change;
    else
        free_change(&change);
    return rc;
}

void file_changes_free(struct file_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++)
        free_change(&changes->files[i]);
    changes->count = 0;
}

/* ---- showing it */

static int write_diff(FILE *out, const struct file_change *change, struct error *err)
{
    struct output output = {.out = NULL};
    char planned[] = FILE_TEMPORARY;
    const char *const argv[] = {
        "diff",    "-u",         "--label", change->old == NULL ? "/dev/null" : change->path,
        "--label", change->path, "-",       planned,
        NULL};

    if (file_create_temporary(planned, change->text == NULL ? "" : change->text, err) != 0)
        return -1;
    int rc = process_run(&output, argv, change->old, err);
    unlink(planned);
    if (rc == 0 && output.status > 1) /* 1: they differ, diff(1) */
        rc = error_set(err, EX_UNAVAILABLE, "diff: %.200s", output.err);
    if (rc == 0)
        fputs(output.out, out);
    process_free(&output);
    return rc;
}

char *file_changes_diff(const struct file_changes *changes, struct error *err)
{
    char *text = NULL;
    size_t size;
    int rc = 0;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; out != NULL && i < changes->count && rc == 0; i++)
        rc = write_diff(out, &changes->files[i], err);
    if (out == NULL || fclose(out) != 0)
        rc = error_no_memory(err);
    if (rc == 0)
        return text;
    free(text);
    return NULL;
}

/* ---- making it and taking it back */

/* The last part of the path of the copy, which is beside the file. */
static const char *copy_name(const struct file_change *change)
{
    return change->copy + (change->name - change->path);
}

/* Chooses the paths of all copies. One date shows that they belong together; it is later than now if there are copies of
 * another change in the same second. */
static int name_copies(struct file_changes *changes, struct error *err)
{
    char date[32];
    struct stat status;
    struct tm parts;
    time_t now = time(NULL);
    for (size_t i = 0; i < changes->count;) {
        struct file_change *change = &changes->files[i++];
        strftime(date, sizeof date, "%Y-%m-%dT%H%M%SZ", gmtime_r(&now, &parts));
        free(change->copy);
        change->copy = NULL;
        if (change->old == NULL)
            continue;
        if (asprintf(&change->copy, "%s.%s", change->path, date) < 0)
            return error_no_memory(err);
        if (fstatat(change->folder, copy_name(change), &status, AT_SYMLINK_NOFOLLOW) == 0) {
            now++;
            i = 0;
        }
    }
    return 0;
}

static int make(struct file_change *change, struct error *err)
{
    struct stat status;
    char *now;
    if (make_folder(change, err) != 0 || read_current(change, &now, &status, err) != 0)
        return -1;
    bool unchanged = same(now, change->old);
    free(now);
    if (!unchanged) /* while the administrator was asked */
        return error_set(err, EX_TEMPFAIL, "%s: has been changed meanwhile: run this again",
                         change->path);

    if (change->old != NULL && create(change->folder, copy_name(change), change->old, &status) != 0)
        return file_error(err, change->copy);
    int rc = 0;
    if (change->text != NULL)
        rc = replace(change, change->old == NULL ? &for_all_to_read : &status, err);
    else if (unlinkat(change->folder, change->name, 0) != 0)
        rc = file_error(err, change->path);
    if (rc != 0 && change->old != NULL)
        (void)unlinkat(change->folder, copy_name(change), 0);
    change->made = rc == 0;
    return rc;
}

int file_changes_apply(struct file_changes *changes, struct error *err)
{
    struct error second;
    if (name_copies(changes, err) != 0)
        return -1;
    for (size_t i = 0; i < changes->count; i++)
        if (make(&changes->files[i], err) != 0) {
            (void)file_changes_take_back(changes, &second);
            return -1;
        }
    return 0;
}

/* Moves the copy back over the file, which needs no space on a full disk. */
static int take_back(struct file_change *change, struct error *err)
{
    if (!change->made)
        return 0;
    change->made = false;
    if (change->copy == NULL) {
        if (unlinkat(change->folder, change->name, 0) != 0 && errno != ENOENT)
            return file_error(err, change->path);
        leave_folder(change);
        return 0;
    }
    const char *copy = copy_name(change);
    struct stat status;
    if (renameat(change->folder, copy, change->folder, change->name) == 0)
        return 0;
    if (errno == EBUSY && fstatat(change->folder, copy, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        rewrite(change, change->old, &status) == 0)
        return unlinkat(change->folder, copy, 0);
    return error_set(err, EX_IOERR, "%s: cannot be put back: move %s over it", change->path,
                     change->copy);
}

int file_changes_take_back(struct file_changes *changes, struct error *err)
{
    int result = 0;
    for (size_t i = changes->count; i-- > 0;)
        if (take_back(&changes->files[i], err) != 0)
            result = -1;
    return result;
}

void file_changes_settle(struct file_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        struct file_change *change = &changes->files[i];
        if (change->text != NULL)
            continue;
        if (change->copy != NULL)
            (void)unlinkat(change->folder, copy_name(change), 0);
        free(change->copy);
        change->copy = NULL;
        leave_folder(change);
    }
}
