/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/interrupt.h"

#include "ctl/ctl.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
#define SIGNALS (sizeof signals / sizeof *signals)

static char message[200];
static void (*undoes)(void);

/* Further signals stay blocked, so the message is printed once. */
static void on_signal(int number)
{
    sigset_t own;
    if (undoes != NULL)
        undoes();
    (void)!write(STDERR_FILENO, message, strlen(message));
    signal(number, SIG_DFL); /* so that a shell sees how it ended */
    raise(number);
    sigemptyset(&own);
    sigaddset(&own, number);
    sigprocmask(SIG_UNBLOCK, &own, NULL); /* and here it ends */
}

static void handle(void (*handler)(int))
{
    struct sigaction old, action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaddset(&action.sa_mask, signals[i]);
    for (size_t i = 0; i < SIGNALS; i++)
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

void interrupt_says(const char *what, void (*undo)(void))
{
    /* The progress bar may be shown. */
    const char *wipe = isatty(STDERR_FILENO) && !print_is_dumb() ? "\r\033[K" : "";
    snprintf(message, sizeof message, "%smovedctl: interrupted: %s\n", wipe, what);
    undoes = undo;
    handle(on_signal);
}

void interrupt_ignore(void)
{
    handle(SIG_IGN);
}
