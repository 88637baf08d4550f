#include "mta/unit.h"

#include "base/endpoint.h"
#include "mta/process.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVICE     "milter-moved"
#define SOCKETS     SERVICE ".socket"
#define DROP_IN     "sockets.conf"
#define DROP_IN_DIR "/etc/systemd/system/" SOCKETS ".d/"

/* Where it is only installed systemctl does nothing and exits 0: sd_booted(3). */
static bool has_systemd(void)
{
    return access("/run/systemd/system", F_OK) == 0;
}

/* systemd.unit(5): where a package, or an administrator, puts units. No running systemd is asked: in an image there is
 * none. */
static bool has_socket_unit(void)
{
    static const char *const folders[] = {"/etc", "/usr/local/lib", "/usr/lib", "/lib"};
    char path[PATH_MAX];
    bool found = false;
    for (size_t i = 0; i < sizeof folders / sizeof *folders && !found; i++) {
        snprintf(path, sizeof path, "%s/systemd/system/" SOCKETS, folders[i]);
        found = access(path, F_OK) == 0;
    }
    return found;
}

static int write_listener(FILE *out, const char *socket, struct error *err)
{
    char text[ENDPOINT_TEXT_SIZE];
    struct endpoint endpoint;
    if (endpoint_parse(&endpoint, socket, err) != 0)
        return -1;
    fprintf(out, "ListenStream=%s\n",
            endpoint.kind == ENDPOINT_UNIX ? endpoint.name
                                           : endpoint_format_host(text, sizeof text, &endpoint));
    return 0;
}

int unit_plan_sockets(struct file_changes *changes, const char *const sockets[2],
                      const char *folder, const char *user, const char *group, struct error *err)
{
    char *text = NULL;
    size_t size;
    if (!has_socket_unit())
        return 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    fprintf(out,
            "# By movedctl attach: where the mail server finds the sockets.\n"
            "[Socket]\n"
            "ExecStartPre=/usr/bin/install -d -o %s -g %s -m 2755 %s\n"
            "ListenStream=\n",
            user, group, folder);
    int rc = write_listener(out, sockets[0], err);
    if (rc == 0)
        rc = write_listener(out, sockets[1], err);
    if (fclose(out) == 0 && rc == 0)
        return file_changes_add(changes, DROP_IN_DIR DROP_IN, text, err);
    free(text);
    return rc == 0 ? error_set(err, EX_OSERR, "out of memory") : -1;
}

int unit_forget_sockets(struct file_changes *changes, struct error *err)
{
    static const char path[] = DROP_IN_DIR DROP_IN;
    return access(path, F_OK) != 0 ? 0 : file_changes_add(changes, path, NULL, err);
}

const char *const *const *unit_restarts(void)
{
    static const char *const runs[] = {"systemctl", "is-active", "--quiet", SERVICE, SOCKETS, NULL};
    static const char *const holds[] = {"systemctl", "is-active", "--quiet", SOCKETS, NULL};
    /* systemd removes the sockets of the unit as it was loaded, and the service along with them (PartOf=). */
    static const char *const stop[] = {"systemctl", "stop", SOCKETS, NULL};
    static const char *const load[] = {"systemctl", "daemon-reload", NULL};
    static const char *const start[] = {"systemctl", "start", SERVICE, NULL};
    static const char *const restart[] = {"systemctl", "restart", SERVICE, NULL};
    static const char *const *const both[] = {stop, load, start, NULL};
    static const char *const *const alone[] = {restart, NULL};
    if (!has_systemd() || !process_succeeds(runs))
        return NULL;
    return process_succeeds(holds) ? both : alone;
}

bool unit_restart(void)
{
    const char *const *const *argvs = unit_restarts();
    bool done = argvs != NULL;
    for (; done && *argvs != NULL; argvs++)
        done = process_succeeds(*argvs);
    return done;
}

bool unit_reload(void)
{
    static const char *const reload[] = {"systemctl", "reload", SERVICE, NULL};
    return has_systemd() && process_succeeds(reload);
}
