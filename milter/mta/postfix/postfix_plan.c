#include "mta/postfix/postfix_plan.h"

#include "mta/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Our own parameters in main.cf. */
#define LISTED   "moved_listed"
#define UNSERVED "moved_unserved"
#define DOMAINS  "moved_domains"

#define LINE_LENGTH 100 /* of what is added to main.cf */

/* For mail to lists; under stress Postfix's own default. */
#define SOFT_LIMIT "${stress?{1}:{1000}}"

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

/* Whether the list has the item, and not only one that begins with it. */
static bool names(const char *list, const char *item)
{
    size_t length = strlen(item);
    for (const char *at = list; (at = strstr(at, item)) != NULL; at += length)
        if (at[length] == '\0' || strchr(", \t\r\n{}", at[length]) != NULL)
            return true;
    return false;
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
static bool is_chroot(const char *column, const char *scratch)
{
    struct error err;
    if (*column != '-')
        return *column == 'y';
    char *level = postfix_value(scratch, "compatibility_level", true, &err);
    bool old = level == NULL || strcmp(level, "0") == 0;
    free(level);
    return old;
}

/* A service can have its milters switched off: by "-o smtpd_milters=", usual after a content filter, or by
 * no_milters, its own or that of main.cf. With our map it would accept recipients that no milter then refuses. */
static bool is_attachable(const char *overrides, const char *service, const char *scratch)
{
    struct error err;
    char *milters = override(overrides, service, "smtpd_milters");
    char *options = override(overrides, service, "receive_override_options");
    if (options == NULL)
        options = postfix_value(scratch, "receive_override_options", true, &err);
    bool off = (milters != NULL && postfix_is_blank(milters)) ||
               (options != NULL && strstr(options, "no_milters") != NULL);
    free(milters);
    free(options);
    return !off;
}

/* The clients in smtpd_milter_maps may have other milters than ours. With our map the service would accept
 * recipients from them that no milter then refuses. postconf(5). */
static bool is_choosy(const char *overrides, const char *service, const char *scratch)
{
    struct error err;
    char *maps = override(overrides, service, "smtpd_milter_maps");
    if (maps == NULL)
        maps = postfix_value(scratch, "smtpd_milter_maps", true, &err);
    bool choosy = maps != NULL && !postfix_is_blank(maps); /* unknown before Postfix 3.2 */
    free(maps);
    return choosy;
}

static bool read_service(struct service *out, struct cf_line *line, const char *overrides,
                         const char *scratch)
{
    char *copy = strdup(line->text), *fields[FIELDS];
    bool is_smtpd = copy != NULL && split_fields(copy, fields) == 0 &&
                    strcmp(fields[COMMAND], "smtpd") == 0 &&
                    (strcmp(fields[TYPE], "inet") == 0 || strcmp(fields[TYPE], "pass") == 0);
    if (is_smtpd) {
        out->line = line;
        snprintf(out->name, sizeof out->name, "%s/%s", fields[NAME], fields[TYPE]);
        out->chroot = is_chroot(fields[CHROOT], scratch);
        out->attached = is_attachable(overrides, out->name, scratch);
        out->choosy = is_choosy(overrides, out->name, scratch);
    }
    free(copy);
    return is_smtpd;
}

struct service *plan_services(struct cf *master, const char *scratch, size_t *count,
                              struct error *err)
{
    struct service *services = calloc(master->count + 1, sizeof *services);
    char *overrides = postfix_overrides(scratch, true, err);
    *count = 0;
    if (services == NULL || overrides == NULL) {
        free(services);
        free(overrides);
        return NULL;
    }
    for (size_t i = 0; i < master->count; i++)
        if (read_service(&services[*count], &master->lines[i], overrides, scratch))
            (*count)++;
    free(overrides);
    return services;
}

/* ---- main.cf */

/* Writes the parameter with its value, in lines of LINE_LENGTH. */
static void write_parameter(FILE *out, const char *name, const char *value)
{
    size_t column = (size_t)fprintf(out, "%s =", name);
    for (const char *at = value + strspn(value, " "); *at != '\0'; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        bool fits = column + 1 + length <= LINE_LENGTH;
        column = fits ? column + 1 + length : 4 + length;
        fprintf(out, "%s%.*s", fits ? " " : "\n    ", (int)length, at);
        at += length;
    }
    fputc('\n', out);
}

static int set(struct cf *main, const char *name, const char *value)
{
    char *lines = NULL;
    size_t size;
    FILE *out = open_memstream(&lines, &size);
    if (out == NULL)
        return -1;
    write_parameter(out, name, value);
    int rc = fclose(out) == 0 ? cf_add(main, NULL, lines) : -1;
    free(lines);
    return rc;
}

static int continue_line(struct cf *main, struct cf_line *line, const char *item)
{
    char *lines;
    if (asprintf(&lines, "    %s\n", item) < 0)
        return -1;
    int rc = cf_add(main, line, lines);
    free(lines);
    return rc;
}

/* Adds the item to the list in the parameter: continues its line, or sets it. If the list has by, the item was
 * put there by hand. */
static int add_to_list(const struct plan_input *input, struct cf *main, const char *name,
                       const char *item, const char *by, struct error *err)
{
    struct cf_line *line = cf_parameter(main, name);
    char *longer = NULL, *value = postfix_value(input->scratch, name, line != NULL, err);
    int rc = value == NULL ? -1 : 0;

    if (rc == 0 && !names(value, by)) {
        if (line != NULL)
            rc = continue_line(main, line, item);
        else if (asprintf(&longer, "%s %s", value, item) < 0)
            rc = -1;
        else
            rc = set(main, name, longer);
    }
    free(value);
    free(longer);
    return rc;
}

/* For domains of no class: the recipients that our milter is going to refuse or forward get past the
 * restrictions, no others. */
static int set_unserved(const struct plan_input *input, struct cf *main)
{
    char *domains = NULL;
    size_t size;
    FILE *out = open_memstream(&domains, &size);
    if (out == NULL)
        return -1;
    fputs(DOMAINS " = inline:{\n", out);
    for (size_t i = 0; i < input->count; i++)
        if (input->classes[i] == POSTFIX_NONE)
            fprintf(out, "    { %s = " UNSERVED " }\n", input->domains[i]);
    fputs("    }\n", out);
    int rc = fclose(out);
    if (rc == 0)
        rc = cf_add(main, NULL, domains);
    if (rc == 0)
        rc = set(main, UNSERVED, "check_recipient_access pipemap:{$" LISTED ", static:OK}");
    free(domains);
    return rc;
}

static bool has_unserved(const struct plan_input *input)
{
    for (size_t i = 0; input->unserved && i < input->count; i++)
        if (input->classes[i] == POSTFIX_NONE)
            return true;
    return false;
}

/* What is planned, and for which service. */
struct service_plan {
    const struct plan_input *input;
    char *milter;               /* our item in smtpd_milters */
    char *listed;               /* our map */
    char *overrides, *expanded; /* of postfix_overrides, as written and expanded */
    const struct service *service;
    FILE *out; /* lines for master.cf */
    struct error *err;
};

static int plan_main(const struct service_plan *p, struct cf *main)
{
    const struct plan_input *input = p->input;
    int rc = add_to_list(input, main, "smtpd_milters", p->milter, input->milter, p->err);
    if (rc == 0)
        rc = set(main, LISTED, p->listed);
    if (rc == 0)
        rc = add_to_list(input, main, "proxy_read_maps", "$" LISTED, p->listed, p->err);
    if (rc == 0 && has_unserved(input))
        rc = set_unserved(input, main);
    return rc;
}

/* ---- master.cf */

/* The value of a parameter for the service: its own, or that of main.cf. On the heap; NULL with err. */
static char *value_of(const struct service_plan *p, const char *name, bool expanded)
{
    char *value = override(expanded ? p->expanded : p->overrides, p->service->name, name);
    return value != NULL ? value : postfix_value(p->input->scratch, name, expanded, p->err);
}

/* Sets the parameter for the service to its value with the item at the end, if it lacks the item. */
static int extend(const struct service_plan *p, const char *name, const char *item, const char *by)
{
    char *value = value_of(p, name, false), *expanded = value_of(p, name, true);
    int rc = value == NULL || expanded == NULL ? -1 : 0;
    if (rc == 0 && !names(expanded, by))
        fprintf(p->out, "  -o { %s = %s%s%s }\n", name, value, postfix_is_blank(value) ? "" : " ",
                item);
    free(value);
    free(expanded);
    return rc;
}

static int option_milters(const struct service_plan *p)
{
    char *own = override(p->overrides, p->service->name, "smtpd_milters");
    int rc = own == NULL ? 0 : extend(p, "smtpd_milters", p->milter, p->input->milter);
    free(own);
    return rc;
}

/* With an empty list every recipient of the class is accepted, so the milter is asked already: with our map as
 * its only item all others would be unknown. But with an empty virtual_alias_maps every recipient is refused. */
static int option_map(const struct service_plan *p, enum postfix_class kind)
{
    const char *maps = postfix_class_maps(kind);
    char *value = value_of(p, maps, true);
    int rc = value == NULL ? -1 : 0;
    if (rc == 0 && (kind == POSTFIX_ALIAS || !postfix_is_blank(value)))
        rc = extend(p, maps, "$" LISTED, p->listed);
    free(value);
    return rc;
}

static int option_maps(const struct service_plan *p)
{
    bool has[POSTFIX_NONE + 1] = {false};
    int rc = 0;
    for (size_t i = 0; i < p->input->count; i++)
        has[p->input->classes[i]] = true;
    for (int kind = 0; kind < POSTFIX_CLASSES && rc == 0; kind++)
        rc = has[kind] ? option_map(p, (enum postfix_class)kind) : 0;
    return rc;
}

/* Puts our restriction, which our recipients pass, before the one that refuses to relay. */
static int option_restrictions(const struct service_plan *p, const char *name)
{
    static const char *const refusals[] = {"reject_unauth_destination", "defer_unauth_destination"};
    char *value = value_of(p, name, true);
    const char *at = NULL;
    int rc = value == NULL ? -1 : 0;
    for (size_t i = 0; rc == 0 && i < sizeof refusals / sizeof *refusals; i++) {
        const char *found = strstr(value, refusals[i]);
        if (found != NULL && (at == NULL || found < at))
            at = found;
    }
    if (at != NULL)
        fprintf(p->out, "  -o { %s = %.*scheck_recipient_access $" DOMAINS " %s }\n", name,
                (int)(at - value), value, at);
    free(value);
    return rc;
}

static int option_unserved(const struct service_plan *p)
{
    if (!has_unserved(p->input))
        return 0;
    int rc = extend(p, "smtpd_restriction_classes", UNSERVED, UNSERVED);
    if (rc == 0)
        rc = option_restrictions(p, "smtpd_relay_restrictions");
    if (rc == 0)
        rc = option_restrictions(p, "smtpd_recipient_restrictions");
    return rc;
}

static int plan_service(struct service_plan *p, struct cf *master, struct service *service)
{
    char *lines = NULL;
    size_t size;
    p->service = service;
    p->out = open_memstream(&lines, &size);
    if (p->out == NULL)
        return -1;
    int rc = option_milters(p);
    if (rc == 0 && !service->choosy)
        rc = option_maps(p);
    if (rc == 0 && !service->choosy)
        rc = option_unserved(p);
    if (rc == 0 && p->input->raise_limits)
        fputs("  -o { smtpd_soft_error_limit = " SOFT_LIMIT " }\n"
              "  -o { smtpd_hard_error_limit = " PLAN_HARD_LIMIT " }\n",
              p->out);
    if (fclose(p->out) != 0)
        rc = -1;
    if (rc == 0 && *lines != '\0')
        rc = cf_add(master, service->line, lines);
    free(lines);
    return rc;
}

int plan_make(const struct plan_input *input, struct cf *main, struct cf *master,
              struct service *services, size_t count, struct error *err)
{
    struct service_plan p = {.input = input, .err = err};
    int rc = -1;

    error_set(err, EX_OSERR, "out of memory"); /* overwritten by any other error */
    /* Independently of milter_default_action: without our answer no recipient may be accepted. */
    if (asprintf(&p.milter, "{ %s, default_action=tempfail }", input->milter) < 0)
        p.milter = NULL;
    if (asprintf(&p.listed, "proxy:socketmap:unix:%s:listed", input->lookups) < 0)
        p.listed = NULL;
    p.overrides = postfix_overrides(input->scratch, false, err);
    p.expanded = postfix_overrides(input->scratch, true, err);
    if (p.milter != NULL && p.listed != NULL && p.overrides != NULL && p.expanded != NULL)
        rc = plan_main(&p, main);
    for (size_t i = 0; i < count && rc == 0; i++)
        if (services[i].attached)
            rc = plan_service(&p, master, &services[i]);
    free(p.milter);
    free(p.listed);
    free(p.overrides);
    free(p.expanded);
    return rc;
}
