/* table/guard.h: reading a mapped file that may be shorter than it says. A page that is not there (the file was cut
 * short under us, or the disk fails) raises SIGBUS in whoever touches it; a guard turns that into an error:
 *
 *     guard_push(&guard);
 *     if (sigsetjmp(guard.place, 0) == 0)
 *         ... touch the file ...
 *     else
 *         ... a page is missing ...
 *     guard_pop(&guard);
 *
 * What touches the file must take no lock and no memory, since a fault leaves it in the middle. LMDB's reads are such. */
#ifndef TABLE_GUARD_H
#define TABLE_GUARD_H

#include <setjmp.h>

struct guard {
    sigjmp_buf place;    /* where a fault goes: this thread's innermost guard has it */
    struct guard *outer; /* NULL: none */
};

/* Makes SIGBUS come to the guards; where a thread has none it ends the process, as ever. Once is
 * enough; more do no harm. */
void guard_install(void);

/* Begins and ends a guard of this thread; the last begun ends first. */
void guard_push(struct guard *guard);
void guard_pop(struct guard *guard);

#endif
