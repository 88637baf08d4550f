/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor/postfix_view.h"

#include "mta/postfix/postfix_socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const postfix_lists[POSTFIX_LISTS] = {[POSTFIX_LOCAL] = "local_recipient_maps",
                                                  [POSTFIX_ALIAS] = "virtual_alias_maps",
                                                  [POSTFIX_VIRTUAL] = "virtual_mailbox_maps",
                                                  [POSTFIX_RELAY] = "relay_recipient_maps",
                                                  "smtpd_client_restrictions",
                                                  "smtpd_helo_restrictions",
                                                  "smtpd_sender_restrictions",
                                                  "smtpd_relay_restrictions",
                                                  "smtpd_recipient_restrictions"};

/* ---- parameters */

const char *postfix_of_server(const struct exam *exam, const char *name)
{
    const struct postfix_view *view = exam->view;
    return view == NULL ? "" : postconf_find(&view->postfix.main, name, "");
}

const char *postfix_of_service(const struct exam *exam, const char *name)
{
    const struct postfix_view *view = exam->view;
    return view == NULL || exam->service < 0
               ? postfix_of_server(exam, name)
               : postconf_find(&view->of_services[exam->service], name, "");
}

bool postfix_asks(const struct exam *exam, const char *map)
{
    const struct postfix_view *view = exam->view;
    const struct postconf *all = &view->of_services[exam->service];
    for (size_t i = 0; i < all->count; i++)
        if (strncmp(all->lines[i].name, "moved_", 6) != 0 &&
            strstr(all->lines[i].value, map) != NULL)
            return true;
    return false;
}

const char *postfix_item(const char **at, size_t *length)
{
    int depth = 0;
    const char *item = *at + strspn(*at, ", \t"), *end = item;
    for (; *end != '\0' && (depth > 0 || strchr(", \t", *end) == NULL); end++)
        depth += *end == '{' ? 1 : *end == '}' ? -1 : 0;
    *length = (size_t)(end - item);
    *at = end;
    return *length == 0 ? NULL : item;
}

/* ---- our socket, as Postfix sees it */

bool postfix_find_us(const struct exam *exam, const char *list, struct postfix_milter *out)
{
    const struct postfix_view *view = exam->view;
    bool chroot = exam->service >= 0 && view->services[exam->service].chroot, found = false;
    size_t length;
    for (const char *item; (item = postfix_item(&list, &length)) != NULL;) {
        struct postfix_milter milter;
        const char *end = item + length - (item[length - 1] == '}');
        item += *item == '{';
        item += strspn(item, " \t");
        size_t words = strcspn(item, ", \t}");
        snprintf(milter.address, sizeof milter.address, "%.*s", (int)words, item);
        item += words;
        snprintf(milter.options, sizeof milter.options, "%.*s", end > item ? (int)(end - item) : 0,
                 item);
        milter.is_exact = postfix_leads_to(&view->postfix, milter.address, &view->milter, chroot);
        /* We are meant, even if nobody listens there. */
        if (milter.is_exact || strstr(milter.address, "milter-moved") != NULL ||
            (view->milter.kind == ENDPOINT_UNIX &&
             strstr(milter.address, view->milter.name) != NULL))
            *out = milter, found = true;
        if (milter.is_exact)
            break;
    }
    return found;
}

bool postfix_is_our_milter(const struct exam *exam, const char *item)
{
    struct postfix_milter milter;
    return postfix_find_us(exam, item, &milter);
}

bool postfix_is_our_map(const struct exam *exam, const char *item)
{
    const char *map = strstr(item, "socketmap:");
    (void)exam;
    return map != NULL && (strstr(map, ":listed") != NULL || strstr(map, ":refused") != NULL ||
                           strstr(map, ":relocated") != NULL);
}

bool postfix_has_us(const struct exam *exam, struct postfix_milter *out)
{
    return strstr(postfix_of_service(exam, "receive_override_options"), "no_milters") == NULL &&
           postfix_find_us(exam, postfix_of_service(exam, "smtpd_milters"), out);
}

/* ---- which service is asked */

/* Whether a service with this name listens at the address, "smtp", "[::1]:2525", "localhost:10025". Without a host
 * inet_interfaces tells. */
static bool is_at(const struct exam *exam, const char *name)
{
    char host[128];
    const char *colon = strrchr(name, ':'), *item;
    const char *at = postfix_of_server(exam, "inet_interfaces");
    if (colon != NULL) {
        snprintf(host, sizeof host, "%.*s", (int)(colon - name), name);
        return exam_is_server_at(exam, host, colon + 1);
    }
    for (size_t length; (item = postfix_item(&at, &length)) != NULL;) {
        snprintf(host, sizeof host, "%.*s", (int)length, item);
        if (exam_is_server_at(exam, strcmp(host, "all") == 0 ? "" : host, name))
            return true;
    }
    return false;
}

/* Whether exam->service greets as the server does: other words come from another configuration, or another program. The
 * greeting of postscreen(8) has its own line before it. */
static bool greets_so(const struct exam *exam)
{
    const char *banner = postfix_of_service(exam, "smtpd_banner");
    size_t length = strlen(banner);
    for (const char *line = exam->server.greeting.text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strlen(line) >= 4 && strncmp(line + 4, banner, length) == 0 &&
            strchr("\n", line[4 + length]) != NULL) /* strchr finds the NUL too */
            return true;
    }
    return false;
}

/* Behind postscreen(8) it is the service of type pass. */
static int find_service(const struct postfix_view *view, const char *name, bool is_screen)
{
    char whole[192];
    snprintf(whole, sizeof whole, "%s/inet", name);
    for (size_t i = 0; i < view->service_count; i++)
        if (is_screen ? strstr(view->services[i].name, "/pass") != NULL
                      : strcmp(view->services[i].name, whole) == 0)
            return (int)i;
    return -1;
}

static int find_door(struct exam *exam)
{
    const struct postfix_view *view = exam->view;
    char name[128], type[32], command[64];
    size_t at = 0;
    for (const char *line; (line = text_lines_next(&view->master, &at, "")) != NULL;) {
        if (sscanf(line, "%127s %31s %*s %*s %*s %*s %*s %63s", name, type, command) != 3 ||
            strcmp(type, "inet") != 0 || !is_at(exam, name))
            continue;
        exam->service = find_service(view, name, strcmp(command, "postscreen") == 0);
        if (exam->service >= 0)
            return greets_so(exam) ? exam->service : -1;
    }
    return -1;
}

/* ---- reading */

/* All parameters as the service has them: main.cf's lists may refer to what master.cf sets. */
static int read_service(struct postconf *out, const struct postfix_view *view, const char *service,
                        struct error *err)
{
    char begins[160];
    size_t count = 0, at = 0;
    const char **options = calloc(view->own.size / 2 + 1, sizeof *options);
    if (options == NULL)
        return error_no_memory(err);
    snprintf(begins, sizeof begins, "%s/", service);
    while ((options[count] = text_lines_next(&view->own, &at, begins)) != NULL)
        count++;
    int rc = postconf_split(
        out, postfix_values(view->postfix.dir, (char *const *)options, count, err), err);
    free(options);
    return rc;
}

static int read_all(struct postfix_view *view, const struct exam *exam, struct error *err)
{
    const char *lookups = endpoint_path(exam->settings->lookup_socket);
    view->lookups = lookups == NULL ? "" : lookups;
    if (endpoint_parse(&view->milter, exam->settings->socket, err) != 0 ||
        postfix_find(&view->postfix, exam->request->config_dir, err) != 0)
        return -1;
    const char *dir = view->postfix.dir;
    struct postconf own;
    view->services = plan_services(dir, &view->postfix.main, &own, &view->service_count, err);
    postconf_free(&own);
    if (view->services == NULL)
        return -1;
    view->master = text_lines_of(postfix_lines(dir, "-M", NULL, err));
    if (view->master.text == NULL)
        return -1;
    view->own = text_lines_of(postfix_lines(dir, "-P", NULL, err));
    if (view->own.text == NULL)
        return -1;
    view->of_services = calloc(view->service_count + 1, sizeof *view->of_services);
    if (view->of_services == NULL)
        return error_no_memory(err);
    for (size_t i = 0; i < view->service_count; i++)
        if (read_service(&view->of_services[i], view, view->services[i].name, err) != 0)
            return -1;
    return 0;
}

int postfix_look(struct exam *exam, struct error *err)
{
    struct postfix_view *view = calloc(1, sizeof *view);
    if (view == NULL)
        return error_no_memory(err);
    if (read_all(view, exam, err) != 0) {
        postfix_look_free(view);
        return -1;
    }
    exam->view = view;
    exam->services = (int)view->service_count;
    exam->door = exam->answers ? find_door(exam) : -1;
    return 0;
}

void postfix_look_free(void *looked_at)
{
    struct postfix_view *view = looked_at;
    for (size_t i = 0; view->of_services != NULL && i < view->service_count; i++)
        postconf_free(&view->of_services[i]);
    free(view->of_services);
    free(view->services);
    free(view->master.text);
    free(view->own.text);
    postfix_free(&view->postfix);
    free(view);
}

int postfix_classify_domains(struct exam *exam, struct error *err)
{
    const struct postfix_view *view = exam->view;
    const char *names[DOMAINS_MAX];
    for (size_t i = 0; i < exam->domain_count; i++)
        names[i] = exam->domains[i].name;
    enum postfix_class *classes = postfix_classify(&view->postfix, names, exam->domain_count, err);
    if (classes == NULL)
        return -1;
    for (size_t i = 0; i < exam->domain_count; i++)
        exam->domains[i].kind = (int)classes[i];
    free(classes);
    return 0;
}

/* ---- facts */

enum postfix_class postfix_class_of(const struct exam *exam)
{
    return exam->domain == NULL ? POSTFIX_NONE : (enum postfix_class)exam->domain->kind;
}

const char *postfix_maps_of(const struct exam *exam)
{
    return postfix_class_of(exam) == POSTFIX_NONE ? "" : postfix_lists[postfix_class_of(exam)];
}

static void tell_sockets(struct facts *facts, const struct postfix_view *view, const char *socket)
{
    fact_set(facts, "socket", "%s", socket);
    fact_set(facts, "lookups", "%s", view->lookups);
    fact_set(facts, "asked_at", "socketmap:unix:%s",
             postfix_see_path(&view->postfix, view->lookups));
    fact_set(facts, "pass", ": before it put 'check_recipient_access %s:refused', and reload",
             fact_get(facts, "asked_at"));
}

void postfix_tell(struct exam *exam)
{
    const struct postfix_view *view = exam->view;
    struct facts *facts = &exam->facts;
    const char *dir = exam->request->config_dir, *maps = postfix_maps_of(exam);
    const char *milters = postfix_of_service(exam, "smtpd_milters");

    fact_set(facts, "postconf", "postconf%s%s", dir == NULL ? "" : " -c ", dir == NULL ? "" : dir);
    fact_set(facts, "reload", "postfix%s%s reload", dir == NULL ? "" : " -c ",
             dir == NULL ? "" : dir);
    if (view == NULL)
        return;
    tell_sockets(facts, view, exam->settings->socket);
    fact_set(facts, "queue", "%s", view->postfix.queue);
    fact_set(facts, "master", "%s/master.cf", view->postfix.dir);
    fact_set(facts, "service", "%s",
             exam->service < 0 ? "(of this port)" : view->services[exam->service].name);
    fact_set(facts, "milters", "%s", postfix_is_blank(milters) ? "none" : milters);
    fact_set(facts, "relocated", "%s", postfix_of_server(exam, "relocated_maps"));
    fact_set(facts, "class", "%s", postfix_class_name(postfix_class_of(exam)));
    fact_set(facts, "maps", "%s", maps);
    fact_set(facts, "maps_value", "%s", postfix_of_service(exam, maps));
}
