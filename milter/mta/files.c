#include "mta/files.h"

#include "mta/process.h"

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
    int status = errno == ENOENT                     ? EX_NOINPUT
                 : errno == EACCES || errno == EPERM ? EX_NOPERM
                                                     : EX_IOERR;
    return error_set(err, status, "%s: %s", path, strerror(errno));
}

char *file_read(const char *path, struct error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        file_error(err, path);
        return NULL;
    }
    ssize_t got = getdelim(&text, &size, '\0', file); /* the whole of it, or up to a NUL */
    if (ferror(file) || (got < 0 && !feof(file))) {
        file_error(err, path);
    } else if (got > 0 && text[got - 1] == '\0') {
        error_set(err, EX_DATAERR, "%s: has a NUL in it: it is no text", path);
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

int file_write(const char *path, const char *text, struct error *err)
{
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return file_error(err, path);
    bool bad = fputs(text, file) == EOF;
    return fclose(file) != 0 || bad ? file_error(err, path) : 0;
}

/* ---- the plan */

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Returns 0 with *out NULL for a file that is not there. */
static int read_if_there(char **out, const char *path, struct error *err)
{
    *out = NULL;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return 0;
    *out = file_read(path, err);
    return *out == NULL ? -1 : 0;
}

int changes_add(struct changes *changes, const char *path, char *text, struct error *err)
{
    char *old = NULL, *real = realpath(path, NULL);
    if (real == NULL)
        real = strdup(path);
    if (real == NULL || changes->count == CHANGES_MAX) {
        error_set(err, EX_OSERR, "%s: too many files to change", path);
    } else if (read_if_there(&old, real, err) == 0) {
        if (!same(old, text)) {
            changes->files[changes->count++] =
                (struct change){.path = real, .old = old, .text = text};
            return 0;
        }
        free(old);
        free(real);
        free(text);
        return 0;
    }
    free(real);
    free(text);
    return -1;
}

void changes_free(struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        free(changes->files[i].path);
        free(changes->files[i].old);
        free(changes->files[i].text);
        free(changes->files[i].copy);
    }
    changes->count = 0;
}

/* ---- to look at */

static int show(const struct change *change, struct error *err)
{
    struct output output;
    char planned[] = "/tmp/movedctl-XXXXXX";
    const char *old = change->old == NULL ? "/dev/null" : change->path;
    const char *const argv[] = {"diff",       "-u", "--label", old, "--label",
                                change->path, old,  planned,   NULL};
    size_t length = change->text == NULL ? 0 : strlen(change->text);

    int fd = mkstemp(planned);
    if (fd < 0)
        return file_error(err, planned);
    int rc = length > 0 && write(fd, change->text, length) != (ssize_t)length
                 ? file_error(err, planned)
                 : 0;
    close(fd);
    if (rc == 0)
        rc = process_run(&output, argv, NULL, err);
    unlink(planned);
    if (rc != 0)
        return -1;
    fputs(output.out, stdout);
    process_free(&output);
    return 0;
}

int changes_show(const struct changes *changes, struct error *err)
{
    for (size_t i = 0; i < changes->count; i++)
        if (show(&changes->files[i], err) != 0)
            return -1;
    return 0;
}

/* ---- making and taking back */

static int write_all(int fd, const char *text)
{
    size_t length = strlen(text);
    while (length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno != EINTR)
            return -1;
        if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
    return fsync(fd);
}

/* Puts the text at path, whole or not at all. like: whose owner and mode it gets, NULL: root's, 0644. */
static int replace(const char *path, const char *text, const struct stat *like, struct error *err)
{
    char fresh[PATH_MAX];
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.XXXXXX", path) >= sizeof fresh)
        return error_set(err, EX_CANTCREAT, "%s: the path is too long", path);
    int fd = mkstemp(fresh);
    if (fd < 0)
        return file_error(err, path);
    int rc = fchmod(fd, like == NULL ? 0644 : like->st_mode & 07777);
    if (rc == 0 && like != NULL)
        rc = fchown(fd, like->st_uid, like->st_gid);
    if (rc == 0)
        rc = write_all(fd, text);
    if (rc == 0)
        rc = rename(fresh, path);
    if (rc != 0) {
        file_error(err, path);
        unlink(fresh);
    }
    close(fd);
    return rc == 0 ? 0 : -1;
}

#define DATE_SIZE 32

static char *copy_path(const char *path, const char *date)
{
    char *out;
    return asprintf(&out, "%s.%s", path, date) < 0 ? NULL : out;
}

static bool has_copy(const struct changes *changes, const char *date)
{
    bool found = false;
    for (size_t i = 0; i < changes->count && !found; i++) {
        char *copy = copy_path(changes->files[i].path, date);
        found = copy != NULL && access(copy, F_OK) == 0;
        free(copy);
    }
    return found;
}

/* One date for all copies of the set: by it they are known to belong together. Copies that are there already, of
 * a change in the same second, stay. */
static void choose_date(char date[DATE_SIZE], const struct changes *changes)
{
    struct tm parts;
    time_t now = time(NULL);
    do {
        strftime(date, DATE_SIZE, "%Y-%m-%dT%H%M%SZ", gmtime_r(&now, &parts));
        now++;
    } while (has_copy(changes, date));
}

/* Between the question and its answer somebody may have edited the file. */
static int check_unchanged(const struct change *change, struct error *err)
{
    char *now;
    if (read_if_there(&now, change->path, err) != 0)
        return -1;
    bool unchanged = same(now, change->old);
    free(now);
    return unchanged ? 0
                     : error_set(err, EX_TEMPFAIL, "%s: has been changed meanwhile: run this again",
                                 change->path);
}

static int keep_copy(struct change *change, const char *date, const struct stat *status,
                     struct error *err)
{
    change->copy = copy_path(change->path, date);
    if (change->copy == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    if (replace(change->copy, change->old, status, err) == 0)
        return 0;
    free(change->copy);
    change->copy = NULL;
    return -1;
}

static int make(struct change *change, const char *date, struct error *err)
{
    struct stat status;
    int rc = check_unchanged(change, err);
    if (rc == 0 && change->old == NULL) {
        rc = replace(change->path, change->text, NULL, err);
    } else if (rc == 0) {
        if (stat(change->path, &status) != 0)
            return file_error(err, change->path);
        if (keep_copy(change, date, &status, err) != 0)
            return -1;
        if (change->text != NULL)
            rc = replace(change->path, change->text, &status, err);
        else if (unlink(change->path) != 0)
            rc = file_error(err, change->path);
        if (rc != 0)
            unlink(change->copy);
    }
    change->made = rc == 0;
    return rc;
}

int changes_apply(struct changes *changes, struct error *err)
{
    char date[DATE_SIZE];
    struct error second;
    choose_date(date, changes);
    for (size_t i = 0; i < changes->count; i++)
        if (make(&changes->files[i], date, err) != 0) {
            (void)changes_take_back(changes, &second);
            return -1;
        }
    return 0;
}

/* The copy takes the place of the file: that needs no room on a full disk. */
static int take_back(struct change *change, struct error *err)
{
    if (!change->made)
        return 0;
    change->made = false;
    if (change->copy == NULL)
        return unlink(change->path) == 0 || errno == ENOENT ? 0 : file_error(err, change->path);
    if (rename(change->copy, change->path) == 0)
        return 0;
    return error_set(err, EX_IOERR, "%s: cannot be put back: move %s over it", change->path,
                     change->copy);
}

int changes_take_back(struct changes *changes, struct error *err)
{
    int result = 0;
    for (size_t i = changes->count; i-- > 0;)
        if (take_back(&changes->files[i], err) != 0)
            result = -1;
    return result;
}
