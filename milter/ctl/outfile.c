/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/outfile.h"

#include "base/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    FILE *file;
    struct place place;
    char fresh[NAME_MAX + 1]; /* the temporary file; "": there is none */
} out;

static int fail(struct error *err, int status, int reason)
{
    return error_set(err, status, "%s", strerror(reason));
}

void outfile_remove(void)
{
    if (*out.fresh != '\0')
        unlinkat(out.place.folder, out.fresh, 0);
}

/* Opens the temporary file as the owner of the folder. Returns -1 with errno or, for what is not a regular file, with 0. */
static int open_fresh(void)
{
    struct stat old;
    bool there = out.place.there &&
                 fstatat(out.place.folder, out.place.name, &old, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && !S_ISREG(old.st_mode)) {
        errno = 0;
        return -1;
    }
    snprintf(out.fresh, sizeof out.fresh, "%.230s.%ld", out.place.name, (long)getpid());
    int fd = openat(out.place.folder, out.fresh,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        *out.fresh = '\0'; /* it is not ours */
    else if (there && fchown(fd, old.st_uid, old.st_gid) == 0)
        (void)fchmod(fd, old.st_mode & 07777);
    return fd;
}

static int open_in_place(struct error *err)
{
    if (*out.place.name == '\0')
        return fail(err, EX_CANTCREAT, EISDIR);
    if (place_enter(&out.place, err) != 0)
        return -1;
    int fd = open_fresh();
    out.file = fd < 0 ? NULL : fdopen(fd, "w");
    int reason = errno;
    place_leave(&out.place);
    if (out.file != NULL)
        return 0;
    return reason != 0 ? fail(err, EX_CANTCREAT, reason)
                       : error_set(err, EX_CANTCREAT,
                                   "not a regular file: write to standard output instead");
}

FILE *outfile_open(const char *path, struct error *err)
{
    *out.fresh = '\0';
    if (place_find(&out.place, path, err) != 0) {
        err->status = EX_CANTCREAT;
        return NULL;
    }
    if (open_in_place(err) == 0)
        return out.file;
    place_free(&out.place);
    error_at(err, path, 0);
    return NULL;
}

int outfile_close(int rc, struct error *err)
{
    if (rc == 0 && (fflush(out.file) != 0 || ferror(out.file) || fsync(fileno(out.file)) != 0))
        rc = fail(err, EX_IOERR, errno);
    if (fclose(out.file) != 0 && rc == 0)
        rc = fail(err, EX_IOERR, errno);
    if (place_enter(&out.place, err) == 0) {
        if (rc == 0 && renameat(out.place.folder, out.fresh, out.place.folder, out.place.name) != 0)
            rc = fail(err, EX_CANTCREAT, errno);
        if (rc != 0)
            outfile_remove();
        place_leave(&out.place);
    } else {
        rc = -1;
    }
    *out.fresh = '\0';
    place_free(&out.place);
    return rc;
}
