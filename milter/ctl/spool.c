#include "ctl/spool.h"

#include "table/sort.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 1000     /* that the reader may keep us waiting, in all */
#define PIECE       PIPE_BUF /* octets that a pipe takes at once when it takes any */

static struct {
    const char *folder;
    int file; /* -1: none yet */
    int left_ms;
    bool waits; /* for the reader, however long: there is no other way */
} spool;

const char *spool_folder(const char *table)
{
    const char *folder = getenv("TMPDIR");
    return folder == NULL || *folder == '\0' ? table : folder;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool write_whole(int to, const char *text, size_t length)
{
    while (length > 0) {
        struct pollfd wait = {.fd = to, .events = POLLOUT};
        ssize_t done = write(to, text, length < PIECE ? length : PIECE);
        if (done < 0 && errno == EAGAIN)
            poll(&wait, 1, -1);
        else if (done < 0 && errno != EINTR)
            return false;
        text += done < 0 ? 0 : done;
        length -= done < 0 ? 0 : (size_t)done;
    }
    return true;
}

/* Whether the reader takes a piece before our patience is over. */
static bool takes(void)
{
    struct pollfd wait = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (spool.waits || poll(&wait, 1, 0) != 0)
        return true;
    int64_t began = now_ms();
    bool ready = poll(&wait, 1, spool.left_ms) != 0;
    int64_t passed = now_ms() - began;
    spool.left_ms -= passed < spool.left_ms ? (int)passed : spool.left_ms;
    return ready;
}

/* Gives the reader all that is in the file, and has none any more. */
static bool drain(void)
{
    char piece[64 * 1024];
    ssize_t got = 0;
    bool fine = true;
    if (spool.file < 0)
        return true;
    lseek(spool.file, 0, SEEK_SET);
    while (fine && (got = read(spool.file, piece, sizeof piece)) > 0)
        fine = write_whole(STDOUT_FILENO, piece, (size_t)got);
    close(spool.file);
    spool.file = -1;
    return fine && got == 0;
}

/* Into the file. Where that cannot be, the reader gets all that is in it, and we wait for him. */
static bool put_aside(const char *text, size_t length)
{
    if (spool.file < 0)
        spool.file = sort_open_file(spool.folder);
    if (spool.file < 0) {
        spool.waits = true;
        return write_whole(STDOUT_FILENO, text, length);
    }
    off_t before = lseek(spool.file, 0, SEEK_CUR);
    if (write_whole(spool.file, text, length))
        return true;
    spool.waits = true;
    return ftruncate(spool.file, before) == 0 && drain() &&
           write_whole(STDOUT_FILENO, text, length);
}

static ssize_t write_pieces(void *unused, const char *text, size_t length)
{
    (void)unused;
    for (size_t done = 0; done < length;) {
        size_t piece = length - done < PIECE ? length - done : PIECE;
        bool fine = spool.file < 0 && takes() ? write_whole(STDOUT_FILENO, text + done, piece)
                                              : put_aside(text + done, piece);
        if (!fine)
            return 0;
        done += piece;
    }
    return (ssize_t)length;
}

void spool_begin(const char *folder)
{
    struct stat status;
    if (fstat(STDOUT_FILENO, &status) != 0 || S_ISREG(status.st_mode))
        return;
    fflush(stdout);
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_pieces});
    if (stream == NULL)
        return;
    setvbuf(stream, NULL, _IOFBF, 64 * 1024);
    spool.folder = folder;
    spool.file = -1;
    spool.left_ms = PATIENCE_MS;
    stdout = stream;
}

int spool_end(struct error *err)
{
    bool fine = fflush(stdout) == 0 && !ferror(stdout) && drain();
    spool.waits = true;
    if (fine)
        return 0;
    return error_set(err, EX_IOERR, "standard output: %s", strerror(errno));
}
