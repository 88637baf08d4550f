/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/guard.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

static const int signals[] = {SIGBUS, SIGSEGV};
#define SIGNALS (sizeof signals / sizeof *signals)

static struct sigaction before[SIGNALS];
static _Thread_local struct guard *innermost;

void guard_enter(struct guard *guard)
{
    guard->outer = innermost;
    innermost = guard;
}

void guard_leave(const struct guard *guard)
{
    innermost = guard->outer;
}

void guard_give_up(void)
{
    if (innermost != NULL)
        siglongjmp(innermost->place, 1);
}

/* The signal is delivered to the thread during the access. longjmp is safe because LMDB's read path holds no lock here.
 * Without a guard the previous action is restored, and the access repeated. */
static void on_fault(int number)
{
    sigset_t mask;
    sigemptyset(&mask);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaddset(&mask, signals[i]);
    pthread_sigmask(SIG_UNBLOCK, &mask, NULL); /* siglongjmp does not */
    guard_give_up();
    for (size_t i = 0; i < SIGNALS; i++)
        if (signals[i] == number)
            sigaction(number, &before[i], NULL);
}

static void install(void)
{
    struct sigaction action = {.sa_handler = on_fault};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &action, &before[i]);
}

void guard_install(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
}
