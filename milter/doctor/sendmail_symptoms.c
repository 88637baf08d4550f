/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/sendmail_symptoms.c: what can be wrong with a Sendmail */
#include "doctor/sendmail_view.h"
#include "mta/process.h"
#include "mta/sendmail/sendmail_cf.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FORWARDS_MAX 16 /* new addresses that are looked up */

/* ---- symptoms of the configuration */

static bool is_not_attached(struct exam *exam)
{
    struct sendmail_filter us;
    const char *filters = sendmail_option(exam, "O InputMailFilters=");
    return !sendmail_find_us(exam, &us) || !sendmail_list_has(filters, strlen(filters), us.name);
}

/* A port may have a list of its own. */
static bool is_port_without_us(struct exam *exam)
{
    static const char key[] = "InputMailFilters=";
    struct sendmail_filter us;
    const char *own = strstr(sendmail_port(exam), key);
    if (own == NULL || !sendmail_find_us(exam, &us))
        return false;
    own += strlen(key);
    return !sendmail_list_has(own, strcspn(own, ", "), us.name);
}

static bool is_elsewhere(struct exam *exam)
{
    struct sendmail_filter us;
    if (!sendmail_find_us(exam, &us) || us.is_exact)
        return false;
    fact_set(&exam->facts, "address", "%s", us.socket);
    return true;
}

static bool lets_pass(struct exam *exam)
{
    struct sendmail_filter us;
    if (!sendmail_find_us(exam, &us))
        return false;
    fact_set(&exam->facts, "flags", "%s", us.flags);
    fact_set(&exam->facts, "filter", "%s", us.name);
    return strchr(us.flags, 'T') == NULL;
}

/* The path in "Kreply socket -d10 -T<TMPF> local:/run/milter-moved/lookup.sock". */
static const char *map_path(struct exam *exam)
{
    const char *line = sendmail_option(exam, "Kreply "), *at = strstr(line, "local:");
    if (at != NULL)
        return at + strlen("local:");
    at = strstr(line, "unix:");
    return at == NULL ? "" : endpoint_path(at);
}

static bool lacks_map(struct exam *exam)
{
    return !is_not_attached(exam) && *map_path(exam) == '\0';
}

static bool looks_up_elsewhere(struct exam *exam)
{
    const char *ours = endpoint_path(exam->settings->lookup_socket);
    const char *path = map_path(exam);
    fact_set(&exam->facts, "address", "%s", path);
    return *path != '\0' && ours != NULL && strcmp(ours, path) != 0 &&
           (exam->asked == NULL || reply_misses_table(exam));
}

static bool is_newer(const char *path, const char *than)
{
    struct stat a, b;
    return stat(path, &a) == 0 && stat(than, &b) == 0 &&
           (a.st_mtim.tv_sec > b.st_mtim.tv_sec ||
            (a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec > b.st_mtim.tv_nsec));
}

/* sendmail.mc, or our part of it, was changed after sendmail.cf was made of it. */
static bool is_not_rebuilt(struct exam *exam)
{
    const struct sendmail_view *view = exam->view;
    char ours[PATH_MAX + 32];
    snprintf(ours, sizeof ours, "%.*s/milter-moved.m4",
             (int)(strrchr(view->path, '/') - view->path), view->path);
    bool by_us = is_newer(ours, view->path);
    fact_set(&exam->facts, "file", "%s", by_us ? ours : view->source.path);
    return by_us || is_newer(view->source.path, view->path);
}

/* Sendmail writes its pid when it has read sendmail.cf. */
static bool is_not_restarted(struct exam *exam)
{
    const struct sendmail_view *view = exam->view;
    const char *pid = sendmail_option(exam, "O PidFile=");
    fact_set(&exam->facts, "pid_file", "%s", pid);
    return *pid != '\0' && is_newer(view->path, pid);
}

static bool has_narrow_limits(struct exam *exam)
{
    long throttle = atol(sendmail_option(exam, "O BadRcptThrottle="));
    fact_set(&exam->facts, "soft", "%ld", throttle);
    fact_set(&exam->facts, "entries", "%zu", exam->entries);
    return throttle > 0 && (size_t)throttle <= exam->entries;
}

static bool is_unserved(struct exam *exam)
{
    return exam->domain != NULL && exam->domain->kind == SENDMAIL_DENIED;
}

/* Sendmail drops a recipient that a milter adds and that it does not know, without a word to anybody. sendmail
 * -bv tells which it knows; it is asked for some of those that are forwarded. */
static bool forwards_to_nobody(struct exam *exam)
{
    const struct sendmail_view *view = exam->view;
    struct error err;
    size_t left = FORWARDS_MAX;
    bool found = false;
    for (size_t i = 0; i < exam->recipient_count && left > 0 && !found; i++) {
        const struct asked *asked = &exam->recipients[i];
        const char *const argv[] = {"sendmail",          "-C", view->path, "-bv", "--",
                                    asked->expected.new, NULL};
        struct output output = {.out = NULL};
        if (asked->expected.verdict != VERDICT_FORWARD)
            continue;
        left--;
        found = process_run(&output, argv, NULL, &err) == 0 && output.status == EX_NOUSER;
        process_free(&output);
        fact_set(&exam->facts, "recipient", "%s", asked->recipient);
        fact_set(&exam->facts, "new", "%s", asked->expected.new);
    }
    return found;
}

/* ---- symptoms of replies alone */

/* A Sendmail that gives up root needs the permission to open our sockets. */
static bool may_not_open(struct exam *exam)
{
    const struct settings *settings = exam->settings;
    const char *sockets[] = {settings->socket, settings->lookup_socket};
    const char *run_as = sendmail_option(exam, "O RunAsUser=");
    char user[64];
    snprintf(user, sizeof user, "%.*s", (int)strcspn(run_as, ": "), run_as);
    for (size_t i = 0; i < 2 && *user != '\0'; i++) {
        const char *path = endpoint_path(sockets[i]);
        if (path != NULL && exam_is_shut_out(exam, path, user))
            return true;
    }
    return false;
}

/* Sendmail opens no socket in a folder in which others could replace it. */
static bool is_unsafe(struct exam *exam)
{
    const struct sendmail_view *view = exam->view;
    const struct settings *settings = exam->settings;
    const char *sockets[] = {settings->socket, settings->lookup_socket};
    char folder[PATH_MAX];
    for (size_t i = 0; i < 2; i++) {
        const char *path = endpoint_path(sockets[i]);
        if (path != NULL && sendmail_distrusts(view->text, path, folder, sizeof folder) != 0) {
            fact_set(&exam->facts, "stops", "%s", folder);
            return true;
        }
    }
    return false;
}

static bool misses_lookup(struct exam *exam)
{
    return reply_misses_table(exam) && strcmp(exam->daemon.table, "good") == 0;
}

static bool relays_for_us(struct exam *exam)
{
    return exam->asked->invented && exam->domain->kind != SENDMAIL_SERVED;
}

static bool lacks_mailbox(struct exam *exam)
{
    return exam->asked->expected.verdict == VERDICT_FORWARD;
}

/* What stands in sendmail.cf alone is lost, and attach refuses while it differs from sendmail.mc. */
#define REBUILD_AND_ATTACH "$ ${rebuild}\n$ ${attach}\n$ ${restart_mta}"

/* The daemon answers, so the fault is in between. */
#define DAEMON_UP IF_MILTER | IF_LOOKUPS

/* clang-format off */
static const struct symptom symptoms[] = {
    {"open-relay", FAULT, OF_REPLY, NULL, ANY_REPLY, IF_ABROAD | IF_VIEW,
     "DANGEROUS: the rules of Sendmail take mail of a stranger (${stranger}) to a domain that nobody serves. It relays for "
     "everybody.",
     "In ${mc} take out FEATURE(`promiscuous_relay'), or what else lets strangers relay (RELAY in the access "
     "map (then makemap), a line of relay-domains, RELAY_DOMAIN), and:\n"
     "$ ${rebuild}\n$ ${restart_mta}"},
    {"not-attached", FAULT, OF_SERVER, is_not_attached, "^[^4]", IF_OURS,
     "Sendmail has no milter-moved among its InputMailFilters (${milters}).",
     REBUILD_AND_ATTACH},
    {"port-without-milter", FAULT, OF_SERVICE, is_port_without_us, "^2", IF_OURS,
     "A port has a list of milters of its own, without milter-moved: ${service}.",
     REBUILD_AND_ATTACH},
    {"map-missing", FAULT, OF_SERVER, lacks_map, "^550 5\\.1\\.1", IF_OURS,
     "Sendmail does not ask the map reply of milter-moved: a mailbox that was removed is unknown, and no "
     "milter is asked.",
     REBUILD_AND_ATTACH},
    {"lookup-elsewhere", FAULT, OF_SERVER, looks_up_elsewhere, ANY_REPLY, IF_LOOKUPS,
     "Sendmail looks for the map reply at ${address}, but milter-moved listens on ${lookups}.",
     REBUILD_AND_ATTACH},
    {"socket-elsewhere", FAULT, OF_SERVER, is_elsewhere, "^4", IF_MILTER,
     "Sendmail looks for milter-moved at ${address}, but it listens on ${socket}.",
     REBUILD_AND_ATTACH},
    {"socket-access", FAULT, OF_SERVER, may_not_open, "^4", DAEMON_UP,
     "Sendmail gives up root (RunAsUser): ${stops}.",
     "${let}"},
    {"unserved", FAULT, OF_DOMAIN, is_unserved, DENIES_RELAY, 0,
     "Sendmail no longer accepts mail for ${domain}: a stranger gets 'Relaying denied', and not the new address.",
     "$ ${attach_unserved}"},
    {"flag-t", FAULT, OF_SERVER, lets_pass, "^2", IF_OURS,
     "Sendmail has milter-moved without F=T (F=${flags}): while milter-moved is down, mail passes as if "
     "nothing had moved.",
     "In ${mc} write INPUT_MAIL_FILTER(`${filter}', `S=${socket}, F=T'), and:\n"
     "$ ${rebuild}\n$ ${restart_mta}"},
    {"not-rebuilt", FAULT, OF_SERVER, is_not_rebuilt, "^[^4]", IF_OURS,
     "${file} is newer than ${cf}.",
     "$ ${rebuild}\n$ ${restart_mta}"},
    {"not-restarted", FAULT, OF_SERVER, is_not_restarted, "^[^4]", IF_OURS,
     "${cf} is newer than ${pid_file}: Sendmail has not read it yet.",
     "$ ${restart_mta}"},
    {"error-limits", NOTE, OF_SERVER, has_narrow_limits, NULL, 0,
     "Sendmail waits a second before each reply after ${soft} refused recipients of a message "
     "(BadRcptThrottle); the table has ${entries} entries.",
     "If it delays list servers, in ${mc} write define(`confBAD_RCPT_THROTTLE', `0'), and:\n"
     "$ ${rebuild}\n$ ${restart_mta}"},
    {"relays-for-us", NOTE, OF_REPLY, relays_for_us, "^2", 0,
     "${domain} is not served here, but clients that may relay, as we do, may send mail through this server "
     "to any domain.",
     ""},
    {"forward-needs-mailbox", FAULT, OF_REPLY, lacks_mailbox, "^550 5\\.1\\.1", 0,
     "${recipient} is to be forwarded, but Sendmail no longer has the mailbox and refuses it itself.",
     "Until forwarding ends, give it an alias on Sendmail (of any target: milter-moved replaces it)."},
    {"forward-to-nobody", FAULT, OF_SERVER, forwards_to_nobody, NULL, 0,
     "${recipient} is to be forwarded to ${new}, a mailbox of Sendmail's own that it does not have: such mail is "
     "lost, without a bounce.",
     "Give it the right new address:\n$ ${ctl} add --replace --forward ${recipient} NEW"},
    {"folder-unsafe", FAULT, OF_REPLY, is_unsafe, "^4", DAEMON_UP | IF_VIEW,
     "Sendmail opens no socket below a folder that others may write to, ${stops}: ${got}.",
     "$ chmod go-w ${stops}\n$ ${restart_mta}"},
    {"milter-unreached", FAULT, OF_REPLY, NULL, "^451 4\\.3\\.2", DAEMON_UP,
     "Sendmail does not reach one of its milters: ${got}. milter-moved itself answers.",
     "Start that milter: its log names it ('to error state')."},
    {"lookup-failed", FAULT, OF_REPLY, misses_lookup, "^4", DAEMON_UP,
     "Sendmail cannot ask the map reply: ${got}. milter-moved itself answers on its lookup socket.",
     "It has to be able to enter the folders above ${lookups}. The socket itself is made again by:\n${restart_daemon}"},
    {.name = NULL},
};
/* clang-format on */

const struct specialist sendmail_specialist = {
    .look = sendmail_look,
    .look_free = sendmail_look_free,
    .classify = sendmail_classify_domains,
    .relays = sendmail_relays,
    .tell = sendmail_tell,
    .symptoms = symptoms,
};
