/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/postfix/postfix.h: an installed Postfix and its parameters, read with its own programs. postconf(1),
 * postmap(1), master(5). Postfix 3.0 and later. */
#ifndef MTA_POSTFIX_POSTFIX_H
#define MTA_POSTFIX_POSTFIX_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* The address class of a domain (ADDRESS_CLASS_README of Postfix). */
enum postfix_class {
    POSTFIX_LOCAL,
    POSTFIX_ALIAS,
    POSTFIX_VIRTUAL,
    POSTFIX_RELAY,
    POSTFIX_NONE, /* the server has no such domain: relaying is denied */
};
#define POSTFIX_CLASSES 4 /* with a list of mailboxes */

/* What postconf(1) prints: "name = value" a line; for what master.cf sets for its services "smtp/inet/name = value". */
struct postconf {
    char *text; /* which the lines point into */
    struct postconf_line {
        const char *name, *value;
    } * lines;
    size_t count;
};

/* Takes over what one of the two functions below returned; NULL: err says why. Returns 0, or -1 with err. Free it in either
 * case. */
int postconf_split(struct postconf *out, char *text, struct error *err);
void postconf_free(struct postconf *postconf);

/* The value of the parameter; missing, such as NULL, if it is not there. Borrowed. */
const char *postconf_find(const struct postconf *in, const char *name, const char *missing);

/* All parameters of the configuration folder (NULL: the host's own), expanded, as a service with these options, "name = value"
 * each, has them. On the heap; NULL with err. */
char *postfix_values(const char *dir, char *const *options, size_t count, struct error *err);

/* What postconf prints with an option, or two (second may be NULL): with -d all parameters as written where main.cf does not
 * set them, with -M the services of master.cf, with -P the parameters that it sets for them, with -h and a name the value
 * of one, each as written; with -x expanded. On the heap; NULL with err. */
char *postfix_lines(const char *dir, const char *option, const char *second, struct error *err);

#define POSTFIX_DIR "/etc/postfix" /* the usual configuration folder */

/* An installation. */
struct postfix {
    char *dir;      /* its configuration folder */
    char *instance; /* its name in attach.conf: "postfix", the host's own; or "postfix:FOLDER" */
    struct postconf main; /* all parameters of main.cf, expanded */
    const char *programs; /* the folder of postfix, postmap and the like */
    const char *queue;    /* its queue folder, to which a chrooted service is confined */
};

/* Finds the installation with this configuration folder; NULL: the host's own. Returns 0 with *out, to be
 * freed with postfix_free; or -1 with err (EX_UNAVAILABLE). */
int postfix_find(struct postfix *out, const char *dir, struct error *err);
void postfix_free(struct postfix *postfix);

/* The processes of the running Postfix, as postfix_await_reload compares them. On the heap; NULL if it does not run. */
char *postfix_processes(const struct postfix *postfix);

/* Waits, for some seconds at most, until the processes that were there before a reload have ended: an idle one ends as
 * master(8) reads its files again, one that has a session when that ends, for which nobody waits. before may be NULL. */
void postfix_await_reload(const struct postfix *postfix, const char *before);

/* Whether Postfix runs, and main.cf or master.cf was changed after it last read them. */
bool postfix_is_unread(const struct postfix *postfix);

/* Whether a list has no items. */
bool postfix_is_blank(const char *list);

/* The name of the class for messages; and of the parameter that lists its mailboxes, where kind is not
 * POSTFIX_NONE. */
const char *postfix_class_name(enum postfix_class kind);
const char *postfix_class_maps(enum postfix_class kind);

/* The class of each of these domains (A-labels), as trivial-rewrite(8) finds it: count of them, on the heap; NULL with err. */
enum postfix_class *postfix_classify(const struct postfix *postfix, const char *const *domains,
                                     size_t count, struct error *err);

#endif
