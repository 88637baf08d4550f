/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/signals.h"

#include "daemon/hits_queue.h"
#include "daemon/logger.h"
#include "daemon/open_sessions.h"
#include "daemon/service.h"
#include "daemon/socket.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

void signals_block(void)
{
    static const int without_effect[] = {SIGPIPE, SIGUSR1, SIGUSR2, SIGXFSZ};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (size_t i = 0; i < sizeof without_effect / sizeof *without_effect; i++)
        signal(without_effect[i], SIG_IGN);
}

static void tell_systemd(const char *state)
{
#ifdef HAVE_SYSTEMD
    sd_notify(0, state);
#else
    (void)state;
#endif
}

static void reload(void)
{
    struct error err;
    char state[64];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    tell_systemd(state);
    if (service_reload(&err) == 0)
        log_line(LOG_NOTICE, "configuration read again and in force");
    else
        log_line(LOG_ERR, "configuration not taken up, the old one stays in force: %s", err.text);
    tell_systemd("READY=1");
}

/* smfi_stop() cuts sessions off, and its own way out can take 5 s more: with nothing left to
 * serve the process can end. */
static void drain_and_exit(void)
{
    int left_ms = DRAIN_SECONDS * 1000;
    tell_systemd("STOPPING=1");
    log_line(LOG_NOTICE, "stopping: no new sessions, %d s for those that are open", DRAIN_SECONDS);
    socket_remove_milter();
    (void)poll(NULL, 0, 100); /* libmilter accepts what waits at the socket */
    socket_stop_accepting();
    (void)poll(NULL, 0, 100); /* the last session is counted */
    for (; open_sessions_count() > 0 && left_ms > 0; left_ms -= 20)
        (void)poll(NULL, 0, 20);
    unsigned left = open_sessions_count();
    if (left > 0)
        log_line(LOG_WARNING, "%u sessions still open after %d s: cut off", left, DRAIN_SECONDS);
    socket_remove();
    hits_queue_stop();
    log_line(LOG_NOTICE, "stopped");
    log_stop();
    /* Other threads still run: what exit(3) frees they may be using, and one that a slow log holds up has the lock of
     * the stream that exit(3) would flush. */
    _Exit(EX_OK);
}

int sigwait(const sigset_t *set, int *signal_number)
{
    for (;;) {
        *signal_number = sigwaitinfo(set, NULL);
        if (*signal_number == SIGHUP)
            reload();
        else if (*signal_number == SIGTERM || *signal_number == SIGINT)
            drain_and_exit();
    }
}
