/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/error.h"

#include "base/printable.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *err, int status, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        err->status = status;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        printable_make(err->text);
    }
    return -1;
}

int error_no_memory(struct error *err)
{
    return error_set(err, EX_OSERR, "out of memory");
}

int error_at(struct error *err, const char *file, unsigned long line)
{
    if (err != NULL) {
        struct error inner = *err;
        if (line > 0)
            error_set(err, inner.status, "%s:%lu: %s", file, line, inner.text);
        else
            error_set(err, inner.status, "%s: %s", file, inner.text);
    }
    return -1;
}

int error_status(int errno_value)
{
    switch (errno_value) {
    case ENOENT:
    case ENOTDIR: return EX_NOINPUT;
    case EACCES:
    case EPERM:
    case EROFS: return EX_NOPERM;
    default: return EX_IOERR;
    }
}
