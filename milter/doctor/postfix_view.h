/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/postfix_view.h: the configuration of a Postfix as doctor looks at it: what holds for the whole server and
 * for each smtpd service, and where milter-moved is in it. postconf(5), master(5). */
#ifndef DOCTOR_POSTFIX_VIEW_H
#define DOCTOR_POSTFIX_VIEW_H

#include "doctor/exam.h"
#include "mta/postfix/postfix.h"
#include "mta/postfix/postfix_plan.h"

#include <stdbool.h>
#include <stddef.h>

struct postfix_view {
    struct postfix postfix;
    struct postconf *of_services; /* all parameters, expanded, as each service has them */
    struct service *services;
    size_t service_count;
    struct text_lines master; /* as postconf -M prints it */
    struct text_lines own;    /* what it sets for its services, as postconf -P prints it */
    struct endpoint milter;   /* our socket, as the settings have it */
    const char *lookups;      /* the path of our lookup socket; "" for none */
};

/* An item of smtpd_milters: "unix:PATH", or "{ unix:PATH, default_action=tempfail }". */
struct postfix_milter {
    char address[ENDPOINT_TEXT_SIZE], options[512];
    bool is_exact; /* it leads to our socket, and does not only have our name */
};

/* The lists in which recipients are looked up, in the order of enum postfix_class, and those of restrictions. */
#define POSTFIX_LISTS (POSTFIX_CLASSES + 5)
extern const char *const postfix_lists[POSTFIX_LISTS];

/* As struct specialist has them: exam->view is a struct postfix_view. */
int postfix_look(struct exam *exam, struct error *err);
void postfix_look_free(void *looked_at);
int postfix_classify_domains(struct exam *exam, struct error *err);
void postfix_tell(struct exam *exam);

/* The class of exam->domain, POSTFIX_NONE without one; and the maps that list its mailboxes, "" for no class. */
enum postfix_class postfix_class_of(const struct exam *exam);
const char *postfix_maps_of(const struct exam *exam);

/* The value of a parameter in main.cf; and as exam->service has it, if that is not -1. "" if it is not set, or there is no
 * view. Borrowed. */
const char *postfix_of_server(const struct exam *exam, const char *name);
const char *postfix_of_service(const struct exam *exam, const char *name);

/* The next item of a list, which may be in braces, and its length; *at goes behind it. NULL behind the last. */
const char *postfix_item(const char **at, size_t *length);

/* Whether it is an item of a list that names one of our maps in its own words,
 * "socketmap:unix:milter-moved/lookup.sock:listed"; or our milter. */
bool postfix_is_our_map(const struct exam *exam, const char *item);
bool postfix_is_our_milter(const struct exam *exam, const char *item);

/* Whether a parameter of exam->service names this map of ours: ":listed", ":refused". */
bool postfix_asks(const struct exam *exam, const char *map);

/* Finds us in a list of milters: by the socket, or else by the name; and among the milters that exam->service asks. */
bool postfix_find_us(const struct exam *exam, const char *list, struct postfix_milter *out);
bool postfix_has_us(const struct exam *exam, struct postfix_milter *out);

/* ---- postfix_mend.c: commands that correct a parameter, as lines of a mend. postconf(1). */

/* Sets the fact "set" to the command that gives the parameter this value where exam->service has it: in
 * master.cf if that sets it for the service, else in main.cf. value "" of master.cf: its option goes. Returns true, so that
 * the is of a symptom can end with it. */
bool mend_set(struct exam *exam, const char *name, const char *value);

/* Whether an item of a list is meant. */
typedef bool mend_item(const struct exam *exam, const char *item);

/* Sets the fact "drop" to the commands, "$ COMMAND" and a line feed each, that take those items out of the count lists; to
 * nothing if no item is there in its own words: what attach put there, attach corrects. In restrictions the word before an
 * item, such as check_recipient_access, goes with it. Returns true. */
bool mend_drop(struct exam *exam, mend_item *is_meant, const char *const *lists, size_t count);

/* Sets the fact "set" to the command that puts words before this word of the list. Returns whether that can be done: the
 * list has the word itself. */
bool mend_insert(struct exam *exam, const char *name, const char *words, const char *before);

#endif
