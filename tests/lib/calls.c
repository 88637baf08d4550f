/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/lib/calls.c: calls of the C library and of libmilter that a test wants to see or to fail (LD_PRELOAD). Each call named
 * below counts, those that LMDB makes too.
 *
 * CALLS_LOG  a file, which gets a line for each: its name, and the last part of the path that it is about
 * CALLS_FAIL the name of those of which one fails, or "write" for all that bring octets to a file or to the disk; a send that
 *            fails takes one octet
 * CALLS_AT   which of them: 1 is the first
 * CALLS_KILL if it is set, the process is killed in place of that call */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define LARGE 8192 /* octets: the libraries of movedctl take less at a time */

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void note(const char *name, const char *path)
{
    const char *log = getenv("CALLS_LOG"), *slash = strrchr(path, '/');
    char line[600];
    if (log == NULL)
        return;
    int length = snprintf(line, sizeof line, "%s %s\n", name, slash == NULL ? path : slash + 1);
    int fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0 && (size_t)length < sizeof line)
        (void)!NEXT(write)(fd, line, (size_t)length);
    close(fd);
}

static void note_file(const char *name, int fd)
{
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = '\0';
    note(name, path);
}

/* Whether this call is the one that fails. */
static int fails(const char *name)
{
    static atomic_int count;
    const char *which = getenv("CALLS_FAIL"), *at = getenv("CALLS_AT");
    if (which == NULL || at == NULL || strcmp(which, name) != 0 ||
        atomic_fetch_add(&count, 1) + 1 != atoi(at))
        return 0;
    if (getenv("CALLS_KILL") != NULL)
        raise(SIGKILL);
    return 1;
}

int fsync(int fd)
{
    note_file("fsync", fd);
    errno = EIO;
    return fails("fsync") ? -1 : NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
    errno = EIO;
    return fails("write") ? -1 : NEXT(fdatasync)(fd);
}

ssize_t write(int fd, const void *from, size_t length)
{
    errno = EIO;
    return fails("write") ? -1 : NEXT(write)(fd, from, length);
}

ssize_t pwrite(int fd, const void *from, size_t length, off_t at)
{
    errno = EIO;
    return fails("write") ? -1 : NEXT(pwrite)(fd, from, length, at);
}

ssize_t writev(int fd, const struct iovec *from, int count)
{
    errno = EIO;
    return fails("write") ? -1 : NEXT(writev)(fd, from, count);
}

/* A stream socket may take a part of what it is given. */
ssize_t send(int fd, const void *from, size_t length, int flags)
{
    return NEXT(send)(fd, from, fails("send") ? 1 : length, flags);
}

void *realloc(void *old, size_t size)
{
    errno = ENOMEM;
    return size >= LARGE && fails("realloc") ? NULL : NEXT(realloc)(old, size);
}

int renameat(int from, const char *old, int to, const char *new)
{
    note("rename", new);
    return NEXT(renameat)(from, old, to, new);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    note("rename", new);
    return NEXT(renameat2)(from, old, to, new, flags);
}

/* ---- of libmilter */

int smfi_setreply(void *session, char *code, char *enhanced, char *text);
int smfi_addrcpt_par(void *session, char *recipient, char *parameters);
int smfi_delrcpt(void *session, char *recipient);

int smfi_setreply(void *session, char *code, char *enhanced, char *text)
{
    return fails("smfi_setreply") ? -1 : NEXT(smfi_setreply)(session, code, enhanced, text);
}

int smfi_addrcpt_par(void *session, char *recipient, char *parameters)
{
    return fails("smfi_addrcpt_par") ? -1 : NEXT(smfi_addrcpt_par)(session, recipient, parameters);
}

int smfi_delrcpt(void *session, char *recipient)
{
    return fails("smfi_delrcpt") ? -1 : NEXT(smfi_delrcpt)(session, recipient);
}
