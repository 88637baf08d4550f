/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/postfix/postfix_plan.h"

#include "mta/postfix/postfix_ours.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- overrides in master.cf, in the form of postfix_overrides: lines of "smtp/inet/smtpd_milters = value" */

/* The value of the service's own parameter, on the heap; NULL if it has none (or memory is out: then the one
 * of main.cf counts). */
static char * override(const char *overrides, const char *service, const char *name)
{
    size_t service_length = strlen(service), name_length = strlen(name);
    for (const char *line = overrides; line != NULL && *line != '\0';) {
        const char *at = line;
        size_t length = strcspn(line, "\n");
        line += length + (line[length] == '\n');
        if (strncmp(at, service, service_length) != 0 || at[service_length] != '/')
            continue;
        at += service_length + 1;
        if (strncmp(at, name, name_length) != 0 || strncmp(at + name_length, " =", 2) != 0)
            continue;
        at += name_length + 2;
        at += *at == ' ';
        return strndup(at, strcspn(at, "\n"));
    }
    return NULL;
}

/* ---- services */

/* The fields of a service's line: name type private unprivileged chroot wakeup limit command. */
enum { NAME, TYPE, CHROOT = 4, COMMAND = 7, FIELDS };

static int split_fields(char *copy, char **fields)
{
    int count = 0;
    for (char *word = strtok(copy, " \t"); word != NULL && count < FIELDS;
         word = strtok(NULL, " \t"))
        fields[count++] = word;
    return count == FIELDS ? 0 : -1;
}

/* The default of the column depends on the compatibility level since Postfix 3.0 (master(5)). */
static bool is_chroot(const char *column, const char *dir)
{
    struct error err;
    if (*column != '-')
        return *column == 'y';
    char *level = postfix_value(dir, "compatibility_level", true, &err);
    bool old = level == NULL || strcmp(level, "0") == 0;
    free(level);
    return old;
}

/* Whether a content filter on this host returns mail there, which then comes from loopback: a bounce would tell the sender
 * what only a trusted client may know. */
static bool is_behind_filter(const char *overrides, const char *service, const char *dir)
{
    static const char *const names[] = {"content_filter", "smtpd_proxy_filter"};
    struct error err;
    bool is = false;
    if (strncmp(service, "127.", 4) != 0 && strncmp(service, "[::1]", 5) != 0 &&
        strncmp(service, "localhost:", 10) != 0)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names && !is; i++) {
        char *own = override(overrides, service, names[i]);
        char *others = own == NULL ? NULL : postfix_value(dir, names[i], true, &err);
        is = others != NULL && postfix_is_blank(own) && !postfix_is_blank(others);
        free(own);
        free(others);
    }
    return is;
}

/* Why the service is left alone; NULL if it is not. It can have its milters switched off: by "-o smtpd_milters=", usual
 * after a content filter, or by no_milters, its own or that of main.cf. With our map it would accept recipients that
 * no milter then refuses. One that is told to know every recipient, or has no content filter,
 * takes back what was accepted before. */
static const char *find_exemption(const char *overrides, const char *service, const char *dir)
{
    struct error err;
    const char *why = NULL;
    char *milters = override(overrides, service, "smtpd_milters");
    char *own = override(overrides, service, "receive_override_options");
    char *options =
        own != NULL ? strdup(own) : postfix_value(dir, "receive_override_options", true, &err);
    if ((milters != NULL && postfix_is_blank(milters)) ||
        (options != NULL && strstr(options, "no_milters") != NULL))
        why = "its milters switched off";
    else if (own != NULL && strstr(own, "no_unknown_recipient_checks") != NULL)
        why = "no_unknown_recipient_checks";
    else if (is_behind_filter(overrides, service, dir))
        why = "its content filter switched off";
    free(milters);
    free(own);
    free(options);
    return why;
}

/* The clients in smtpd_milter_maps may have other milters than ours. With our map the service would accept
 * recipients from them that no milter then refuses. postconf(5). */
static bool is_choosy(const char *overrides, const char *service, const char *dir)
{
    struct error err;
    char *maps = override(overrides, service, "smtpd_milter_maps");
    if (maps == NULL)
        maps = postfix_value(dir, "smtpd_milter_maps", true, &err);
    bool choosy = maps != NULL && !postfix_is_blank(maps); /* unknown before Postfix 3.2 */
    free(maps);
    return choosy;
}

static bool read_service(struct service *out, char *line, const char *overrides, const char *dir)
{
    char *fields[FIELDS];
    if (*line == ' ' || *line == '\t' || split_fields(line, fields) != 0 ||
        strcmp(fields[COMMAND], "smtpd") != 0 ||
        (strcmp(fields[TYPE], "inet") != 0 && strcmp(fields[TYPE], "pass") != 0))
        return false;
    snprintf(out->name, sizeof out->name, "%s/%s", fields[NAME], fields[TYPE]);
    out->chroot = is_chroot(fields[CHROOT], dir);
    out->why = find_exemption(overrides, out->name, dir);
    out->attached = out->why == NULL;
    out->choosy = is_choosy(overrides, out->name, dir);
    return true;
}

static size_t count_lines(const char *text)
{
    size_t count = 1;
    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

struct service *plan_services(const char *dir, size_t *count, struct error *err)
{
    char *text = postfix_services(dir, err), *rest = text;
    char *overrides = text == NULL ? NULL : postfix_overrides(dir, true, err);
    struct service *services =
        overrides == NULL ? NULL : calloc(count_lines(text), sizeof *services);
    *count = 0;
    while (services != NULL && rest != NULL) {
        char *line = strsep(&rest, "\n");
        if (read_service(&services[*count], line, overrides, dir))
            (*count)++;
    }
    if (overrides != NULL && services == NULL)
        error_no_memory(err);
    free(overrides);
    free(text);
    return services;
}

/* ---- main.cf */

/* Whether a domain of the table is of this class. */
static bool has_class(const struct plan_input *input, int kind)
{
    for (size_t i = 0; i < input->count; i++)
        if ((int)input->classes[i] == kind)
            return true;
    return false;
}

/* With an empty list every recipient is accepted, so the milter is asked already: with our map as its only item
 * all others would be unknown. With empty virtual_alias_maps every recipient is refused. */
static bool may_be_empty(int kind)
{
    return kind == POSTFIX_ALIAS;
}

/* Whether our milter is in the list already, put there by hand. */
static bool is_by_hand(const struct plan_input *input, const char *list)
{
    return list != NULL && strstr(list, input->milter) != NULL;
}

static int add_milter(const struct plan_input *input, struct cf *main, struct error *err)
{
    char *value = postfix_value(input->scratch, "smtpd_milters", true, err);
    int rc = value == NULL ? -1 : 0;
    if (rc == 0 && !is_by_hand(input, value))
        rc = ours_add_to_main(main, input->postfix, "smtpd_milters", OURS_MILTER, err);
    free(value);
    return rc;
}

static int add_map(const struct plan_input *input, struct cf *main, int kind, struct error *err)
{
    const char *list = postfix_class_maps((enum postfix_class)kind);
    char *value = postfix_value(input->scratch, list, true, err);
    int rc = value == NULL ? -1 : 0;
    if (rc == 0 && (may_be_empty(kind) || !postfix_is_blank(value)))
        rc = ours_add_to_main(main, input->postfix, list, OURS_LISTED, err);
    free(value);
    return rc;
}

static int plan_main(const struct plan_input *input, struct cf *main, struct error *err)
{
    int rc = ours_define(main, input->unserved);
    if (rc != 0)
        return error_no_memory(err);
    rc = add_milter(input, main, err);
    for (int kind = 0; kind < POSTFIX_CLASSES && rc == 0; kind++)
        if (has_class(input, kind))
            rc = add_map(input, main, kind, err);
    if (rc == 0 && input->unserved)
        rc = ours_add_unserved_to_main(main, input->postfix, err);
    return rc;
}

/* ---- master.cf */

/* Lines for the service that set our parameters, on the heap; NULL if memory is out. default_action independently of
 * milter_default_action: without our answer no recipient may be accepted. The paths are relative to the queue folder,
 * where smtpd works, with chroot and without. */
static char *write_options(const struct plan_input *input, const struct service *service)
{
    char *lines = NULL;
    size_t size;
    FILE *out = open_memstream(&lines, &size);
    if (out == NULL)
        return NULL;
    fprintf(out, "  -o { " OURS_MILTER " = { %s, default_action=tempfail } }", input->milter);
    if (!service->choosy)
        fprintf(out, "\n  -o " OURS_LISTED "=socketmap:unix:%s:listed", input->lookups);
    if (!service->choosy && input->unserved)
        fprintf(out,
                "\n  -o { " OURS_UNSERVED " = check_recipient_access socketmap:unix:%s:refused }",
                input->lookups);
    if (input->raise_limits)
        fputs("\n  -o smtpd_soft_error_limit=" OURS_SOFT_LIMIT
              "\n  -o smtpd_hard_error_limit=" OURS_HARD_LIMIT,
              out);
    if (fclose(out) == 0)
        return lines;
    free(lines);
    return NULL;
}

/* The lists that the service's own options set. */
static int extend_own(const struct plan_input *input, struct cf *master, const char *service,
                      const char *overrides)
{
    char *own = override(overrides, service, "smtpd_milters");
    int rc = own == NULL || is_by_hand(input, own)
                 ? 0
                 : ours_add_to_service(master, service, "smtpd_milters", OURS_MILTER);
    free(own);
    for (int kind = 0; kind < POSTFIX_CLASSES && rc == 0; kind++) {
        const char *list = postfix_class_maps((enum postfix_class)kind);
        own = override(overrides, service, list);
        if (own != NULL && has_class(input, kind) && (may_be_empty(kind) || !postfix_is_blank(own)))
            rc = ours_add_to_service(master, service, list, OURS_LISTED);
        free(own);
    }
    if (rc == 0 && input->unserved)
        rc = ours_add_unserved_to_service(master, service);
    return rc;
}

static int plan_service(const struct plan_input *input, struct cf *master,
                        const struct service *service, const char *overrides)
{
    char *lines = write_options(input, service);
    int rc = lines == NULL ? -1 : extend_own(input, master, service->name, overrides);
    if (rc == 0)
        rc = ours_add_options(master, service->name, lines);
    free(lines);
    return rc;
}

int plan_make(const struct plan_input *input, struct cf *main, struct cf *master,
              const struct service *services, size_t count, struct error *err)
{
    bool any = false;
    int rc = 0;
    char *overrides = postfix_overrides(input->scratch, true, err);
    if (overrides == NULL)
        return -1;
    for (size_t i = 0; i < count && rc == 0; i++)
        if (services[i].attached) {
            any = true;
            rc = plan_service(input, master, &services[i], overrides);
        }
    free(overrides);
    if (rc != 0)
        return error_no_memory(err);
    return any ? plan_main(input, main, err) : 0;
}
