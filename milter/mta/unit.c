/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/unit.h"

#include "base/endpoint.h"
#include "mta/process.h"
#include "net/probe.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVICE      "milter-moved"
#define SOCKETS      SERVICE ".socket"
#define DROP_IN_PATH "/etc/systemd/system/" SOCKETS ".d/sockets.conf"

/* The units run with the installed configuration: the daemon of another one is not theirs, nor are its sockets. */
static bool is_of_units(const struct settings *settings)
{
    struct stat file, installed;
    return settings->file == NULL ||
           (stat(settings->file, &file) == 0 && stat(MILTER_MOVED_CONF, &installed) == 0 &&
            file.st_dev == installed.st_dev && file.st_ino == installed.st_ino);
}

/* Where it is only installed systemctl does nothing and exits 0: sd_booted(3). */
static bool has_systemd(void)
{
    return access("/run/systemd/system", F_OK) == 0;
}

/* systemd.unit(5): where a package, or an administrator, puts units. No running systemd is asked: in an image there is
 * none. */
static bool has_unit(const char *name)
{
    static const char *const folders[] = {"/etc", "/usr/local/lib", "/usr/lib", "/lib"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/systemd/system/%s", folders[i], name);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

int unit_plan_sockets(struct file_changes *changes, const char *const sockets[2],
                      const char *folder, const char *group, const struct settings *settings,
                      struct error *err)
{
    char listeners[2][ENDPOINT_TEXT_SIZE], *text;
    if (!is_of_units(settings) || !has_unit(SOCKETS))
        return 0;
    for (int i = 0; i < 2; i++) {
        struct endpoint endpoint;
        if (endpoint_parse(&endpoint, sockets[i], err) != 0)
            return -1;
        if (endpoint.kind == ENDPOINT_UNIX)
            snprintf(listeners[i], sizeof listeners[i], "%s", endpoint.name);
        else
            endpoint_format_host(listeners[i], sizeof listeners[i], &endpoint);
    }
    if (asprintf(&text,
                 "# By movedctl attach: where the mail server finds the sockets.\n"
                 "[Socket]\n"
                 "ExecStartPre=/usr/bin/install -d -o %s -g %s -m 2755 %s\n"
                 "ListenStream=\nListenStream=%s\nListenStream=%s\n",
                 settings->user, group, folder, listeners[0], listeners[1]) < 0)
        return error_no_memory(err);
    int rc = file_changes_add(changes, DROP_IN_PATH, text, err);
    free(text);
    return rc;
}

int unit_forget_sockets(struct file_changes *changes, const struct settings *settings,
                        struct error *err)
{
    return !is_of_units(settings) || access(DROP_IN_PATH, F_OK) != 0
               ? 0
               : file_changes_add(changes, DROP_IN_PATH, NULL, err);
}

/* Runs systemctl(1) with these words. Gives 0, or -1 with err, which may be NULL. */
#define SYSTEMCTL(err, ...)                                                                        \
    process_check((const char *const[]){"systemctl", __VA_ARGS__, NULL}, err)

bool unit_holds_sockets(void)
{
    return has_systemd() && SYSTEMCTL(NULL, "is-active", "--quiet", SOCKETS) == 0;
}

enum unit_runs unit_runs(const struct settings *settings)
{
    if (!is_of_units(settings) || !has_systemd() ||
        SYSTEMCTL(NULL, "is-active", "--quiet", SERVICE, SOCKETS) != 0)
        return UNIT_NONE;
    return unit_holds_sockets() ? UNIT_SERVICE_AND_SOCKETS : UNIT_SERVICE;
}

int unit_restart(enum unit_runs runs, struct error *err)
{
    if (runs != UNIT_SERVICE_AND_SOCKETS)
        return runs == UNIT_NONE ? 0 : SYSTEMCTL(err, "restart", SERVICE);
    /* systemd removes the sockets of the unit as it was loaded, and the service along with them (PartOf=). */
    if (SYSTEMCTL(err, "stop", SOCKETS) != 0 || SYSTEMCTL(err, "daemon-reload") != 0)
        return -1;
    return SYSTEMCTL(err, "start", SERVICE);
}

bool unit_reload(const struct settings *settings)
{
    return is_of_units(settings) && has_systemd() && SYSTEMCTL(NULL, "reload", SERVICE) == 0;
}

/* ---- for an administrator */

bool unit_can_follow(const struct settings *settings)
{
    return is_of_units(settings) && has_systemd() && has_unit(UNIT_FOLLOW ".service");
}

/* Makes systemd read where attach has moved the sockets. */
#define LOAD_AND_RESTART "systemctl daemon-reload; systemctl restart " SOCKETS " " SERVICE
/* systemd gives up after some failed starts, and then starts nothing before this. */
#define START_AGAIN                                                                                \
    "systemctl reset-failed " SOCKETS " " SERVICE "; systemctl restart " SOCKETS " " SERVICE

static const char *name_unit_command(enum unit_action action)
{
    switch (action) {
    case UNIT_START: break;
    case UNIT_RESTART:
        return has_unit(SOCKETS) && !unit_holds_sockets() ? LOAD_AND_RESTART
                                                          : "systemctl restart " SERVICE;
    case UNIT_RELOAD: return "systemctl reload " SERVICE;
    }
    return has_unit(SOCKETS) && SYSTEMCTL(NULL, "is-failed", "--quiet", SERVICE, SOCKETS) == 0
               ? START_AGAIN
               : "systemctl start " SERVICE;
}

/* Another program may listen where our socket should be: it must not get a signal. */
pid_t unit_find_daemon(const struct settings *settings)
{
    pid_t pid = probe_listener(settings->lookup_socket);
    if (!process_is(pid, SERVICE))
        pid = probe_listener(settings->socket);
    return process_is(pid, SERVICE) ? pid : 0;
}

const char *unit_command(char *out, enum unit_action action, const struct settings *settings)
{
    char process[256], start[256];
    const char *file = settings->file == NULL ? MILTER_MOVED_CONF : settings->file;
    const char *pid_file = settings->pid_file;
    bool is_usual = strcmp(file, MILTER_MOVED_CONF) == 0;
    if (is_of_units(settings) && has_systemd() && has_unit(SERVICE ".service")) {
        snprintf(out, UNIT_COMMAND_SIZE, "%s", name_unit_command(action));
        return out;
    }
    pid_t pid = *pid_file == '\0' && action != UNIT_START ? unit_find_daemon(settings) : 0;
    if (*pid_file == '\0')
        snprintf(process, sizeof process, "%d", (int)pid);
    else
        snprintf(process, sizeof process, "$(cat %.200s)", pid_file);
    snprintf(start, sizeof start, SERVICE "%s%.200s", is_usual ? "" : " -c ", is_usual ? "" : file);
    if (action == UNIT_START)
        snprintf(out, UNIT_COMMAND_SIZE, "%s", start);
    else if (*pid_file == '\0' && pid == 0)
        snprintf(out, UNIT_COMMAND_SIZE, "%s the milter-moved that was started with %s.",
                 action == UNIT_RESTART ? "Restart" : "Send SIGHUP to", file);
    else if (action == UNIT_RELOAD)
        snprintf(out, UNIT_COMMAND_SIZE, "kill -HUP %s", process);
    else if (*pid_file != '\0') /* flock(1) waits until the old daemon has ended */
        snprintf(out, UNIT_COMMAND_SIZE, "kill %s && flock %.200s true && %s", process, pid_file,
                 start);
    else
        snprintf(out, UNIT_COMMAND_SIZE,
                 "kill %.20s && while kill -0 %.20s 2>/dev/null; do sleep 1; done; %s", process,
                 process, start);
    return out;
}
