/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/unit.h: milter-moved as units of systemd. milter-moved.socket holds its sockets, so a change of their paths is a
 * drop-in of that unit beside the change of our configuration. systemd.socket(5), systemctl(1).
 * The units run with the installed configuration: with settings of another one they are left alone. */
#ifndef MTA_UNIT_H
#define MTA_UNIT_H

#include "answer/settings.h"
#include "mta/files.h"

#include <stdbool.h>
#include <sys/types.h>

/* Plans the drop-in with which milter-moved.socket listens on both sockets, "unix:PATH" or "inet:PORT@HOST", and makes
 * the folder, which the user of the settings and the group own, before it does. Without that unit it plans nothing.
 * Returns 0, or -1 with err. */
int unit_plan_sockets(struct file_changes *changes, const char *const sockets[2],
                      const char *folder, const char *group, const struct settings *settings,
                      struct error *err);

/* Plans that there is no drop-in. Returns 0, or -1 with err. */
int unit_forget_sockets(struct file_changes *changes, const struct settings *settings,
                        struct error *err);

/* Which of our units systemd runs: the daemon alone, or also the unit that holds its sockets. */
enum unit_runs { UNIT_NONE, UNIT_SERVICE, UNIT_SERVICE_AND_SOCKETS };
enum unit_runs unit_runs(const struct settings *settings);

/* Restarts these units; where the sockets are among them systemd reads the drop-in. Returns 0, or -1 with err. */
int unit_restart(enum unit_runs runs, struct error *err);

/* Whether milter-moved.socket holds our sockets: then only a restart of that unit makes them again, in the group of their
 * folder. */
#define UNIT_REGROUP "systemctl restart milter-moved.socket gives it the group of its folder"
bool unit_holds_sockets(void);

/* The process of the milter-moved that listens on one of the sockets of the settings; 0 if it cannot be determined, as on a
 * TCP socket. */
pid_t unit_find_daemon(const struct settings *settings);

/* Writes into out[UNIT_COMMAND_SIZE] the command that starts the daemon, restarts it, or makes it read its configuration again,
 * with systemd or without: one line. If the process is not known it is a sentence, which begins with a capital letter.
 * Returns out. */
#define UNIT_COMMAND_SIZE 768
enum unit_action { UNIT_START, UNIT_RESTART, UNIT_RELOAD };
const char *unit_command(char *out, enum unit_action action, const struct settings *settings);

/* Whether systemd can run movedctl follow, as this unit. */
#define UNIT_FOLLOW "milter-moved-follow"
bool unit_can_follow(const struct settings *settings);

/* Has the daemon read its configuration again. Returns false if it does not run as a unit. */
bool unit_reload(const struct settings *settings);

#endif
