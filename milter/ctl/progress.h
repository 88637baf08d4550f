/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/progress.h: a progress bar on standard error with rate and time left, for operations of over a second. Only on a
 * terminal, which has room for one. */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include <stddef.h>

/* what is being done ("reading") to all units ("entries"), 0 if it is not known how many there are; borrows both texts. */
void progress_begin(const char *what, const char *unit, size_t all);

/* One more unit is processed. Cheap enough to call for each entry. Does nothing unless a bar was begun. */
void progress_step(void);

/* As progress_step, for a bar in another unit, such as octets: at of all. done units are processed; all is 0 if not known. */
void progress_tell(size_t done, double at, double all);

/* Shows at once what is being done, without a bar, for a step whose progress is not known. */
void progress_show(void);

/* Removes the bar, before anything else is printed and at the end. It comes again with the next step. */
void progress_clear(void);

#endif
