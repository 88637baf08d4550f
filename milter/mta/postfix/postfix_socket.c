/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/postfix/postfix_socket.h"

#include "base/endpoint.h"
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

const char *postfix_queue_path(const struct postfix *postfix, const char *path)
{
    size_t length = strlen(postfix->queue);
    return strncmp(path, postfix->queue, length) == 0 && path[length] == '/' ? path + length + 1
                                                                             : NULL;
}

bool postfix_is_out_of_chroot(const struct postfix *postfix, const char *socket)
{
    const char *path = endpoint_path(socket);
    return path != NULL && postfix_queue_path(postfix, path) == NULL;
}

int postfix_name_milter(char *out, const struct postfix *postfix, const char *socket,
                        struct error *err)
{
    struct endpoint endpoint;
    const char *path = endpoint_path(socket);
    const char *relative = path == NULL ? NULL : postfix_queue_path(postfix, path);
    if (endpoint_parse(&endpoint, socket, err) != 0)
        return -1;
    if (relative != NULL)
        snprintf(endpoint.name, sizeof endpoint.name, "%s", relative);
    endpoint_format_postfix(out, ENDPOINT_TEXT_SIZE, &endpoint);
    return 0;
}

int postfix_check_socket(const struct postfix *postfix, const char *socket, struct error *err)
{
    const char *path = endpoint_path(socket);
    if (path == NULL)
        return 0;
    char *owner = postfix_value(postfix->dir, "mail_owner", true, err);
    int rc = owner == NULL ? -1 : reach_check(path, owner, err);
    free(owner);
    return rc;
}

/* ---- moving it */

struct moving {
    const struct settings *settings;
    const struct postfix *postfix;
};

/* Makes the folder, with the daemon's user as its owner. The setgid bit gives a socket the folder's group: a
 * daemon that does not start as root cannot set it. What is in the queue folder may belong to somebody else:
 * no link is followed. */
static int make_folder(void *data, struct error *err)
{
    const struct moving *moving = data;
    const struct settings *settings = moving->settings;
    const struct postfix *postfix = moving->postfix;
    const struct passwd *user = getpwnam(settings->user);
    const struct group *group =
        getgrnam(*settings->socket_group == '\0' ? "postfix" : settings->socket_group);
    int queue = open(postfix->queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC), folder = -1;
    int rc = queue < 0 ? -1 : mkdirat(queue, FOLDER, 0755);
    if (rc == 0 || (queue >= 0 && errno == EEXIST))
        folder = openat(queue, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    rc = folder < 0 ? -1 : 0;
    if (rc == 0 && user != NULL)
        rc = fchown(folder, user->pw_uid, group == NULL ? user->pw_gid : group->gr_gid);
    if (rc == 0)
        rc =
            fchmod(folder, group == NULL ? 0755 : 02755); /* after fchown, which may clear setgid */
    if (rc != 0)
        error_set(err, EX_CANTCREAT, "%s/" FOLDER ": %s", postfix->queue, strerror(errno));
    if (folder >= 0)
        close(folder);
    if (queue >= 0)
        close(queue);
    return rc;
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

/* Plans that a socket of ours, if it lies elsewhere, has this name in the folder; *socket becomes where it then is. */
static int move(char *socket, const char *key, const char *name, const struct mta_request *request,
                const struct postfix *postfix, struct file_changes *changes, struct error *err)
{
    if (!postfix_is_out_of_chroot(postfix, socket))
        return 0;
    snprintf(socket, ENDPOINT_TEXT_SIZE, "unix:%s/" FOLDER "/%s", postfix->queue, name);
    return attachment_set_key(request, changes, "postfix", key, socket, err);
}

/* systemd holds the sockets where its unit says, whatever our configuration does. */
static int plan_unit(const char *milter, const char *lookups, const struct settings *settings,
                     const struct postfix *postfix, struct file_changes *changes, struct error *err)
{
    const char *const sockets[] = {milter, lookups};
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/" FOLDER, postfix->queue);
    return unit_plan_sockets(changes, sockets, folder,
                             *settings->socket_group == '\0' ? "postfix" : settings->socket_group,
                             settings, err);
}

int postfix_move_sockets(char *milter, char *lookups, const struct mta_request *request,
                         const struct postfix *postfix, const char *service, struct error *err)
{
    char command[UNIT_COMMAND_SIZE];
    struct file_changes changes = {.count = 0};
    struct moving moving = {request->settings, postfix};
    const struct aftermath aftermath = {
        .first = make_folder, .data = &moving, .reloads = unit_restarts(request->settings)};

    request->say("Step 1 of 2: %s is confined to %s (chroot in master.cf): the sockets of "
                 "milter-moved move there.\n\n",
                 service, postfix->queue);
    int rc = move(milter, "socket", "milter.sock", request, postfix, &changes, err);
    if (rc == 0)
        rc = move(lookups, "lookup_socket", "lookup.sock", request, postfix, &changes, err);
    if (rc == 0)
        rc = plan_unit(milter, lookups, request->settings, postfix, &changes, err);
    if (rc == 0)
        rc = attachment_carry_out(request, &changes, &aftermath, "", "", err);
    file_changes_free(&changes);
    if (rc == 0 && !request->dry_run && aftermath.reloads == NULL)
        rc = error_set(
            err, EX_TEMPFAIL,
            "milter-moved has to be restarted; then run this command again for step 2: %s",
            unit_command(command, UNIT_RESTART, request->settings));
    else if (rc == 0 && !request->dry_run)
        rc = check_moved(milter, err) == 0 ? check_moved(lookups, err) : -1;
    if (rc == 0)
        request->say("\nStep 2 of 2: Postfix.\n\n");
    return rc;
}

void postfix_leave_folder(const struct mta_request *request, const struct postfix *postfix,
                          bool in_use)
{
    bool restarted = in_use && unit_restart(request->settings);
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
