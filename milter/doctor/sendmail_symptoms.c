/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/sendmail_symptoms.c: a sendmail.cf as doctor looks at it, what Sendmail does by it, and what can be wrong with it */
#include "doctor/exam.h"

#include "mta/files.h"
#include "mta/process.h"
#include "mta/sendmail/sendmail_cf.h"
#include "mta/sendmail/sendmail_run.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORWARDS_MAX 16 /* new addresses that are looked up */
#define PORT_OPTIONS "O DaemonPortOptions="

struct sendmail_view {
    char path[PATH_MAX]; /* of sendmail.cf */
    char *text;
    struct text_lines lines;       /* the same */
    struct sendmail_source source; /* of what it is made; without warnings */
    struct endpoint milter;        /* our socket, as the settings have it */
};

/* The kind of a domain. */
enum {
    SENDMAIL_SERVED,
    SENDMAIL_DENIED, /* Sendmail relays no stranger's mail to it */
    SENDMAIL_LISTED, /* it accepts mail to the entries, and to no other mailbox of it */
};

/* ---- sendmail.cf */

/* The value of the last line that begins so, which is the one that counts; "" for none, or without a view. Borrowed. */
static const char *option(const struct exam *exam, const char *begins)
{
    const struct sendmail_view *view = exam->view;
    const char *found = "", *line;
    size_t at = 0;
    while (view != NULL && (line = text_lines_next(&view->lines, &at, begins)) != NULL)
        found = line;
    return found;
}

static const char *folder_of(const struct exam *exam)
{
    return exam->request->config_dir == NULL ? "/etc/mail" : exam->request->config_dir;
}

/* Finds the .mc, and runs m4 on it to see whether cf.m4 has to be on m4's command line. */
static void find_source(struct sendmail_view *view, const char *dir)
{
    struct sendmail_source *source = &view->source;
    struct error unheard;
    if (sendmail_find_mc(source, dir, &unheard) != 0)
        snprintf(source->path, sizeof source->path, "%s/sendmail.mc", dir);
    source->cf = view->text;
    char *mc = file_read(source->path, &unheard);
    char *made = mc == NULL ? NULL : sendmail_build(source, mc, &unheard);
    free(mc);
    free(made);
    free(source->warnings);
    source->warnings = NULL;
}

/* The value of an option of a port, whose name may be cut to its first letter: "Port=smtp", "A=127.0.0.1". */
static void read_port_option(char *out, size_t size, const char *options, char letter)
{
    snprintf(out, size, "%s", "");
    for (const char *at = options; *at != '\0'; at += strcspn(at, ","), at += *at == ',') {
        at += strspn(at, " \t");
        const char *equals = at + strcspn(at, "=,");
        if (*at == letter && *equals == '=')
            snprintf(out, size, "%.*s", (int)strcspn(equals + 1, ", \t"), equals + 1);
    }
}

static bool is_at(const struct exam *exam, const char *options)
{
    char port[64], host[256];
    read_port_option(port, sizeof port, options, 'P');
    read_port_option(host, sizeof host, options, 'A');
    return exam_is_server_at(exam, host, *port == '\0' ? "smtp" : port);
}

static void find_ports(struct exam *exam)
{
    const struct sendmail_view *view = exam->view;
    size_t at = 0;
    for (const char *options; (options = text_lines_next(&view->lines, &at, PORT_OPTIONS)) != NULL;
         exam->services++)
        if (exam->door < 0 && is_at(exam, options))
            exam->door = exam->services;
    if (exam->services == 0 && is_at(exam, ""))
        exam->door = 0;
}

static void look_free(void *looked_at)
{
    struct sendmail_view *view = looked_at;
    free(view->text);
    free(view->lines.text);
    free(view);
}

static int look(struct exam *exam, struct error *err)
{
    struct sendmail_view *view = calloc(1, sizeof *view);
    if (view == NULL)
        return error_no_memory(err);
    snprintf(view->path, sizeof view->path, "%s/sendmail.cf", folder_of(exam));
    view->text = file_read(view->path, err);
    char *copy = view->text == NULL ? NULL : strdup(view->text);
    view->lines = text_lines_of(copy);
    if (view->text != NULL && copy == NULL)
        error_no_memory(err);
    if (copy == NULL || endpoint_parse(&view->milter, exam->settings->socket, err) != 0) {
        look_free(view);
        return -1;
    }
    find_source(view, folder_of(exam));
    exam->view = view;
    find_ports(exam);
    return 0;
}

/* ---- milters and ports */

/* Finds our milter: by the socket, or else by the name. */
static bool find_us(const struct exam *exam, struct sendmail_filter *out)
{
    const struct sendmail_view *view = exam->view;
    return view != NULL && sendmail_find_filter(view->text, &view->milter, out);
}

/* Of the port that is exam->service, "Port=smtp, Name=MTA"; "" for none. Borrowed. */
static const char *port_options(const struct exam *exam)
{
    const struct sendmail_view *view = exam->view;
    const char *line = NULL;
    size_t at = 0;
    for (int number = 0; number <= exam->service; number++)
        line = text_lines_next(&view->lines, &at, PORT_OPTIONS);
    return line == NULL ? "" : line;
}

/* ---- what a stranger gets */

/* An entry of the domain that is refused with a reply; else any recipient. */
static const char *listed_in(const struct exam *exam, const struct asked_domain *domain)
{
    const char *any = "";
    for (size_t i = 0; i < exam->recipient_count; i++)
        if (exam->recipients[i].domain == domain) {
            any = exam->recipients[i].recipient;
            if (exam->recipients[i].expected.verdict == VERDICT_REPLY)
                break;
        }
    return any;
}

/* Asks about a mailbox that is in no table, in all domains; or (listed) about an entry, where that is denied. */
static int ask_rules(struct exam *exam, bool listed, struct error *err)
{
    const struct sendmail_view *view = exam->view;
    const char *names[DOMAINS_MAX];
    struct asked_domain *domains[DOMAINS_MAX];
    bool denied[DOMAINS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < exam->domain_count; i++) {
        struct asked_domain *domain = &exam->domains[i];
        if (listed && domain->kind != SENDMAIL_DENIED)
            continue;
        names[count] = listed ? listed_in(exam, domain) : domain->name;
        domains[count++] = domain;
    }
    if (count > 0 && sendmail_ask(denied, SENDMAIL_DENIES, view->path, "check_rcpt",
                                  listed ? "" : "movedctl-doctor@", names, count, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        domains[i]->kind = denied[i] ? SENDMAIL_DENIED : listed ? SENDMAIL_LISTED : SENDMAIL_SERVED;
    return 0;
}

/* First a mailbox that is in no table, and an entry only where that is denied: each address that the daemon
 * tells brings the stranger nearer to the limit. */
static int classify(struct exam *exam, struct error *err)
{
    int rc = ask_rules(exam, false, err);
    return rc == 0 ? ask_rules(exam, true, err) : rc;
}

static int relays(const struct exam *exam, const char *recipient)
{
    const struct sendmail_view *view = exam->view;
    struct error err;
    bool refused;
    int rc =
        sendmail_ask(&refused, SENDMAIL_REFUSES, view->path, "check_rcpt", "", &recipient, 1, &err);
    return rc == 0 ? !refused : -1;
}

/* ---- facts */

static void tell_rebuild(struct facts *facts, const struct sendmail_view *view, const char *dir)
{
    const struct sendmail_source *source = &view->source;
    const char *target = sendmail_target(dir, source->path, view->path);
    const char *name = strrchr(source->path, '/') + 1;
    if (target != NULL)
        fact_set(facts, "rebuild", "touch %s; make -C %s %s", source->path, dir, target);
    else if (*source->cf_dir != '\0')
        fact_set(facts, "rebuild",
                 "cd %s && m4 -D_CF_DIR_=%s %sm4/cf.m4 %s > new.cf && mv new.cf sendmail.cf", dir,
                 source->cf_dir, source->cf_dir, name);
    else
        fact_set(facts, "rebuild", "cd %s && m4 %s > new.cf && mv new.cf sendmail.cf", dir, name);
}

static void tell(struct exam *exam)
{
    const struct sendmail_view *view = exam->view;
    const char *filters = option(exam, "O InputMailFilters=");
    struct facts *facts = &exam->facts;
    char socket[ENDPOINT_TEXT_SIZE];

    if (view == NULL)
        return;
    fact_set(facts, "mc", "%s", view->source.path);
    fact_set(facts, "cf", "%s", view->path);
    fact_set(facts, "restart_mta", "kill -HUP $(head -n 1 %s)", option(exam, "O PidFile="));
    tell_rebuild(facts, view, folder_of(exam));
    fact_set(facts, "lookups", "%s", exam->settings->lookup_socket);
    fact_set(facts, "socket", "%s", endpoint_format_sendmail(socket, sizeof socket, &view->milter));
    fact_set(facts, "milters", "%s", *filters == '\0' ? "none" : filters);
    fact_set(facts, "service", "%s", port_options(exam));
}

/* ---- symptoms of the configuration */

static bool is_not_attached(struct exam *exam)
{
    struct sendmail_filter us;
    const char *filters = option(exam, "O InputMailFilters=");
    return !find_us(exam, &us) || !sendmail_list_has(filters, strlen(filters), us.name);
}

/* A port may have a list of its own. */
static bool is_port_without_us(struct exam *exam)
{
    static const char key[] = "InputMailFilters=";
    struct sendmail_filter us;
    const char *own = strstr(port_options(exam), key);
    if (own == NULL || !find_us(exam, &us))
        return false;
    own += strlen(key);
    return !sendmail_list_has(own, strcspn(own, ", "), us.name);
}

static bool is_elsewhere(struct exam *exam)
{
    struct sendmail_filter us;
    if (!find_us(exam, &us) || us.is_exact)
        return false;
    fact_set(&exam->facts, "address", "%s", us.socket);
    return true;
}

static bool lets_pass(struct exam *exam)
{
    struct sendmail_filter us;
    if (!find_us(exam, &us))
        return false;
    fact_set(&exam->facts, "flags", "%s", us.flags);
    fact_set(&exam->facts, "filter", "%s", us.name);
    return strchr(us.flags, 'T') == NULL;
}

/* The path in "Kreply socket -d10 -T<TMPF> local:/run/milter-moved/lookup.sock"; "" for none. */
static const char *map_path(struct exam *exam)
{
    const char *line = option(exam, "Kreply "), *at = strstr(line, "local:");
    at = at == NULL ? strstr(line, "unix:") : at;
    return at == NULL ? "" : strchr(at, ':') + 1;
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

/* sendmail.mc, or our part of it, was changed after sendmail.cf was made of it. */
static bool is_not_rebuilt(struct exam *exam)
{
    const struct sendmail_view *view = exam->view;
    char ours[PATH_MAX + 32];
    snprintf(ours, sizeof ours, "%s/milter-moved.m4", folder_of(exam));
    bool by_us = file_is_newer(ours, view->path);
    fact_set(&exam->facts, "file", "%s", by_us ? ours : view->source.path);
    return by_us || file_is_newer(view->source.path, view->path);
}

/* Sendmail writes its pid when it has read sendmail.cf. */
static bool is_not_restarted(struct exam *exam)
{
    const struct sendmail_view *view = exam->view;
    const char *pid = option(exam, "O PidFile=");
    fact_set(&exam->facts, "pid_file", "%s", pid);
    return *pid != '\0' && file_is_newer(view->path, pid);
}

static bool has_narrow_limits(struct exam *exam)
{
    long throttle = atol(option(exam, "O BadRcptThrottle="));
    fact_set(&exam->facts, "soft", "%ld", throttle);
    fact_set(&exam->facts, "entries", "%zu", exam->entries);
    return throttle > 0 && (size_t)throttle <= exam->entries;
}

static bool is_unserved(struct exam *exam)
{
    return exam->domain != NULL && exam->domain->kind == SENDMAIL_DENIED;
}

/* Sendmail silently drops a recipient that a milter adds and that it does not know. sendmail
 * -bv tells which it knows; it is asked about some of those that are forwarded. */
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
    const char *sockets[] = {exam->settings->socket, exam->settings->lookup_socket};
    const char *run_as = option(exam, "O RunAsUser=");
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
    const char *sockets[] = {exam->settings->socket, exam->settings->lookup_socket};
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
    .look = look,
    .look_free = look_free,
    .classify = classify,
    .relays = relays,
    .tell = tell,
    .symptoms = symptoms,
};
