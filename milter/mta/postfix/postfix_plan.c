/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/postfix/postfix_plan.h"

#include "mta/postfix/postfix_ours.h"
#include "mta/postfix/postfix_socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- services */

/* The value of the service's own parameter; NULL if master.cf sets none. */
static const char *find_own(const struct postconf *own, const char *service, const char *name)
{
    char whole[256];
    snprintf(whole, sizeof whole, "%s/%s", service, name);
    return postconf_find(own, whole, NULL);
}

/* Whether main.cf sets this parameter, or master.cf for any service. */
static bool is_set(const char *name, const struct postconf *main, const struct postconf *own)
{
    bool is = !postfix_is_blank(postconf_find(main, name, ""));
    for (size_t i = 0; i < own->count && !is; i++)
        is = strcmp(strrchr(own->lines[i].name, '/') + 1, name) == 0 &&
             !postfix_is_blank(own->lines[i].value);
    return is;
}

/* Whether a content filter on this host returns mail there, which then comes from loopback: a bounce would tell the sender
 * what only a trusted client may know. */
static bool is_behind_filter(const char *service, const struct postconf *main,
                             const struct postconf *own)
{
    static const char *const names[] = {"content_filter", "smtpd_proxy_filter"};
    if (strncmp(service, "127.", 4) != 0 && strncmp(service, "[::1]", 5) != 0 &&
        strncmp(service, "localhost:", 10) != 0)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = find_own(own, service, names[i]);
        if (value != NULL && postfix_is_blank(value) && is_set(names[i], main, own))
            return true;
    }
    return false;
}

/* Why the service is left alone; NULL if it is not. It can have its milters switched off: by "-o smtpd_milters=", usual
 * after a content filter, or by no_milters, its own or that of main.cf. With our map it would accept recipients that
 * no milter then refuses. One that is told to know every recipient, or has no content filter, takes back what was
 * accepted before. */
static const char *find_exemption(const char *service, const struct postconf *main,
                                  const struct postconf *own)
{
    const char *milters = find_own(own, service, "smtpd_milters");
    const char *options = find_own(own, service, "receive_override_options");
    const char *in_force =
        options != NULL ? options : postconf_find(main, "receive_override_options", "");
    if ((milters != NULL && postfix_is_blank(milters)) || strstr(in_force, "no_milters") != NULL)
        return "its milters switched off";
    if (options != NULL && strstr(options, "no_unknown_recipient_checks") != NULL)
        return "no_unknown_recipient_checks";
    return is_behind_filter(service, main, own) ? "its content filter switched off" : NULL;
}

/* Reads a line of postconf -M: name type private unprivileged chroot wakeup limit command. Returns whether it is an smtpd
 * that takes mail. */
static bool read_service(struct service *out, const char *line, const struct postconf *main,
                         const struct postconf *own)
{
    char name[96], type[32], chroot[8], command[64];
    if (*line == ' ' || *line == '\t' ||
        sscanf(line, "%95s %31s %*s %*s %7s %*s %*s %63s", name, type, chroot, command) != 4 ||
        strcmp(command, "smtpd") != 0 || (strcmp(type, "inet") != 0 && strcmp(type, "pass") != 0))
        return false;
    *out = (struct service){.chroot = *chroot == 'y'};
    snprintf(out->name, sizeof out->name, "%s/%s", name, type);
    /* The default depends on the compatibility level since Postfix 3.0 (master(5)). */
    if (*chroot == '-')
        out->chroot = strcmp(postconf_find(main, "compatibility_level", ""), "0") == 0;
    out->why = find_exemption(out->name, main, own);
    out->attached = out->why == NULL;
    /* The clients in smtpd_milter_maps may have other milters than ours. With our map the service would accept
     * recipients from them that no milter then refuses. postconf(5). */
    const char *maps = find_own(own, out->name, "smtpd_milter_maps");
    out->choosy =
        !postfix_is_blank(maps != NULL ? maps : postconf_find(main, "smtpd_milter_maps", ""));
    return true;
}

struct service *plan_services(const char *dir, const struct postconf *main, struct postconf *own,
                              size_t *count, struct error *err)
{
    *count = 0;
    if (postconf_split(own, postfix_lines(dir, "-P", "-x", err), err) != 0)
        return NULL;
    char *text = postfix_lines(dir, "-M", NULL, err), *rest = text;
    if (text == NULL)
        return NULL;
    struct service *services = calloc(strlen(text) / 16 + 1, sizeof *services); /* eight fields */
    for (char *line; services != NULL && (line = strsep(&rest, "\n")) != NULL;)
        *count += read_service(&services[*count], line, main, own);
    free(text);
    if (services == NULL)
        error_no_memory(err);
    return services;
}

/* ---- the plan */

/* Whether a domain of the table is of this class. */
static bool has_class(const struct plan *plan, int kind)
{
    for (size_t i = 0; i < plan->domain_count; i++)
        if ((int)plan->classes[i] == kind)
            return true;
    return false;
}

/* The parameter of ours to which this list shall refer; NULL for none: if an administrator has put our milter in. With an
 * empty list of maps every recipient is accepted, so the milter is asked already: with our map as its only item all
 * others would be unknown. With empty virtual_alias_maps every recipient is refused. */
static const char *find_reference_for(const struct plan *plan, const char *list, const char *value)
{
    if (strcmp(list, "smtpd_milters") == 0)
        return postfix_names(plan->postfix, value, &plan->socket) ? NULL : OURS_MILTER;
    for (int kind = 0; kind < POSTFIX_CLASSES; kind++)
        if (strcmp(list, postfix_class_maps((enum postfix_class)kind)) == 0)
            return has_class(plan, kind) && (kind == POSTFIX_ALIAS || !postfix_is_blank(value))
                       ? OURS_LISTED
                       : NULL;
    return NULL;
}

void plan_main(const struct plan *plan, struct cf *main)
{
    ours_define(main, plan->unserved);
    for (int i = -1; i < POSTFIX_CLASSES; i++) {
        const char *list = i < 0 ? "smtpd_milters" : postfix_class_maps((enum postfix_class)i);
        const char *name = find_reference_for(plan, list, postconf_find(plan->main, list, ""));
        if (name != NULL)
            ours_add_to_main(main, &plan->defaults, list, name);
    }
    if (plan->unserved)
        ours_add_unserved_to_main(main, &plan->defaults);
}

/* The service whose line this is, if it is to be attached; else NULL. */
static const struct service *find_service(const struct plan *plan, const struct cf *master,
                                          struct span line)
{
    char name[96], type[32], command[64], whole[128];
    if (sscanf(master->bare + line.start, "%95s %31s %*s %*s %*s %*s %*s %63s", name, type,
               command) != 3 ||
        strcmp(command, "smtpd") != 0)
        return NULL;
    snprintf(whole, sizeof whole, "%s/%s", name, type);
    for (size_t i = 0; i < plan->service_count; i++)
        if (plan->services[i].attached && strcmp(plan->services[i].name, whole) == 0)
            return &plan->services[i];
    return NULL;
}

/* Extends the lists that the service's own options set. Returns where the line of the service then ends. */
static size_t extend_own(const struct plan *plan, struct cf *master, struct span line,
                         const char *service)
{
    struct setting at = {.line = line, .whole = {line.start, line.start}};
    while (cf_option(master, &at)) {
        char list[64];
        snprintf(list, sizeof list, "%.*s", (int)(at.name.end - at.name.start),
                 master->bare + at.name.start);
        const char *value = find_own(&plan->own, service, list);
        const char *name = value == NULL ? NULL : find_reference_for(plan, list, value);
        ours_add_to_option(master, &at, name, plan->unserved);
    }
    return at.line.end;
}

/* Lines that set our parameters for a service. default_action is set whatever milter_default_action is: without our answer no
 * recipient may be accepted. The paths are relative to the queue folder, where smtpd works, with chroot and without. */
static void write_options(char *out, size_t size, const struct plan *plan, bool with_maps)
{
    int length = snprintf(out, size, "  -o { " OURS_MILTER " = { %s, default_action=tempfail } }",
                          plan->milter);
    if (with_maps)
        length += snprintf(out + length, size - (size_t)length,
                           "\n  -o " OURS_LISTED "=socketmap:unix:%s:listed", plan->lookups);
    if (with_maps && plan->unserved)
        length += snprintf(out + length, size - (size_t)length,
                           "\n  -o { " OURS_UNSERVED
                           " = check_recipient_access socketmap:unix:%s:refused }",
                           plan->lookups);
    if (plan->raise_limits)
        snprintf(out + length, size - (size_t)length,
                 "\n  -o smtpd_soft_error_limit=" OURS_SOFT_LIMIT
                 "\n  -o smtpd_hard_error_limit=" OURS_HARD_LIMIT);
}

void plan_master(const struct plan *plan, struct cf *master)
{
    char lines[3 * ENDPOINT_TEXT_SIZE + 512];
    for (struct span line = {0, 0}; cf_next(master, &line);) {
        const struct service *service = find_service(plan, master, line);
        if (service == NULL)
            continue;
        line.end = extend_own(plan, master, line, service->name);
        write_options(lines, sizeof lines, plan, !service->choosy);
        cf_add_lines(master, line.end, lines);
        line.end += 1 + strlen(lines);
    }
}
