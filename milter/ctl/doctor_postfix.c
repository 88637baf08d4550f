/* ctl/doctor_postfix.c: what a Postfix's configuration shows, and its symptoms. postconf(5), master(5). */
#include "ctl/doctor.h"

#include "ctl/change.h"
#include "ctl/postfix_plan.h"
#include "ctl/reach.h"

#include <grp.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* "name = value", and of master.cf "smtp/inet/name = value". */
struct parameter {
    char *name, *value;
};

struct postfix_view {
    struct postfix postfix;
    char *texts[2]; /* of main.cf and master.cf, which parameters point into */
    struct parameter *parameters;
    size_t parameter_count;
    struct cf *master;
    struct service *services;
    size_t service_count, turn; /* turn: of the service that comes next */
    const struct service *door; /* behind the port that is asked; NULL: not known */
    const char *owner;          /* the account that smtpd and proxymap run under */

    /* At hand. */
    const struct service *service;
};

/* ---- parameters */

static int split_parameters(struct postfix_view *view, char *text)
{
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *equals = strstr(line, " =");
        struct parameter *more =
            realloc(view->parameters, (view->parameter_count + 1) * sizeof *more);
        if (more == NULL)
            return -1;
        view->parameters = more;
        if (equals == NULL)
            continue;
        *equals = '\0';
        more[view->parameter_count++] = (struct parameter){line, equals + 2 + (equals[2] == ' ')};
    }
    return 0;
}

/* NULL where it is not set. */
static const char *find_parameter(const struct postfix_view *view, const char *name)
{
    for (size_t i = 0; i < view->parameter_count; i++)
        if (strcmp(view->parameters[i].name, name) == 0)
            return view->parameters[i].value;
    return NULL;
}

/* As main.cf has it; "" where it is not there. */
static const char *of_server(const struct exam *exam, const char *name)
{
    const char *value = exam->postfix == NULL ? NULL : find_parameter(exam->postfix, name);
    return value == NULL ? "" : value;
}

/* As the service at hand has it. */
static const char *of_service(const struct exam *exam, const char *name)
{
    char own[256];
    const struct service *service = exam->postfix == NULL ? NULL : exam->postfix->service;
    const char *value = NULL;
    if (service != NULL) {
        snprintf(own, sizeof own, "%s/%s", service->name, name);
        value = find_parameter(exam->postfix, own);
    }
    return value == NULL ? of_server(exam, name) : value;
}

static bool is_on(const char *value)
{
    return strcmp(value, "yes") == 0;
}

static bool is_blank(const char *value)
{
    return value[strspn(value, ", \t")] == '\0';
}

/* ---- reading */

static int port_of(const char *name)
{
    char text[128];
    const char *slash = strrchr(name, '/');
    snprintf(text, sizeof text, "%.*s", slash == NULL ? (int)strlen(name) : (int)(slash - name),
             name);
    const char *colon = strrchr(text, ':'), *port = colon == NULL ? text : colon + 1;
    const struct servent *known = getservbyname(port, "tcp");
    return known != NULL ? ntohs((uint16_t)known->s_port) : atoi(port);
}

/* Behind postscreen(8) it is the one of type pass. */
static const struct service *find_door(const struct postfix_view *view, const char *where)
{
    int port = atoi(where + strlen("inet:"));
    for (size_t i = 0; i < view->service_count; i++)
        if (port_of(view->services[i].name) == port)
            return &view->services[i];
    for (size_t i = 0; i < view->service_count; i++)
        if (strstr(view->services[i].name, "/pass") != NULL)
            return &view->services[i];
    return NULL;
}

static int read_master(struct postfix_view *view, struct error *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/master.cf", view->postfix.dir);
    char *text = file_read(path, err);
    view->master = text == NULL ? NULL : cf_read(text);
    free(text);
    if (view->master == NULL)
        return -1;
    view->services = plan_services(view->master, view->postfix.dir, &view->service_count, err);
    return view->services == NULL ? -1 : 0;
}

static int read_view(struct postfix_view *view, const struct exam *exam, struct error *err)
{
    error_set(err, EX_OSERR, "out of memory"); /* unless something else is said */
    if (postfix_find(&view->postfix, exam->ctl->options.config_dir, err) != 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        view->texts[i] = postfix_values(view->postfix.dir, i == 1, err);
        if (view->texts[i] == NULL || split_parameters(view, view->texts[i]) != 0)
            return -1;
    }
    if (read_master(view, err) != 0)
        return -1;
    view->door = find_door(view, exam->where);
    view->owner = find_parameter(view, "mail_owner");
    return 0;
}

void postfix_view_free(struct postfix_view *view)
{
    if (view == NULL)
        return;
    free(view->texts[0]);
    free(view->texts[1]);
    free(view->parameters);
    free(view->services);
    cf_free(view->master);
    postfix_free(&view->postfix);
    free(view);
}

int postfix_classify_domains(struct exam *exam, struct error *err)
{
    const char *names[DOMAINS_MAX];
    enum postfix_class kinds[DOMAINS_MAX];
    for (size_t i = 0; i < exam->domain_count; i++)
        names[i] = exam->domains[i].name;
    if (postfix_classify(&exam->postfix->postfix, names, exam->domain_count, kinds, err) != 0)
        return -1;
    for (size_t i = 0; i < exam->domain_count; i++)
        exam->domains[i].kind = kinds[i];
    return 0;
}

/* ---- our sockets, as Postfix sees them */

static bool is_unix(const char *socket)
{
    return strncmp(socket, "unix:", 5) == 0;
}

static const char *lookup_path(const struct exam *exam)
{
    const char *socket = exam->settings->lookup_socket;
    return is_unix(socket) ? socket + 5 : socket;
}

/* The part of a path inside the queue folder; NULL where it is not in it. */
static const char *inside_queue(const struct exam *exam, const char *path)
{
    const char *queue = exam->postfix->postfix.queue;
    size_t length = strlen(queue);
    return strncmp(path, queue, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

/* Our socket as smtpd_milters is to have it. */
static void name_milter(const struct exam *exam, char *out, size_t size)
{
    const char *socket = exam->settings->socket, *at;
    if (is_unix(socket)) {
        at = inside_queue(exam, socket + 5);
        snprintf(out, size, "unix:%s", at == NULL ? socket + 5 : at);
        return;
    }
    const char *port = strchr(socket, ':') + 1, *host = strchr(port, '@');
    snprintf(out, size, "inet:%s:%.*s", host + 1, (int)(host - port), port);
}

/* An item of smtpd_milters: "unix:PATH", or "{ unix:PATH, default_action=tempfail }". */
struct milter {
    char address[PATH_MAX], options[512];
};

/* Reads the item at the beginning of list; returns what follows it, NULL behind the last. */
static const char *read_milter(struct milter *out, const char *list)
{
    list += strspn(list, ", \t");
    if (*list == '\0')
        return NULL;
    bool braces = *list == '{';
    const char *at = list + braces, *end = at + strcspn(at, braces ? "}" : ", \t");
    at += strspn(at, " \t");
    size_t length = strcspn(at, ", \t}");
    snprintf(out->address, sizeof out->address, "%.*s", (int)length, at);
    snprintf(out->options, sizeof out->options, "%.*s",
             end > at + length ? (int)(end - at - (int)length) : 0, at + length);
    return *end == '}' ? end + 1 : end;
}

/* Where smtpd looks for a socket: it stands in the queue folder, and sees nothing else with chroot. */
static void resolve(const struct exam *exam, char *out, size_t size, const char *address)
{
    const char *path = strchr(address, ':') == NULL ? address : strchr(address, ':') + 1;
    bool chroot = exam->postfix->service != NULL && exam->postfix->service->chroot;
    if (*path == '/' && !chroot)
        snprintf(out, size, "%s", path);
    else
        snprintf(out, size, "%s/%s", exam->postfix->postfix.queue, path + (*path == '/'));
}

static bool same_file(const char *a, const char *b)
{
    struct stat first, second;
    if (strcmp(a, b) == 0)
        return true;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* Whether smtpd finds us there. */
static bool leads_to_us(const struct exam *exam, const char *address)
{
    char path[2 * PATH_MAX], name[PATH_MAX + 8];
    name_milter(exam, name, sizeof name);
    if (!is_unix(exam->settings->socket) || strncmp(address, "inet", 4) == 0)
        return strcmp(address, name) == 0;
    resolve(exam, path, sizeof path, address);
    return same_file(path, exam->settings->socket + 5);
}

/* Whether we are meant, even if nobody is there. */
static bool is_meant_for_us(const struct exam *exam, const char *address)
{
    const char *socket = exam->settings->socket;
    return strstr(address, "milter-moved") != NULL ||
           (is_unix(socket) && strstr(address, socket + 5) != NULL);
}

/* Finds us among smtpd_milters: by the socket, or else by the name. */
static bool find_us(const struct exam *exam, const char *list, struct milter *out)
{
    struct milter milter;
    bool found = false;
    while ((list = read_milter(&milter, list)) != NULL) {
        bool exact = leads_to_us(exam, milter.address);
        if (exact || is_meant_for_us(exam, milter.address))
            *out = milter, found = true;
        if (exact)
            return true;
    }
    return found;
}

static bool milters_are_off(const struct exam *exam)
{
    return strstr(of_service(exam, "receive_override_options"), "no_milters") != NULL;
}

/* The service at hand has us. */
static bool has_us(const struct exam *exam, struct milter *out)
{
    return !milters_are_off(exam) && find_us(exam, of_service(exam, "smtpd_milters"), out);
}

static bool has_listed(const char *list)
{
    const char *at = strstr(list, "socketmap:");
    return at != NULL && strstr(at, ":listed") != NULL;
}

/* Whether the account of smtpd and proxymap may open the socket; what stops it, and what mends that, are facts. */
static bool may_open(struct exam *exam, const char *path)
{
    struct error err;
    const struct passwd *owner = getpwnam(exam->postfix->owner);
    const struct group *group = owner == NULL ? NULL : getgrgid(owner->pw_gid);
    if (group == NULL || reach_check(path, exam->postfix->owner, &err) == 0 ||
        err.status != EX_NOPERM)
        return true;
    char *mend = strrchr(err.text, ':');
    bool is_socket = strncmp(err.text, path, strlen(path)) == 0 && err.text[strlen(path)] == ':';
    if (mend != NULL)
        *mend = '\0';
    exam_fact(exam, "stops", "%s", err.text);
    exam_fact(exam, "group", "%s", group->gr_name);
    exam_fact(exam, "let", "%s", is_socket || mend == NULL ? "" : mend + 2);
    if (is_socket)
        exam_fact(
            exam, "let",
            "socket_group = \"%s\"; socket_mode = \"0660\"; in %s, and start milter-moved anew",
            group->gr_name, exam_fact_value(exam, "conf"));
    return false;
}

/* ---- turning to a service, a domain */

static void turn_to_service(struct exam *exam, const struct service *service)
{
    char name[PATH_MAX + 8];
    exam->postfix->service = service;
    name_milter(exam, name, sizeof name);
    exam_fact(exam, "service", "%s", service == NULL ? "(of this port)" : service->name);
    exam_fact(exam, "milter", "%s", name);
    const char *milters = of_service(exam, "smtpd_milters");
    exam_fact(exam, "milters", "%s", is_blank(milters) ? "none" : milters);
}

bool postfix_next_service(struct exam *exam)
{
    struct postfix_view *view = exam->postfix;
    if (view->turn == view->service_count) {
        view->turn = 0;
        turn_to_service(exam, view->door);
        return false;
    }
    turn_to_service(exam, &view->services[view->turn++]);
    return true;
}

void postfix_turn_to(struct exam *exam, const struct domain *domain)
{
    bool has_class = domain->kind != POSTFIX_NONE;
    const char *maps = has_class ? postfix_class_maps(domain->kind) : "";
    turn_to_service(exam, exam->postfix->door);
    exam_fact(exam, "class", "%s", postfix_class_name(domain->kind));
    exam_fact(exam, "maps", "%s", maps);
    exam_fact(exam, "maps_value", "%s", of_service(exam, maps));
}

int postfix_look(struct exam *exam, struct error *err)
{
    struct postfix_view *view = calloc(1, sizeof *view);
    if (view == NULL)
        return error_set(err, EX_OSERR, "out of memory");
    if (read_view(view, exam, err) != 0) {
        postfix_view_free(view);
        return -1;
    }
    exam->postfix = view;
    exam_fact(exam, "queue", "%s", view->postfix.queue);
    exam_fact(exam, "owner", "%s", of_server(exam, "mail_owner"));
    exam_fact(exam, "master", "%s/master.cf", view->postfix.dir);
    exam_fact(exam, "listed", "%s",
              find_parameter(view, "moved_listed") != NULL ? "$moved_listed"
                                                           : "proxy:socketmap:unix:PATH:listed");
    if (find_parameter(view, "moved_listed") == NULL)
        exam_fact(exam, "listed", "proxy:socketmap:unix:%s:listed", lookup_path(exam));
    turn_to_service(exam, view->door);
    return 0;
}

/* ---- symptoms of the configuration */

static bool is_softened(struct exam *exam)
{
    return is_on(of_service(exam, "soft_bounce"));
}

static bool is_in_non_smtpd(struct exam *exam)
{
    struct milter milter;
    if (!find_us(exam, of_server(exam, "non_smtpd_milters"), &milter))
        return false;
    exam_fact(exam, "non_smtpd", "%s", of_server(exam, "non_smtpd_milters"));
    return true;
}

static bool has_footer(struct exam *exam)
{
    return !is_blank(of_service(exam, "smtpd_reject_footer")) ||
           !is_blank(of_service(exam, "smtpd_reject_footer_maps"));
}

static bool has_narrow_limits(struct exam *exam)
{
    long hard = atol(of_service(exam, "smtpd_hard_error_limit"));
    exam_fact(exam, "hard", "%ld", hard);
    exam_fact(exam, "soft", "%s", of_service(exam, "smtpd_soft_error_limit"));
    exam_fact(exam, "entries", "%zu", exam->entries);
    return hard > 0 && (size_t)hard <= exam->entries;
}

static bool has_relocated(struct exam *exam)
{
    exam_fact(exam, "relocated", "%s", of_server(exam, "relocated_maps"));
    return strstr(of_server(exam, "relocated_maps"), lookup_path(exam)) != NULL;
}

/* Where a recipient is verified, unless those that are listed pass before. */
static bool verifies(struct exam *exam)
{
    static const char *const lists[] = {"smtpd_client_restrictions", "smtpd_helo_restrictions",
                                        "smtpd_sender_restrictions", "smtpd_relay_restrictions",
                                        "smtpd_recipient_restrictions"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const char *list = of_service(exam, lists[i]),
                   *at = strstr(list, "reject_unverified_recipient");
        const char *passes = strstr(list, ":listed");
        if (at != NULL && (passes == NULL || passes > at)) {
            exam_fact(exam, "list", "%s", lists[i]);
            return true;
        }
    }
    return false;
}

static bool any_map_has_listed(const struct exam *exam)
{
    for (int kind = 0; kind < POSTFIX_CLASSES; kind++)
        if (has_listed(of_service(exam, postfix_class_maps((enum postfix_class)kind))))
            return true;
    return false;
}

/* proxymap(8) opens only what it is told it may. */
static bool lacks_proxy_read(struct exam *exam)
{
    for (int kind = 0; kind < POSTFIX_CLASSES; kind++) {
        const char *list = of_service(exam, postfix_class_maps((enum postfix_class)kind));
        if (strstr(list, "proxy:socketmap:") != NULL && has_listed(list))
            return !has_listed(of_server(exam, "proxy_read_maps"));
    }
    return false;
}

static bool may_not_look_up(struct exam *exam)
{
    exam_fact(exam, "lookups", "%s", lookup_path(exam));
    return any_map_has_listed(exam) && is_unix(exam->settings->lookup_socket) &&
           !may_open(exam, lookup_path(exam));
}

static bool looks_up_elsewhere(struct exam *exam)
{
    char name[PATH_MAX + 16];
    snprintf(name, sizeof name, "%s:listed", lookup_path(exam));
    exam_fact(exam, "lookups", "%s", lookup_path(exam));
    for (int kind = 0; kind < POSTFIX_CLASSES; kind++) {
        const char *list = of_service(exam, postfix_class_maps((enum postfix_class)kind));
        exam_fact(exam, "maps", "%s", postfix_class_maps((enum postfix_class)kind));
        exam_fact(exam, "maps_value", "%s", list);
        if (has_listed(list) && strstr(list, name) == NULL)
            return true;
    }
    return false;
}

/* ---- of a service */

/* Its milters may be switched off; then it is meant so. */
static bool is_door(const struct exam *exam)
{
    return exam->postfix->service != NULL && exam->postfix->service == exam->postfix->door;
}

static bool accepts_what_nobody_refuses(struct exam *exam)
{
    struct milter us;
    return exam->postfix != NULL && any_map_has_listed(exam) && !has_us(exam, &us);
}

static bool is_not_attached(struct exam *exam)
{
    struct milter us;
    return exam->postfix != NULL && is_door(exam) && !has_us(exam, &us);
}

static bool is_out_of_chroot(struct exam *exam)
{
    struct milter us;
    const char *socket = exam->settings->socket;
    exam_fact(exam, "socket", "%s", socket);
    return has_us(exam, &us) && exam->postfix->service != NULL && exam->postfix->service->chroot &&
           is_unix(socket) && inside_queue(exam, socket + 5) == NULL;
}

static bool is_elsewhere(struct exam *exam)
{
    struct milter us;
    if (!has_us(exam, &us) || leads_to_us(exam, us.address))
        return false;
    exam_fact(exam, "address", "%s", us.address);
    exam_fact(exam, "socket", "%s", exam->settings->socket);
    return true;
}

static bool may_not_connect(struct exam *exam)
{
    struct milter us;
    const char *socket = exam->settings->socket;
    return is_unix(socket) && has_us(exam, &us) && !may_open(exam, socket + 5);
}

/* What smtpd does when it does not reach us. */
static bool has_other_default(struct exam *exam)
{
    static const char key[] = "default_action";
    struct milter us;
    if (!has_us(exam, &us))
        return false;
    const char *own = strstr(us.options, key);
    const char *action =
        own == NULL ? of_service(exam, "milter_default_action") : own + strlen(key);
    action += strspn(action, " =");
    exam_fact(exam, "action", "%.*s", (int)strcspn(action, ", }"), action);
    return strncmp(action, "tempfail", strlen("tempfail")) != 0;
}

/* ---- of a domain */

static bool is_unserved(struct exam *exam)
{
    if (exam->turn_of->kind != POSTFIX_NONE)
        return false;
    return strstr(of_service(exam, "smtpd_relay_restrictions"), "moved_unserved") == NULL &&
           strstr(of_service(exam, "smtpd_recipient_restrictions"), "moved_unserved") == NULL;
}

static bool lacks_listed(struct exam *exam)
{
    struct milter us;
    const char *list = exam_fact_value(exam, "maps_value");
    return has_us(exam, &us) && exam->turn_of->kind != POSTFIX_NONE && !is_blank(list) &&
           !has_listed(list) && *exam->settings->lookup_socket != '\0';
}

static bool has_listed_alone(struct exam *exam)
{
    const char *list = exam_fact_value(exam, "maps_value");
    return has_listed(list) && strpbrk(list + strspn(list, ", "), ", ") == NULL;
}

/* The maps of these classes are read by others than smtpd. */
static bool has_listed_for_all(struct exam *exam)
{
    const struct domain *domain = exam->turn_of;
    return (domain->kind == POSTFIX_VIRTUAL || domain->kind == POSTFIX_ALIAS) &&
           has_listed(of_server(exam, postfix_class_maps(domain->kind)));
}

/* ---- the replies that these lead to */

static bool shows_soft(struct exam *exam)
{
    return reply_class_of(exam) == 4;
}

static bool shows_more(struct exam *exam)
{
    return reply_begins_as_ours(exam);
}

static bool shows_verified(struct exam *exam)
{
    return reply_says(exam, "unverified address") || reply_says(exam, "undeliverable address");
}

static bool shows_lookup_failure(struct exam *exam)
{
    return exam->lookups_answer && reply_class_of(exam) == 4 && reply_says(exam, "lookup failure");
}

static bool shows_no_milter(struct exam *exam)
{
    return exam->milter_answers && reply_class_of(exam) == 4 &&
           reply_says(exam, "Service unavailable");
}

static bool shows_accepted(struct exam *exam)
{
    return exam->now->expected.verdict == VERDICT_REPLY && reply_class_of(exam) == 2;
}

static bool shows_no_us(struct exam *exam)
{
    return exam->now->expected.verdict == VERDICT_REPLY &&
           (reply_class_of(exam) == 2 || reply_says(exam, "user unknown"));
}

static bool shows_default(struct exam *exam)
{
    return reply_class_of(exam) == 2 || reply_says(exam, "Service unavailable") ||
           reply_says(exam, "5.5.0");
}

static bool shows_unknown(struct exam *exam)
{
    return reply_class_of(exam) >= 4 && reply_says(exam, "user unknown") &&
           exam->now->expected.verdict != VERDICT_CONTINUE;
}

static bool shows_denied(struct exam *exam)
{
    return reply_says(exam, "relay access denied");
}

/* ---- symptoms of replies alone */

/* The map then says TEMP. */
static bool lacks_table(struct exam *exam)
{
    const char *table = exam_fact_value(exam, "daemon_table");
    return shows_lookup_failure(exam) && *table != '\0' && strcmp(table, "good") != 0;
}

static bool is_passed_over(struct exam *exam)
{
    return shows_accepted(exam) && !is_blank(of_service(exam, "smtpd_milter_maps"));
}

static bool relays_for_us(struct exam *exam)
{
    return exam->postfix != NULL && exam->now->invented && exam->turn_of->kind == POSTFIX_NONE &&
           reply_class_of(exam) == 2;
}

static bool is_relocated(struct exam *exam)
{
    return reply_says(exam, "user has moved to");
}

static bool is_other_milter(struct exam *exam)
{
    return shows_no_milter(exam);
}

static bool is_other_lookup(struct exam *exam)
{
    return shows_lookup_failure(exam);
}

/* clang-format off */
const struct symptom postfix_symptoms[] = {
    {"listed-without-milter", FAULT, OF_SERVICE, accepts_what_nobody_refuses, shows_accepted,
     "DANGEROUS: the service ${service} knows what the map listed of milter-moved knows, but has no "
     "milter-moved: it accepts mail for mailboxes that are gone, and bounces it later.",
     "take ${listed} out of the service's maps (-o in ${master}, and main.cf), and ${reload}; or give it the "
     "milter: ${attach}"},
    {"not-attached", FAULT, OF_SERVICE, is_not_attached, shows_no_us,
     "The service ${service}, which listens there, has no milter-moved in its smtpd_milters (${milters}).",
     "${attach}"},
    {"socket-out-of-chroot", FAULT, OF_SERVICE, is_out_of_chroot, shows_no_milter,
     "The service ${service} is confined to ${queue} (chroot in ${master}), and milter-moved listens outside "
     "of it: ${socket}.",
     "socket = \"unix:${queue}/milter-moved/milter.sock\"; in ${conf}, and start milter-moved anew (${attach} "
     "does that)"},
    {"socket-elsewhere", FAULT, OF_SERVICE, is_elsewhere, shows_no_milter,
     "The service ${service} looks for milter-moved at ${address}, and it listens on ${socket}.",
     "in smtpd_milters, in the place of ${address}: { ${milter}, default_action=tempfail }; and ${reload}"},
    {"socket-access", FAULT, OF_SERVICE, may_not_connect, shows_no_milter,
     "smtpd does not get at the milter's socket: ${stops}.",
     "${let}"},
    {"default-action", FAULT, OF_SERVICE, has_other_default, shows_default,
     "While milter-moved is down the service ${service} does '${action}', and not tempfail.",
     "in smtpd_milters: { ${milter}, default_action=tempfail }; and ${reload}"},
    {"unserved", FAULT, OF_DOMAIN, is_unserved, shows_denied,
     "Postfix does not take mail for ${domain} any more: a stranger gets 'Relay access denied', and not the "
     "new address.",
     "${attach_unserved}"},
    {"listed-missing", FAULT, OF_DOMAIN, lacks_listed, shows_unknown,
     "${domain} is of class ${class}, and the service ${service} does not ask the map listed for it (${maps} "
     "= ${maps_value}): a mailbox that was removed is unknown, and no milter is heard.",
     "${attach}; or in ${master}, with the service: -o { ${maps} = ${maps_value} ${listed} }"},
    {"listed-alone", FAULT, OF_DOMAIN, has_listed_alone, NULL,
     "${maps} has the map listed alone: all other mailboxes of class ${class} are unknown.",
     "take ${listed} out of ${maps}, which is then empty: every recipient is accepted, and the milter heard"},
    {"listed-for-all", FAULT, OF_DOMAIN, has_listed_for_all, NULL,
     "${maps} has the map listed in main.cf, where other programs than smtpd read it too: they would deliver "
     "to what they find there, or wait for it.",
     "take ${listed} out of ${maps} in main.cf, and ${attach}"},
    {"daemon-table", FAULT, OF_REPLY, lacks_table, NULL, DAEMON_TABLE_WHY, DAEMON_TABLE_MEND},
    {"proxy-read-maps", FAULT, OF_SERVER, lacks_proxy_read, shows_lookup_failure,
     "proxymap may not open the map listed: it is not in proxy_read_maps.",
     "add ${listed} to the end of proxy_read_maps (postconf proxy_read_maps), and ${reload}; ${attach} does "
     "that"},
    {"lookup-access", FAULT, OF_SERVER, may_not_look_up, shows_lookup_failure,
     "proxymap does not get at the lookup socket: ${stops}.",
     "${let}"},
    {"lookup-elsewhere", FAULT, OF_SERVER, looks_up_elsewhere, shows_lookup_failure,
     "${maps} = ${maps_value} looks for the map listed in another place than ${lookups}, where milter-moved "
     "listens.",
     "${attach}, after the old map is taken out"},
    {"soft-bounce", FAULT, OF_SERVER, is_softened, shows_soft,
     "soft_bounce = yes: every refusal for good is one for now, so senders try again for days and are never "
     "told.",
     "${postconf} 'soft_bounce = no', and ${reload}"},
    {"recipients-verified", FAULT, OF_SERVER, verifies, shows_verified,
     "${list} has reject_unverified_recipient: Postfix asks where the mailbox is delivered, before any milter "
     "is heard, and a mailbox that was removed is not there.",
     "in ${list}, before reject_unverified_recipient: check_recipient_access pipemap:{${listed}, static:OK}; "
     "and ${reload}"},
    {"non-smtpd-milters", FAULT, OF_SERVER, is_in_non_smtpd, NULL,
     "non_smtpd_milters = ${non_smtpd} has milter-moved: nothing can be refused there, and mail of "
     "sendmail(1) and cron waits while milter-moved is down.",
     "take ${milter} out of non_smtpd_milters, and ${reload}"},
    {"relocated-maps", NOTE, OF_SERVER, has_relocated, NULL,
     "relocated_maps asks milter-moved too: it answers 550 without limits, where the milter would say 551.",
     "take it out of relocated_maps: it is for hosts without the milter"},
    {"reject-footer", NOTE, OF_SERVER, has_footer, shows_more,
     "smtpd_reject_footer adds to each reply. The first line still has the new address.",
     "${postconf} 'smtpd_reject_footer =', if the reply is to be as it was"},
    {"error-limits", NOTE, OF_SERVER, has_narrow_limits, NULL,
     "Postfix waits a second before each reply after ${soft} refused recipients in a session, and after "
     "${hard} ends it with 421, good recipients with it; the table has ${entries} entries. A list server that "
     "still has many of them has to come again and again: that costs time, not mail.",
     "${attach_limits}"},
    {"relocated-answers", FAULT, OF_REPLY, is_relocated, NULL,
     "relocated_maps answers before milter-moved: ${got}.",
     "take the table that has ${recipient} out of relocated_maps (movedctl import --format relocated reads it)"},
    {"relays-for-us", NOTE, OF_REPLY, relays_for_us, NULL,
     "${domain} is not served here, but clients in mynetworks, as we are, may send mail through this server "
     "to any domain.",
     ""},
    {"milter-maps", FAULT, OF_REPLY, is_passed_over, NULL,
     "smtpd_milter_maps chooses other milters for some clients, us perhaps.",
     "postconf smtpd_milter_maps; ask from another address"},
    {"other-milter", FAULT, OF_REPLY, is_other_milter, NULL,
     "Postfix does not reach one of its milters (${milters}): ${got}. milter-moved itself answers.",
     "its log names the milter ('connect to Milter service'): start that; or ${reload}, if the configuration "
     "changed"},
    {"lookup-failed", FAULT, OF_REPLY, is_other_lookup, NULL,
     "One of the tables of ${maps} = ${maps_value} cannot be asked: ${got}. milter-moved itself answers.",
     "its log names the table ('table lookup problem')"},
    {NULL, NOTE, OF_SERVER, NULL, NULL, NULL, NULL},
};
/* clang-format on */
