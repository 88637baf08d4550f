/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "daemon/handed_over.h"

#include "base/endpoint.h"
#include "daemon/logger.h"

#ifdef HAVE_SYSTEMD
#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* A path or address with its port. */
#define NAME_SIZE 300

/* Returns whether it is a unix socket with a path. */
static bool name_socket(char *out, int fd)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    struct sockaddr_storage address = {0};
    struct sockaddr_un *local = (struct sockaddr_un *)&address;
    socklen_t length = sizeof address;

    snprintf(out, NAME_SIZE, "descriptor %d", fd);
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return false;
    if (address.ss_family == AF_UNIX && local->sun_path[0] != '\0') {
        snprintf(out, NAME_SIZE, "%.*s", (int)sizeof local->sun_path, local->sun_path);
        return true;
    }
    if (address.ss_family == AF_UNIX && length > offsetof(struct sockaddr_un, sun_path))
        snprintf(out, NAME_SIZE, "@%.*s", (int)sizeof local->sun_path - 1, local->sun_path + 1);
    else if (getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                         NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(out, NAME_SIZE, "%.64s port %.16s", host, port);
    return false;
}

/* Through links too: /var/run is one. */
static bool is_same_place(const char *a, const char *b)
{
    struct stat first, second;
    return strcmp(a, b) == 0 || (stat(a, &first) == 0 && stat(b, &second) == 0 &&
                                 first.st_dev == second.st_dev && first.st_ino == second.st_ino);
}

/* Whether the unit as it is shipped put the socket at the usual place, and the settings want it elsewhere. */
static bool is_left_behind(const char *name, const char *usual, const char *wanted)
{
    const char *path = endpoint_path(wanted);
    return strcmp(name, endpoint_path(usual)) == 0 && (path == NULL || !is_same_place(name, path));
}

static int take(struct handed_over *out, int fd, const struct settings *settings, struct error *err)
{
    const char *lookup_path = endpoint_path(settings->lookup_socket);
    char name[NAME_SIZE], other[NAME_SIZE];
    bool has_path = name_socket(name, fd);
    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
        return error_set(err, EX_CONFIG,
                         "'%s', handed over by systemd, is no stream socket that listens: write "
                         "ListenStream= in the socket unit",
                         name);
    if (has_path && (is_left_behind(name, SETTINGS_SOCKET, settings->socket) ||
                     is_left_behind(name, SETTINGS_LOOKUP_SOCKET, settings->lookup_socket))) {
        log_line(LOG_WARNING,
                 "'%s', handed over by systemd, is served by nobody: the configuration has another "
                 "place: write that into ListenStream= (systemctl edit milter-moved.socket)",
                 name);
        return close(fd);
    }
    bool is_lookup = has_path && lookup_path != NULL && is_same_place(name, lookup_path);
    int *place = is_lookup ? &out->lookup : &out->milter;
    if (*place < 0) {
        *place = fd;
        return 0;
    }
    (void)name_socket(other, *place);
    return error_set(err, EX_CONFIG,
                     "'%s', handed over by systemd, would be served by nobody: '%s' is %s, and "
                     "lookup_socket is '%s': "
                     "let the socket unit and lookup_socket agree",
                     name, other, is_lookup ? "the lookup socket" : "the milter's",
                     lookup_path == NULL ? "" : lookup_path);
}
#endif

int handed_over_find(struct handed_over *out, const struct settings *settings, struct error *err)
{
    *out = (struct handed_over){.milter = -1, .lookup = -1};
    int rc = 0;
#ifdef HAVE_SYSTEMD
    int count = sd_listen_fds(1);
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count && rc == 0; fd++)
        rc = take(out, fd, settings, err);
#else
    (void)settings, (void)err;
#endif
    return rc;
}
