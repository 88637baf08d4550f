/* SPDX-License-Identifier: BSD-2-Clause */
/* base/error.h: an error as one line of text. It is passed up to the caller that prints or logs it. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <sysexits.h>

struct error {
    int status;     /* exit status, sysexits(3) */
    char text[512]; /* one printable line: what is wrong: what would be right */
};

/* Fills err, cutting the text to fit and making it printable (base/printable.h), so that foreign text
 * cannot break a log line. err may be NULL. Always returns -1. */
int error_set(struct error *err, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets EX_OSERR: out of memory. Always returns -1. */
int error_no_memory(struct error *err);

/* Puts "file:line: " in front of the text; line 0 puts "file: ". Always returns -1. */
int error_at(struct error *err, const char *file, unsigned long line);

/* The sysexits(3) status for errno_value: EX_NOINPUT for ENOENT, EX_NOPERM for
 * EACCES, EPERM and EROFS, EX_IOERR for the rest. */
int error_status(int errno_value);

#endif
