/* ctl/edit.c: begin to change the table, and say so to a person who has to wait for another who changes it */
#include "ctl/ctl.h"

#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define QUIET_S 1 /* who waits less is told nothing */

static void on_alarm(int number)
{
    static const char text[] = "movedctl: waiting for another change of the table to end\n";
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)number;
    (void)written; /* nobody is left to be told */
}

static void set_alarm(long seconds)
{
    const struct itimerval timer = {.it_value = {.tv_sec = seconds}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

struct table_edit *ctl_edit_begin(const struct ctl *ctl, struct error *err)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART}, old;
    if (!isatty(STDERR_FILENO))
        return table_edit_begin(ctl->table, err);
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, &old);
    set_alarm(QUIET_S);
    struct table_edit *edit = table_edit_begin(ctl->table, err);
    set_alarm(0);
    sigaction(SIGALRM, &old, NULL);
    return edit;
}
