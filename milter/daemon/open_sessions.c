/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/open_sessions.h"

#include "daemon/logger.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

/* libmilter gives a thread to a connection from the first octet of a packet to the last, and needs few of them
 * otherwise. systemd lets a service have some thousands (TasksMax). */
#define THREADS_MANY  500
#define QUIET_SECONDS 60

static atomic_ulong total; /* since the start */
static atomic_uint open_now;

void open_sessions_add(void)
{
    total++;
    open_now++;
}

void open_sessions_remove(void)
{
    open_now--;
}

unsigned long open_sessions_total(void)
{
    return total;
}

unsigned open_sessions_count(void)
{
    return open_now;
}

/* ---- what connections use up */

/* The names in a folder of /proc; UINT_MAX where not even a descriptor to read it with is left. */
static unsigned count_names(const char *folder)
{
    unsigned count = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return errno == EMFILE ? UINT_MAX : 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

void open_sessions_watch(void)
{
    static time_t descriptors_said, threads_said;
    const time_t now = time(NULL);
    const unsigned descriptors = count_names("/proc/self/fd");
    const unsigned threads = count_names("/proc/self/task");
    struct rlimit limit;

    /* With no descriptor left libmilter's listener spins without a word: the line has to come earlier. */
    if (now - descriptors_said >= QUIET_SECONDS && getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        descriptors >= limit.rlim_cur / 10 * 8) {
        descriptors_said = now;
        log_line(LOG_WARNING,
                 "80 %% or more of the %lu descriptors are open, for %u milter sessions: raise "
                 "LimitNOFILE, or see who connects and says nothing (ss -xp, ss -tp)",
                 (unsigned long)limit.rlim_cur, open_sessions_count());
    }
    if (now - threads_said >= QUIET_SECONDS && threads >= THREADS_MANY) {
        threads_said = now;
        log_line(LOG_WARNING,
                 "%u threads run, for %u milter sessions: a connection that sends half a packet "
                 "holds one: see who connects (ss -xp, ss -tp)",
                 threads, open_sessions_count());
    }
}
