/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/reach.h"

#include "mta/unit.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The exit status of the child: 0, the number of the part of the path that stopped it, from 1, or this. */
#define CANNOT_TRY 255

/* The part of the path with this number: "/run", "/run/milter-moved", the whole path. Returns whether it is
 * the whole. */
static bool part_of(char *out, size_t size, const char *path, int number)
{
    const char *end = path;
    while (number-- > 0 && *end != '\0')
        end += 1 + strcspn(end + 1, "/");
    snprintf(out, size, "%.*s", (int)(end - path), path);
    return *end == '\0';
}

/* The number of the part of the path that stops this process; 0 for none. */
static int find_obstacle(const char *path)
{
    char part[PATH_MAX];
    bool whole = false;
    for (int number = 1; !whole && number < CANNOT_TRY; number++) {
        whole = part_of(part, sizeof part, path, number);
        if (access(part, whole ? W_OK : X_OK) != 0)
            return number;
    }
    return 0;
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
        _exit(other ? find_obstacle(path) : CANNOT_TRY);
    }
    while (waitpid(child, &how, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(how) ? WEXITSTATUS(how) : CANNOT_TRY;
}

int reach_check(const char *path, const char *user, struct error *err)
{
    char part[PATH_MAX];
    const struct passwd *account = getpwnam(user);
    int number = account == NULL || geteuid() != 0 ? CANNOT_TRY : try_as(path, account);
    if (number == 0 || number == CANNOT_TRY)
        return 0;
    bool whole = part_of(part, sizeof part, path, number);
    if (access(part, F_OK) != 0)
        return error_set(err, EX_NOINPUT, "%s: %s: is milter-moved running?", part,
                         strerror(ENOENT));
    if (!whole)
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
