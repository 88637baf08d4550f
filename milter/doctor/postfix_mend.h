/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/postfix_mend.h: commands that correct a parameter of Postfix, as lines of a mend. postconf(1). */
#ifndef DOCTOR_POSTFIX_MEND_H
#define DOCTOR_POSTFIX_MEND_H

#include "doctor/postfix_view.h"

/* Sets the fact "set" to the command that gives the parameter this value where the subject's service has it: in
 * master.cf if that sets it for the service, else in main.cf. value "" of master.cf: its option goes. */
void mend_set(const struct subject *subject, const char *name, const char *value);

/* Whether an item of a list is meant. */
typedef bool mend_item(const struct postfix_view *view, int service, const char *item);

/* Sets the fact "drop" to the commands, "$ COMMAND" and a line feed each, that take those items out of the list, and to
 * the reload; to nothing if no item is there in its own words: what attach put there, attach corrects. */
void mend_drop(const struct subject *subject, const char *name, mend_item *is_meant);

/* The same for each list in which recipients are looked up. */
void mend_drop_maps(const struct subject *subject, mend_item *is_meant);

/* The same for each list of restrictions; the word before an item, such as check_recipient_access, goes with it. */
void mend_drop_restrictions(const struct subject *subject, mend_item *is_meant);

/* Sets the fact "set" to the command that puts words before this word of the list. Returns whether that can be done: the
 * list has the word itself. */
bool mend_insert(const struct subject *subject, const char *name, const char *words,
                 const char *before);

#endif
