/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/interrupt.h: the message of a long command that is interrupted. */
#ifndef CTL_INTERRUPT_H
#define CTL_INTERRUPT_H

/* From now on SIGINT, SIGTERM and SIGHUP call undo, print "movedctl: interrupted: " and what, and end the process as
 * they would have. undo runs in a signal handler; NULL: there is nothing to undo. Ignored signals stay ignored. */
void interrupt_says(const char *what, void (*undo)(void));

/* From now on these signals are ignored, so that the operation completes. */
void interrupt_ignore(void);

#endif
