#include "mta/postfix/postfix_attach.h"

#include "mta/attachment.h"
#include "mta/postfix/postfix.h"
#include "mta/postfix/postfix_plan.h"
#include "mta/process.h"
#include "mta/reach.h"
#include "net/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#define COMMENT "# "

/* All that one run works with. */
struct postfix_attachment {
    const struct mta_request *request;
    struct postfix postfix;
    char main_path[PATH_MAX], master_path[PATH_MAX];
    struct cf *main, *master; /* without us, and then with what is planned */
    char scratch[32];         /* a folder with both as they are without us; "" before it is made */
    enum postfix_class *classes; /* of the table's domains */
    struct service *services;
    size_t service_count;
    char socket[PATH_MAX + 32];  /* of the milter, as our configuration has it or will have it */
    char milter[PATH_MAX + 32];  /* the same, as smtpd_milters writes it */
    bool unserved, raise_limits; /* asked for, now or when they were written */
    struct file_changes changes;
};

/* ---- reading what is there */

static int out_of_memory(struct error *err)
{
    return error_set(err, EX_OSERR, "out of memory");
}

/* What was asked for once stays until detach. */
static void read_wishes(struct postfix_attachment *a, const char *text)
{
    a->unserved = a->unserved || strstr(text, PLAN_UNSERVED) != NULL;
    a->raise_limits = a->raise_limits || strstr(text, PLAN_HARD_LIMIT) != NULL;
}

/* Reads a file of the configuration without our blocks, and puts it into the scratch folder. */
static int read_file(struct cf **out, const char *path, struct postfix_attachment *a,
                     const char *name, struct error *err)
{
    char copy[PATH_MAX];
    char *text = file_read(path, err), *stripped = NULL;
    if (text == NULL)
        return -1;
    read_wishes(a, text);
    stripped = attachment_strip(text, COMMENT);
    *out = stripped == NULL ? NULL : cf_read(stripped);
    free(text);
    int rc = *out == NULL ? out_of_memory(err) : 0;
    snprintf(copy, sizeof copy, "%s/%s", a->scratch, name);
    if (rc == 0)
        rc = file_create(copy, stripped, err);
    /* Postfix waits a second or two before it reads a file that was written just now. */
    if (rc == 0)
        (void)utime(copy, &(struct utimbuf){.modtime = time(NULL) - 60});
    free(stripped);
    return rc;
}

static int read_configuration(struct postfix_attachment *a, struct error *err)
{
    char scratch[] = "/tmp/movedctl-XXXXXX";
    if (mkdtemp(scratch) == NULL)
        return error_set(err, EX_CANTCREAT, "/tmp: %s", strerror(errno));
    memcpy(a->scratch, scratch, sizeof scratch);
    snprintf(a->main_path, sizeof a->main_path, "%s/main.cf", a->postfix.dir);
    snprintf(a->master_path, sizeof a->master_path, "%s/master.cf", a->postfix.dir);
    if (read_file(&a->main, a->main_path, a, "main.cf", err) != 0 ||
        read_file(&a->master, a->master_path, a, "master.cf", err) != 0)
        return -1;
    a->services = plan_services(a->master, a->scratch, &a->service_count, err);
    return a->services == NULL ? -1 : 0;
}

static int classify(struct postfix_attachment *a, struct error *err)
{
    const struct mta_request *request = a->request;
    a->classes = calloc(request->domain_count + 1, sizeof *a->classes);
    if (a->classes == NULL)
        return out_of_memory(err);
    return postfix_classify(&a->postfix, request->domains, request->domain_count, a->classes, err);
}

static void remove_scratch(const struct postfix_attachment *a)
{
    char path[PATH_MAX];
    static const char *const names[] = {"main.cf", "master.cf", ""};
    for (size_t i = 0; *a->scratch != '\0' && i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", a->scratch, names[i]);
        (void)remove(path);
    }
}

static void free_attachment(struct postfix_attachment *a)
{
    remove_scratch(a);
    free(a->classes);
    free(a->services);
    cf_free(a->main);
    cf_free(a->master);
    file_changes_free(&a->changes);
    postfix_free(&a->postfix);
}

/* ---- our sockets */

static bool is_unix(const char *socket)
{
    return strncmp(socket, "unix:", 5) == 0;
}

/* The part of a path inside the folder; NULL where it is not in it. */
static const char *inside(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

static const struct service *chrooted(const struct postfix_attachment *a)
{
    for (size_t i = 0; i < a->service_count; i++)
        if (a->services[i].attached && a->services[i].chroot)
            return &a->services[i];
    return NULL;
}

/* As Postfix writes it: a path in the queue folder is relative to it, which holds with chroot and
 * without; inet:HOST:PORT. */
static int name_milter(struct postfix_attachment *a, struct error *err)
{
    const char *socket = a->socket, *path = socket + 5, *at;
    if (!is_unix(socket)) {
        const char *port = strchr(socket, ':') + 1, *host = strchr(port, '@');
        snprintf(a->milter, sizeof a->milter, "inet:%s:%.*s", host + 1, (int)(host - port), port);
        return 0;
    }
    at = inside(path, a->postfix.queue);
    snprintf(a->milter, sizeof a->milter, "unix:%s", at == NULL ? path : at);
    if (at == NULL && chrooted(a) != NULL)
        return error_set(err, EX_CONFIG,
                         "the service %s is confined to %s (chroot in master.cf), and socket '%s' "
                         "lies outside",
                         chrooted(a)->name, a->postfix.queue, socket);
    return 0;
}

/* Postfix's parts run as its own account. */
static int check_access(const struct postfix_attachment *a, const char *socket, struct error *err)
{
    if (!is_unix(socket))
        return 0;
    char *owner = postfix_value(a->postfix.dir, "mail_owner", true, err);
    int rc = owner == NULL ? -1 : reach_check(socket + strlen("unix:"), owner, err);
    free(owner);
    return rc;
}

/* With a daemon that is not there, or out of Postfix's reach, every recipient would be deferred from
 * now on. */
static int check_daemon(const struct postfix_attachment *a, struct error *err)
{
    const char *const sockets[] = {a->socket, a->request->settings->lookup_socket};
    for (int i = 0; i < 2; i++) {
        int fd = probe_connect(sockets[i], err);
        if (fd < 0)
            return error_set(err, EX_UNAVAILABLE,
                             "milter-moved does not answer on %s: start it first", sockets[i]);
        close(fd);
        if (check_access(a, sockets[i], err) != 0)
            return -1;
    }
    return 0;
}

/* ---- the socket where a chrooted smtpd reaches it */

static bool wants_new_socket(const struct postfix_attachment *a)
{
    return is_unix(a->socket) && chrooted(a) != NULL &&
           inside(a->socket + 5, a->postfix.queue) == NULL;
}

/* The queue folder is not ours, and what is in it may belong to somebody else: no link is followed. */
static int make_socket_folder(const struct postfix_attachment *a, struct error *err)
{
    const struct passwd *user = getpwnam(a->request->settings->user);
    int queue = open(a->postfix.queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC), folder = -1;
    int rc = queue < 0 ? -1 : mkdirat(queue, "milter-moved", 0755);
    if (rc == 0 || (queue >= 0 && errno == EEXIST))
        folder = openat(queue, "milter-moved", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    rc = folder < 0 ? -1 : fchmod(folder, 0755);
    if (rc == 0 && user != NULL)
        rc = fchown(folder, user->pw_uid, user->pw_gid);
    if (rc != 0)
        error_set(err, EX_CANTCREAT, "%s/milter-moved: %s", a->postfix.queue, strerror(errno));
    if (folder >= 0)
        close(folder);
    if (queue >= 0)
        close(queue);
    return rc;
}

/* Under systemd the daemon is started anew by us; elsewhere by whoever started it. */
static bool runs_as_unit(void)
{
    static const char *const argv[] = {"systemctl", "is-active", "--quiet", "milter-moved", NULL};
    struct output output = {.out = NULL};
    struct error err;
    int rc = process_run(&output, argv, NULL, &err);
    process_free(&output);
    return rc == 0 && output.status == 0;
}

/* systemd may hold the socket, and then the configuration does not say where it is. */
static int check_moved(const struct postfix_attachment *a, struct error *err)
{
    int fd = probe_connect(a->socket, err);
    if (fd >= 0)
        return close(fd);
    return error_set(
        err, EX_UNAVAILABLE,
        "milter-moved was started anew and does not answer on %s: if milter-moved.socket holds "
        "its socket, set ListenStream there, or disable it, and run this again",
        a->socket);
}

/* Moves our socket into the queue folder, as the first of two steps. Returns 0 where the second can
 * follow, or -1 with err. */
static int move_socket(struct postfix_attachment *a, struct error *err)
{
    static const char *const restart[] = {"systemctl", "restart", "milter-moved", NULL};
    static const char *const *const restarts[] = {restart, NULL};
    struct file_changes changes = {.count = 0};
    bool unit = runs_as_unit(), dry_run = a->request->dry_run;
    const struct aftermath aftermath = {.reloads = unit ? restarts : NULL};

    snprintf(a->socket, sizeof a->socket, "unix:%s/milter-moved/milter.sock", a->postfix.queue);
    a->request->say(
        "Step 1 of 2: %s is confined to %s (chroot in master.cf): the milter's socket moves "
        "there.\n\n",
        chrooted(a)->name, a->postfix.queue);
    int rc = attachment_set_key(a->request, &changes, "socket", a->socket, err);
    if (rc == 0 && !dry_run)
        rc = make_socket_folder(a, err);
    if (rc == 0)
        rc = attachment_carry_out(a->request, &changes, &aftermath, "", "", err);
    file_changes_free(&changes);
    if (rc == 0 && !dry_run)
        rc =
            unit
                ? check_moved(a, err)
                : error_set(err, EX_TEMPFAIL,
                            "start milter-moved anew, and then the same command again, for step 2");
    if (rc == 0)
        a->request->say("\nStep 2 of 2: Postfix.\n\n");
    return rc;
}

/* ---- what is said */

static void say_classes(const struct postfix_attachment *a)
{
    size_t counts[POSTFIX_NONE + 1] = {0};
    for (size_t i = 0; i < a->request->domain_count; i++)
        counts[a->classes[i]]++;
    for (int kind = 0; kind <= POSTFIX_NONE; kind++)
        if (counts[kind] > 0)
            a->request->say(
                "%zu domain%s of class %s%s%s\n", counts[kind], counts[kind] == 1 ? "" : "s",
                postfix_class_name((enum postfix_class)kind), kind == POSTFIX_NONE ? "" : ": ",
                kind == POSTFIX_NONE ? "" : postfix_class_maps((enum postfix_class)kind));
}

static void say_unserved(const struct postfix_attachment *a)
{
    if (a->unserved)
        return;
    for (size_t i = 0; i < a->request->domain_count; i++)
        if (a->classes[i] == POSTFIX_NONE) {
            a->request->warn(
                "%s%s not served by this Postfix: mail to it is answered 'Relay access "
                "denied'; attach --unserved has it answered with 551",
                a->request->domains[i],
                i + 1 < a->request->domain_count ? " and perhaps others are" : " is");
            return;
        }
}

static void say_services(const struct postfix_attachment *a)
{
    for (size_t i = 0; i < a->service_count; i++) {
        const struct service *service = &a->services[i];
        if (!service->attached)
            a->request->say("%s has its milters switched off in master.cf, and is left alone\n",
                            service->name);
        else if (service->choosy)
            a->request->warn(
                "%s asks other milters of some clients (smtpd_milter_maps): it is not told of "
                "removed "
                "mailboxes, which those clients could then send to; do without "
                "smtpd_milter_maps, and "
                "run attach again",
                service->name);
    }
}

/* What a mailing list meets on the day after a migration. */
static void say_limits(const struct postfix_attachment *a)
{
    struct error err;
    char *soft = postfix_value(a->postfix.dir, "smtpd_soft_error_limit", true, &err);
    char *hard = postfix_value(a->postfix.dir, "smtpd_hard_error_limit", true, &err);
    if (soft != NULL && hard != NULL && !a->raise_limits)
        a->request->say(
            "Postfix counts each 551 as an error: after %s in a session it waits a second "
            "before each "
            "reply,\nafter %s it ends the session with 421, good recipients with it (they are "
            "tried "
            "again).\nThis table has %zu %s: a list with so many moved recipients meets that: "
            "--raise-limits\n",
            soft, hard, a->request->entries, a->request->entries == 1 ? "entry" : "entries");
    free(soft);
    free(hard);
}

/* ---- the plan, and carrying it out */

static int make_plan(struct postfix_attachment *a, struct error *err)
{
    const struct plan_input input = {
        .postfix = &a->postfix,
        .scratch = a->scratch,
        .milter = a->milter,
        .lookups = a->request->settings->lookup_socket + 5,
        .domains = a->request->domains,
        .classes = a->classes,
        .count = a->request->domain_count,
        .unserved = a->unserved,
        .raise_limits = a->raise_limits,
    };
    return plan_make(&input, a->main, a->master, a->services, a->service_count, err);
}

static int add_changes(struct postfix_attachment *a, struct error *err)
{
    char *main = cf_text(a->main), *master = cf_text(a->master);
    int rc = main == NULL || master == NULL ? out_of_memory(err) : 0;
    if (rc == 0) {
        rc = file_changes_add(&a->changes, a->main_path, main, err);
        main = NULL;
    }
    if (rc == 0) {
        rc = file_changes_add(&a->changes, a->master_path, master, err);
        master = NULL;
    }
    free(main);
    free(master);
    return rc;
}

static bool is_running(const char *postfix, const char *dir)
{
    const char *const argv[] = {postfix, "-c", dir, "status", NULL};
    struct output output;
    struct error err;
    int rc = process_run(&output, argv, NULL, &err);
    process_free(&output);
    return rc == 0 && output.status == 0;
}

static int carry_out(struct postfix_attachment *a, const char *nothing, const char *done,
                     struct error *err)
{
    char program[PATH_MAX];
    const char *const check[] = {program, "-c", a->postfix.dir, "check", NULL};
    const char *const reload[] = {program, "-c", a->postfix.dir, "reload", NULL};
    const char *const *const checks[] = {check, NULL};
    const char *const *const reloads[] = {reload, NULL};
    snprintf(program, sizeof program, "%s/postfix", a->postfix.programs);
    const struct aftermath aftermath = {
        .checks = checks, .reloads = is_running(program, a->postfix.dir) ? reloads : NULL};
    return attachment_carry_out(a->request, &a->changes, &aftermath, nothing, done, err);
}

static int attach_with(struct postfix_attachment *a, struct error *err)
{
    const struct settings *settings = a->request->settings;
    if (*settings->lookup_socket == '\0')
        return error_set(err, EX_CONFIG,
                         "lookup_socket: is \"\": without it Postfix refuses "
                         "mailboxes that it no longer has: set it");
    if (read_configuration(a, err) != 0 || classify(a, err) != 0)
        return -1;
    snprintf(a->socket, sizeof a->socket, "%s", settings->socket);
    if (wants_new_socket(a) && move_socket(a, err) != 0)
        return -1;
    if (name_milter(a, err) != 0 || make_plan(a, err) != 0 || add_changes(a, err) != 0 ||
        attachment_mode(a->request, &a->changes, err) != 0)
        return -1;
    if (!a->request->dry_run && a->changes.count > 0 && check_daemon(a, err) != 0)
        return -1;
    say_classes(a);
    say_services(a);
    say_limits(a);
    say_unserved(a);
    a->request->say("\n");
    return carry_out(a, "Attached already: nothing to change.",
                     "Attached. movedctl doctor shows what a sender now gets.", err);
}

/* Finds the installation, and attaches or detaches. */
static int run(struct postfix_attachment *a,
               int (*step)(struct postfix_attachment *a, struct error *err), struct error *err)
{
    int rc = postfix_find(&a->postfix, a->request->config_dir, err);
    if (rc == 0)
        rc = step(a, err);
    free_attachment(a);
    return rc;
}

int postfix_attach(const struct mta_request *request, struct error *err)
{
    struct postfix_attachment a = {
        .request = request, .unserved = request->unserved, .raise_limits = request->raise_limits};
    return run(&a, attach_with, err);
}

static int detach_with(struct postfix_attachment *a, struct error *err)
{
    if (read_configuration(a, err) != 0 || add_changes(a, err) != 0)
        return -1;
    return carry_out(a, "Not attached: nothing to change.",
                     "Detached. milter-moved itself can be stopped now.", err);
}

int postfix_detach(const struct mta_request *request, struct error *err)
{
    struct postfix_attachment a = {.request = request};
    return run(&a, detach_with, err);
}
