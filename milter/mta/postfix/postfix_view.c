#include "mta/postfix/postfix_view.h"

#include "mta/files.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

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

const char *postfix_of_server(const struct exam *exam, const char *name)
{
    const char *value = exam->postfix == NULL ? NULL : find_parameter(exam->postfix, name);
    return value == NULL ? "" : value;
}

const char *postfix_of_service(const struct exam *exam, const char *name)
{
    char own[256];
    const struct service *service = exam->postfix == NULL ? NULL : exam->postfix->service;
    const char *value = NULL;
    if (service != NULL) {
        snprintf(own, sizeof own, "%s/%s", service->name, name);
        value = find_parameter(exam->postfix, own);
    }
    return value == NULL ? postfix_of_server(exam, name) : value;
}

bool postfix_is_blank(const char *value)
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
static const struct service *find_door(const struct postfix_view *view, int port)
{
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
    view->door = find_door(view, (int)exam->where.port);
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

const char *postfix_lookup_path(const struct exam *exam)
{
    const char *socket = exam->settings->lookup_socket;
    return is_unix(socket) ? socket + 5 : socket;
}

const char *postfix_inside_queue(const struct exam *exam, const char *path)
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
        at = postfix_inside_queue(exam, socket + 5);
        snprintf(out, size, "unix:%s", at == NULL ? socket + 5 : at);
        return;
    }
    const char *port = strchr(socket, ':') + 1, *host = strchr(port, '@');
    snprintf(out, size, "inet:%s:%.*s", host + 1, (int)(host - port), port);
}

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

bool postfix_leads_to_us(const struct exam *exam, const char *address)
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

bool postfix_find_us(const struct exam *exam, const char *list, struct milter *out)
{
    struct milter milter;
    bool found = false;
    while ((list = read_milter(&milter, list)) != NULL) {
        bool exact = postfix_leads_to_us(exam, milter.address);
        if (exact || is_meant_for_us(exam, milter.address))
            *out = milter, found = true;
        if (exact)
            return true;
    }
    return found;
}

static bool milters_are_off(const struct exam *exam)
{
    return strstr(postfix_of_service(exam, "receive_override_options"), "no_milters") != NULL;
}

bool postfix_has_us(const struct exam *exam, struct milter *out)
{
    return !milters_are_off(exam) &&
           postfix_find_us(exam, postfix_of_service(exam, "smtpd_milters"), out);
}

/* ---- turning to a service, a domain */

static void turn_to_service(struct exam *exam, const struct service *service)
{
    char name[PATH_MAX + 8];
    exam->postfix->service = service;
    name_milter(exam, name, sizeof name);
    exam_fact(exam, "service", "%s", service == NULL ? "(of this port)" : service->name);
    exam_fact(exam, "milter", "%s", name);
    const char *milters = postfix_of_service(exam, "smtpd_milters");
    exam_fact(exam, "milters", "%s", postfix_is_blank(milters) ? "none" : milters);
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
    exam_fact(exam, "maps_value", "%s", postfix_of_service(exam, maps));
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
    exam_fact(exam, "owner", "%s", postfix_of_server(exam, "mail_owner"));
    exam_fact(exam, "master", "%s/master.cf", view->postfix.dir);
    exam_fact(exam, "listed", "%s",
              find_parameter(view, "moved_listed") != NULL ? "$moved_listed"
                                                           : "proxy:socketmap:unix:PATH:listed");
    if (find_parameter(view, "moved_listed") == NULL)
        exam_fact(exam, "listed", "proxy:socketmap:unix:%s:listed", postfix_lookup_path(exam));
    turn_to_service(exam, view->door);
    return 0;
}
