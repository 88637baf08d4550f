/* ctl/ctl.c: what the commands share */
#include "ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ctl_warn(const char *format, ...)
{
    va_list args;
    fputs("movedctl: warning: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int ctl_parse_old(const struct ctl *ctl, const char *old, struct entry *out, struct error *err)
{
    return entry_parse_old(out, old, &ctl->settings->addresses, err);
}

int ctl_parse_domain(const struct ctl *ctl, char *domain, struct error *err)
{
    const char *asked = ctl->options.domain;
    domain[0] = '\0';
    if (asked != NULL && address_domain_parse(domain, asked, strlen(asked), err) != 0)
        return error_at(err, "--domain", 0);
    return 0;
}

enum table_result ctl_find(const struct ctl *ctl, const struct entry *old, struct entry *out,
                           struct error *err)
{
    struct table_view *view = table_view_open(ctl->table, err);
    if (view == NULL)
        return TABLE_FAILED;
    enum table_result result = table_find(view, old->scope, old->local, old->domain, out, err);
    table_view_close(view);
    return result;
}

/* ---- commands */

/* How many letters differ, a short way: those that b lacks, and the difference in length. */
static size_t distance(const char *a, const char *b)
{
    size_t missing = 0, a_length = strlen(a), b_length = strlen(b);
    for (const char *at = a; *at != '\0'; at++)
        if (strchr(b, *at) == NULL)
            missing++;
    return 2 * missing + (a_length > b_length ? a_length - b_length : b_length - a_length);
}

const struct command *command_find(const struct command *const *all, const char *name,
                                   struct error *err)
{
    const char *nearest = "help";
    for (; *all != NULL; all++) {
        if (strcmp((*all)->name, name) == 0)
            return *all;
        if (distance(name, (*all)->name) < distance(name, nearest))
            nearest = (*all)->name;
    }
    if (distance(name, nearest) > 2)
        error_set(err, EX_USAGE, "no such command '%s': see movedctl help", name);
    else
        error_set(err, EX_USAGE, "no such command '%s': did you mean %s? see movedctl help", name,
                  nearest);
    return NULL;
}
