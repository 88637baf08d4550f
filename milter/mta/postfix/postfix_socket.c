/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/postfix/postfix_socket.h"

#include "mta/attachment.h"
#include "mta/reach.h"
#include "mta/unit.h"
#include "net/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "milter-moved" /* in the queue folder */

const char *postfix_see_path(const struct postfix *postfix, const char *path)
{
    size_t length = strlen(postfix->queue);
    return strncmp(path, postfix->queue, length) == 0 && path[length] == '/' ? path + length + 1
                                                                             : path;
}

bool postfix_is_out_of_chroot(const struct postfix *postfix, const char *socket)
{
    const char *path = endpoint_path(socket);
    return path != NULL && postfix_see_path(postfix, path) == path;
}

void postfix_name_milter(char *out, const struct postfix *postfix, const struct endpoint *socket)
{
    struct endpoint seen = *socket;
    if (seen.kind == ENDPOINT_UNIX)
        snprintf(seen.name, sizeof seen.name, "%s", postfix_see_path(postfix, socket->name));
    endpoint_format_postfix(out, ENDPOINT_TEXT_SIZE, &seen);
}

bool postfix_leads_to(const struct postfix *postfix, const char *address,
                      const struct endpoint *socket, bool chroot)
{
    char path[PATH_MAX];
    struct endpoint endpoint;
    struct stat theirs, ours;
    if (!endpoint_parse_postfix(&endpoint, address))
        return false;
    if (endpoint.kind != ENDPOINT_UNIX || socket->kind != ENDPOINT_UNIX)
        return endpoint_is_same(&endpoint, socket);
    bool below = *endpoint.name != '/' || chroot;
    snprintf(path, sizeof path, "%s/%s", below ? postfix->queue : "",
             endpoint.name + (*endpoint.name == '/'));
    return strcmp(path, socket->name) == 0 ||
           (stat(path, &theirs) == 0 && stat(socket->name, &ours) == 0 &&
            theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino);
}

bool postfix_names(const struct postfix *postfix, const char *text, const struct endpoint *socket)
{
    static const char ends[] = "{}=, \t\r\n";
    char word[ENDPOINT_TEXT_SIZE];
    for (size_t length; *(text += strspn(text, ends)) != '\0'; text += length) {
        length = strcspn(text, ends);
        snprintf(word, sizeof word, "%.*s", (int)length, text);
        if (postfix_leads_to(postfix, word, socket, false) ||
            postfix_leads_to(postfix, word, socket, true))
            return true;
    }
    return false;
}

int postfix_check_socket(const struct postfix *postfix, const char *socket, struct error *err)
{
    const char *path = endpoint_path(socket);
    return path == NULL ? 0
                        : reach_check(path, postconf_find(&postfix->main, "mail_owner", ""), err);
}

/* ---- moving it */

/* The move of the sockets into the folder. */
struct moving {
    const struct settings *settings;
    const struct postfix *postfix;
    const char *group;   /* of the folder and the sockets */
    enum unit_runs runs; /* before it */
};

/* Makes the folder, with the daemon's user as its owner. The setgid bit gives a socket the folder's group: a
 * daemon that does not start as root cannot set it. What is in the queue folder may belong to somebody else:
 * no link is followed. */
static int make_folder(const struct moving *moving, struct error *err)
{
    const char *queue = moving->postfix->queue;
    const struct passwd *user = getpwnam(moving->settings->user);
    const struct group *group = getgrnam(moving->group);
    int above = open(queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC), folder = -1, rc = -1;
    if (above >= 0 && (mkdirat(above, FOLDER, 0755) == 0 || errno == EEXIST))
        folder = openat(above, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0 && (user == NULL || fchown(folder, user->pw_uid,
                                               group == NULL ? user->pw_gid : group->gr_gid) == 0))
        rc = fchmod(folder, group == NULL ? 0755 : 02755); /* fchown may clear setgid */
    if (rc != 0)
        error_set(err, EX_CANTCREAT, "%s/" FOLDER ": %s", queue, strerror(errno));
    if (folder >= 0)
        close(folder);
    if (above >= 0)
        close(above);
    return rc;
}

static int activate(void *data, bool taken_back, struct error *err)
{
    const struct moving *moving = data;
    return taken_back || make_folder(moving, err) == 0 ? unit_restart(moving->runs, err) : -1;
}

/* A socket that systemd holds is not where our configuration puts it. */
static int check_moved(const char *socket, struct error *err)
{
    int fd = probe_connect(socket, err);
    if (fd >= 0)
        return close(fd);
    return error_set(
        err, EX_UNAVAILABLE,
        "milter-moved was restarted and does not answer on %s: if its unit sets ListenStream, set "
        "that too (systemctl edit milter-moved.socket), and run this again",
        socket);
}

/* Plans that both sockets lie in the folder, for systemd too: it holds them where its unit says, whatever our configuration
 * does. */
static int plan_move(struct attachment *a, const struct moving *moving, char *milter, char *lookups,
                     struct error *err)
{
    char folder[PATH_MAX];
    const char *queue = moving->postfix->queue;
    const char *const sockets[] = {milter, lookups};
    bool moves_milter = postfix_is_out_of_chroot(moving->postfix, milter);
    bool moves_lookups = postfix_is_out_of_chroot(moving->postfix, lookups);
    snprintf(folder, sizeof folder, "%s/" FOLDER, queue);
    if (moves_milter)
        snprintf(milter, ENDPOINT_TEXT_SIZE, "unix:%s/" FOLDER "/milter.sock", queue);
    if (moves_lookups)
        snprintf(lookups, ENDPOINT_TEXT_SIZE, "unix:%s/" FOLDER "/lookup.sock", queue);
    if (attachment_share(a, moves_milter ? milter : NULL, moves_lookups ? lookups : NULL, err) != 0)
        return -1;
    return unit_plan_sockets(&a->changes, sockets, folder, moving->group, moving->settings, err);
}

int postfix_move_sockets(char *milter, char *lookups, const struct mta_request *request,
                         const struct postfix *postfix, const char *service, struct error *err)
{
    char command[UNIT_COMMAND_SIZE];
    const struct settings *settings = request->settings;
    struct attachment a = {.request = request, .server = postfix->instance, .is_step = true};
    struct moving moving = {
        .settings = settings,
        .postfix = postfix,
        .group = *settings->socket_group == '\0' ? "postfix" : settings->socket_group,
        .runs = unit_runs(settings),
    };

    request->say("Step 1 of 2: %s is confined to %s (chroot in master.cf): the sockets of "
                 "milter-moved move there.\n\n",
                 service, postfix->queue);
    int rc = plan_move(&a, &moving, milter, lookups, err);
    if (rc == 0)
        rc = attachment_carry_out(&a, activate, &moving, err);
    file_changes_free(&a.changes);
    if (rc == 0 && !request->dry_run && moving.runs == UNIT_NONE)
        rc = error_set(
            err, EX_TEMPFAIL,
            "milter-moved has to be restarted; then run this command again for step 2: %s",
            unit_command(command, UNIT_RESTART, settings));
    else if (rc == 0 && !request->dry_run)
        rc = check_moved(milter, err) == 0 ? check_moved(lookups, err) : -1;
    if (rc == 0)
        request->say("\nStep 2 of 2: Postfix.\n\n");
    return rc;
}

void postfix_leave_folder(const struct mta_request *request, const struct postfix *postfix,
                          bool in_use)
{
    struct error err;
    enum unit_runs runs = in_use ? unit_runs(request->settings) : UNIT_NONE;
    bool restarted = runs != UNIT_NONE && unit_restart(runs, &err) == 0;
    int queue = open(postfix->queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = queue < 0 ? -1 : unlinkat(queue, FOLDER, AT_REMOVEDIR);
    if (rc == 0)
        request->say("removed: %s/" FOLDER "\n", postfix->queue);
    else if (errno != ENOENT)
        request->say("left: %s/" FOLDER " (%s): %sremove it\n", postfix->queue, strerror(errno),
                     restarted ? "" : "restart or stop milter-moved, then ");
    if (queue >= 0)
        close(queue);
}
