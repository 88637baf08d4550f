/* ctl/edit_begin.c: begin to change the table: wait for another process that changes it, and say what is in the way */
#include "ctl/ctl.h"

#include <signal.h>
#include <unistd.h>

/* A reader that goes on for so many changes is slower than any that looks up or walks. */
#define SLOW 100

static void warn_of_slow_reader(struct table *table)
{
    pid_t process;
    size_t behind = table_oldest_reader(table, &process);
    if (behind >= SLOW && behind % SLOW == 0) /* each hundredth change says so once */
        ctl_warn("process %ld has been reading the table for %zu changes: the file grows with "
                 "each change until it ends",
                 (long)process, behind);
}

static void on_alarm(int number)
{
    static const char text[] =
        "movedctl: waiting for another process to finish changing the table\n";
    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
}

/* LMDB's lock does not tell that another process has it: who waits for a second on a terminal is told. */
struct table_edit *ctl_edit_begin(const struct ctl *ctl, struct error *err)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    warn_of_slow_reader(ctl->table);
    if (isatty(STDERR_FILENO)) {
        sigaction(SIGALRM, &action, NULL);
        alarm(1);
    }
    struct table_edit *edit = table_edit_begin(ctl->table, err);
    alarm(0);
    return edit;
}
