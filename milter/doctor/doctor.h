/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/doctor.h: asks the running mail server about entries of the table, and explains what it sees. */
#ifndef DOCTOR_DOCTOR_H
#define DOCTOR_DOCTOR_H

#include "answer/settings.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdio.h>

/* What is examined, and how. Everything is borrowed. */
struct doctor_request {
    const struct settings *settings;
    const char *conf;       /* the file they were read from, or would have been */
    const char *table;      /* its folder */
    const char *smtp;       /* the mail server, "HOST:PORT"; NULL: port 25 of this host */
    const char *mta;        /* "postfix", "sendmail"; NULL: guess */
    const char *config_dir; /* of the mail server; NULL: the usual one */
    const char *as;         /* ask as a client at this address; NULL: our own */
    const char *domain;     /* only entries of this domain; NULL: of all */
    char **recipients;      /* NULL-terminated; if there are none, some of each domain are chosen */
    bool json;              /* print one JSON object, not text */
    bool nagios;            /* print one line, and return the exit status, of a Nagios plugin */
    bool colour;
};

/* Examines, and prints the result to out. Returns the exit status: 0, 1 (something is wrong), EX_UNAVAILABLE (the
 * daemon or the mail server does not answer); or -1 with err. Takes a few minutes at most. */
int doctor_run(const struct doctor_request *request, FILE *out, struct error *err);

#endif
