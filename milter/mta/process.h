/* mta/process.h: runs another program and takes what it prints. No shell is involved. */
#ifndef MTA_PROCESS_H
#define MTA_PROCESS_H

#include "base/error.h"

#include <stddef.h>

#define PROCESS_SECONDS 120 /* a program that takes longer is ended */

/* What a program printed, NUL-terminated, on the heap: process_free it. */
struct output {
    char *out, *err;
    int status; /* its exit status; 128 and more: the signal that ended it */
};

/* Runs argv[0], looked for in PATH, with the NULL-terminated argv and the file input on standard
 * input (NULL: nothing). Returns 0, whatever its exit status; or -1 with err (EX_UNAVAILABLE)
 * where it cannot be started or does not end in PROCESS_SECONDS. *out is set in either case. */
int process_run(struct output *out, const char *const *argv, const char *input, struct error *err);

/* As process_run, but an exit status other than 0 is an error too (EX_UNAVAILABLE), with the last
 * line that it printed. Returns what it wrote on standard output, without the newline at its end, on the heap;
 * or NULL with err. */
char *process_read(const char *const *argv, struct error *err);

/* NULL members are fine. */
void process_free(struct output *out);

#endif
