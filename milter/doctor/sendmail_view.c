/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor/sendmail_view.h"

#include "mta/files.h"
#include "mta/sendmail/sendmail_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_DIR "/etc/mail"

/* ---- sendmail.cf */

/* The next line from *at on that begins so: what follows its beginning; NULL for none. */
static const char *next_line(const struct sendmail_view *view, size_t *at, const char *begins)
{
    size_t length = strlen(begins);
    while (*at < view->size) {
        const char *line = view->lines + *at;
        *at += strlen(line) + 1;
        if (strncmp(line, begins, length) == 0)
            return line + length;
    }
    return NULL;
}

const char *sendmail_option(const struct sendmail_view *view, const char *begins)
{
    const char *found = "", *line;
    for (size_t at = 0; view != NULL && (line = next_line(view, &at, begins)) != NULL;)
        found = line;
    return found;
}

static const char *folder_of(const struct evidence *evidence)
{
    return evidence->config_dir == NULL ? DEFAULT_DIR : evidence->config_dir;
}

/* The .mc, and whether it leaves cf.m4 to m4's command line: what m4 makes of it tells. */
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

void *sendmail_look(const struct evidence *evidence, struct error *err)
{
    struct sendmail_view *view = calloc(1, sizeof *view);
    if (view == NULL) {
        error_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    snprintf(view->path, sizeof view->path, "%s/sendmail.cf", folder_of(evidence));
    view->text = file_read(view->path, err);
    view->lines = view->text == NULL ? NULL : strdup(view->text);
    if (view->text != NULL && view->lines == NULL)
        error_set(err, EX_OSERR, "out of memory");
    if (view->lines != NULL &&
        endpoint_parse(&view->milter, evidence->settings->socket, err) == 0) {
        view->size = strlen(view->lines) + 1;
        for (char *end = view->lines; (end = strchr(end, '\n')) != NULL;)
            *end++ = '\0';
        find_source(view, folder_of(evidence));
        return view;
    }
    sendmail_look_free(view);
    return NULL;
}

void sendmail_look_free(void *looked_at)
{
    struct sendmail_view *view = looked_at;
    if (view == NULL)
        return;
    free(view->text);
    free(view->lines);
    free(view);
}

/* ---- milters and ports */

bool sendmail_find_us(const struct sendmail_view *view, struct sendmail_filter *out)
{
    return view != NULL && sendmail_find_filter(view->text, &view->milter, out);
}

const char *sendmail_port(const struct sendmail_view *view, int service)
{
    const char *line = "";
    size_t at = 0;
    for (int number = 0; line != NULL && number <= service; number++)
        line = next_line(view, &at, "O DaemonPortOptions=");
    return line == NULL ? "" : line;
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

static bool is_at(const char *options, const struct server_state *server)
{
    char port[64], host[256];
    read_port_option(port, sizeof port, options, 'P');
    read_port_option(host, sizeof host, options, 'A');
    return server_is_at(server, host, *port == '\0' ? "smtp" : port);
}

int sendmail_services(void *view, const struct server_state *server, int *asked)
{
    int count = 0;
    size_t at = 0;
    const char *options;
    for (*asked = -1; (options = next_line(view, &at, "O DaemonPortOptions=")) != NULL; count++)
        if (*asked < 0 && is_at(options, server))
            *asked = count;
    if (count == 0 && is_at("", server))
        *asked = 0;
    return count;
}

/* ---- what a stranger gets */

/* An entry of the domain that is refused with a reply; else any recipient. */
static const char *listed_in(const struct evidence *evidence, const struct asked_domain *domain)
{
    const char *any = "";
    for (size_t i = 0; i < evidence->asked_count; i++)
        if (evidence->asked[i]->domain == domain) {
            any = evidence->asked[i]->recipient;
            if (asked_is_ours(evidence->asked[i]))
                break;
        }
    return any;
}

/* Asks about a mailbox that is in no table, in all domains; or (listed) about an entry, where that is denied. */
static int ask_rules(const struct sendmail_view *view, struct evidence *evidence, bool listed,
                     struct error *err)
{
    size_t count = 0, all = evidence->domain_count;
    const char **names = calloc(all + 1, sizeof *names);
    struct asked_domain **domains = calloc(all + 1, sizeof *domains);
    bool *denied = calloc(all + 1, sizeof *denied);
    int rc = names == NULL || domains == NULL || denied == NULL
                 ? error_set(err, EX_OSERR, "out of memory")
                 : 0;
    for (size_t i = 0; rc == 0 && i < all; i++) {
        struct asked_domain *domain = &evidence->domains[i];
        if (listed && domain->kind != SENDMAIL_DENIED)
            continue;
        names[count] = listed ? listed_in(evidence, domain) : domain->name;
        domains[count++] = domain;
    }
    if (rc == 0 && count > 0)
        rc = sendmail_ask(denied, SENDMAIL_DENIES, view->path, "check_rcpt",
                          listed ? "" : "movedctl-doctor@", names, count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        domains[i]->kind = denied[i] ? SENDMAIL_DENIED : listed ? SENDMAIL_LISTED : SENDMAIL_SERVED;
    free(names);
    free(domains);
    free(denied);
    return rc;
}

/* First a mailbox that is in no table, and an entry only where that is denied: each address that the daemon
 * tells brings the stranger nearer to the limit. */
int sendmail_classify_domains(const void *view, struct evidence *evidence, struct error *err)
{
    int rc = ask_rules(view, evidence, false, err);
    return rc == 0 ? ask_rules(view, evidence, true, err) : rc;
}

int sendmail_relays(const void *looked_at, const char *recipient, bool *relays, struct error *err)
{
    const struct sendmail_view *view = looked_at;
    bool refused;
    int rc =
        sendmail_ask(&refused, SENDMAIL_REFUSES, view->path, "check_rcpt", "", &recipient, 1, err);
    *relays = rc == 0 && !refused;
    return rc;
}

/* ---- for doctor */

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

void sendmail_tell(const struct subject *subject)
{
    const struct sendmail_view *view = subject->view;
    const struct settings *settings = subject->evidence->settings;
    const char *filters = sendmail_option(view, "O InputMailFilters=");
    const char *dir = folder_of(subject->evidence);
    char socket[ENDPOINT_TEXT_SIZE];

    if (view == NULL)
        return;
    fact_set(subject->facts, "mc", "%s", view->source.path);
    fact_set(subject->facts, "cf", "%s", view->path);
    fact_set(subject->facts, "restart_mta", "kill -HUP $(head -n 1 %s)",
             sendmail_option(view, "O PidFile="));
    tell_rebuild(subject->facts, view, dir);
    fact_set(subject->facts, "lookups", "%s", settings->lookup_socket);
    fact_set(subject->facts, "socket", "%s",
             endpoint_format_sendmail(socket, sizeof socket, &view->milter));
    fact_set(subject->facts, "milters", "%s", *filters == '\0' ? "none" : filters);
    fact_set(subject->facts, "service", "%s",
             subject->service < 0 ? "" : sendmail_port(view, subject->service));
}
