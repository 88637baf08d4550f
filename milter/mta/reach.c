/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/reach.h"

#include "mta/unit.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT_TRY 255 /* exit status of the child; the path of a socket is shorter (unix(7)) */

/* The length of the first part of the path that stops this process, "/run", "/run/milter-moved", or all of it; 0 if none
 * does. */
static size_t find_obstacle(const char *path)
{
    char part[CANNOT_TRY];
    for (size_t length = 1;; length++) {
        length += strcspn(path + length, "/");
        snprintf(part, sizeof part, "%.*s", (int)length, path);
        if (access(part, path[length] == '\0' ? W_OK : X_OK) != 0)
            return length;
        if (path[length] == '\0')
            return 0;
    }
}

/* Postfix and Sendmail give their processes the account's supplementary groups too. */
static int try_as(const char *path, const struct passwd *user)
{
    int how;
    pid_t child = fork();
    if (child < 0)
        return CANNOT_TRY;
    if (child == 0) {
        bool other = setgid(user->pw_gid) == 0 && initgroups(user->pw_name, user->pw_gid) == 0 &&
                     setuid(user->pw_uid) == 0;
        _exit(other ? (int)find_obstacle(path) : CANNOT_TRY);
    }
    while (waitpid(child, &how, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(how) ? WEXITSTATUS(how) : CANNOT_TRY;
}

int reach_check(const char *path, const char *user, struct error *err)
{
    char part[CANNOT_TRY];
    const struct passwd *account = getpwnam(user);
    if (account == NULL || geteuid() != 0 || strlen(path) >= sizeof part)
        return 0;
    int length = try_as(path, account);
    if (length == 0 || length == CANNOT_TRY)
        return 0;
    snprintf(part, sizeof part, "%.*s", length, path);
    if (access(part, F_OK) != 0)
        return error_set(err, EX_NOINPUT, "%s: %s: is milter-moved running?", part,
                         strerror(ENOENT));
    if (path[length] != '\0')
        return error_set(err, EX_NOPERM, "%s: %s may not pass through it: chmod o+x %s", part, user,
                         part);
    if (unit_holds_sockets())
        return error_set(err, EX_NOPERM, "%s: %s may not write to it: " UNIT_REGROUP, part, user);
    const struct group *group = getgrgid(account->pw_gid);
    return error_set(
        err, EX_NOPERM,
        "%s: %s may not write to it: socket_group = \"%s\"; socket_mode = \"0660\"; in "
        "milter-moved.conf, and restart milter-moved",
        part, user, group == NULL ? user : group->gr_name);
}
