/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/interrupt.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
#define SIGNALS (sizeof signals / sizeof *signals)

static const char *said;
static void (*undoes)(void);

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; /* nobody is left to be told */
}

/* Further signals stay blocked, so the message is printed once. */
static void on_signal(int number)
{
    sigset_t own;
    if (undoes != NULL)
        undoes();
    if (isatty(STDERR_FILENO))
        say("\r\033[K"); /* where a progress bar stands */
    say("movedctl: interrupted: ");
    say(said);
    say("\n");
    signal(number, SIG_DFL); /* so that a shell sees how it ended */
    raise(number);
    sigemptyset(&own);
    sigaddset(&own, number);
    sigprocmask(SIG_UNBLOCK, &own, NULL); /* and here it ends */
}

/* Leaves alone the signals that were ignored when the program started. */
static void handle(void (*handler)(int))
{
    static bool known, ignored[SIGNALS];
    struct sigaction first, action = {.sa_handler = handler, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaddset(&action.sa_mask, signals[i]);
        if (!known)
            ignored[i] = sigaction(signals[i], NULL, &first) == 0 && first.sa_handler == SIG_IGN;
    }
    known = true;
    for (size_t i = 0; i < SIGNALS; i++)
        if (!ignored[i])
            sigaction(signals[i], &action, NULL);
}

void interrupt_says(const char *what, void (*undo)(void))
{
    said = what;
    undoes = undo;
    handle(on_signal);
}

void interrupt_ignore(void)
{
    handle(SIG_IGN);
}
