/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/postfix/postfix_attach.c: attach and detach for Postfix, as struct mta has them */
#include "base/endpoint.h"
#include "mta/attachment.h"
#include "mta/postfix/postfix.h"
#include "mta/postfix/postfix_ours.h"
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

/* The state of one run. */
struct postfix_attachment {
    const struct mta_request *request;
    struct postfix postfix;
    char main_path[PATH_MAX], master_path[PATH_MAX];
    struct cf main, master; /* without us, and then with what is planned */
    char scratch[32];       /* a folder with both as they are without us; "" before it is made */
    enum postfix_class *classes; /* of the table's domains */
    struct service *services;
    size_t service_count;
    char socket[ENDPOINT_TEXT_SIZE]; /* of the milter, as our configuration has or will have it */
    char milter[ENDPOINT_TEXT_SIZE]; /* the same in the form of smtpd_milters */
    /* The lookup socket, as our configuration has or will have it */
    char lookups[ENDPOINT_TEXT_SIZE];
    bool unserved, raise_limits; /* asked for, now or in an earlier run */
    char *processes;             /* of the running Postfix, before its reload; NULL: none */
    struct file_changes changes;
};

/* ---- reading what is there */

/* An option that was given once holds until detach. */
static void read_earlier_options(struct postfix_attachment *a, const char *text)
{
    a->unserved = a->unserved || strstr(text, OURS_UNSERVED) != NULL;
    a->raise_limits = a->raise_limits || strstr(text, OURS_HARD_LIMIT) != NULL;
}

static int read_file(struct cf *out, const char *path, struct postfix_attachment *a,
                     struct error *err)
{
    char *text = file_read(path, err);
    if (text == NULL)
        return -1;
    read_earlier_options(a, text);
    int rc = cf_read(out, text) == 0 ? ours_check_form(out, path, err) : error_no_memory(err);
    free(text);
    return rc;
}

static int write_scratch(const struct postfix_attachment *a, const char *name, const struct cf *cf,
                         struct error *err)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s/%s", a->scratch, name);
    if (file_create(copy, cf->text, err) != 0)
        return -1;
    /* Postfix's programs wait until a file is a second or two old before they read it. */
    (void)utime(copy, &(struct utimbuf){.modtime = time(NULL) - 60});
    return 0;
}

/* Reads both files, and takes out what is ours. What is left of it elsewhere would wait for milter-moved after detach
 * (so would the lookup socket, "" for attach), or accept what milter-moved no longer refuses. */
static int read_configuration(struct postfix_attachment *a, const char *socket, struct error *err)
{
    snprintf(a->main_path, sizeof a->main_path, "%s/main.cf", a->postfix.dir);
    snprintf(a->master_path, sizeof a->master_path, "%s/master.cf", a->postfix.dir);
    if (read_file(&a->main, a->main_path, a, err) != 0 ||
        read_file(&a->master, a->master_path, a, err) != 0 ||
        ours_strip_main(&a->main, &a->postfix, err) != 0)
        return -1;
    if (ours_strip_master(&a->master) != 0)
        return error_no_memory(err);
    if (ours_check_gone(&a->main, a->main_path, socket, err) != 0)
        return -1;
    return ours_check_gone(&a->master, a->master_path, socket, err);
}

/* Reads the services of what was read, with Postfix's own programs. */
static int read_services(struct postfix_attachment *a, struct error *err)
{
    char scratch[] = FILE_TEMPORARY;
    if (mkdtemp(scratch) == NULL)
        return error_set(err, EX_CANTCREAT, "/tmp: %s", strerror(errno));
    memcpy(a->scratch, scratch, sizeof scratch);
    if (write_scratch(a, "main.cf", &a->main, err) != 0 ||
        write_scratch(a, "master.cf", &a->master, err) != 0)
        return -1;
    a->services = plan_services(a->scratch, &a->service_count, err);
    if (a->services == NULL)
        return -1;
    for (size_t i = 0; i < a->service_count; i++)
        if (a->services[i].attached)
            return 0;
    if (a->service_count > 0)
        return error_set(err, EX_CONFIG,
                         "%s: nothing is attached: %s has %s, and no other smtpd takes mail",
                         a->master_path, a->services[0].name, a->services[0].why);
    return error_set(err, EX_CONFIG,
                     "%s: no smtpd takes mail here, so nothing is attached: --config-dir names the "
                     "folder of another instance (postmulti -l lists them)",
                     a->master_path);
}

static int classify(struct postfix_attachment *a, struct error *err)
{
    const struct mta_request *request = a->request;
    a->classes = calloc(request->domain_count + 1, sizeof *a->classes);
    if (a->classes == NULL)
        return error_no_memory(err);
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
    free(a->processes);
    cf_free(&a->main);
    cf_free(&a->master);
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
            a->request->say("%s has %s in master.cf, and is left alone\n", service->name,
                            service->why);
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
                        "second\n"
                        "before each reply, after %s it ends the session with 421, and the sender "
                        "has to\n"
                        "try good recipients again too. This table has %zu %s: mail to a list\n"
                        "with many of them meets these limits. attach --raise-limits raises "
                        "them.\n",
                        soft, hard, a->request->entries,
                        a->request->entries == 1 ? "entry" : "entries");
    free(soft);
    free(hard);
}

/* What the server will do otherwise than before, or go on doing. */
static const struct {
    const char *word;      /* in a list of restrictions */
    const char *parameter; /* or this in main.cf; NULL: nothing else */
    const char *text;
} effects[] = {
    {"reject_unverified_recipient", NULL,
     "reject_unverified_recipient asks where a mailbox is delivered before any milter is heard: a "
     "removed one gets its answer, not 551 (movedctl doctor names the mend)"},
    {"reject_unlisted_sender", "\nsmtpd_reject_unlisted_sender = yes",
     "reject_unlisted_sender: a removed mailbox counts as known, and is accepted as a sender"},
    {"check_policy_service", NULL,
     "check_policy_service: a removed mailbox counts as known, so the policy service is asked "
     "first: one that greylists answers 450, and 551 comes at the next try; one that looks at "
     "quotas may refuse the mailbox itself"},
};

/* Not as a part of the name of a parameter. */
static bool has_word(const char *text, const char *word)
{
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        if (at > text && strchr(" ,{=\t", at[-1]) != NULL)
            return true;
    return false;
}

static bool has_effect(size_t i, const char *values, const char *own)
{
    return has_word(values, effects[i].word) || has_word(own, effects[i].word) ||
           (effects[i].parameter != NULL && strstr(values, effects[i].parameter) != NULL);
}

/* The value of the parameter on a line of the values; "" if there is none. Cut to fit. */
static void find_value(char *out, size_t size, const char *values, const char *name)
{
    char line[64];
    snprintf(line, sizeof line, "\n%s =", name);
    const char *at = strstr(values, line);
    at = at == NULL ? "" : at + strlen(line);
    at += *at == ' ';
    snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
}

static bool has_other_delimiter(const char *theirs, const char *ours)
{
    for (; *theirs != '\0'; theirs++)
        if (strchr(ours, *theirs) == NULL)
            return true;
    return false;
}

static void say_effects(const struct postfix_attachment *a)
{
    struct error err;
    char delimiter[32], others[256];
    const char *ours = a->request->settings->delimiters;
    char *values = postfix_values(a->scratch, NULL, 0, &err);
    char *own = values == NULL ? NULL : postfix_overrides(a->scratch, true, &err);
    for (size_t i = 0; own != NULL && i < sizeof effects / sizeof *effects; i++)
        if (has_effect(i, values, own))
            a->request->warn("%s", effects[i].text);
    if (own != NULL) {
        find_value(others, sizeof others, values, "multi_instance_directories");
        if (*others != '\0')
            a->request->warn(
                "multi_instance_directories: the other instances are left alone; attach "
                "--config-dir for each that takes mail: %s",
                others);
        find_value(delimiter, sizeof delimiter, values, "recipient_delimiter");
        if (has_other_delimiter(delimiter, ours))
            a->request->warn("recipient_delimiter = %s, and delimiters = \"%s\" in our "
                             "configuration: give both the same",
                             delimiter, ours);
    }
    free(values);
    free(own);
}

static void say_all(const struct postfix_attachment *a, bool by_hand)
{
    if (by_hand)
        a->request->warn("%s was added by hand, and is left as it is", a->milter);
    say_classes(a);
    say_services(a);
    say_limits(a);
    say_unserved(a);
    say_effects(a);
    a->request->say("\n");
}

/* Whether an administrator put the milter in, before ours is planned. */
static bool is_by_hand(const struct postfix_attachment *a)
{
    return strstr(a->main.bare, a->milter) != NULL || strstr(a->master.bare, a->milter) != NULL;
}

/* ---- planning and making the change */

static int make_plan(struct postfix_attachment *a, struct error *err)
{
    const char *lookups = endpoint_path(a->lookups);
    const char *relative = postfix_queue_path(&a->postfix, lookups);
    const struct plan_input input = {
        .postfix = &a->postfix,
        .scratch = a->scratch,
        .milter = a->milter,
        .lookups = relative == NULL ? lookups : relative,
        .classes = a->classes,
        .count = a->request->domain_count,
        .unserved = a->unserved,
        .raise_limits = a->raise_limits,
    };
    int rc = plan_make(&input, &a->main, &a->master, a->services, a->service_count, err);
    if (rc == 0 && a->request->unserved && strstr(a->main.bare, "$" OURS_UNSERVED) == NULL &&
        strstr(a->master.bare, "$" OURS_UNSERVED) == NULL)
        rc = error_set(err, EX_CONFIG,
                       "%s: --unserved has no effect: no list of restrictions has "
                       "reject_unauth_destination: put that into smtpd_relay_restrictions",
                       a->main_path);
    return rc;
}

static int add_changes(struct postfix_attachment *a, struct error *err)
{
    char *main = strdup(a->main.text), *master = strdup(a->master.text);
    if (main == NULL || master == NULL) {
        free(main);
        free(master);
        return error_no_memory(err);
    }
    int rc = file_changes_add(&a->changes, a->main_path, main, err);
    if (rc == 0)
        return file_changes_add(&a->changes, a->master_path, master, err);
    free(master);
    return rc;
}

static int note_processes(void *data, struct error *err)
{
    struct postfix_attachment *a = data;
    (void)err;
    a->processes = postfix_processes(&a->postfix);
    return 0;
}

/* Once it returns 0 a new session gets what was planned. */
static int carry_out(struct postfix_attachment *a, bool detaches, const char *nothing,
                     const char *done, struct error *err)
{
    char program[PATH_MAX];
    const char *const status[] = {program, "-c", a->postfix.dir, "status", NULL};
    const char *const check[] = {program, "-c", a->postfix.dir, "check", NULL};
    const char *const reload[] = {program, "-c", a->postfix.dir, "reload", NULL};
    const char *const *const checks[] = {check, NULL};
    const char *const *const reloads[] = {reload, NULL};
    snprintf(program, sizeof program, "%s/postfix", a->postfix.programs);
    const struct aftermath aftermath = {.first = note_processes,
                                        .data = a,
                                        .checks = checks,
                                        .reloads = process_succeeds(status) ? reloads : NULL,
                                        .names_all_copies = detaches};
    int rc = attachment_carry_out(a->request, &a->changes, &aftermath, nothing, done, err);
    if (rc == 0 && aftermath.reloads != NULL)
        postfix_await_reload(&a->postfix, a->processes);
    return rc;
}

static int place_sockets(struct postfix_attachment *a, struct error *err)
{
    const struct settings *settings = a->request->settings;
    const struct service *chrooted = find_chrooted(a);
    snprintf(a->socket, sizeof a->socket, "%s", settings->socket);
    snprintf(a->lookups, sizeof a->lookups, "%s", settings->lookup_socket);
    if (chrooted != NULL &&
        (postfix_is_out_of_chroot(&a->postfix, a->socket) ||
         postfix_is_out_of_chroot(&a->postfix, a->lookups)) &&
        postfix_move_sockets(a->socket, a->lookups, a->request, &a->postfix, chrooted->name, err) !=
            0)
        return -1;
    return postfix_name_milter(a->milter, &a->postfix, a->socket, err);
}

/* If the daemon does not answer, or not to Postfix, all recipients would be deferred from now on. */
static int check_daemon(const struct postfix_attachment *a, struct error *err)
{
    if (attachment_check_daemon(a->request, &a->changes, a->socket, a->lookups, err) != 0)
        return -1;
    return a->request->dry_run || a->changes.count == 0 ||
                   (postfix_check_socket(&a->postfix, a->socket, err) == 0 &&
                    postfix_check_socket(&a->postfix, a->lookups, err) == 0)
               ? 0
               : -1;
}

static int attach_with(struct postfix_attachment *a, struct error *err)
{
    if (*a->request->settings->lookup_socket == '\0')
        return error_set(err, EX_CONFIG,
                         "lookup_socket: is \"\": set it, or Postfix itself refuses mailboxes that "
                         "were removed");
    if (read_configuration(a, "", err) != 0 || read_services(a, err) != 0 ||
        classify(a, err) != 0 || place_sockets(a, err) != 0)
        return -1;
    bool by_hand = is_by_hand(a);
    if (make_plan(a, err) != 0 || add_changes(a, err) != 0 ||
        attachment_share(a->request, &a->changes, "postfix", err) != 0)
        return -1;
    if (check_daemon(a, err) != 0)
        return -1;
    if (a->changes.count > 0)
        say_all(a, by_hand);
    return carry_out(a, false, "Attached already: nothing to change.",
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
    const struct settings *settings = a->request->settings;
    const char *lookups = endpoint_path(settings->lookup_socket);
    const char *relative = lookups == NULL ? NULL : postfix_queue_path(&a->postfix, lookups);
    if (read_configuration(a,
                           relative != NULL  ? relative
                           : lookups != NULL ? lookups
                                             : "",
                           err) != 0 ||
        postfix_name_milter(a->milter, &a->postfix, settings->socket, err) != 0 ||
        add_changes(a, err) != 0 || attachment_forget(a->request, &a->changes, "postfix", err) != 0)
        return -1;
    if (is_by_hand(a))
        a->request->warn(
            "%s was added by hand, and stays: remove it before milter-moved is stopped", a->milter);
    bool moves = attachment_unsets(&a->changes, "socket = ");
    int rc = carry_out(a, true, "Not attached: nothing to change.",
                       "Detached. milter-moved itself can be stopped now.", err);
    if (rc == 0 && !a->request->dry_run &&
        (moves || postfix_is_out_of_chroot(&a->postfix, settings->socket)))
        postfix_leave_folder(a->request, &a->postfix, moves);
    return rc;
}

int postfix_detach(const struct mta_request *request, struct error *err)
{
    struct postfix_attachment a = {.request = request};
    return run(&a, detach_with, err);
}

int postfix_serves(bool *served, const char *config_dir, const char *const *domains, size_t count,
                   struct error *err)
{
    struct postfix postfix;
    if (postfix_find(&postfix, config_dir, err) != 0)
        return -1;
    enum postfix_class *classes = calloc(count + 1, sizeof *classes);
    int rc = classes == NULL ? error_no_memory(err)
                             : postfix_classify(&postfix, domains, count, classes, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        served[i] = classes[i] != POSTFIX_NONE;
    free(classes);
    postfix_free(&postfix);
    return rc;
}
