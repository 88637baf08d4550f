/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor/postfix_view.h"

#include "mta/postfix/postfix_socket.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- parameters */

struct postfix_parameter {
    char *name, *value;
};

/* Takes over the lines "name = value". Returns 0, or -1 if memory is out. */
static int split_parameters(struct postfix_parameters *out, char *text)
{
    out->text = text;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *equals = strstr(line, " =");
        struct postfix_parameter *more = realloc(out->of, (out->count + 1) * sizeof *more);
        if (more == NULL)
            return -1;
        out->of = more;
        if (equals == NULL)
            continue;
        *equals = '\0';
        more[out->count++] = (struct postfix_parameter){line, equals + 2 + (equals[2] == ' ')};
    }
    return 0;
}

static void free_parameters(struct postfix_parameters *parameters)
{
    free(parameters->of);
    free(parameters->text);
}

static const char *find_parameter(const struct postfix_parameters *in, const char *name)
{
    for (size_t i = 0; i < in->count; i++)
        if (strcmp(in->of[i].name, name) == 0)
            return in->of[i].value;
    return "";
}

const char *postfix_of_server(const struct postfix_view *view, const char *name)
{
    return view == NULL ? "" : find_parameter(&view->server, name);
}

const char *postfix_of_service(const struct postfix_view *view, int service, const char *name)
{
    return view == NULL || service < 0 ? postfix_of_server(view, name)
                                       : find_parameter(&view->of_services[service], name);
}

bool postfix_asks(const struct postfix_view *view, int service, const char *map)
{
    const struct postfix_parameters *all = &view->of_services[service];
    for (size_t i = 0; i < all->count; i++)
        if (strncmp(all->of[i].name, "moved_", 6) != 0 && strstr(all->of[i].value, map) != NULL)
            return true;
    return false;
}

const char *const postfix_restrictions[POSTFIX_RESTRICTIONS] = {
    "smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions",
    "smtpd_relay_restrictions", "smtpd_recipient_restrictions"};

/* ---- reading */

/* Splits the service's own parameters out of the lines "smtp/inet/name = value". Returns how many options there are,
 * each borrowed from overrides, over which it writes. */
static size_t split_own(char **options, char *overrides, const char *service)
{
    size_t count = 0, length = strlen(service);
    for (char *rest = overrides, *line; (line = strsep(&rest, "\n")) != NULL;)
        if (strncmp(line, service, length) == 0 && line[length] == '/')
            options[count++] = line + length + 1;
    return count;
}

/* All parameters as the service has them: main.cf's lists may refer to what master.cf sets. */
static int read_service(struct postfix_parameters *out, const struct postfix_view *view,
                        const char *service, struct error *err)
{
    char *overrides = strdup(view->own), *values = NULL;
    char **options = overrides == NULL ? NULL : calloc(strlen(overrides) / 2 + 1, sizeof *options);
    if (options != NULL)
        values =
            postfix_values(view->postfix.dir, options, split_own(options, overrides, service), err);
    free(options);
    free(overrides);
    return values == NULL ? -1 : split_parameters(out, values);
}

static int read_master(struct postfix_view *view, struct error *err)
{
    view->services = plan_services(view->postfix.dir, &view->service_count, err);
    if (view->services == NULL)
        return -1;
    view->lines = postfix_services(view->postfix.dir, err);
    view->own = view->lines == NULL ? NULL : postfix_overrides(view->postfix.dir, false, err);
    if (view->own == NULL)
        return -1;
    error_set(err, EX_OSERR, "out of memory"); /* unless another reason is given */
    view->of_services = calloc(view->service_count + 1, sizeof *view->of_services);
    for (size_t i = 0; view->of_services != NULL && i < view->service_count; i++)
        if (read_service(&view->of_services[i], view, view->services[i].name, err) != 0)
            return -1;
    return view->of_services == NULL ? -1 : 0;
}

static int read_all(struct postfix_view *view, const struct evidence *evidence, struct error *err)
{
    const struct settings *settings = evidence->settings;
    const char *lookups = endpoint_path(settings->lookup_socket);

    if (endpoint_parse(&view->milter, settings->socket, err) != 0 ||
        postfix_find(&view->postfix, evidence->config_dir, err) != 0)
        return -1;
    char *values = postfix_values(view->postfix.dir, NULL, 0, err);
    if (values == NULL)
        return -1;
    if (split_parameters(&view->server, values) != 0)
        return error_set(err, EX_OSERR, "out of memory");
    if (read_master(view, err) != 0)
        return -1;
    view->door = -1;
    view->owner = postfix_of_server(view, "mail_owner");
    view->lookups = lookups == NULL ? "" : lookups;
    return 0;
}

void *postfix_look(const struct evidence *evidence, struct error *err)
{
    struct postfix_view *view = calloc(1, sizeof *view);
    if (view == NULL) {
        error_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    if (read_all(view, evidence, err) == 0)
        return view;
    postfix_look_free(view);
    return NULL;
}

void postfix_look_free(void *looked_at)
{
    struct postfix_view *view = looked_at;
    if (view == NULL)
        return;
    free_parameters(&view->server);
    for (size_t i = 0; view->of_services != NULL && i < view->service_count; i++)
        free_parameters(&view->of_services[i]);
    free(view->of_services);
    free(view->services);
    free(view->lines);
    free(view->own);
    postfix_free(&view->postfix);
    free(view);
}

/* ---- our socket, as Postfix sees it */

/* Reads the item at the beginning of list. Returns what follows it; NULL after the last. */
static const char *read_milter(struct postfix_milter *out, const char *list)
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

/* Where smtpd looks for a socket: its working directory is the queue folder, which is also its root with chroot. */
static void resolve(const struct postfix_view *view, int service, char *out, size_t size,
                    const char *path)
{
    bool chroot = service >= 0 && view->services[service].chroot;
    if (*path == '/' && !chroot)
        snprintf(out, size, "%s", path);
    else
        snprintf(out, size, "%s/%s", view->postfix.queue, path + (*path == '/'));
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat first, second;
    if (strcmp(a, b) == 0)
        return true;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

bool postfix_leads_to_us(const struct postfix_view *view, int service, const char *address)
{
    char path[PATH_MAX];
    struct endpoint endpoint;
    if (!endpoint_parse_postfix(&endpoint, address))
        return false;
    if (endpoint.kind != ENDPOINT_UNIX || view->milter.kind != ENDPOINT_UNIX)
        return endpoint_is_same(&endpoint, &view->milter);
    resolve(view, service, path, sizeof path, endpoint.name);
    return is_same_file(path, view->milter.name);
}

/* Whether we are meant, even if nobody listens there. */
static bool is_meant_for_us(const struct postfix_view *view, const char *address)
{
    return strstr(address, "milter-moved") != NULL ||
           (view->milter.kind == ENDPOINT_UNIX && strstr(address, view->milter.name) != NULL);
}

bool postfix_find_us(const struct postfix_view *view, int service, const char *list,
                     struct postfix_milter *out)
{
    struct postfix_milter milter;
    bool found = false;
    while ((list = read_milter(&milter, list)) != NULL) {
        bool exact = postfix_leads_to_us(view, service, milter.address);
        if (exact || is_meant_for_us(view, milter.address))
            *out = milter, found = true;
        if (exact)
            return true;
    }
    return found;
}

bool postfix_is_our_milter(const struct postfix_view *view, int service, const char *item)
{
    struct postfix_milter milter;
    return postfix_find_us(view, service, item, &milter);
}

bool postfix_is_our_map(const struct postfix_view *view, int service, const char *item)
{
    const char *map = strstr(item, "socketmap:");
    (void)view, (void)service;
    return map != NULL && (strstr(map, ":listed") != NULL || strstr(map, ":refused") != NULL ||
                           strstr(map, ":relocated") != NULL);
}

bool postfix_has_us(const struct postfix_view *view, int service, struct postfix_milter *out)
{
    bool off =
        strstr(postfix_of_service(view, service, "receive_override_options"), "no_milters") != NULL;
    return !off &&
           postfix_find_us(view, service, postfix_of_service(view, service, "smtpd_milters"), out);
}

/* ---- for doctor */

/* Whether a service with this name listens at the address, "smtp", "[::1]:2525", "localhost:10025". Without a host
 * inet_interfaces tells. */
static bool is_at(const struct postfix_view *view, const char *name,
                  const struct server_state *server)
{
    char host[128], item[128];
    const char *colon = strrchr(name, ':');
    const char *port = colon == NULL ? name : colon + 1;
    if (colon != NULL) {
        snprintf(host, sizeof host, "%.*s", (int)(colon - name), name);
        return server_is_at(server, host, port);
    }
    const char *at = postfix_of_server(view, "inet_interfaces");
    for (at += strspn(at, ", \t"); *at != '\0'; at += strspn(at, ", \t")) {
        size_t length = strcspn(at, ", \t");
        snprintf(item, sizeof item, "%.*s", (int)length, at);
        if (server_is_at(server, strcmp(item, "all") == 0 ? "" : item, port))
            return true;
        at += length;
    }
    return false;
}

/* Whether the service greets as the server does: other words come from another configuration, or another program. The
 * greeting of postscreen(8) has its own line before it. */
static bool greets_so(const struct postfix_view *view, int service,
                      const struct smtp_reply *greeting)
{
    const char *banner = postfix_of_service(view, service, "smtpd_banner");
    size_t length = strlen(banner);
    for (const char *line = greeting->text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strlen(line) >= 4 && strncmp(line + 4, banner, length) == 0 &&
            strchr("\n", line[4 + length]) != NULL) /* strchr finds the NUL too */
            return true;
    }
    return false;
}

/* Behind postscreen(8) it is the service of type pass. */
static int find_service(const struct postfix_view *view, const char *name, const char *type,
                        bool is_screen)
{
    char whole[192];
    snprintf(whole, sizeof whole, "%s/%s", name, type);
    for (size_t i = 0; i < view->service_count; i++)
        if (is_screen ? strstr(view->services[i].name, "/pass") != NULL
                      : strcmp(view->services[i].name, whole) == 0)
            return (int)i;
    return -1;
}

static int find_door(const struct postfix_view *view, const struct server_state *server)
{
    char name[128], type[32], command[64];
    int found = -1;
    for (const char *line = view->lines; line != NULL && found < 0; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (sscanf(line, "%127s %31s %*s %*s %*s %*s %*s %63s", name, type, command) == 3 &&
            strcmp(type, "inet") == 0 && is_at(view, name, server))
            found = find_service(view, name, type, strcmp(command, "postscreen") == 0);
    }
    return found < 0 || greets_so(view, found, &server->greeting) ? found : -1;
}

int postfix_services_at(void *view, const struct server_state *server, int *asked)
{
    struct postfix_view *postfix = view;
    *asked = postfix->door = server->answers ? find_door(postfix, server) : -1;
    return (int)postfix->service_count;
}

int postfix_classify_domains(const void *view, struct evidence *evidence, struct error *err)
{
    const struct postfix_view *postfix = view;
    size_t count = evidence->domain_count;
    const char **names = calloc(count + 1, sizeof *names);
    enum postfix_class *classes = calloc(count + 1, sizeof *classes);
    int rc = names == NULL || classes == NULL ? error_set(err, EX_OSERR, "out of memory") : 0;

    for (size_t i = 0; rc == 0 && i < count; i++)
        names[i] = evidence->domains[i].name;
    if (rc == 0)
        rc = postfix_classify(&postfix->postfix, names, count, classes, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        evidence->domains[i].kind = (int)classes[i];
    free(names);
    free(classes);
    return rc;
}

static void tell_commands(struct facts *facts, const char *dir)
{
    const char *option = dir == NULL ? "" : " -c ", *value = dir == NULL ? "" : dir;
    fact_set(facts, "postconf", "postconf%s%s", option, value);
    fact_set(facts, "reload", "postfix%s%s reload", option, value);
}

static void tell_sockets(struct facts *facts, const struct postfix_view *view, const char *socket)
{
    char milter[ENDPOINT_TEXT_SIZE];
    if (postfix_name_milter(milter, &view->postfix, socket, NULL) == 0)
        fact_set(facts, "milter", "%s", milter);
    fact_set(facts, "socket", "%s", socket);
    fact_set(facts, "lookups", "%s", view->lookups);
    const char *relative = postfix_queue_path(&view->postfix, view->lookups);
    if (relative == NULL)
        fact_set(facts, "asked_at", "proxy:socketmap:unix:%s", view->lookups);
    else
        fact_set(facts, "asked_at", "socketmap:unix:%s", relative);
    fact_set(facts, "pass", ": before it put 'check_recipient_access %s:refused', and reload",
             fact_get(facts, "asked_at"));
}

void postfix_tell(const struct subject *subject)
{
    const struct postfix_view *view = subject->view;
    struct facts *facts = subject->facts;
    int service = subject->service;
    enum postfix_class kind =
        subject->domain == NULL ? POSTFIX_NONE : (enum postfix_class)subject->domain->kind;
    const char *maps = kind == POSTFIX_NONE ? "" : postfix_class_maps(kind);
    const char *milters = postfix_of_service(view, service, "smtpd_milters");

    tell_commands(facts, subject->evidence->config_dir);
    if (view == NULL)
        return;
    tell_sockets(facts, view, subject->evidence->settings->socket);
    fact_set(facts, "queue", "%s", view->postfix.queue);
    fact_set(facts, "master", "%s/master.cf", view->postfix.dir);
    fact_set(facts, "service", "%s", service < 0 ? "(of this port)" : view->services[service].name);
    fact_set(facts, "milters", "%s", postfix_is_blank(milters) ? "none" : milters);
    fact_set(facts, "class", "%s", postfix_class_name(kind));
    fact_set(facts, "maps", "%s", maps);
    fact_set(facts, "maps_value", "%s", postfix_of_service(view, service, maps));
}
