/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/files.h: changes to other programs' configuration files. They are shown as a diff, then made together,
 * with a dated copy of each file, and taken back if a later step fails.
 *
 * Root makes them in folders that may belong to somebody else. So a file is opened relative to a descriptor of
 * its folder, without following a link, and its owner and mode are set through its own descriptor. */
#ifndef MTA_FILES_H
#define MTA_FILES_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define FILE_CHANGES_MAX 8 /* in one set */

/* One file. */
struct file_change {
    char *path;       /* with symbolic links resolved */
    const char *name; /* the last part of path */
    int folder;       /* a descriptor of the rest */
    char *old, *text; /* what it has and what it shall have; NULL: there is no file */
    /* The path of the copy of old; NULL before file_changes_apply, and if there is no old */
    char *copy;
    bool made;
};

/* Start with {.count = 0}; file_changes_free it. */
struct file_changes {
    struct file_change files[FILE_CHANGES_MAX];
    size_t count;
};

/* Reads a whole file. Returns its text, NUL-terminated, on the heap; or NULL with err: EX_NOINPUT (missing),
 * EX_NOPERM, EX_IOERR, EX_DATAERR if it contains a NUL or is not a regular file. */
char *file_read(const char *path, struct error *err);

/* Whether both are there, and the first was changed after the second. */
bool file_is_newer(const char *path, const char *than);

/* Writes a file that must not exist yet, readable by its owner alone. Returns 0, or -1 with err. */
int file_create(const char *path, const char *text, struct error *err);

#define FILE_TEMPORARY "/tmp/movedctl-XXXXXX"

/* Writes a temporary file; path is FILE_TEMPORARY and becomes its path. Returns 0, or -1 with err and no file. */
int file_create_temporary(char *path, const char *text, struct error *err);

/* Plans that the file at path shall have this text, which is copied; NULL: that it shall not exist. A folder that is missing is
 * made. A file that has this text already is left out. Returns 0, or -1 with err. */
int file_changes_add(struct file_changes *changes, const char *path, const char *text,
                     struct error *err);

/* The changes as diff -u prints them, on the heap; NULL with err. */
char *file_changes_diff(const struct file_changes *changes, struct error *err);

/* Makes the changes. Each file is replaced as a whole (fsync, rename; a mount point is written over), keeps its owner,
 * group and mode, and is copied to PATH.DATE (2026-09-01T060000Z) before, with one date for all. If one cannot be
 * replaced, or is no longer what it was when the change was planned, those already made are taken back. Returns 0, or
 * -1 with err. */
int file_changes_apply(struct file_changes *changes, struct error *err);

/* Takes back what file_changes_apply made, and removes the copies. Returns 0; or -1 with err, which names the
 * copy that is still needed. */
int file_changes_take_back(struct file_changes *changes, struct error *err);

/* After the changes have proved good: a file that was to go was all ours, so its copy goes too, and its folder if that is
 * empty. Nothing can be taken back any more. */
void file_changes_settle(struct file_changes *changes);

void file_changes_free(struct file_changes *changes);

#endif
