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
#include <unistd.h>
#include <utime.h>

enum { MAIN, MASTER, FILES };
static const char *const file_names[FILES] = {"main.cf", "master.cf"};

/* The state of one run. */
struct postfix_attachment {
    struct attachment common;
    struct postfix postfix;
    char paths[FILES][PATH_MAX];
    struct cf files[FILES]; /* without us, and then with what is planned */
    char scratch[32];       /* a folder with both as they are without us; "" before it is made */
    struct postconf main;   /* the parameters of main.cf there */
    struct plan plan;       /* unserved and raise_limits: asked for now or in an earlier run */
    /* Our sockets, as our configuration has or will have them */
    char socket[ENDPOINT_TEXT_SIZE], lookups[ENDPOINT_TEXT_SIZE];
    bool runs;       /* Postfix does, before the change */
    char *processes; /* its processes, before its reload; NULL: none */
};

/* ---- reading what is there */

/* Reads both files, and takes out what is ours. What is left of it elsewhere would wait for milter-moved after detach
 * (so would the lookup socket, "" for attach), or accept what milter-moved no longer refuses. */
static int read_files(struct postfix_attachment *a, const char *socket, struct error *err)
{
    if (postconf_split(&a->plan.defaults, postfix_lines(a->postfix.dir, "-d", NULL, err), err) != 0)
        return -1;
    for (int i = 0; i < FILES; i++) {
        struct cf *cf = &a->files[i];
        snprintf(a->paths[i], sizeof a->paths[i], "%s/%s", a->postfix.dir, file_names[i]);
        char *text = file_read(a->paths[i], err);
        if (text == NULL)
            return -1;
        /* An option that was given once holds until detach. */
        a->plan.unserved = a->plan.unserved || strstr(text, OURS_UNSERVED) != NULL;
        a->plan.raise_limits = a->plan.raise_limits || strstr(text, OURS_HARD_LIMIT) != NULL;
        int rc =
            cf_read(cf, text) == 0 ? ours_check_form(cf, a->paths[i], err) : error_no_memory(err);
        free(text);
        if (rc != 0)
            return -1;
        ours_strip(cf, i == MAIN ? &a->plan.defaults : NULL);
        if (cf->failed)
            return error_no_memory(err);
        if (ours_check_gone(cf, a->paths[i], socket, err) != 0)
            return -1;
    }
    return 0;
}

/* Reads the services of what was read, with Postfix's own programs. */
static int read_services(struct postfix_attachment *a, struct error *err)
{
    struct plan *plan = &a->plan;
    char scratch[] = FILE_TEMPORARY, copy[PATH_MAX];
    if (mkdtemp(scratch) == NULL)
        return error_set(err, EX_CANTCREAT, "/tmp: %s", strerror(errno));
    memcpy(a->scratch, scratch, sizeof scratch);
    for (int i = 0; i < FILES; i++) {
        snprintf(copy, sizeof copy, "%s/%s", scratch, file_names[i]);
        if (file_create(copy, a->files[i].text, err) != 0)
            return -1;
        /* Postfix's programs wait until a file is a second or two old before they read it. */
        (void)utime(copy, &(struct utimbuf){.modtime = time(NULL) - 60});
    }
    if (postconf_split(&a->main, postfix_values(scratch, NULL, 0, err), err) != 0)
        return -1;
    plan->main = &a->main;
    plan->services = plan_services(scratch, plan->main, &plan->own, &plan->service_count, err);
    if (plan->services == NULL)
        return -1;
    for (size_t i = 0; i < plan->service_count; i++)
        if (plan->services[i].attached)
            return 0;
    if (plan->service_count > 0)
        return error_set(err, EX_CONFIG,
                         "%s: nothing is attached: %s has %s, and no other smtpd takes mail",
                         a->paths[MASTER], plan->services[0].name, plan->services[0].why);
    return error_set(err, EX_CONFIG,
                     "%s: no smtpd takes mail here, so nothing is attached: --config-dir names the "
                     "folder of another instance (postmulti -l lists them)",
                     a->paths[MASTER]);
}

static void free_attachment(struct postfix_attachment *a)
{
    char path[PATH_MAX];
    for (int i = 0; i < FILES; i++) {
        snprintf(path, sizeof path, "%s/%s", a->scratch, file_names[i]);
        if (*a->scratch != '\0')
            (void)remove(path);
        cf_free(&a->files[i]);
    }
    (void)rmdir(a->scratch);
    postconf_free(&a->main);
    postconf_free(&a->plan.own);
    postconf_free(&a->plan.defaults);
    free(a->plan.classes);
    free(a->plan.services);
    free(a->processes);
    file_changes_free(&a->common.changes);
    postfix_free(&a->postfix);
}

/* ---- what the administrator is told */

static void say_classes(const struct postfix_attachment *a)
{
    const struct mta_request *request = a->common.request;
    size_t counts[POSTFIX_NONE + 1] = {0};
    for (size_t i = 0; i < request->domain_count; i++)
        counts[a->plan.classes[i]]++;
    for (int kind = 0; kind <= POSTFIX_NONE; kind++)
        if (counts[kind] > 0)
            request->say("%zu domain%s of class %s%s%s\n", counts[kind],
                         counts[kind] == 1 ? "" : "s", postfix_class_name((enum postfix_class)kind),
                         kind == POSTFIX_NONE ? "" : ": ",
                         kind == POSTFIX_NONE ? "" : postfix_class_maps((enum postfix_class)kind));
}

static void say_unserved(const struct postfix_attachment *a)
{
    const struct mta_request *request = a->common.request;
    size_t first = 0;
    while (first < request->domain_count && a->plan.classes[first] != POSTFIX_NONE)
        first++;
    if (first < request->domain_count && !a->plan.unserved)
        request->warn("%s%s not served by this Postfix: mail to it is answered 'Relay access "
                      "denied'; attach --unserved has it answered with 551",
                      request->domains[first],
                      first + 1 < request->domain_count ? " and perhaps others are" : " is");
}

static void say_services(const struct postfix_attachment *a)
{
    for (size_t i = 0; i < a->plan.service_count; i++) {
        const struct service *service = &a->plan.services[i];
        if (!service->attached)
            a->common.request->say("%s has %s in master.cf, and is left alone\n", service->name,
                                   service->why);
        else if (service->choosy)
            a->common.request->warn(
                "%s has other milters for some clients (smtpd_milter_maps), who could then send to "
                "removed mailboxes: so it does not get the map listed; remove smtpd_milter_maps "
                "and run attach again",
                service->name);
    }
}

/* Mail to a mailing list meets them on the day after a migration. */
static void say_limits(const struct postfix_attachment *a)
{
    if (a->plan.raise_limits)
        return;
    a->common.request->say(
        "Postfix counts each 551 as an error: after %s in a session it waits a second\n"
        "before each reply, after %s it ends the session with 421, and the sender has to\n"
        "try good recipients again too. This table has %zu %s: mail to a list\n"
        "with many of them meets these limits. attach --raise-limits raises them.\n",
        postconf_find(a->plan.main, "smtpd_soft_error_limit", ""),
        postconf_find(a->plan.main, "smtpd_hard_error_limit", ""), a->common.request->entries,
        a->common.request->entries == 1 ? "entry" : "entries");
}

/* What the server then does differently, or still does. */
static const struct {
    const char *word;      /* in a list of restrictions */
    const char *parameter; /* or this is yes; NULL: nothing else */
    const char *text;
} effects[] = {
    {"reject_unverified_recipient", NULL,
     "reject_unverified_recipient asks where a mailbox is delivered before any milter is heard: a "
     "removed one gets its answer, not 551 (movedctl doctor names the mend)"},
    {"reject_unlisted_sender", "smtpd_reject_unlisted_sender",
     "reject_unlisted_sender: a removed mailbox counts as known, and is accepted as a sender"},
    {"check_policy_service", NULL,
     "check_policy_service: a removed mailbox counts as known, so the policy service is asked "
     "first: one that greylists answers 450, and 551 comes at the next try; one that looks at "
     "quotas may refuse the mailbox itself"},
};

/* Whether a value has the word, and not as a part of the name of a parameter. */
static bool has_word(const struct postconf *in, const char *word)
{
    for (size_t i = 0; i < in->count; i++) {
        const char *value = in->lines[i].value;
        for (const char *at = value; (at = strstr(at, word)) != NULL; at++)
            if (at == value || strchr(" ,{=\t", at[-1]) != NULL)
                return true;
    }
    return false;
}

static void say_effects(const struct postfix_attachment *a)
{
    const struct mta_request *request = a->common.request;
    const struct postconf *main = a->plan.main;
    const char *others = postconf_find(main, "multi_instance_directories", "");
    const char *theirs = postconf_find(main, "recipient_delimiter", "");
    const char *ours = request->settings->delimiters;
    for (size_t i = 0; i < sizeof effects / sizeof *effects; i++)
        if (has_word(main, effects[i].word) || has_word(&a->plan.own, effects[i].word) ||
            (effects[i].parameter != NULL &&
             strcmp(postconf_find(main, effects[i].parameter, ""), "yes") == 0))
            request->warn("%s", effects[i].text);
    if (*others != '\0')
        request->warn("multi_instance_directories: the other instances are left alone; attach "
                      "--config-dir for each that takes mail: %s",
                      others);
    if (theirs[strspn(theirs, ours)] != '\0')
        request->warn("recipient_delimiter = %s, and delimiters = \"%s\" in our "
                      "configuration: give both the same",
                      theirs, ours);
}

/* ---- planning and making the change */

static int name_milter(struct plan *plan, const char *socket, struct error *err)
{
    if (endpoint_parse(&plan->socket, socket, err) != 0)
        return -1;
    postfix_name_milter(plan->milter, plan->postfix, &plan->socket);
    return 0;
}

/* Whether an administrator put the milter in, before ours is planned. */
static bool is_by_hand(const struct postfix_attachment *a)
{
    return postfix_names(&a->postfix, a->files[MAIN].bare, &a->plan.socket) ||
           postfix_names(&a->postfix, a->files[MASTER].bare, &a->plan.socket);
}

/* Decides where our sockets are, and what Postfix calls them. */
static int place_sockets(struct postfix_attachment *a, struct error *err)
{
    const struct settings *settings = a->common.request->settings;
    const struct service *chrooted = NULL;
    snprintf(a->socket, sizeof a->socket, "%s", settings->socket);
    snprintf(a->lookups, sizeof a->lookups, "%s", settings->lookup_socket);
    for (size_t i = 0; i < a->plan.service_count && chrooted == NULL; i++)
        if (a->plan.services[i].attached && a->plan.services[i].chroot)
            chrooted = &a->plan.services[i];
    if (chrooted != NULL &&
        (postfix_is_out_of_chroot(&a->postfix, a->socket) ||
         postfix_is_out_of_chroot(&a->postfix, a->lookups)) &&
        postfix_move_sockets(a->socket, a->lookups, a->common.request, &a->postfix, chrooted->name,
                             err) != 0)
        return -1;
    snprintf(a->plan.lookups, sizeof a->plan.lookups, "%s",
             postfix_see_path(&a->postfix, endpoint_path(a->lookups)));
    return name_milter(&a->plan, a->socket, err);
}

static int make_plan(struct postfix_attachment *a, struct error *err)
{
    plan_main(&a->plan, &a->files[MAIN]);
    plan_master(&a->plan, &a->files[MASTER]);
    if (a->common.request->unserved && strstr(a->files[MAIN].bare, "$" OURS_UNSERVED) == NULL &&
        strstr(a->files[MASTER].bare, "$" OURS_UNSERVED) == NULL)
        return error_set(err, EX_CONFIG,
                         "%s: --unserved has no effect: no list of restrictions has "
                         "reject_unauth_destination: put that into smtpd_relay_restrictions",
                         a->paths[MAIN]);
    return 0;
}

static int add_changes(struct postfix_attachment *a, struct error *err)
{
    int rc = 0;
    for (int i = 0; i < FILES && rc == 0; i++)
        rc = a->files[i].failed
                 ? error_no_memory(err)
                 : file_changes_add(&a->common.changes, a->paths[i], a->files[i].text, err);
    return rc;
}

/* Checks that the daemon answers, and answers Postfix: else all recipients would be deferred from now on. */
static int check_daemon(const struct postfix_attachment *a, struct error *err)
{
    if (attachment_check_daemon(&a->common, a->socket, a->lookups, err) != 0)
        return -1;
    if (a->common.request->dry_run || a->common.changes.count == 0)
        return 0;
    return postfix_check_socket(&a->postfix, a->socket, err) == 0
               ? postfix_check_socket(&a->postfix, a->lookups, err)
               : -1;
}

static int run_postfix(const struct postfix_attachment *a, const char *command, struct error *err)
{
    char program[PATH_MAX];
    const char *const argv[] = {program, "-c", a->postfix.dir, command, NULL};
    snprintf(program, sizeof program, "%s/postfix", a->postfix.programs);
    return process_check(argv, err);
}

static int activate(void *data, bool taken_back, struct error *err)
{
    struct postfix_attachment *a = data;
    if (!taken_back) {
        a->processes = postfix_processes(&a->postfix);
        if (run_postfix(a, "check", err) != 0)
            return -1;
    }
    return a->runs ? run_postfix(a, "reload", err) : 0;
}

/* Once it returns 0 a new session gets what was planned. */
static int carry_out(struct postfix_attachment *a, struct error *err)
{
    a->runs = run_postfix(a, "status", NULL) == 0;
    a->common.is_unread = a->common.changes.count == 0 && postfix_is_unread(&a->postfix);
    int rc = attachment_carry_out(&a->common, activate, a, err);
    if (rc == 0 && a->runs)
        postfix_await_reload(&a->postfix, a->processes);
    return rc;
}

static int attach(struct postfix_attachment *a, struct error *err)
{
    const struct mta_request *request = a->common.request;
    if (attachment_check_lookups(&a->common, "Postfix", err) != 0 || read_files(a, "", err) != 0 ||
        read_services(a, err) != 0)
        return -1;
    a->plan.domain_count = request->domain_count;
    a->plan.classes = postfix_classify(&a->postfix, request->domains, request->domain_count, err);
    if (a->plan.classes == NULL || place_sockets(a, err) != 0)
        return -1;
    bool by_hand = is_by_hand(a);
    if (make_plan(a, err) != 0 || add_changes(a, err) != 0 ||
        attachment_share(&a->common, NULL, NULL, err) != 0 || check_daemon(a, err) != 0)
        return -1;
    if (a->common.changes.count > 0) {
        if (by_hand)
            request->warn("%s was added by hand, and is left as it is", a->plan.milter);
        say_classes(a);
        say_services(a);
        say_limits(a);
        say_unserved(a);
        say_effects(a);
        request->say("\n");
    }
    return carry_out(a, err);
}

static int detach(struct postfix_attachment *a, struct error *err)
{
    const struct mta_request *request = a->common.request;
    const struct settings *settings = request->settings;
    const char *lookups = endpoint_path(settings->lookup_socket);
    if (read_files(a, lookups == NULL ? "" : lookups, err) != 0 ||
        name_milter(&a->plan, settings->socket, err) != 0 || add_changes(a, err) != 0 ||
        attachment_forget(&a->common, err) != 0)
        return -1;
    if (is_by_hand(a))
        request->warn("%s was added by hand, and stays: remove it before milter-moved is stopped",
                      a->plan.milter);
    bool moves = attachment_unsets(&a->common, "socket = ");
    int rc = carry_out(a, err);
    if (rc == 0 && !request->dry_run &&
        (moves || postfix_is_out_of_chroot(&a->postfix, settings->socket)))
        postfix_leave_folder(request, &a->postfix, moves);
    return rc;
}

int postfix_run(const struct mta_request *request, struct error *err)
{
    struct postfix_attachment a = {
        .common = {.request = request},
        .plan = {.unserved = request->unserved, .raise_limits = request->raise_limits}};
    int rc = postfix_find(&a.postfix, request->config_dir, err);
    a.common.server = a.postfix.instance;
    a.plan.postfix = &a.postfix;
    if (rc == 0)
        rc = request->detaches ? detach(&a, err) : attach(&a, err);
    free_attachment(&a);
    return rc;
}

int postfix_serves(bool *served, const char *config_dir, const char *const *domains, size_t count,
                   struct error *err)
{
    struct postfix postfix;
    if (postfix_find(&postfix, config_dir, err) != 0)
        return -1;
    enum postfix_class *classes = postfix_classify(&postfix, domains, count, err);
    int rc = classes == NULL ? -1 : 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        served[i] = classes[i] != POSTFIX_NONE;
    free(classes);
    postfix_free(&postfix);
    return rc;
}
