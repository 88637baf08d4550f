/* ctl/edit.c: begin to change the table: wait for another who changes it, but not for ever, and say what is in the way */
#include "ctl/ctl.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A person who waits less is told nothing; and over what an import of ten million entries takes nobody waits. */
#define QUIET_S   1
#define LONGEST_S 300

/* A reader that goes on for so many changes is slower than any that looks up or walks. */
#define SLOW 100

static volatile sig_atomic_t told; /* that we wait, or nobody there to be told */

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written; /* nobody is left to be told */
}

/* LMDB's lock has no time limit. Nothing is begun while we wait for it, and so nothing left behind. */
static void on_alarm(int number)
{
    (void)number;
    if (told) {
        say("movedctl: another process has been changing the table for too long: try again, or see "
            "with fuser(1) who has its lock.mdb open\n");
        _exit(EX_TEMPFAIL);
    }
    told = 1;
    say("movedctl: waiting for another change of the table to end\n");
    alarm(LONGEST_S);
}

static void warn_of_slow_reader(struct table *table)
{
    pid_t process;
    size_t behind = table_oldest_reader(table, &process);
    if (behind >= SLOW && behind % SLOW == 0) /* each hundredth change says so once */
        ctl_warn("process %ld has been reading the table for %zu changes: until it ends the file "
                 "grows with each",
                 (long)process, behind);
}

struct table_edit *ctl_edit_begin(const struct ctl *ctl, struct error *err)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART}, old;
    warn_of_slow_reader(ctl->table); /* who reads that may take his time: nobody else waits yet */
    told = !isatty(STDERR_FILENO);
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, &old);
    alarm(told ? LONGEST_S : QUIET_S);
    struct table_edit *edit = table_edit_begin(ctl->table, err);
    alarm(0);
    sigaction(SIGALRM, &old, NULL);
    return edit;
}
