/* SPDX-License-Identifier: BSD-2-Clause */
/* A file of a mail server as an administrator may have written it: what attach adds to it, detach takes out again, to the
 * byte. The first character of the input tells the file: 'm' main.cf, 's' master.cf, else sendmail.mc. */
#include "mta/postfix/postfix_ours.h"
#include "mta/sendmail/sendmail_mc.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stands for postconf -d. */
char *postfix_default(const char *dir, const char *name, struct error *err)
{
    (void)dir, (void)err;
    return strdup(strcmp(name, "smtpd_relay_restrictions") == 0
                      ? "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"
                      : "");
}

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
    struct span option = {line.start, line.start}, name, value;
    while (cf_option(cf, line, &option, &name, &value))
        if (memchr(cf->bare + name.end, '=', value.start - name.end) == NULL ||
            !has_pairs(cf, value))
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

/* ---- main.cf */

static void add_to_main(struct cf *main)
{
    static const char *const maps[] = {"local_recipient_maps", "virtual_alias_maps",
                                       "virtual_mailbox_maps", "relay_recipient_maps"};
    static const struct postfix postfix = {.dir = NULL};
    struct error err;
    must(ours_add_to_main(main, &postfix, "smtpd_milters", OURS_MILTER, &err) == 0);
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        must(ours_add_to_main(main, &postfix, maps[i], OURS_LISTED, &err) == 0);
    must(ours_add_unserved_to_main(main, &postfix, &err) == 0);
}

static void check_main(struct cf *main)
{
    static const struct postfix postfix = {.dir = NULL};
    struct error err;
    must(ours_define(main, true) == 0);
    add_to_main(main);
    char *attached = strdup(main->text);
    must(attached != NULL);
    add_to_main(main);
    must(strcmp(main->text, attached) == 0);
    must(ours_strip_main(main, &postfix, &err) == 0);
    free(attached);
}

/* ---- master.cf */

static void add_to_master(struct cf *master, const char *service)
{
    must(ours_add_to_service(master, service, "smtpd_milters", OURS_MILTER) == 0);
    must(ours_add_to_service(master, service, "local_recipient_maps", OURS_LISTED) == 0);
    must(ours_add_unserved_to_service(master, service) == 0);
}

static void check_master(struct cf *master)
{
    static const char *const services[] = {"smtp/inet", "submission/inet"};
    for (size_t i = 0; i < 2; i++) {
        add_to_master(master, services[i]);
        must(ours_add_options(master, services[i],
                              "  -o { " OURS_MILTER " = { unix:m, default_action=tempfail } }\n"
                              "  -o " OURS_LISTED "=socketmap:unix:l:listed\n"
                              "  -o smtpd_soft_error_limit=" OURS_SOFT_LIMIT) == 0);
    }
    must(ours_strip_master(master) == 0);
}

/* What is left of another attach is taken out first, as attach does. */
static void check_cf(const char *text, bool is_main)
{
    static const struct postfix postfix = {.dir = NULL};
    struct cf cf = {NULL, NULL};
    struct error err;
    must(cf_read(&cf, text) == 0);
    must((is_main ? ours_strip_main(&cf, &postfix, &err) : ours_strip_master(&cf)) == 0);
    if (is_fine(&cf) && ours_check_gone(&cf, "", "", &err) == 0) {
        char *before = strdup(cf.text);
        must(before != NULL);
        if (is_main)
            check_main(&cf);
        else
            check_master(&cf);
        must(strcmp(cf.text, before) == 0);
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
