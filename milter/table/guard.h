/* SPDX-License-Identifier: BSD-2-Clause */
/* table/guard.h: reads a mapped file that another program may truncate or overwrite. Access to a missing page, or a
 * failing disk, raises SIGBUS in the thread. Overwritten data may lead anywhere, and cause SIGSEGV or a failed
 * assertion in LMDB. A guard turns each of these into an error. */
#ifndef TABLE_GUARD_H
#define TABLE_GUARD_H

#include <setjmp.h>

#define GUARD_FAULT (-1)

/* Installs the signal handlers. In a thread without a guard, the signals do what they did before. May be called more
 * than once. */
void guard_install(void);

/* Sets rc to the value of the expression, or to GUARD_FAULT if a fault has interrupted it: what it writes is then unknown.
 * It must not take a lock that other threads of the process wait for. Memory that it allocates is lost on a fault.
 * Guards can be nested. */
#define GUARDED(rc, expression)                                                                    \
    do {                                                                                           \
        struct guard guard;                                                                        \
        guard_enter(&guard);                                                                       \
        if (sigsetjmp(guard.place, 0) == 0)                                                        \
            (rc) = (expression);                                                                   \
        else                                                                                       \
            (rc) = GUARD_FAULT;                                                                    \
        guard_leave(&guard);                                                                       \
    } while (0)

/* For the macro alone. */
struct guard {
    sigjmp_buf place;
    struct guard *outer;
};
void guard_enter(struct guard *guard);
void guard_leave(const struct guard *guard);

/* Leaves the innermost guard of this thread, which then returns GUARD_FAULT; returns if there is none. */
void guard_give_up(void);

#endif
