#include "table/guard.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

static _Thread_local struct guard *innermost;

void guard_push(struct guard *guard)
{
    guard->outer = innermost;
    innermost = guard;
}

void guard_pop(struct guard *guard)
{
    innermost = guard->outer;
}

/* SIGBUS of a missing page comes to the thread that touched it, in the middle of that access:
 * jumping out is as safe as the code that is left. */
static void on_fault(int number)
{
    struct guard *guard = innermost;
    if (guard == NULL) {
        signal(number, SIG_DFL); /* not ours: the access is made again, and ends the process */
        return;
    }
    siglongjmp(guard->place, 1);
}

static void install(void)
{
    /* SA_NODEFER: the handler is left by a jump, which does not unblock the signal again. */
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

void guard_install(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
}
