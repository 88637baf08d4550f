/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/sendmail/sendmail_cf.h: makes a sendmail.cf from a sendmail.mc with m4, and reads it. */
#ifndef MTA_SENDMAIL_SENDMAIL_CF_H
#define MTA_SENDMAIL_SENDMAIL_CF_H

#include "base/endpoint.h"
#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* Where a sendmail.cf comes from. */
struct sendmail_source {
    /* the sendmail.cf made of the .mc before, borrowed: a comment in it names cf_dir */
    const char *cf;
    char path[PATH_MAX]; /* of the .mc, absolute; m4 runs in its folder */
    /* Of Sendmail's m4 files, where cf.m4 has to be on m4's command line; else "" */
    char cf_dir[PATH_MAX];
    /* What m4 wrote on standard error when it ran last, on the heap; NULL before that */
    char *warnings;
};

/* Finds the .mc in this folder: sendmail.mc; where there is none HOST.mc, as FreeBSD's makefile takes it. Sets
 * out->path and returns 0, or -1 with err (EX_NOINPUT). */
int sendmail_find_mc(struct sendmail_source *out, const char *dir, struct error *err);

/* The sendmail.cf that m4 makes from mc, the text of a .mc. A .mc that does not include cf.m4 leaves that to m4's command
 * line, as on FreeBSD and OpenBSD: cf_dir is set then. On the heap; or NULL with err (EX_CONFIG, EX_UNAVAILABLE). */
char *sendmail_build(struct sendmail_source *source, const char *mc, struct error *err);

/* The next line that is neither empty nor a comment (in which m4 writes when and where it ran), with its
 * length in *length; NULL after the last. *at becomes the beginning of the line after it. */
const char *sendmail_line(const char **at, size_t *length);

/* The first such line of a that is different in b (of b, if a has ended), and its length; NULL if all are the same. */
const char *sendmail_differs(const char *a, const char *b, size_t *length);

/* What is behind this beginning in the first line that has it, and its length; NULL if there is none. */
const char *sendmail_find(const char *cf, const char *begins, size_t *length);

/* Whether an item of the list of milters, "a, b" or "a;b", is this name. */
bool sendmail_list_has(const char *list, size_t length, const char *name);

/* A milter: the line "Xname, S=socket, F=T". */
struct sendmail_filter {
    char name[64], socket[ENDPOINT_TEXT_SIZE], flags[16];
    bool is_exact; /* it has our socket, not only our name */
};

/* Finds our milter: by this socket of ours, or else by the name. */
bool sendmail_find_filter(const char *cf, const struct endpoint *socket,
                          struct sendmail_filter *out);

/* Sendmail opens no socket below a folder to which others may write. Returns the mode of the lowest such
 * folder above path, with its path in out[size]; 0 if there is none for this sendmail.cf. */
unsigned sendmail_distrusts(const char *cf, const char *path, char *out, size_t size);

#endif
