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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_MAX (16 << 20) /* octets: more is read and discarded */

extern char **environ;

enum { OUT, ERR, PIPES };

/* The program's standard output and error, as they reach us. */
struct streams {
    int pipes[PIPES][2];
    FILE *files[PIPES]; /* collect what was read */
    size_t sizes[PIPES];
};

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int open_streams(struct streams *s, struct output *out)
{
    for (int i = 0; i < PIPES; i++)
        if (pipe2(s->pipes[i], O_CLOEXEC) != 0)
            return -1;
    s->files[OUT] = open_memstream(&out->out, &s->sizes[OUT]);
    s->files[ERR] = open_memstream(&out->err, &s->sizes[ERR]);
    return s->files[OUT] == NULL || s->files[ERR] == NULL ? -1 : 0;
}

static void close_streams(struct streams *s)
{
    for (int i = 0; i < PIPES; i++) {
        close_end(&s->pipes[i][0]);
        close_end(&s->pipes[i][1]);
        if (s->files[i] != NULL)
            fclose(s->files[i]); /* it writes the final NUL */
    }
}

/* The program can be interrupted even while this process ignores that. */
static void set_signals(posix_spawnattr_t *attributes)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    posix_spawnattr_init(attributes);
    posix_spawnattr_setsigdefault(attributes, &set);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF);
}

/* A file in memory with the text, to be read from its beginning; -1 with errno. */
static int open_input(const char *text)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd >= 0 && io_write(fd, text, strlen(text)) == 0 && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    int why = errno;
    if (fd >= 0)
        close(fd);
    errno = why;
    return -1;
}

/* The program's ends of the pipes become its standard streams. Returns 0 or an errno value. */
static int start(pid_t *pid, struct streams *s, const char *const *argv, const char *input)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int fd = open_input(input == NULL ? "" : input);
    if (fd < 0)
        return errno;
    set_signals(&attributes);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, s->pipes[OUT][1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, s->pipes[ERR][1], STDERR_FILENO);
    int rc = posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(fd);
    close_end(&s->pipes[OUT][1]);
    close_end(&s->pipes[ERR][1]);
    return rc;
}

static void take(struct streams *s, int which)
{
    char buffer[4096];
    ssize_t got = read(s->pipes[which][0], buffer, sizeof buffer);
    if (got <= 0)
        close_end(&s->pipes[which][0]);
    else if (ftell(s->files[which]) < OUTPUT_MAX)
        fwrite(buffer, 1, (size_t)got, s->files[which]);
}

/* Collects the output until the program has closed it. Returns -1 if that takes too long. */
static int collect(struct streams *s, const struct timespec *end)
{
    int left;
    while (s->pipes[OUT][0] >= 0 || s->pipes[ERR][0] >= 0) {
        struct pollfd fds[PIPES] = {{s->pipes[OUT][0], POLLIN, 0}, {s->pipes[ERR][0], POLLIN, 0}};
        if ((left = io_milliseconds_left(end)) <= 0)
            return -1;
        if (poll(fds, PIPES, left) < 0 && errno != EINTR)
            return -1;
        for (int i = 0; i < PIPES; i++)
            if (fds[i].revents != 0)
                take(s, i);
    }
    return 0;
}

/* Waits for the end of a program that has closed its output, which is usually there already. Returns -1 if
 * that takes too long. */
static int reap(pid_t pid, int *how, const struct timespec *end)
{
    static const struct timespec pause = {.tv_nsec = 10000000};
    pid_t reaped;
    while ((reaped = waitpid(pid, how, WNOHANG)) == 0 || (reaped < 0 && errno == EINTR)) {
        if (io_milliseconds_left(end) <= 0)
            return -1;
        nanosleep(&pause, NULL);
    }
    return 0;
}

/* Waits for the program until the end of its time, and then kills it. Returns 0 with its status; or -1. */
static int attend(pid_t pid, struct streams *s, int seconds, int *status)
{
    const struct timespec end = io_deadline(seconds);
    int how = 0;
    int rc = collect(s, &end) == 0 ? reap(pid, &how, &end) : -1;
    if (rc != 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
            continue;
    }
    *status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
    return rc;
}

int process_run_within(struct output *out, const char *const *argv, const char *input, int seconds,
                       struct error *err)
{
    struct streams streams = {.pipes = {{-1, -1}, {-1, -1}}};
    pid_t pid;
    int result = -1;

    *out = (struct output){.out = NULL};
    if (open_streams(&streams, out) != 0) {
        error_set(err, EX_OSERR, "%s: %s", argv[0], strerror(errno));
    } else {
        int rc = start(&pid, &streams, argv, input);
        result = rc == 0 ? attend(pid, &streams, seconds, &out->status) : -1;
        if (rc != 0)
            error_set(err, EX_UNAVAILABLE, "cannot run '%s': %s", argv[0], strerror(rc));
        else if (result != 0)
            error_set(err, EX_UNAVAILABLE, "'%s' did not end in %d s", argv[0], seconds);
    }
    close_streams(&streams);
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
    if (process_run(&output, argv, NULL, err) == 0 && output.status == 0) {
        text = output.out;
        output.out = NULL;
        (void)last_line(text); /* trims the end */
    } else if (output.status != 0) {
        error_set(err, EX_UNAVAILABLE, "%s: exit status %d: %s", argv[0], output.status,
                  last_line(output.err));
    }
    process_free(&output);
    return text;
}

bool process_succeeds(const char *const *argv)
{
    struct output output;
    struct error err;
    int rc = process_run(&output, argv, NULL, &err);
    process_free(&output);
    return rc == 0 && output.status == 0;
}

void process_free(struct output *out)
{
    free(out->out);
    free(out->err);
    out->out = out->err = NULL;
}
