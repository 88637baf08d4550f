#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistr.h>

/* A terminal must not obey foreign text, and a reader of the log must not stumble over octets
 * that are no UTF-8 (also where the text was cut in the middle of a character). */
void error_make_printable(char *text)
{
    uint8_t *at = (uint8_t *)text;
    size_t left = strlen(text);
    while (left > 0) {
        ucs4_t character;
        int length = u8_mbtoucr(&character, at, left);
        if (length < 1 || character < 0x20 || (character >= 0x7f && character < 0xa0)) {
            *at = '?';
            length = 1;
        }
        at += length;
        left -= (size_t)length;
    }
}

int error_set(struct error *err, int status, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        err->status = status;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        error_make_printable(err->text);
    }
    return -1;
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
    case ENOENT: return EX_NOINPUT;
    case EACCES:
    case EPERM:
    case EROFS: return EX_NOPERM;
    default: return EX_IOERR;
    }
}
