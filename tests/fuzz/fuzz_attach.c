/* SPDX-License-Identifier: BSD-2-Clause */
/* A file of a mail server as an administrator may have written it: what attach adds to it, detach takes out again, to the
 * byte. The first character of the input tells the file: 'm' main.cf, 's' master.cf, else sendmail.mc. */
#include "mta/postfix/postfix_ours.h"
#include "mta/postfix/postfix_plan.h"
#include "mta/sendmail/sendmail_m4.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stand for what postconf(1) prints. */
static struct postconf_line defaults[] = {
    {"smtpd_relay_restrictions",
     "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"},
    {"smtpd_milters", ""},
    {"local_recipient_maps", ""},
    {"virtual_alias_maps", ""},
    {"virtual_mailbox_maps", ""},
    {"relay_recipient_maps", ""},
};
static struct postconf_line values[] = {
    {"local_recipient_maps", "x"},
    {"virtual_mailbox_maps", "x"},
    {"relay_recipient_maps", "x"},
};
static struct postconf_line own[] = {
    {"smtp/inet/smtpd_milters", "x"},
    {"smtp/inet/local_recipient_maps", "x"},
    {"submission/inet/smtpd_milters", "x"},
    {"submission/inet/local_recipient_maps", "x"},
};
static struct service services[] = {{.name = "smtp/inet", .attached = true},
                                    {.name = "submission/inet", .attached = true}};
static enum postfix_class classes[] = {POSTFIX_LOCAL, POSTFIX_ALIAS, POSTFIX_VIRTUAL,
                                       POSTFIX_RELAY};
#define ROWS(table) (sizeof(table) / sizeof *(table))
static const struct postconf main_cf = {.lines = values, .count = ROWS(values)};
static const struct plan plan = {
    .main = &main_cf,
    .own = {.lines = own, .count = ROWS(own)},
    .defaults = {.lines = defaults, .count = ROWS(defaults)},
    .services = services,
    .service_count = ROWS(services),
    .classes = classes,
    .domain_count = ROWS(classes),
    .milter = "unix:m",
    .lookups = "l",
    .unserved = true,
    .raise_limits = true,
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool has_pairs(const struct cf *cf, struct span part)
{
    int depth = 0;
    for (; part.start < part.end && depth >= 0; part.start++)
        depth += cf->bare[part.start] == '{' ? 1 : cf->bare[part.start] == '}' ? -1 : 0;
    return depth == 0;
}

/* smtpd(8) does not start with an option that sets nothing. */
static bool has_values(const struct cf *cf, struct span line)
{
    struct setting option = {.line = line, .whole = {line.start, line.start}};
    while (cf_option(cf, &option))
        if (memchr(cf->bare + option.name.end, '=', option.value.start - option.name.end) == NULL ||
            !has_pairs(cf, option.value))
            return false;
    return line.end < 2 || memcmp(cf->bare + line.end - 2, "-o", 2) != 0;
}

/* Postfix refuses a line with a brace too many, and warns of a first line that begins with a blank. */
static bool is_fine(const struct cf *cf)
{
    for (struct span line = {0, 0}; cf_next(cf, &line);)
        if (isspace((unsigned char)cf->bare[line.start]) || !has_pairs(cf, line) ||
            !has_values(cf, line))
            return false;
    return true;
}

/* ---- main.cf and master.cf */

static void check_main(struct cf *main)
{
    plan_main(&plan, main);
    must(!main->failed);
    char *attached = strdup(main->text);
    must(attached != NULL);
    ours_add_to_main(main, &plan.defaults, "smtpd_milters", OURS_MILTER);
    for (size_t i = 0; i < ROWS(classes); i++)
        ours_add_to_main(main, &plan.defaults, postfix_class_maps(classes[i]), OURS_LISTED);
    ours_add_unserved_to_main(main, &plan.defaults);
    must(strcmp(main->text, attached) == 0);
    free(attached);
}

/* What is left of another attach is taken out first, as attach does. */
static void check_cf(const char *text, bool is_main)
{
    const struct postconf *of_main = is_main ? &plan.defaults : NULL;
    struct cf cf;
    struct error err;
    must(cf_read(&cf, text) == 0);
    ours_strip(&cf, of_main);
    must(!cf.failed);
    if (is_fine(&cf) && ours_check_gone(&cf, "", "", &err) == 0) {
        char *before = strdup(cf.text);
        must(before != NULL);
        if (is_main)
            check_main(&cf);
        else
            plan_master(&plan, &cf);
        ours_strip(&cf, of_main);
        must(!cf.failed && strcmp(cf.text, before) == 0);
        free(before);
    }
    cf_free(&cf);
}

/* ---- sendmail.mc */

static void check_mc(const char *text)
{
    char *stripped = sendmail_mc_strip(text);
    must(stripped != NULL);
    if (strcmp(stripped, text) == 0 && sendmail_mc_has_mailer(text)) {
        char *added = sendmail_mc_add(text, "/etc/mail/moved.m4", "local:/run/m.sock");
        char *again = added == NULL ? NULL : sendmail_mc_strip(added);
        must(again != NULL && strcmp(again, text) == 0);
        free(again);
        free(added);
    }
    free(stripped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    must(text != NULL);
    if (*text == 'm' || *text == 's')
        check_cf(text + 1, *text == 'm');
    else
        check_mc(*text == '\0' ? text : text + 1);
    free(text);
    return 0;
}
