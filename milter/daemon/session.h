/* daemon/session.h: one SMTP session as libmilter shows it. Its callbacks unpack what the MTA
 * says, ask the service, and write the verdict; no rule lives in them. libmilter runs one
 * session's callbacks one after another, though on changing threads. */
#ifndef DAEMON_SESSION_H
#define DAEMON_SESSION_H

#include "base/error.h"

/* Tells libmilter of the callbacks (smfi_register). Returns 0, or -1 with err. */
int session_register(struct error *err);

/* Waits until no session is open, for at most seconds. Returns how many are left. */
unsigned session_wait_idle(unsigned seconds);

/* How many sessions there were since the start, and how many are open now. */
unsigned long session_count(void);
unsigned session_count_open(void);

#endif
