/* mta/files.h: changes to other programs' configuration files: shown first as a diff, then made all
 * together, each with a dated copy of what was there, and taken back if what follows fails. */
#ifndef MTA_FILES_H
#define MTA_FILES_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHANGES_MAX 8 /* files in one set */

/* One file. */
struct change {
    char *path; /* with symbolic links followed */
    char *old,
        *text;  /* what is there, NULL where there is no file; what is to be there, NULL: no file */
    char *copy; /* where what was there is kept; NULL before changes_apply and for a new file */
    bool made;
};

/* Start with {.count = 0}; changes_free it. */
struct changes {
    struct change files[CHANGES_MAX];
    size_t count;
};

/* Reads a whole file. Returns its text, NUL-terminated, on the heap; or NULL with err: EX_NOINPUT
 * (missing), EX_NOPERM, EX_IOERR, EX_DATAERR where it has a NUL in it. */
char *file_read(const char *path, struct error *err);

/* Writes a new file, or over an old one, as it comes: for files of our own. Returns 0, or -1 with err. */
int file_write(const char *path, const char *text, struct error *err);

/* Plans that the file at path shall have this text (on the heap: the changes own it from now on,
 * also where this fails); NULL: that it shall not be there. A file that has it already is left out.
 * Returns 0, or -1 with err. */
int changes_add(struct changes *changes, const char *path, char *text, struct error *err);

/* Prints the changes as diff -u does. Returns 0, or -1 with err. */
int changes_show(const struct changes *changes, struct error *err);

/* Makes the changes: each file is replaced whole (fsync, rename) with its owner, group and mode
 * kept, and what was there is copied beside it to PATH.DATE (2026-09-01T060000Z), with one date for
 * all. Where one cannot be made, or is no more what it was when it was planned, those before it are
 * taken back. Returns 0, or -1 with err. */
int changes_apply(struct changes *changes, struct error *err);

/* Takes back what changes_apply made, and removes the copies. Returns 0, or -1 with err that names
 * the copy that is still needed. */
int changes_take_back(struct changes *changes, struct error *err);

void changes_free(struct changes *changes);

#endif
