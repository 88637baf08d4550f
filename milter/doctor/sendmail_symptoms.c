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

static const char *option(const struct subject *subject, const char *begins)
{
    return sendmail_option(subject->view, begins);
}

/* ---- symptoms of the configuration */

static bool is_not_attached(const struct subject *subject)
{
    struct sendmail_filter us;
    const char *filters = option(subject, "O InputMailFilters=");
    return !sendmail_find_us(subject->view, &us) ||
           !sendmail_list_has(filters, strlen(filters), us.name);
}

/* A port may have a list of its own. */
static bool is_port_without_us(const struct subject *subject)
{
    static const char key[] = "InputMailFilters=";
    struct sendmail_filter us;
    const char *own = strstr(sendmail_port(subject->view, subject->service), key);
    if (own == NULL || !sendmail_find_us(subject->view, &us))
        return false;
    own += strlen(key);
    return !sendmail_list_has(own, strcspn(own, ", "), us.name);
}

static bool is_elsewhere(const struct subject *subject)
{
    struct sendmail_filter us;
    if (!sendmail_find_us(subject->view, &us) || us.is_exact)
        return false;
    fact_set(subject->facts, "address", "%s", us.socket);
    return true;
}

static bool lets_pass(const struct subject *subject)
{
    struct sendmail_filter us;
    if (!sendmail_find_us(subject->view, &us))
        return false;
    fact_set(subject->facts, "flags", "%s", us.flags);
    fact_set(subject->facts, "filter", "%s", us.name);
    return strchr(us.flags, 'T') == NULL;
}

/* The path in "Kreply socket -d10 -T<TMPF> local:/run/milter-moved/lookup.sock". */
static const char *map_path(const struct subject *subject)
{
    const char *line = option(subject, "Kreply "), *at = strstr(line, "local:");
    if (at != NULL)
        return at + strlen("local:");
    at = strstr(line, "unix:");
    return at == NULL ? "" : endpoint_path(at);
}

static bool lacks_map(const struct subject *subject)
{
    return !is_not_attached(subject) && *map_path(subject) == '\0';
}

static bool looks_up_elsewhere(const struct subject *subject)
{
    const char *ours = endpoint_path(subject->evidence->settings->lookup_socket);
    const char *path = map_path(subject);
    fact_set(subject->facts, "address", "%s", path);
    return *path != '\0' && ours != NULL && strcmp(ours, path) != 0;
}

static bool is_newer(const char *path, const char *than)
{
    struct stat a, b;
    return stat(path, &a) == 0 && stat(than, &b) == 0 &&
           (a.st_mtim.tv_sec > b.st_mtim.tv_sec ||
            (a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec > b.st_mtim.tv_nsec));
}

/* sendmail.mc, or our part of it, was changed after sendmail.cf was made of it. */
static bool is_not_rebuilt(const struct subject *subject)
{
    const struct sendmail_view *view = subject->view;
    char ours[PATH_MAX + 32];
    snprintf(ours, sizeof ours, "%.*s/milter-moved.m4",
             (int)(strrchr(view->path, '/') - view->path), view->path);
    bool by_us = is_newer(ours, view->path);
    fact_set(subject->facts, "file", "%s", by_us ? ours : view->source.path);
    return by_us || is_newer(view->source.path, view->path);
}

/* Sendmail writes its pid when it has read sendmail.cf. */
static bool is_not_restarted(const struct subject *subject)
{
    const struct sendmail_view *view = subject->view;
    const char *pid = option(subject, "O PidFile=");
    fact_set(subject->facts, "pid_file", "%s", pid);
    return *pid != '\0' && is_newer(view->path, pid);
}

static bool has_narrow_limits(const struct subject *subject)
{
    size_t entries = subject->evidence->entries;
    long throttle = atol(option(subject, "O BadRcptThrottle="));
    fact_set(subject->facts, "soft", "%ld", throttle);
    fact_set(subject->facts, "entries", "%zu", entries);
    return throttle > 0 && (size_t)throttle <= entries;
}

static bool is_unserved(const struct subject *subject)
{
    return subject->domain != NULL && subject->domain->kind == SENDMAIL_DENIED;
}

/* Sendmail drops a recipient that a milter adds and that it does not know, without a word to anybody. sendmail
 * -bv tells which it knows; it is asked for some of those that are forwarded. */
static bool forwards_to_nobody(const struct subject *subject)
{
    const struct sendmail_view *view = subject->view;
    const struct evidence *evidence = subject->evidence;
    struct error err;
    size_t left = FORWARDS_MAX;
    bool found = false;
    for (size_t i = 0; i < evidence->asked_count && left > 0 && !found; i++) {
        const struct asked *asked = evidence->asked[i];
        const char *const argv[] = {"sendmail",          "-C", view->path, "-bv", "--",
                                    asked->expected.new, NULL};
        struct output output = {.out = NULL};
        if (asked->expected.verdict != VERDICT_FORWARD)
            continue;
        left--;
        found = process_run(&output, argv, NULL, &err) == 0 && output.status == EX_NOUSER;
        process_free(&output);
        fact_set(subject->facts, "recipient", "%s", asked->recipient);
        fact_set(subject->facts, "new", "%s", asked->expected.new);
    }
    return found;
}

/* ---- the replies that these lead to */

static bool shows_unknown(const struct subject *subject)
{
    return asked_is_ours(subject->asked) && asked_has_codes(subject->asked, "550 5.1.1");
}

static bool shows_accepted(const struct subject *subject)
{
    return asked_is_ours(subject->asked) && asked_class(subject->asked) == 2;
}

static bool shows_wrong(const struct subject *subject)
{
    return asked_is_ours(subject->asked) && asked_class(subject->asked) != 4;
}

/* The reply of a Sendmail that looks for its milter in the wrong place. */
static bool shows_unreached(const struct subject *subject)
{
    return subject->evidence->daemon.milter == SOCKET_ANSWERS &&
           (asked_is_ours(subject->asked) || asked_class(subject->asked) == 4);
}

/* The text for a table that cannot be read is also the one for a map that cannot be asked. */
static bool has_table_text(const struct subject *subject)
{
    return asked_is_text(subject->asked, subject->evidence->settings, TEXT_TABLE_ERROR);
}

static bool shows_lookup_failure(const struct subject *subject)
{
    return subject->evidence->daemon.lookups == SOCKET_ANSWERS && has_table_text(subject);
}

static bool shows_deferred(const struct subject *subject)
{
    const struct daemon_state *daemon = &subject->evidence->daemon;
    return daemon->milter == SOCKET_ANSWERS && daemon->lookups == SOCKET_ANSWERS &&
           asked_class(subject->asked) == 4;
}

/* ---- symptoms of replies alone */

/* A Sendmail that gives up root needs the permission to open our sockets. */
static bool may_not_open(const struct subject *subject)
{
    const struct settings *settings = subject->evidence->settings;
    const char *sockets[] = {settings->socket, settings->lookup_socket};
    const char *run_as = option(subject, "O RunAsUser=");
    char user[64];
    snprintf(user, sizeof user, "%.*s", (int)strcspn(run_as, ": "), run_as);
    for (size_t i = 0; i < 2 && *user != '\0'; i++) {
        const char *path = endpoint_path(sockets[i]);
        if (path != NULL && symptom_is_shut_out(subject, path, user))
            return true;
    }
    return false;
}

/* Sendmail opens no socket in a folder in which others could replace it. */
static bool is_unsafe(const struct subject *subject)
{
    const struct sendmail_view *view = subject->view;
    const struct settings *settings = subject->evidence->settings;
    const char *sockets[] = {settings->socket, settings->lookup_socket};
    char folder[PATH_MAX];
    for (size_t i = 0; i < 2 && view != NULL && shows_deferred(subject); i++) {
        const char *path = endpoint_path(sockets[i]);
        if (path != NULL && sendmail_distrusts(view->text, path, folder, sizeof folder) != 0) {
            fact_set(subject->facts, "stops", "%s", folder);
            return true;
        }
    }
    return false;
}

static bool misses_milter(const struct subject *subject)
{
    return shows_deferred(subject) && asked_has_codes(subject->asked, "451 4.3.2");
}

static bool misses_lookup(const struct subject *subject)
{
    return shows_deferred(subject) && has_table_text(subject) &&
           strcmp(subject->evidence->daemon.table, "good") == 0;
}

static bool relays_for_us(const struct subject *subject)
{
    return subject->view != NULL && subject->asked->invented && asked_class(subject->asked) == 2 &&
           subject->domain->kind != SENDMAIL_SERVED;
}

static bool lacks_mailbox(const struct subject *subject)
{
    return subject->asked->expected.verdict == VERDICT_FORWARD &&
           asked_has_codes(subject->asked, "550 5.1.1");
}

static bool is_open(const struct subject *subject)
{
    return subject->view != NULL && subject->asked->abroad;
}

/* What stands in sendmail.cf alone is lost, and attach refuses while it differs from sendmail.mc. */
#define REBUILD_AND_ATTACH "$ ${rebuild}\n$ ${attach}\n$ ${restart_mta}"

/* clang-format off */
static const struct symptom symptoms[] = {
    {"open-relay", FAULT, OF_REPLY, is_open, NULL,
     "DANGEROUS: the rules of Sendmail take mail of a stranger (${stranger}) to a domain that nobody serves. It relays for "
     "everybody.",
     "In ${mc} take out FEATURE(`promiscuous_relay'), or what else lets strangers relay (RELAY in the access "
     "map (then makemap), a line of relay-domains, RELAY_DOMAIN), and:\n"
     "$ ${rebuild}\n$ ${restart_mta}"},
    {"not-attached", FAULT, OF_SERVER, is_not_attached, shows_wrong,
     "Sendmail has no milter-moved among its InputMailFilters (${milters}).",
     REBUILD_AND_ATTACH},
    {"port-without-milter", FAULT, OF_SERVICE, is_port_without_us, shows_accepted,
     "A port has a list of milters of its own, without milter-moved: ${service}.",
     REBUILD_AND_ATTACH},
    {"map-missing", FAULT, OF_SERVER, lacks_map, shows_unknown,
     "Sendmail does not ask the map reply of milter-moved: a mailbox that was removed is unknown, and no "
     "milter is asked.",
     REBUILD_AND_ATTACH},
    {"lookup-elsewhere", FAULT, OF_SERVER, looks_up_elsewhere, shows_lookup_failure,
     "Sendmail looks for the map reply at ${address}, but milter-moved listens on ${lookups}.",
     REBUILD_AND_ATTACH},
    {"socket-elsewhere", FAULT, OF_SERVER, is_elsewhere, shows_unreached,
     "Sendmail looks for milter-moved at ${address}, but it listens on ${socket}.",
     REBUILD_AND_ATTACH},
    {"socket-access", FAULT, OF_SERVER, may_not_open, shows_deferred,
     "Sendmail gives up root (RunAsUser): ${stops}.",
     "${let}"},
    {"unserved", FAULT, OF_DOMAIN, is_unserved, reply_denies_relaying,
     "Sendmail no longer accepts mail for ${domain}: a stranger gets 'Relaying denied', and not the new address.",
     "$ ${attach_unserved}"},
    {"flag-t", FAULT, OF_SERVER, lets_pass, shows_accepted,
     "Sendmail has milter-moved without F=T (F=${flags}): while milter-moved is down, mail passes as if "
     "nothing had moved.",
     "In ${mc} write INPUT_MAIL_FILTER(`${filter}', `S=${socket}, F=T'), and:\n"
     "$ ${rebuild}\n$ ${restart_mta}"},
    {"not-rebuilt", FAULT, OF_SERVER, is_not_rebuilt, shows_wrong,
     "${file} is newer than ${cf}.",
     "$ ${rebuild}\n$ ${restart_mta}"},
    {"not-restarted", FAULT, OF_SERVER, is_not_restarted, shows_wrong,
     "${cf} is newer than ${pid_file}: Sendmail has not read it yet.",
     "$ ${restart_mta}"},
    {"error-limits", NOTE, OF_SERVER, has_narrow_limits, NULL,
     "Sendmail waits a second before each reply after ${soft} refused recipients of a message "
     "(BadRcptThrottle); the table has ${entries} entries.",
     "If it delays list servers, in ${mc} write define(`confBAD_RCPT_THROTTLE', `0'), and:\n"
     "$ ${rebuild}\n$ ${restart_mta}"},
    {"relays-for-us", NOTE, OF_REPLY, relays_for_us, NULL,
     "${domain} is not served here, but clients that may relay, as we do, may send mail through this server "
     "to any domain.",
     ""},
    {"forward-needs-mailbox", FAULT, OF_REPLY, lacks_mailbox, NULL,
     "${recipient} is to be forwarded, but Sendmail no longer has the mailbox and refuses it itself.",
     "Until forwarding ends, give it an alias on Sendmail (of any target: milter-moved replaces it)."},
    {"forward-to-nobody", FAULT, OF_SERVER, forwards_to_nobody, NULL,
     "${recipient} is to be forwarded to ${new}, a mailbox of Sendmail's own that it does not have: such mail is "
     "lost, without a bounce.",
     "Give it the right new address:\n$ ${ctl} add --replace --forward ${recipient} NEW"},
    {"folder-unsafe", FAULT, OF_REPLY, is_unsafe, NULL,
     "Sendmail opens no socket below a folder that others may write to, ${stops}: ${got}.",
     "$ chmod go-w ${stops}\n$ ${restart_mta}"},
    {"milter-unreached", FAULT, OF_REPLY, misses_milter, NULL,
     "Sendmail does not reach one of its milters: ${got}. milter-moved itself answers.",
     "Start that milter: its log names it ('to error state')."},
    {"lookup-failed", FAULT, OF_REPLY, misses_lookup, NULL,
     "Sendmail cannot ask the map reply: ${got}. milter-moved itself answers on its lookup socket.",
     "It has to be able to enter the folders above ${lookups}. The socket itself is made again by:\n${restart_daemon}"},
    {NULL, NOTE, OF_SERVER, NULL, NULL, NULL, NULL},
};
/* clang-format on */

const struct specialist sendmail_specialist = {
    .look = sendmail_look,
    .look_free = sendmail_look_free,
    .services = sendmail_services,
    .classify = sendmail_classify_domains,
    .relays = sendmail_relays,
    .tell = sendmail_tell,
    .symptoms = symptoms,
};
