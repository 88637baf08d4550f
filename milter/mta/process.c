/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/process.h"

#include "net/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX (16 << 20) /* octets: more is read and discarded */

extern char **environ;

/* Standard output or error of the program. */
struct stream {
    int ends[2]; /* of a pipe: ours, and the program's; -1: closed */
    FILE *file;  /* collects what was read, in memory */
    size_t size;
};

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_stream(struct stream *stream)
{
    close_end(&stream->ends[0]);
    close_end(&stream->ends[1]);
    if (stream->file != NULL)
        fclose(stream->file); /* it writes the final NUL */
}

/* Returns 0, or -1 with errno. */
static int open_stream(struct stream *stream, char **text)
{
    stream->file = open_memstream(text, &stream->size);
    return stream->file == NULL ? -1 : pipe2(stream->ends, O_CLOEXEC);
}

/* A file in memory with the text, to be read from its beginning; -1 with errno. */
static int open_input(const char *text)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd >= 0 && (io_write(fd, text, strlen(text)) != 0 || lseek(fd, 0, SEEK_SET) != 0))
        close_end(&fd); /* which leaves errno as it is */
    return fd;
}

/* The program can be interrupted even while this process ignores that. Returns 0 or an errno value. */
static int start(pid_t *pid, struct stream streams[2], const char *const *argv, const char *input)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t set;
    int fd = open_input(input == NULL ? "" : input);
    if (fd < 0)
        return errno;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &set);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, streams[0].ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, streams[1].ends[1], STDERR_FILENO);
    int rc = posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(fd);
    close_end(&streams[0].ends[1]);
    close_end(&streams[1].ends[1]);
    return rc;
}

static void take(struct stream *stream)
{
    char buffer[4096];
    ssize_t got = read(stream->ends[0], buffer, sizeof buffer);
    if (got <= 0)
        close_end(&stream->ends[0]);
    else if (ftell(stream->file) < OUTPUT_MAX)
        fwrite(buffer, 1, (size_t)got, stream->file);
}

/* Collects the output until the program has closed it. Returns -1 if that takes too long. */
static int collect(struct stream streams[2], const struct timespec *end)
{
    int left;
    while (streams[0].ends[0] >= 0 || streams[1].ends[0] >= 0) {
        struct pollfd fds[] = {{streams[0].ends[0], POLLIN, 0}, {streams[1].ends[0], POLLIN, 0}};
        if ((left = io_milliseconds_left(end)) <= 0 || (poll(fds, 2, left) < 0 && errno != EINTR))
            return -1;
        for (int i = 0; i < 2; i++)
            if (fds[i].revents != 0)
                take(&streams[i]);
    }
    return 0;
}

/* Waits for the program until the end of its time, and then kills it. Returns 0 with its status; or -1. */
static int attend(pid_t pid, struct stream streams[2], int seconds, int *status)
{
    const struct timespec end = io_deadline(seconds);
    int how = 0,
        handle = (int)syscall(SYS_pidfd_open, pid, 0); /* glibc has a name for it from 2.36 on */
    int rc = collect(streams, &end) == 0 ? io_wait(handle, POLLIN, &end) : -1;
    if (rc != 0)
        kill(pid, SIGKILL);
    close_end(&handle);
    while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
        continue;
    *status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
    return rc;
}

int process_run_within(struct output *out, const char *const *argv, const char *input, int seconds,
                       struct error *err)
{
    struct stream streams[2] = {{.ends = {-1, -1}}, {.ends = {-1, -1}}};
    pid_t pid;
    int result = -1;

    *out = (struct output){.out = NULL};
    int rc = open_stream(&streams[0], &out->out) == 0 && open_stream(&streams[1], &out->err) == 0
                 ? start(&pid, streams, argv, input)
                 : errno;
    if (rc != 0)
        error_set(err, EX_UNAVAILABLE, "cannot run '%s': %s", argv[0], strerror(rc));
    else if ((result = attend(pid, streams, seconds, &out->status)) != 0)
        error_set(err, EX_UNAVAILABLE, "'%s' did not end in %d s", argv[0], seconds);
    close_stream(&streams[0]);
    close_stream(&streams[1]);
    return result;
}

int process_run(struct output *out, const char *const *argv, const char *input, struct error *err)
{
    return process_run_within(out, argv, input, PROCESS_SECONDS, err);
}

/* Cuts blank space from the end of the text, and returns its last line. */
static const char *last_line(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        text[--length] = '\0';
    const char *newline = strrchr(text, '\n');
    return newline == NULL ? text : newline + 1;
}

char *process_read(const char *const *argv, struct error *err)
{
    struct output output;
    char *text = NULL;
    int rc = process_run(&output, argv, NULL, err);
    if (rc == 0 && output.status != 0)
        rc = error_set(err, EX_UNAVAILABLE, "%s: exit status %d: %s", argv[0], output.status,
                       last_line(output.err));
    if (rc == 0) {
        text = output.out;
        output.out = NULL;
        (void)last_line(text); /* trims the end */
    }
    process_free(&output);
    return text;
}

int process_check(const char *const *argv, struct error *err)
{
    char *printed = process_read(argv, err);
    free(printed);
    return printed == NULL ? -1 : 0;
}

bool process_is(pid_t pid, const char *name)
{
    char path[32], comm[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = pid > 1 ? fopen(path, "re") : NULL;
    bool is = file != NULL && fgets(comm, sizeof comm, file) != NULL &&
              strncmp(comm, name, strlen(name)) == 0;
    if (file != NULL)
        fclose(file);
    return is;
}

void process_free(struct output *out)
{
    free(out->out);
    free(out->err);
    out->out = out->err = NULL;
}
