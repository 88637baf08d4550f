/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/postfix/postfix_ours.h: what attach puts into main.cf and master.cf. It is found by its names, wherever postconf(1)
 * or an administrator has moved it. Works on texts; only the defaults of Postfix are asked for. */
#ifndef MTA_POSTFIX_POSTFIX_OURS_H
#define MTA_POSTFIX_POSTFIX_OURS_H

#include "base/error.h"
#include "mta/postfix/cf.h"
#include "mta/postfix/postfix.h"

/* Parameters of ours. They are empty in main.cf, whose lists refer to them, and set in master.cf for each service that is
 * attached. An undefined parameter is an empty one too, so either file may lose what attach wrote. */
#define OURS_MILTER   "moved_milter"
#define OURS_LISTED   "moved_listed"
#define OURS_UNSERVED "moved_unserved"

/* For mail to lists; under stress Postfix's own default. */
#define OURS_SOFT_LIMIT "${stress?{1}:{1000}}"
#define OURS_HARD_LIMIT "${stress?{1}:{1001}}"

/* Sets our parameters in main.cf to nothing, unserved only if it is wanted. */
void ours_define(struct cf *main, bool unserved);

/* Adds a reference to one of our parameters to the end of a list in main.cf, behind a long line as a line of its own. A list
 * that main.cf does not set gets its default first: defaults is what postconf -d prints. A list that has the reference
 * already is left alone. */
void ours_add_to_main(struct cf *main, const struct postconf *defaults, const char *list,
                      const char *name);

/* Puts OURS_UNSERVED before each restriction that refuses to relay, in every list of main.cf, whatever its name. */
void ours_add_unserved_to_main(struct cf *main, const struct postconf *defaults);

/* Does both with the list that an option of a service sets: name may be NULL for none. option->line and option->whole grow
 * with it. */
void ours_add_to_option(struct cf *master, struct setting *option, const char *name, bool unserved);

/* Takes out what is ours, of main.cf with the defaults, of master.cf with NULL. */
void ours_strip(struct cf *cf, const struct postconf *defaults);

/* Checks that the file has no lines in the form of an older attach, which copied lists. path is for the error, which names
 * the line (EX_CONFIG). Returns 0, or -1 with err. */
int ours_check_form(const struct cf *cf, const char *path, struct error *err);

/* Checks that a stripped file has none of our names left, nor our lookup socket. socket is its absolute path, or "" for none;
 * it is known by the last two parts of that, since attach may have moved it. Errors as above. Returns 0, or -1 with err. */
int ours_check_gone(const struct cf *cf, const char *path, const char *socket, struct error *err);

#endif
