/* table/guard.h: reading a mapped file that another program may have cut short or overwritten. A page that is not there,
 * or a disk that fails, raises SIGBUS in the thread that touches it; what stands there instead may lead anywhere, and raise
 * SIGSEGV, or an assertion of LMDB's. A guard makes an error of each. */
#ifndef TABLE_GUARD_H
#define TABLE_GUARD_H

#define GUARD_FAULT (-1)

/* Makes these signals come to the guards; where a thread has none they do what they did before. Once is enough; more do
 * no harm. */
void guard_install(void);

/* Returns what touch returns, or GUARD_FAULT where it was given up in the middle. It must take no lock that others of
 * this process wait for; memory that it takes is lost then. Guards may stand in each other. */
int guard_call(int (*touch)(void *data), void *data);

/* Gives up what this thread's innermost guard has called; returns where there is none. */
void guard_give_up(void);

#endif
