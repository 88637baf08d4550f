#include "mta/postfix/postfix_attach.h"

#include "base/endpoint.h"
#include "mta/attachment.h"
#include "mta/postfix/postfix.h"
#include "mta/postfix/postfix_plan.h"
#include "mta/postfix/postfix_socket.h"
#include "mta/process.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utime.h>

#define COMMENT "# "

/* The state of one run. */
struct postfix_attachment {
    const struct mta_request *request;
    struct postfix postfix;
    char main_path[PATH_MAX], master_path[PATH_MAX];
    struct cf *main, *master; /* without us, and then with what is planned */
    char scratch[32];         /* a folder with both as they are without us; "" before it is made */
    enum postfix_class *classes; /* of the table's domains */
    struct service *services;
    size_t service_count;
    char socket[ENDPOINT_TEXT_SIZE]; /* of the milter, as our configuration has or will have it */
    char milter[ENDPOINT_TEXT_SIZE]; /* the same in the form of smtpd_milters */
    bool unserved, raise_limits;     /* asked for, now or in an earlier run */
    struct file_changes changes;
};

/* ---- reading what is there */

static int out_of_memory(struct error *err)
{
    return error_set(err, EX_OSERR, "out of memory");
}

/* Reads a file of the configuration without our blocks, and writes that into the scratch folder. */
static int read_file(struct cf **out, const char *path, struct postfix_attachment *a,
                     const char *name, struct error *err)
{
    char copy[PATH_MAX];
    char *text = file_read(path, err), *stripped = NULL;
    if (text == NULL)
        return -1;
    /* An option that was given once holds until detach. */
    a->unserved = a->unserved || strstr(text, PLAN_UNSERVED) != NULL;
    a->raise_limits = a->raise_limits || strstr(text, PLAN_HARD_LIMIT) != NULL;
    stripped = attachment_strip(text, COMMENT);
    *out = stripped == NULL ? NULL : cf_read(stripped);
    free(text);
    int rc = *out == NULL ? out_of_memory(err) : 0;
    snprintf(copy, sizeof copy, "%s/%s", a->scratch, name);
    if (rc == 0)
        rc = file_create(copy, stripped, err);
    /* Postfix's programs wait until a file is a second or two old before they read it. */
    if (rc == 0)
        (void)utime(copy, &(struct utimbuf){.modtime = time(NULL) - 60});
    free(stripped);
    return rc;
}

static int read_configuration(struct postfix_attachment *a, struct error *err)
{
    char scratch[] = FILE_TEMPORARY;
    if (postfix_find(&a->postfix, a->request->config_dir, err) != 0)
        return -1;
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

static void free_attachment(struct postfix_attachment *a)
{
    static const char *const names[] = {"main.cf", "master.cf", ""};
    char path[PATH_MAX];
    for (size_t i = 0; *a->scratch != '\0' && i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", a->scratch, names[i]);
        (void)remove(path);
    }
    free(a->classes);
    free(a->services);
    cf_free(a->main);
    cf_free(a->master);
    file_changes_free(&a->changes);
    postfix_free(&a->postfix);
}

static const struct service *find_chrooted(const struct postfix_attachment *a)
{
    for (size_t i = 0; i < a->service_count; i++)
        if (a->services[i].attached && a->services[i].chroot)
            return &a->services[i];
    return NULL;
}

/* ---- what the administrator is told */

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
                "%s has other milters for some clients (smtpd_milter_maps), who could then send to "
                "removed mailboxes: so it does not get the map listed; remove smtpd_milter_maps "
                "and "
                "run attach again",
                service->name);
    }
}

/* Mail to a mailing list meets them on the day after a migration. */
static void say_limits(const struct postfix_attachment *a)
{
    struct error err;
    char *soft = postfix_value(a->postfix.dir, "smtpd_soft_error_limit", true, &err);
    char *hard = postfix_value(a->postfix.dir, "smtpd_hard_error_limit", true, &err);
    if (soft != NULL && hard != NULL && !a->raise_limits)
        a->request->say("Postfix counts each 551 as an error: after %s in a session it waits a "
                        "second before each\n"
                        "reply, after %s it ends the session with 421, and the sender has to try "
                        "good recipients\n"
                        "again too. This table has %zu %s: mail to a list with many of them meets "
                        "these limits.\n"
                        "attach --raise-limits raises them.\n",
                        soft, hard, a->request->entries,
                        a->request->entries == 1 ? "entry" : "entries");
    free(soft);
    free(hard);
}

/* ---- planning and making the change */

static int make_plan(struct postfix_attachment *a, struct error *err)
{
    const struct plan_input input = {
        .postfix = &a->postfix,
        .scratch = a->scratch,
        .milter = a->milter,
        .lookups = endpoint_path(a->request->settings->lookup_socket),
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

static int carry_out(struct postfix_attachment *a, const char *nothing, const char *done,
                     struct error *err)
{
    char program[PATH_MAX];
    const char *const status[] = {program, "-c", a->postfix.dir, "status", NULL};
    const char *const check[] = {program, "-c", a->postfix.dir, "check", NULL};
    const char *const reload[] = {program, "-c", a->postfix.dir, "reload", NULL};
    const char *const *const checks[] = {check, NULL};
    const char *const *const reloads[] = {reload, NULL};
    snprintf(program, sizeof program, "%s/postfix", a->postfix.programs);
    const struct aftermath aftermath = {.checks = checks,
                                        .reloads = process_succeeds(status) ? reloads : NULL};
    return attachment_carry_out(a->request, &a->changes, &aftermath, nothing, done, err);
}

static int attach(struct postfix_attachment *a, struct error *err)
{
    const struct settings *settings = a->request->settings;
    if (*settings->lookup_socket == '\0')
        return error_set(err, EX_CONFIG,
                         "lookup_socket: is \"\": set it, or Postfix itself refuses mailboxes that "
                         "were removed");
    if (read_configuration(a, err) != 0 || classify(a, err) != 0)
        return -1;
    const struct service *chrooted = find_chrooted(a);
    snprintf(a->socket, sizeof a->socket, "%s", settings->socket);
    if (chrooted != NULL && postfix_is_out_of_chroot(&a->postfix, a->socket) &&
        postfix_move_socket(a->socket, a->request, &a->postfix, chrooted->name, err) != 0)
        return -1;
    if (postfix_name_milter(a->milter, &a->postfix, a->socket, err) != 0 ||
        make_plan(a, err) != 0 || add_changes(a, err) != 0 ||
        attachment_mode(a->request, &a->changes, err) != 0)
        return -1;
    /* If the daemon does not answer, or not to Postfix, all recipients would be deferred from now on. */
    if (!a->request->dry_run && a->changes.count > 0 &&
        (postfix_check_socket(&a->postfix, a->socket, err) != 0 ||
         postfix_check_socket(&a->postfix, settings->lookup_socket, err) != 0))
        return -1;
    say_classes(a);
    say_services(a);
    say_limits(a);
    say_unserved(a);
    a->request->say("\n");
    return carry_out(a, "Attached already: nothing to change.",
                     "Attached. movedctl doctor shows what a sender now gets.", err);
}

int postfix_attach(const struct mta_request *request, struct error *err)
{
    struct postfix_attachment a = {
        .request = request, .unserved = request->unserved, .raise_limits = request->raise_limits};
    int rc = attach(&a, err);
    free_attachment(&a);
    return rc;
}

int postfix_detach(const struct mta_request *request, struct error *err)
{
    struct postfix_attachment a = {.request = request};
    int rc = read_configuration(&a, err);
    if (rc == 0)
        rc = add_changes(&a, err);
    if (rc == 0)
        rc = carry_out(&a, "Not attached: nothing to change.",
                       "Detached. milter-moved itself can be stopped now.", err);
    free_attachment(&a);
    return rc;
}
