/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/postfix_mend.h: commands that correct a parameter of Postfix, as lines of a mend. postconf(1). */
#ifndef DOCTOR_POSTFIX_MEND_H
#define DOCTOR_POSTFIX_MEND_H

#include "doctor/postfix_view.h"

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
