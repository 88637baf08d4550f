/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/sendmail/sendmail_attach.c: attach and detach for Sendmail, as struct mta has them */
#include "base/endpoint.h"
#include "mta/attachment.h"
#include "mta/reach.h"
#include "mta/sendmail/sendmail_cf.h"
#include "mta/sendmail/sendmail_m4.h"
#include "mta/sendmail/sendmail_run.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_DIR "/etc/mail"
#define DOMAINS_MAX 1000 /* of the table that Sendmail is asked about */

/* The state of one run. */
struct sendmail_attachment {
    struct attachment common;
    char *dir;
    struct sendmail_source source; /* its path is that of sendmail.mc, or what it is called here */
    char cf_path[PATH_MAX], m4_path[PATH_MAX];
    char *mc, *cf;  /* as they are now */
    char *stripped; /* sendmail.mc without our blocks */
    char *base;     /* the sendmail.cf made from that */
    char *made;     /* the sendmail.cf to be made; NULL: the kept one is restored */
    char milter[ENDPOINT_TEXT_SIZE]; /* our socket in the form of Sendmail */
    char filter[64];                 /* the name of our milter there */
    bool by_hand;                    /* the milter was put in by hand */
    bool changes_cf;                 /* sendmail.cf is among the changes */
};

/* ---- reading what is there */

static int find_folder(struct sendmail_attachment *a, struct error *err)
{
    const char *dir = a->common.request->config_dir;
    if (dir == NULL)
        dir = DEFAULT_DIR;
    a->dir = realpath(dir, NULL);
    if (a->dir == NULL)
        return error_set(err, EX_NOINPUT,
                         "no Sendmail here (--config-dir names its folder): no folder '%s'", dir);
    if (strpbrk(a->dir, "`'\"[]{}, \t") != NULL || strlen(a->dir) > PATH_MAX - 32)
        return error_set(err, EX_CONFIG,
                         "%s: cannot be written in sendmail.mc: it needs a path without quotes, "
                         "brackets, commas and blanks",
                         a->dir);
    snprintf(a->cf_path, sizeof a->cf_path, "%s/sendmail.cf", a->dir);
    snprintf(a->m4_path, sizeof a->m4_path, "%s/milter-moved.m4", a->dir);
    return 0;
}

static int read_files(struct sendmail_attachment *a, struct error *err)
{
    const char *mc = a->common.request->mc;
    if (find_folder(a, err) != 0 || (mc == NULL && sendmail_find_mc(&a->source, a->dir, err) != 0))
        return -1;
    if (mc != NULL && realpath(mc, a->source.path) == NULL)
        return error_set(err, EX_NOINPUT, "--mc: no such file '%s'", mc);
    a->mc = file_read(a->source.path, err);
    a->cf = a->mc == NULL ? NULL : file_read(a->cf_path, err);
    if (a->cf == NULL)
        return -1;
    a->stripped = sendmail_mc_strip(a->mc);
    if (a->stripped == NULL)
        return error_no_memory(err);
    a->source.cf = a->cf;
    a->base = sendmail_build(&a->source, a->stripped, err);
    return a->base == NULL ? -1 : 0;
}

static void free_attachment(struct sendmail_attachment *a)
{
    free(a->dir);
    free(a->mc);
    free(a->cf);
    free(a->stripped);
    free(a->base);
    free(a->source.warnings);
    free(a->made);
    file_changes_free(&a->common.changes);
}

/* ---- checks before anything is changed */

/* A change that was made in sendmail.cf by hand would be lost. */
static int check_cf_is_made_of_mc(struct sendmail_attachment *a, struct error *err)
{
    size_t length;
    char *made = sendmail_build(&a->source, a->mc, err);
    const char *differs = made == NULL ? NULL : sendmail_differs(a->cf, made, &length);
    if (differs != NULL)
        error_set(err, EX_CONFIG,
                  "%s is not what m4 makes of %s, and what was changed by hand would be lost: "
                  "bring it into %s, and rebuild: %.*s",
                  a->cf_path, a->source.path, strrchr(a->source.path, '/') + 1, (int)length,
                  differs);
    int rc = made == NULL || differs != NULL ? -1 : 0;
    free(made);
    return rc;
}

/* The name of our map is part of what the lookup server is asked. */
static int check_map_name(const struct sendmail_attachment *a, struct error *err)
{
    size_t length;
    return sendmail_find(a->base, "Kreply ", &length) == NULL
               ? 0
               : error_set(
                     err, EX_CONFIG,
                     "%s: already has a map called reply, which is the name of ours: rename it",
                     a->cf_path);
}

/* Sets our socket in the form of Sendmail, and the name of our milter: one with our socket that was put in by hand keeps its
 * own. */
static int name_milter(struct sendmail_attachment *a, struct error *err)
{
    const struct settings *settings = a->common.request->settings;
    const char *const paths[] = {a->milter, settings->lookup_socket};
    struct endpoint endpoint;
    struct sendmail_filter filter;
    if (endpoint_parse(&endpoint, settings->socket, err) != 0)
        return -1;
    endpoint_format_sendmail(a->milter, sizeof a->milter, &endpoint);
    for (int i = 0; i < 2; i++)
        if (strpbrk(paths[i], "`'\"[]{}, \t$#") != NULL)
            return error_set(err, EX_CONFIG,
                             "'%s' cannot be written for Sendmail: it needs a path without quotes, "
                             "brackets, commas and blanks",
                             paths[i]);
    a->by_hand = sendmail_find_filter(a->base, &endpoint, &filter) && filter.is_exact;
    snprintf(a->filter, sizeof a->filter, "%s", a->by_hand ? filter.name : SENDMAIL_FILTER);
    if (!a->by_hand || strchr(filter.flags, 'T') != NULL)
        return 0;
    return error_set(err, EX_CONFIG,
                     "%s: has our milter without F=T, and lets mail pass while it is down: add F=T "
                     "to INPUT_MAIL_FILTER(`%s', ...)",
                     a->source.path, filter.name);
}

/* Checks that Sendmail is willing and able to open this socket of ours: it opens none below a folder to which others may
 * write, and then defers all mail; and one that gives up root needs permission. */
static int check_reach(const struct sendmail_attachment *a, const char *socket, struct error *err)
{
    char folder[PATH_MAX], user[64];
    size_t length;
    const char *path = endpoint_path(socket);
    if (path == NULL)
        return 0;
    unsigned mode = sendmail_distrusts(a->base, path, folder, sizeof folder);
    if (mode != 0)
        return error_set(err, EX_CONFIG,
                         "%s lies below %s, which others may write to (mode %04o): Sendmail opens "
                         "no socket there: chmod go-w %s, or another folder",
                         socket, folder, mode, folder);
    const char *account = sendmail_find(a->base, "O RunAsUser=", &length);
    if (account == NULL)
        return 0;
    snprintf(user, sizeof user, "%.*s", (int)strcspn(account, ": \n"), account);
    return reach_check(path, user, err) != 0 && err->status == EX_NOPERM ? -1 : 0;
}

/* Checks that our milter is asked: a list of filters that is set after our lines leaves it out. */
static int check_filters(const struct sendmail_attachment *a, struct error *err)
{
    size_t length;
    bool asked = false;
    const char *at = a->made;
    for (; (at = sendmail_find(at, "O InputMailFilters=", &length)) != NULL; at += length)
        asked = sendmail_list_has(at, length, a->filter); /* the last one counts */
    return asked ? 0
                 : error_set(err, EX_CONFIG,
                             "%s: confINPUT_MAIL_FILTERS does not get %s: is it, or "
                             "INPUT_MAIL_FILTER, redefined there?",
                             a->source.path, a->filter);
}

/* Checks that our rule is the first of Local_check_rcpt: rules before it may change the address. */
static int check_first_rule(const struct sendmail_attachment *a, struct error *err)
{
    const char *line, *at = a->made;
    bool inside = false;
    for (size_t length; (line = sendmail_line(&at, &length)) != NULL;) {
        if (*line == 'S')
            inside = strncmp(line, "SLocal_check_rcpt", strlen("SLocal_check_rcpt")) == 0;
        if (!inside || *line != 'R')
            continue;
        if (length == strlen(SENDMAIL_M4_RULE) && memcmp(line, SENDMAIL_M4_RULE, length) == 0)
            return 0;
        return error_set(err, EX_CONFIG,
                         "%s: has a Local_check_rcpt before the MAILER lines, and so before ours: "
                         "move it after them: %.*s",
                         a->source.path, (int)length, line);
    }
    return error_set(err, EX_CONFIG,
                     "%s: our rules do not get into sendmail.cf: is the first MAILER line inside "
                     "an ifdef or a quotation?",
                     a->source.path);
}

/* ---- attach and detach */

/* The sendmail.mc with our blocks, which include the m4 file at this path. */
static char *add_blocks(const struct sendmail_attachment *a, const char *m4_path, struct error *err)
{
    char *mc = sendmail_mc_add(a->stripped, m4_path, a->by_hand ? NULL : a->milter);
    if (mc == NULL)
        error_no_memory(err);
    return mc;
}

/* The makefile, if there is one, has to make the sendmail.cf that was shown. */
static int rebuild(void *data, bool taken_back, struct error *err)
{
    const struct sendmail_attachment *a = data;
    size_t length;
    if (!a->changes_cf || taken_back)
        return 0;
    const char *target =
        a->made == NULL ? NULL : sendmail_target(a->dir, a->source.path, a->cf_path);
    if (target != NULL) {
        char *text =
            sendmail_make(a->dir, target, a->cf_path, err) == 0 ? file_read(a->cf_path, err) : NULL;
        const char *differs = text == NULL ? NULL : sendmail_differs(text, a->made, &length);
        if (differs != NULL)
            error_set(err, EX_CONFIG, "%s/Makefile makes another sendmail.cf than m4 does: %.*s",
                      a->dir, (int)length, differs);
        bool same = text != NULL && differs == NULL;
        free(text);
        if (!same)
            return -1;
    }
    return sendmail_try(a->cf_path, err);
}

static int carry_out(struct sendmail_attachment *a, struct error *err)
{
    a->common.is_unread = a->common.changes.count == 0 && sendmail_is_unread(a->cf_path, a->cf);
    bool restart = (a->changes_cf || a->common.is_unread) && !a->common.request->dry_run;
    int rc = attachment_carry_out(&a->common, rebuild, a, err);
    struct error told;
    if (rc == 0 && restart && sendmail_restart(a->cf, &told) != 0)
        a->common.request->warn("%s", told.text);
    return rc;
}

static int change_cf(struct sendmail_attachment *a, const char *text, struct error *err)
{
    size_t before = a->common.changes.count;
    int rc = file_changes_add(&a->common.changes, a->cf_path, text, err);
    a->changes_cf = a->common.changes.count > before;
    return rc;
}

/* If sendmail.cf has sendmail.mc as comments at its end, which Debian's makefile puts there, so shall the new
 * one. */
static int change_to_made(struct sendmail_attachment *a, const char *mc, struct error *err)
{
    char footer[PATH_MAX + 16], *text = NULL;
    size_t size;
    snprintf(footer, sizeof footer, "### %s ###\n", a->source.path);
    if (strstr(a->cf, footer) == NULL)
        return change_cf(a, a->made, err);
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return error_no_memory(err);
    fprintf(out, "%s%s", a->made, footer);
    while (*mc != '\0') {
        size_t length = strcspn(mc, "\n");
        fprintf(out, "# %.*s\n", (int)length, mc);
        mc += length + (mc[length] == '\n');
    }
    int rc = fclose(out) == 0 ? change_cf(a, text, err) : error_no_memory(err);
    free(text);
    return rc;
}

/* ---- attach */

static void say_unserved(const struct sendmail_attachment *a)
{
    const struct mta_request *request = a->common.request;
    size_t count = request->domain_count < DOMAINS_MAX ? request->domain_count : DOMAINS_MAX;
    size_t first = count, others = 0;
    bool served[DOMAINS_MAX];
    struct error err;
    if (request->unserved)
        return;
    if (sendmail_serves(served, a->dir, request->domains, count, &err) != 0) {
        request->warn("%s", err.text);
        return;
    }
    for (size_t i = count; i-- > 0;)
        if (!served[i]) {
            others += first < count;
            first = i;
        }
    if (first < count)
        request->warn("%s%s not served by this Sendmail: mail to it is answered 'Relaying denied'; "
                      "attach --unserved has it answered with 551",
                      request->domains[first], others > 0 ? " and others are" : " is");
}

static void say_all(const struct sendmail_attachment *a)
{
    const struct mta_request *request = a->common.request;
    size_t length;
    for (const char *line = a->source.warnings; *line != '\0'; line += *line == '\n') {
        line += strspn(line, " \t");
        length = strcspn(line, "\n");
        if (length > 0)
            request->warn("m4: %.*s", (int)length, line);
        line += length;
    }
    if (sendmail_find_text(request->settings, "\n") != NULL)
        request->say("replies of several lines: for mailboxes that Sendmail no longer has, senders "
                     "see only the first line\n");
    const char *port = a->made;
    for (; (port = sendmail_find(port, "O DaemonPortOptions=", &length)) != NULL; port += length) {
        static const char key[] = "InputMailFilters=";
        const char *filters = memmem(port, length, key, strlen(key));
        filters = filters == NULL ? NULL : filters + strlen(key);
        if (filters != NULL && !sendmail_list_has(filters, strcspn(filters, ", \n"), a->filter))
            request->say("a port has its milters switched off, and is left alone: "
                         "O DaemonPortOptions=%.*s\n",
                         (int)length, port);
    }
    /* Mail to a mailing list meets the limit on the day after a migration. */
    const char *limit = sendmail_find(a->base, "O BadRcptThrottle=", &length);
    if (limit != NULL && atoi(limit) > 0)
        request->say("Sendmail counts each 551 as a bad recipient: after %d in a session each "
                     "costs a second (confBAD_RCPT_THROTTLE)\n",
                     atoi(limit));
    say_unserved(a);
}

/* Makes the new sendmail.cf, with our m4 file in a temporary place. */
static int make_ahead(struct sendmail_attachment *a, const char *m4, struct error *err)
{
    char path[] = FILE_TEMPORARY;
    if (file_create_temporary(path, m4, err) != 0)
        return -1;
    char *mc = add_blocks(a, path, err);
    a->made = mc == NULL ? NULL : sendmail_build(&a->source, mc, err);
    free(mc);
    unlink(path);
    return a->made == NULL ? -1 : 0;
}

static int plan(struct sendmail_attachment *a, struct error *err)
{
    struct file_changes *changes = &a->common.changes;
    if (!sendmail_mc_has_mailer(a->stripped))
        return error_set(err, EX_CONFIG,
                         "%s: has no MAILER line, before which our rules have to be",
                         a->source.path);
    char *m4 =
        sendmail_m4(a->common.request->settings, a->filter, a->common.request->unserved, err);
    char *mc = m4 == NULL ? NULL : add_blocks(a, a->m4_path, err);
    int rc = mc == NULL || make_ahead(a, m4, err) != 0 || check_filters(a, err) != 0 ||
                     check_first_rule(a, err) != 0 ||
                     file_changes_add(changes, a->m4_path, m4, err) != 0 ||
                     file_changes_add(changes, a->source.path, mc, err) != 0
                 ? -1
                 : 0;
    /* m4 writes the time into a comment: a sendmail.cf that is otherwise the same stays. */
    if (rc == 0 && changes->count > 0)
        rc = change_to_made(a, mc, err);
    free(m4);
    free(mc);
    return rc;
}

static int attach(struct sendmail_attachment *a, struct error *err)
{
    const struct settings *settings = a->common.request->settings;
    if (attachment_check_lookups(&a->common, "Sendmail", err) != 0 || read_files(a, err) != 0 ||
        check_cf_is_made_of_mc(a, err) != 0 || check_map_name(a, err) != 0 ||
        name_milter(a, err) != 0 || check_reach(a, settings->socket, err) != 0 ||
        check_reach(a, settings->lookup_socket, err) != 0 || plan(a, err) != 0 ||
        attachment_share(&a->common, NULL, NULL, err) != 0 ||
        attachment_check_daemon(&a->common, settings->socket, settings->lookup_socket, err) != 0)
        return -1;
    if (a->common.changes.count > 0)
        say_all(a);
    return carry_out(a, err);
}

/* ---- detach */

/* The copy of sendmail.cf with the same date as a copy of sendmail.mc that is what detach leaves, if it still
 * is what m4 makes from that. On the heap; NULL if there is none. */
static char *find_kept(const struct sendmail_attachment *a)
{
    char pattern[PATH_MAX + 8], path[PATH_MAX + 64];
    struct error err;
    glob_t found;
    size_t length;
    char *kept = NULL;
    snprintf(pattern, sizeof pattern, "%s.2*Z", a->source.path);
    if (glob(pattern, 0, NULL, &found) != 0)
        return NULL;
    for (size_t i = 0; i < found.gl_pathc && kept == NULL; i++) {
        char *mc = file_read(found.gl_pathv[i], &err);
        snprintf(path, sizeof path, "%s%s", a->cf_path, found.gl_pathv[i] + strlen(a->source.path));
        if (mc != NULL && strcmp(mc, a->stripped) == 0)
            kept = file_read(path, &err);
        if (kept != NULL && sendmail_differs(kept, a->base, &length) != NULL) {
            free(kept);
            kept = NULL;
        }
        free(mc);
    }
    globfree(&found);
    return kept;
}

static int plan_without(struct sendmail_attachment *a, struct error *err)
{
    struct file_changes *changes = &a->common.changes;
    if (file_changes_add(changes, a->source.path, a->stripped, err) != 0 ||
        file_changes_add(changes, a->m4_path, NULL, err) != 0)
        return -1;
    if (changes->count == 0)
        return 0;
    if (attachment_forget(&a->common, err) != 0)
        return -1;
    char *kept = find_kept(a);
    if (kept == NULL) {
        a->made = a->base;
        a->base = NULL;
        return change_to_made(a, a->stripped, err);
    }
    int rc = change_cf(a, kept, err);
    free(kept);
    return rc;
}

static int detach(struct sendmail_attachment *a, struct error *err)
{
    if (read_files(a, err) != 0 ||
        (access(a->m4_path, F_OK) == 0 && check_cf_is_made_of_mc(a, err) != 0) ||
        plan_without(a, err) != 0)
        return -1;
    return carry_out(a, err);
}

int sendmail_run(const struct mta_request *request, struct error *err)
{
    struct sendmail_attachment a = {.common = {.request = request, .server = "sendmail"}};
    int rc = request->detaches ? detach(&a, err) : attach(&a, err);
    free_attachment(&a);
    return rc;
}

int sendmail_serves(bool *served, const char *config_dir, const char *const *domains, size_t count,
                    struct error *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/sendmail.cf", config_dir == NULL ? DEFAULT_DIR : config_dir);
    int rc = sendmail_ask(served, SENDMAIL_DENIES, path, "Basic_check_rcpt", "postmaster@", domains,
                          count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        served[i] = !served[i];
    return rc;
}
