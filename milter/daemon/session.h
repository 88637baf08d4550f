/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/session.h: one SMTP session as libmilter shows it. Its callbacks unpack what the MTA
 * says, ask the service, and write the verdict; no rule lives in them. libmilter runs one
 * session's callbacks one after another, though on changing threads. */
#ifndef DAEMON_SESSION_H
#define DAEMON_SESSION_H

#include "base/error.h"

/* Tells libmilter of the callbacks (smfi_register). Returns 0, or -1 with err. */
int session_register(struct error *err);

#endif
