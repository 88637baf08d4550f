/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/process.h: runs another program, without a shell and never for longer than a limit, and collects its
 * output. */
#ifndef MTA_PROCESS_H
#define MTA_PROCESS_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

#define PROCESS_SECONDS 120 /* a program that takes longer is killed */

/* What a program printed, NUL-terminated, on the heap: process_free it. */
struct output {
    char *out, *err; /* 16 MiB of it at most */
    int status;      /* its exit status; 128 and more: the signal that ended it */
};

/* Runs argv[0], which is looked up in PATH, with the NULL-terminated argv and the text input as its standard
 * input (NULL: nothing). Returns 0, whatever its exit status; or -1 with err (EX_UNAVAILABLE) if it cannot be
 * started or does not end within that many seconds, PROCESS_SECONDS with process_run. *out is set in either case. */
int process_run_within(struct output *out, const char *const *argv, const char *input, int seconds,
                       struct error *err);
int process_run(struct output *out, const char *const *argv, const char *input, struct error *err);

/* As process_run, but an exit status other than 0 is an error too (EX_UNAVAILABLE), which has the last line
 * that the program wrote on standard error. Returns its standard output, without blank space at the end, on
 * the heap; or NULL with err. */
char *process_read(const char *const *argv, struct error *err);

/* As process_read, where nobody wants the output; err may be NULL. Returns 0, or -1 with err. */
int process_check(const char *const *argv, struct error *err);

/* Whether this process runs a program whose name begins so: proc(5), comm. */
bool process_is(pid_t pid, const char *name);

/* NULL members are fine. */
void process_free(struct output *out);

#endif
