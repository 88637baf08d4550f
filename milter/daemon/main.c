/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/main.c: milter-moved: options, privileges, background, and the order of the start. */
#include "config.h"

#include "answer/settings.h"
#include "base/descriptors.h"
#include "base/error.h"
#include "daemon/counters.h"
#include "daemon/hits_queue.h"
#include "daemon/logger.h"
#include "daemon/lookup.h"
#include "daemon/pid_file.h"
#include "daemon/privileges.h"
#include "daemon/service.h"
#include "daemon/session.h"
#include "daemon/signals.h"
#include "daemon/socket.h"
#include "table/table.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

struct daemon_options {
    const char *file;
    bool foreground, check_only;
};

static int fail(const struct error *err)
{
    fprintf(stderr, "milter-moved: %s\n", err->text);
    return err->status;
}

/* The exit status after what was printed. */
static int printed(void)
{
    struct error err;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EX_OK;
    error_set(&err, EX_IOERR, "standard output: %s", strerror(errno));
    return fail(&err);
}

static void usage(void)
{
    fputs("Usage: milter-moved [-c FILE] [-f] [-t] [-V]\n"
          "Answers mail to moved mailboxes with 551 and the new address, as a milter of\n"
          "Postfix or Sendmail.\n"
          "\n"
          "  -c FILE  configuration; the default is $MILTER_MOVED_CONF, or else\n"
          "           " MILTER_MOVED_CONF "\n"
          "  -f       stay in the foreground\n"
          "  -t       check the configuration and the table, and exit\n"
          "  -V       print the version, and exit\n"
          "\n"
          "HUP reads the configuration again; TERM finishes the open sessions and ends.\n"
          "See milter-moved(8), milter-moved.conf(5), movedctl(8).\n",
          stdout);
}

static _Noreturn void fail_usage(const char *word, const char *what)
{
    fprintf(stderr, "milter-moved: '%s' %s: see milter-moved -h\n", word, what);
    exit(EX_USAGE);
}

static void read_options(struct daemon_options *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
    int letter;

    opterr = 0;
    while ((letter = getopt_long(argc, argv, ":c:fthV", known, NULL)) != -1) {
        switch (letter) {
        case 'c': options->file = optarg; break;
        case 'f': options->foreground = true; break;
        case 't': options->check_only = true; break;
        case 'h': usage(); exit(printed());
        case 'V': puts("milter-moved " PACKAGE_VERSION); exit(printed());
        case ':': fail_usage(argv[optind - 1], "requires an argument");
        default: fail_usage(argv[optind - 1], "is not an option");
        }
    }
    if (optind < argc)
        fail_usage(argv[optind], "is not an option");
}

static void raise_open_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* ---- -t */

static void warn(const char *line)
{
    fprintf(stderr, "milter-moved: warning: %s\n", line);
}

/* Checks as the user that the daemon becomes, because root can read everything. */
static int check(const struct settings *settings, const struct owner *owner, struct error *err)
{
    struct table *table;
    size_t count;
    gid_t group;

    if (socket_find_group(&group, settings, owner, err) != 0 ||
        pid_file_check(settings->pid_file, err) != 0 ||
        privileges_drop(owner, owner->gid, err) != 0 || privileges_settle(owner, err) != 0)
        return -1;
    settings_warn(settings, warn);
    if (service_open_table(&table, settings, err) != 0)
        return -1;
    int rc = table_count(table, &count, err);
    table_free(table);
    if (rc != 0)
        return -1;
    for (size_t i = 0; i < settings->files.count; i++)
        printf("configuration: %s: good\n", settings->files.items[i]);
    printf("table: %s: good, %zu %s\n", settings->table, count, entry_noun(count));
    return 0;
}

/* ---- background */

/* Forks. The parent waits until the child reports that it is ready, and exits with its status. The child gets the descriptor
 * for that report. */
static int go_into_background(void)
{
    int ends[2];
    unsigned char status = EX_OSERR;

    if (pipe(ends) != 0)
        return -1;
    pid_t child = fork();
    if (child < 0)
        return -1;
    if (child == 0) {
        close(ends[0]);
        setsid();
        return ends[1];
    }
    close(ends[1]);
    while (read(ends[0], &status, 1) < 0 && errno == EINTR)
        continue;
    _exit(status); /* without a report the child has died, and status is unchanged */
}

static void say_ready(int ready_fd, int status)
{
    if (ready_fd >= 0) {
        const unsigned char octet = (unsigned char)status;
        int null = open("/dev/null", O_RDWR);
        if (status == EX_OK && null >= 0) {
            dup2(null, STDIN_FILENO);
            dup2(null, STDOUT_FILENO);
            dup2(null, STDERR_FILENO);
        }
        if (null > STDERR_FILENO)
            close(null);
        (void)!write(ready_fd, &octet, 1); /* fails if the process that waits for it has ended */
        close(ready_fd);
    }
#ifdef HAVE_SYSTEMD
    if (status == EX_OK)
        sd_notify(0, "READY=1");
#endif
}

/* ---- the start, in the one order that works: after the last fork, what root alone can do, then the sockets as the user
 * and with their group, then the table and the threads */

static int listen_as(const struct settings *settings, const struct owner *owner, struct error *err)
{
    gid_t group;
    if (session_register(err) != 0 || socket_find_group(&group, settings, owner, err) != 0 ||
        socket_prepare(settings, owner, err) != 0 || pid_file_write(settings->pid_file, err) != 0 ||
        privileges_drop(owner, group, err) != 0)
        return -1;
    int rc = socket_open(settings, owner, group, err);
    return privileges_settle(owner, rc == 0 ? err : NULL) == 0 ? rc : -1;
}

static int start(struct settings *settings, const struct owner *owner, struct error *err)
{
    umask(007); /* the table is administered by its group too */
    counters_start();
    if (chdir("/") != 0)
        return error_set(err, EX_OSERR, "/: %s", strerror(errno));
    raise_open_files();
    if (listen_as(settings, owner, err) == 0 && log_start(settings, err) == 0 &&
        service_start(settings, err) == 0 && hits_queue_start(err) == 0 &&
        lookup_start(socket_lookup(), err) == 0)
        return 0;
    socket_remove();
    return -1;
}

/* Prints what an administrator should see at once, without looking into the log. */
static void warn_at_start(const struct settings *settings, bool foreground)
{
    bool log_is_here = settings->log_target == LOG_TARGET_STDERR;
    struct service_state state;
    service_describe(&state);
    if (!foreground && log_is_here)
        warn("log.target: \"stderr\" is read by nobody from now on: write \"syslog\", or start "
             "with -f");
    if (!(foreground && log_is_here) && state.table_error.text[0] != '\0')
        warn(state.table_error.text);
}

static int serve(struct settings *settings, const struct owner *owner, bool foreground)
{
    struct error err;
    int ready_fd = foreground ? -1 : go_into_background();
    int rc = 0;
    if (!foreground && ready_fd < 0)
        rc = error_set(&err, EX_OSERR, "cannot go into the background: %s", strerror(errno));
    signals_block();
    if (rc != 0 || start(settings, owner, &err) != 0) {
        settings_locate(settings, &err);
        if (settings->log_target != LOG_TARGET_STDERR) /* fail() prints it there */
            log_line(LOG_ERR, "not started: %s", err.text);
        log_stop();
        fail(&err);
        say_ready(ready_fd, err.status);
        settings_free(settings);
        return err.status;
    }
    log_line(LOG_NOTICE, "milter-moved " PACKAGE_VERSION " ready on %s%s", settings->socket,
             settings->mode == MODE_OBSERVE ? ", observing: nothing is refused" : "");
    warn_at_start(settings, foreground);
    say_ready(ready_fd, EX_OK);

    rc = smfi_main(); /* its signal thread ends the process: see signals.h */
    log_line(LOG_ERR, "libmilter stopped by itself (%d)", rc);
    socket_remove();
    log_stop();
    return EX_SOFTWARE;
}

/* Makes the name of the file absolute, because the daemon leaves the present folder and reads the file again on HUP. Does not
 * follow links: FILE.d is next to the name that was given. */
static int read_settings(struct settings **out, const char *given, struct error *err)
{
    const char *file = settings_path(given, NULL);
    char *folder = *file == '/' ? NULL : getcwd(NULL, 0), *path = NULL;
    if (folder != NULL && asprintf(&path, "%s/%s", folder, file) < 0)
        path = NULL;
    int rc = settings_read_for_daemon(out, path == NULL ? file : path, err);
    free(path);
    free(folder);
    return rc;
}

int main(int argc, char **argv)
{
    struct daemon_options options = {.file = NULL};
    struct settings *settings;
    struct owner owner;
    struct error err;

    descriptors_occupy_standard();
    read_options(&options, argc, argv);
    if (read_settings(&settings, options.file, &err) != 0)
        return fail(&err);
    int rc = privileges_find(&owner, settings->user, &err);
    if (rc == 0 && !options.check_only)
        return serve(settings, &owner, options.foreground); /* the settings are the service's now */
    if (rc == 0)
        rc = check(settings, &owner, &err);
    if (rc != 0)
        settings_locate(settings, &err);
    rc = rc == 0 ? printed() : fail(&err);
    settings_free(settings);
    return rc;
}
