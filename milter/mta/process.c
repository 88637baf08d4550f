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
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX (16 << 20) /* octets: more cannot be written */

extern char **environ;

enum { IN, OUT, ERR, STREAMS };

/* The program's standard streams are files in memory: it writes them without us, and nothing has to be read meanwhile.
 * Returns 0, or -1 with errno. */
static int open_streams(int streams[STREAMS], const char *input)
{
    static const char *const names[] = {"input", "output", "errors"};
    for (int i = 0; i < STREAMS; i++)
        if ((streams[i] = memfd_create(names[i], MFD_CLOEXEC | MFD_ALLOW_SEALING)) < 0)
            return -1;
    if (io_write(streams[IN], input, strlen(input)) != 0 || lseek(streams[IN], 0, SEEK_SET) != 0)
        return -1;
    for (int i = OUT; i < STREAMS; i++)
        if (ftruncate(streams[i], OUTPUT_MAX) != 0 ||
            fcntl(streams[i], F_ADD_SEALS, F_SEAL_GROW) != 0)
            return -1;
    return 0;
}

/* Up to the program's position in the file. Returns NULL if memory is out. */
static char *read_stream(int fd)
{
    off_t size = lseek(fd, 0, SEEK_CUR);
    char *text = calloc(1, size < 0 ? 1 : (size_t)size + 1);
    if (text != NULL && size > 0 && pread(fd, text, (size_t)size, 0) < 0)
        *text = '\0';
    return text;
}

/* The program can be interrupted even while this process ignores that. Returns 0 or an errno value. */
static int start(pid_t *pid, const int streams[STREAMS], const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &set);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < STREAMS; i++)
        posix_spawn_file_actions_adddup2(&actions, streams[i], i);
    int rc = posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return rc;
}

/* Waits for the program until the end of its time, and then kills it. Returns 0 with its status; or -1. */
static int attend(pid_t pid, int seconds, int *status)
{
    const struct timespec end = io_deadline(seconds);
    int how = 0, handle = pidfd_open(pid, 0);
    int rc = io_wait(handle, POLLIN, &end);
    if (rc != 0)
        kill(pid, SIGKILL);
    if (handle >= 0)
        close(handle);
    while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
        continue;
    *status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
    return rc;
}

int process_run_within(struct output *out, const char *const *argv, const char *input, int seconds,
                       struct error *err)
{
    int streams[STREAMS] = {-1, -1, -1}, result = -1;
    pid_t pid;

    *out = (struct output){.out = NULL};
    int rc =
        open_streams(streams, input == NULL ? "" : input) == 0 ? start(&pid, streams, argv) : errno;
    if (rc != 0)
        error_set(err, EX_UNAVAILABLE, "cannot run '%s': %s", argv[0], strerror(rc));
    else if ((result = attend(pid, seconds, &out->status)) != 0)
        error_set(err, EX_UNAVAILABLE, "'%s' did not end in %d s", argv[0], seconds);
    out->out = read_stream(streams[OUT]);
    out->err = read_stream(streams[ERR]);
    for (int i = 0; i < STREAMS; i++)
        if (streams[i] >= 0)
            close(streams[i]);
    return out->out == NULL || out->err == NULL ? error_no_memory(err) : result;
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
