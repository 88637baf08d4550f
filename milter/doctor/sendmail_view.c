/* SPDX-License-Identifier: BSD-2-Clause */
#include "doctor/sendmail_view.h"

#include "mta/files.h"
#include "mta/sendmail/sendmail_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_OPTIONS "O DaemonPortOptions="

/* ---- sendmail.cf */

const char *sendmail_option(const struct exam *exam, const char *begins)
{
    const struct sendmail_view *view = exam->view;
    const char *found = "", *line;
    for (size_t at = 0;
         view != NULL && (line = text_lines_next(&view->lines, &at, begins)) != NULL;)
        found = line;
    return found;
}

static const char *folder_of(const struct exam *exam)
{
    return exam->request->config_dir == NULL ? "/etc/mail" : exam->request->config_dir;
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

int sendmail_look(struct exam *exam, struct error *err)
{
    struct sendmail_view *view = calloc(1, sizeof *view);
    if (view == NULL)
        return error_no_memory(err);
    snprintf(view->path, sizeof view->path, "%s/sendmail.cf", folder_of(exam));
    view->text = file_read(view->path, err);
    if (view->text != NULL) {
        view->lines = text_lines_of(strdup(view->text));
        if (view->lines.text == NULL)
            error_no_memory(err);
    }
    if (view->lines.text == NULL ||
        endpoint_parse(&view->milter, exam->settings->socket, err) != 0) {
        sendmail_look_free(view);
        return -1;
    }
    find_source(view, folder_of(exam));
    exam->view = view;
    find_ports(exam);
    return 0;
}

void sendmail_look_free(void *looked_at)
{
    struct sendmail_view *view = looked_at;
    free(view->text);
    free(view->lines.text);
    free(view);
}

/* ---- milters and ports */

bool sendmail_find_us(const struct exam *exam, struct sendmail_filter *out)
{
    const struct sendmail_view *view = exam->view;
    return view != NULL && sendmail_find_filter(view->text, &view->milter, out);
}

const char *sendmail_port(const struct exam *exam)
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
int sendmail_classify_domains(struct exam *exam, struct error *err)
{
    int rc = ask_rules(exam, false, err);
    return rc == 0 ? ask_rules(exam, true, err) : rc;
}

int sendmail_relays(const struct exam *exam, const char *recipient, bool *relays, struct error *err)
{
    const struct sendmail_view *view = exam->view;
    bool refused;
    int rc =
        sendmail_ask(&refused, SENDMAIL_REFUSES, view->path, "check_rcpt", "", &recipient, 1, err);
    *relays = rc == 0 && !refused;
    return rc;
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

void sendmail_tell(struct exam *exam)
{
    const struct sendmail_view *view = exam->view;
    const char *filters = sendmail_option(exam, "O InputMailFilters=");
    struct facts *facts = &exam->facts;
    char socket[ENDPOINT_TEXT_SIZE];

    if (view == NULL)
        return;
    fact_set(facts, "mc", "%s", view->source.path);
    fact_set(facts, "cf", "%s", view->path);
    fact_set(facts, "restart_mta", "kill -HUP $(head -n 1 %s)",
             sendmail_option(exam, "O PidFile="));
    tell_rebuild(facts, view, folder_of(exam));
    fact_set(facts, "lookups", "%s", exam->settings->lookup_socket);
    fact_set(facts, "socket", "%s", endpoint_format_sendmail(socket, sizeof socket, &view->milter));
    fact_set(facts, "milters", "%s", *filters == '\0' ? "none" : filters);
    fact_set(facts, "service", "%s", sendmail_port(exam));
}
