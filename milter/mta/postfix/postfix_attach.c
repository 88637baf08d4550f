/* mta/postfix/postfix_attach.c: Postfix: what is there, the plan, and what is said about it */
#include "mta/attach.h"

#include "mta/postfix/postfix.h"
#include "mta/postfix/postfix_plan.h"
#include "mta/process.h"
#include "mta/reach.h"
#include "net/probe.h"

#include <errno.h>
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
struct work {
    struct ctl *ctl;
    struct postfix postfix;
    char main_path[PATH_MAX], master_path[PATH_MAX];
    struct cf *main, *master; /* without us, and then with what is planned */
    char scratch[32];         /* a folder with both as they are without us; "" before it is made */
    char **domains;
    enum postfix_class *classes;
    size_t domain_count;
    struct service *services;
    size_t service_count;
    char socket[PATH_MAX + 32];  /* of the milter, as our configuration has it or will have it */
    char milter[PATH_MAX + 32];  /* the same, as smtpd_milters writes it */
    bool attached;               /* there are blocks of ours */
    bool unserved, raise_limits; /* asked for, now or when they were written */
    struct changes changes;
};

/* ---- reading what is there */

static int out_of_memory(struct error *err)
{
    return error_set(err, EX_OSERR, "out of memory");
}

/* What was asked for once stays until detach. */
static void read_wishes(struct work *work, const char *text)
{
    work->attached = work->attached || strstr(text, COMMENT ATTACH_BEGIN) != NULL;
    work->unserved = work->unserved || strstr(text, PLAN_UNSERVED) != NULL;
    work->raise_limits = work->raise_limits || strstr(text, PLAN_HARD_LIMIT) != NULL;
}

/* Reads a file of the configuration without our blocks, and puts it into the scratch folder. */
static int read_file(struct cf **out, const char *path, struct work *work, const char *name,
                     struct error *err)
{
    char copy[PATH_MAX];
    char *text = file_read(path, err), *stripped = NULL;
    if (text == NULL)
        return -1;
    read_wishes(work, text);
    stripped = attach_strip(text, COMMENT);
    *out = stripped == NULL ? NULL : cf_read(stripped);
    free(text);
    int rc = *out == NULL ? out_of_memory(err) : 0;
    snprintf(copy, sizeof copy, "%s/%s", work->scratch, name);
    if (rc == 0)
        rc = file_write(copy, stripped, err);
    /* Postfix waits a second or two before it reads a file that was written just now. */
    if (rc == 0)
        (void)utime(copy, &(struct utimbuf){.modtime = time(NULL) - 60});
    free(stripped);
    return rc;
}

static int read_configuration(struct work *work, struct error *err)
{
    char scratch[] = "/tmp/movedctl-XXXXXX";
    if (mkdtemp(scratch) == NULL)
        return error_set(err, EX_CANTCREAT, "/tmp: %s", strerror(errno));
    memcpy(work->scratch, scratch, sizeof scratch);
    snprintf(work->main_path, sizeof work->main_path, "%s/main.cf", work->postfix.dir);
    snprintf(work->master_path, sizeof work->master_path, "%s/master.cf", work->postfix.dir);
    if (read_file(&work->main, work->main_path, work, "main.cf", err) != 0 ||
        read_file(&work->master, work->master_path, work, "master.cf", err) != 0)
        return -1;
    work->services = plan_services(work->master, work->scratch, &work->service_count, err);
    return work->services == NULL ? -1 : 0;
}

static int add_domain(const struct entry *first, void *data, struct error *err)
{
    struct work *work = data;
    if (first->scope == ENTRY_SUBDOMAINS) /* of which nobody can say what they are called */
        return 0;
    char **more = realloc(work->domains, (work->domain_count + 1) * sizeof *more);
    if (more == NULL)
        return out_of_memory(err);
    work->domains = more;
    more[work->domain_count] = strdup(first->domain);
    if (more[work->domain_count] == NULL)
        return out_of_memory(err);
    work->domain_count++;
    return 0;
}

static int read_domains(struct work *work, struct error *err)
{
    struct table_view *view = table_view_open(work->ctl->table, err);
    if (view == NULL)
        return -1;
    int rc = table_each_domain(view, add_domain, work, err);
    table_view_close(view);
    if (rc != 0)
        return -1;
    work->classes = calloc(work->domain_count + 1, sizeof *work->classes);
    if (work->classes == NULL)
        return out_of_memory(err);
    return postfix_classify(&work->postfix, (const char *const *)work->domains, work->domain_count,
                            work->classes, err);
}

static void remove_scratch(const struct work *work)
{
    char path[PATH_MAX];
    static const char *const names[] = {"main.cf", "master.cf", ""};
    for (size_t i = 0; *work->scratch != '\0' && i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", work->scratch, names[i]);
        (void)remove(path);
    }
}

static void free_work(struct work *work)
{
    remove_scratch(work);
    for (size_t i = 0; i < work->domain_count; i++)
        free(work->domains[i]);
    free(work->domains);
    free(work->classes);
    free(work->services);
    cf_free(work->main);
    cf_free(work->master);
    changes_free(&work->changes);
    postfix_free(&work->postfix);
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

static const struct service *chrooted(const struct work *work)
{
    for (size_t i = 0; i < work->service_count; i++)
        if (work->services[i].attached && work->services[i].chroot)
            return &work->services[i];
    return NULL;
}

/* As Postfix writes it: a path in the queue folder is relative to it, which holds with chroot and
 * without; inet:HOST:PORT. */
static int name_milter(struct work *work, struct error *err)
{
    const char *socket = work->socket, *path = socket + 5, *at;
    if (!is_unix(socket)) {
        const char *port = strchr(socket, ':') + 1, *host = strchr(port, '@');
        snprintf(work->milter, sizeof work->milter, "inet:%s:%.*s", host + 1, (int)(host - port),
                 port);
        return 0;
    }
    at = inside(path, work->postfix.queue);
    snprintf(work->milter, sizeof work->milter, "unix:%s", at == NULL ? path : at);
    if (at == NULL && chrooted(work) != NULL)
        return error_set(err, EX_CONFIG,
                         "the service %s is confined to %s (chroot in master.cf), and socket '%s' "
                         "lies outside",
                         chrooted(work)->name, work->postfix.queue, socket);
    return 0;
}

/* Postfix's parts run as its own account. */
static int check_access(const struct work *work, const char *socket, struct error *err)
{
    if (!is_unix(socket))
        return 0;
    char *owner = postfix_value(work->postfix.dir, "mail_owner", true, err);
    int rc = owner == NULL ? -1 : reach_check(socket + strlen("unix:"), owner, err);
    free(owner);
    return rc;
}

/* With a daemon that is not there, or out of Postfix's reach, every recipient would be deferred from
 * now on. */
static int check_daemon(const struct work *work, struct error *err)
{
    const char *const sockets[] = {work->socket, work->ctl->settings->lookup_socket};
    for (int i = 0; i < 2; i++) {
        int fd = probe_connect(sockets[i], err);
        if (fd < 0)
            return error_set(err, EX_UNAVAILABLE,
                             "milter-moved does not answer on %s: start it first", sockets[i]);
        close(fd);
        if (check_access(work, sockets[i], err) != 0)
            return -1;
    }
    return 0;
}

/* ---- the socket where a chrooted smtpd reaches it */

static bool wants_new_socket(const struct work *work)
{
    return is_unix(work->socket) && chrooted(work) != NULL &&
           inside(work->socket + 5, work->postfix.queue) == NULL;
}

static int make_socket_folder(const struct work *work, struct error *err)
{
    char folder[PATH_MAX];
    const struct passwd *user = getpwnam(work->ctl->settings->user);
    snprintf(folder, sizeof folder, "%s/milter-moved", work->postfix.queue);
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        return error_set(err, EX_CANTCREAT, "%s: %s", folder, strerror(errno));
    if (chmod(folder, 0755) != 0 ||
        (user != NULL && chown(folder, user->pw_uid, user->pw_gid) != 0))
        return error_set(err, EX_CANTCREAT, "%s: %s", folder, strerror(errno));
    return 0;
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
static int check_moved(const struct work *work, struct error *err)
{
    int fd = probe_connect(work->socket, err);
    if (fd >= 0)
        return close(fd);
    return error_set(
        err, EX_UNAVAILABLE,
        "milter-moved was started anew and does not answer on %s: if milter-moved.socket holds "
        "its socket, set ListenStream there, or disable it, and run this again",
        work->socket);
}

/* Moves our socket into the queue folder, as the first of two steps. Returns 0 where the second can
 * follow, or -1 with err. */
static int move_socket(struct work *work, struct error *err)
{
    static const char *const restart[] = {"systemctl", "restart", "milter-moved", NULL};
    static const char *const *const restarts[] = {restart, NULL};
    struct changes changes = {.count = 0};
    bool unit = runs_as_unit(), dry_run = work->ctl->options.dry_run;
    const struct aftermath aftermath = {.reloads = unit ? restarts : NULL};

    snprintf(work->socket, sizeof work->socket, "unix:%s/milter-moved/milter.sock",
             work->postfix.queue);
    printf("Step 1 of 2: %s is confined to %s (chroot in master.cf): the milter's socket moves "
           "there.\n\n",
           chrooted(work)->name, work->postfix.queue);
    int rc = attach_set_key(work->ctl, &changes, "socket", work->socket, err);
    if (rc == 0 && !dry_run)
        rc = make_socket_folder(work, err);
    if (rc == 0)
        rc = attach_carry_out(work->ctl, &changes, &aftermath, "", "", err);
    changes_free(&changes);
    if (rc == 0 && !dry_run)
        rc =
            unit
                ? check_moved(work, err)
                : error_set(err, EX_TEMPFAIL,
                            "start milter-moved anew, and then the same command again, for step 2");
    if (rc == 0)
        puts("\nStep 2 of 2: Postfix.\n");
    return rc;
}

/* ---- what is said */

static void say_classes(const struct work *work)
{
    size_t counts[POSTFIX_NONE + 1] = {0};
    for (size_t i = 0; i < work->domain_count; i++)
        counts[work->classes[i]]++;
    for (int kind = 0; kind <= POSTFIX_NONE; kind++)
        if (counts[kind] > 0)
            printf("%zu domain%s of class %s%s%s\n", counts[kind], counts[kind] == 1 ? "" : "s",
                   postfix_class_name((enum postfix_class)kind), kind == POSTFIX_NONE ? "" : ": ",
                   kind == POSTFIX_NONE ? "" : postfix_class_maps((enum postfix_class)kind));
}

static void say_unserved(const struct work *work)
{
    if (work->unserved)
        return;
    for (size_t i = 0; i < work->domain_count; i++)
        if (work->classes[i] == POSTFIX_NONE) {
            ctl_warn("%s%s not served by this Postfix: mail to it is answered 'Relay access "
                     "denied'; attach --unserved has it answered with 551",
                     work->domains[i],
                     i + 1 < work->domain_count ? " and perhaps others are" : " is");
            return;
        }
}

static void say_services(const struct work *work)
{
    for (size_t i = 0; i < work->service_count; i++) {
        const struct service *service = &work->services[i];
        if (!service->attached)
            printf("%s has its milters switched off in master.cf, and is left alone\n",
                   service->name);
        else if (service->choosy)
            ctl_warn("%s asks other milters of some clients (smtpd_milter_maps): it is not told of "
                     "removed "
                     "mailboxes, which those clients could then send to; do without "
                     "smtpd_milter_maps, and "
                     "run attach again",
                     service->name);
    }
}

/* What a mailing list meets on the day after a migration. */
static void say_limits(const struct work *work)
{
    struct error err;
    size_t entries = 0;
    char *soft = postfix_value(work->postfix.dir, "smtpd_soft_error_limit", true, &err);
    char *hard = postfix_value(work->postfix.dir, "smtpd_hard_error_limit", true, &err);
    if (soft != NULL && hard != NULL && !work->raise_limits &&
        table_count(work->ctl->table, &entries, &err) == 0)
        printf("Postfix counts each 551 as an error: after %s in a session it waits a second "
               "before each "
               "reply,\nafter %s it ends the session with 421, good recipients with it (they are "
               "tried "
               "again).\nThis table has %zu %s: a list with so many moved recipients meets that: "
               "--raise-limits\n",
               soft, hard, entries, entry_noun(entries));
    free(soft);
    free(hard);
}

/* ---- the plan, and carrying it out */

static int make_plan(struct work *work, struct error *err)
{
    const struct plan_input input = {
        .postfix = &work->postfix,
        .scratch = work->scratch,
        .milter = work->milter,
        .lookups = work->ctl->settings->lookup_socket + 5,
        .domains = (const char *const *)work->domains,
        .classes = work->classes,
        .count = work->domain_count,
        .unserved = work->unserved,
        .raise_limits = work->raise_limits,
    };
    return plan_make(&input, work->main, work->master, work->services, work->service_count, err);
}

static int add_changes(struct work *work, struct error *err)
{
    char *main = cf_text(work->main), *master = cf_text(work->master);
    int rc = main == NULL || master == NULL ? out_of_memory(err) : 0;
    if (rc == 0) {
        rc = changes_add(&work->changes, work->main_path, main, err);
        main = NULL;
    }
    if (rc == 0) {
        rc = changes_add(&work->changes, work->master_path, master, err);
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

static int carry_out(struct work *work, const char *nothing, const char *done, struct error *err)
{
    char program[PATH_MAX];
    const char *const check[] = {program, "-c", work->postfix.dir, "check", NULL};
    const char *const reload[] = {program, "-c", work->postfix.dir, "reload", NULL};
    const char *const *const checks[] = {check, NULL};
    const char *const *const reloads[] = {reload, NULL};
    snprintf(program, sizeof program, "%s/postfix", work->postfix.programs);
    const struct aftermath aftermath = {
        .checks = checks, .reloads = is_running(program, work->postfix.dir) ? reloads : NULL};
    return attach_carry_out(work->ctl, &work->changes, &aftermath, nothing, done, err);
}

static int attach_with(struct work *work, struct error *err)
{
    const struct settings *settings = work->ctl->settings;
    if (*settings->lookup_socket == '\0')
        return error_set(err, EX_CONFIG,
                         "lookup_socket: is \"\": without it Postfix refuses "
                         "mailboxes that it no longer has: set it");
    if (read_configuration(work, err) != 0 || read_domains(work, err) != 0)
        return -1;
    snprintf(work->socket, sizeof work->socket, "%s", settings->socket);
    if (wants_new_socket(work) && move_socket(work, err) != 0)
        return -1;
    if (name_milter(work, err) != 0 || make_plan(work, err) != 0 || add_changes(work, err) != 0 ||
        attach_mode(work->ctl, &work->changes, err) != 0)
        return -1;
    if (!work->ctl->options.dry_run && work->changes.count > 0 && check_daemon(work, err) != 0)
        return -1;
    say_classes(work);
    say_services(work);
    say_limits(work);
    say_unserved(work);
    putchar('\n');
    fflush(stdout);
    return carry_out(work, "Attached already: nothing to change.",
                     "Attached. movedctl doctor shows what a sender now gets.", err);
}

static int attach(struct ctl *ctl, struct error *err)
{
    struct work work = {
        .ctl = ctl, .unserved = ctl->options.unserved, .raise_limits = ctl->options.raise_limits};
    int rc = postfix_find(&work.postfix, ctl->options.config_dir, err);
    if (rc == 0)
        rc = attach_with(&work, err);
    free_work(&work);
    return rc;
}

static int detach(struct ctl *ctl, struct error *err)
{
    struct work work = {.ctl = ctl};
    int rc = postfix_find(&work.postfix, ctl->options.config_dir, err);
    if (rc == 0)
        rc = read_configuration(&work, err);
    if (rc == 0)
        rc = add_changes(&work, err);
    if (rc == 0)
        rc = carry_out(&work, "Not attached: nothing to change.",
                       "Detached. milter-moved itself can be stopped now.", err);
    free_work(&work);
    return rc;
}

/* Whether the services have the map in the list of this class. */
static bool has_map(const char *text, enum postfix_class kind)
{
    char option[128];
    snprintf(option, sizeof option, "\n  -o { %s = ", postfix_class_maps(kind));
    for (const char *at = text; (at = strstr(at, option)) != NULL; at++) {
        const char *end = strchr(at + 1, '\n'), *map = strstr(at, PLAN_LISTED " }\n");
        if (map != NULL && map < end)
            return true;
    }
    return false;
}

/* Plans for the classes that were planned for, whatever domains the table has now. Returns whether
 * master.cf would be another one; false where that cannot be found out. */
static bool differs(struct work *work, const char *text)
{
    enum postfix_class classes[POSTFIX_CLASSES + 1];
    const char *domains[POSTFIX_CLASSES + 1];
    size_t count = 0;
    struct error err;
    for (int kind = 0; kind <= POSTFIX_CLASSES; kind++)
        if (kind == POSTFIX_NONE ? work->unserved : has_map(text, (enum postfix_class)kind)) {
            classes[count] = (enum postfix_class)kind;
            domains[count++] = "a.example"; /* only main.cf names it */
        }
    const struct plan_input input = {.postfix = &work->postfix,
                                     .scratch = work->scratch,
                                     .milter = work->milter,
                                     .lookups = work->ctl->settings->lookup_socket + 5,
                                     .domains = domains,
                                     .classes = classes,
                                     .count = count,
                                     .unserved = work->unserved,
                                     .raise_limits = work->raise_limits};
    bool planned =
        plan_make(&input, work->main, work->master, work->services, work->service_count, &err) == 0;
    char *would_be = planned ? cf_text(work->master) : NULL;
    bool differ = would_be != NULL && strcmp(text, would_be) != 0;
    free(would_be);
    return differ;
}

bool attach_postfix_is_outdated(struct ctl *ctl)
{
    struct error err;
    struct work work = {.ctl = ctl};
    char *text = NULL;
    bool outdated = false;
    snprintf(work.socket, sizeof work.socket, "%s", ctl->settings->socket);
    if (*ctl->settings->lookup_socket != '\0' &&
        postfix_find(&work.postfix, ctl->options.config_dir, &err) == 0 &&
        read_configuration(&work, &err) == 0 && work.attached && name_milter(&work, &err) == 0 &&
        (text = file_read(work.master_path, &err)) != NULL)
        outdated = differs(&work, text);
    free(text);
    free_work(&work);
    return outdated;
}

const struct mta mta_postfix = {"postfix", attach, detach};
