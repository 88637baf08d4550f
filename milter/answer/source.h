/* SPDX-License-Identifier: BSD-2-Clause */
/* answer/source.h: the settings of the group source: the store that the table follows. */
#ifndef ANSWER_SOURCE_H
#define ANSWER_SOURCE_H

#include "base/error.h"

/* The strings belong to the settings. */
struct source_settings {
    int type;       /* index of "pgsql" */
    char *connect;  /* a connection string or URI of libpq; "": the table follows nobody */
    char *passfile; /* "": libpq's own */
    char *schema;   /* of the store's tables */
    char *write;    /* as connect, for commands that change entries; "": this host may not */
    int poll;       /* milliseconds */
    int timeout;    /* seconds, as are those below: of an exchange with the store */
    int max_remove; /* per cent, see table/merge.h */
    int reconcile;  /* between two comparisons with all rows; 0: never */
    int start_wait; /* at most, before the service says that it is ready */
    int max_lag;    /* without contact, before that is an error */
};

/* Checks what is set, but for the connection strings. Returns 0, or -1 with err (EX_CONFIG) beginning with the key. */
int source_check(const struct source_settings *source, struct error *err);

/* Puts stars in place of the password in a connection string or URI of libpq, and of what comes after "password=", for those who
 * are shown it. */
void source_hide_passwords(char *text);

#endif
