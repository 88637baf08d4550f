/* SPDX-License-Identifier: BSD-2-Clause */
/* table/guard.h: reads a mapped file that another program may truncate or overwrite. Access to a missing page, or a
 * failing disk, raises SIGBUS in the thread. Overwritten data may lead anywhere, and cause SIGSEGV or a failed
 * assertion in LMDB. A guard turns each of these into an error. */
#ifndef TABLE_GUARD_H
#define TABLE_GUARD_H

#define GUARD_FAULT (-1)

/* Installs the signal handlers. In a thread without a guard, the signals do what they did before. May be called more
 * than once. */
void guard_install(void);

/* Calls touch and returns its value, or GUARD_FAULT if it was interrupted by a fault. touch must not take a lock that
 * other threads of the process wait for. Memory that it allocates is lost on a fault. Guards can be nested. */
int guard_call(int (*touch)(void *data), void *data);

/* Leaves the innermost guard of this thread, which then returns GUARD_FAULT; returns if there is none. */
void guard_give_up(void);

#endif
