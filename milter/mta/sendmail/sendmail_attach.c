/* SPDX-License-Identifier: BSD-2-Clause */
/* mta/sendmail/sendmail_attach.c: attach and detach for Sendmail, as struct mta has them */
#include "base/endpoint.h"
#include "mta/attachment.h"
#include "mta/sendmail/sendmail_cf.h"
#include "mta/sendmail/sendmail_check.h"
#include "mta/sendmail/sendmail_m4.h"
#include "mta/sendmail/sendmail_mc.h"
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
    const struct mta_request *request;
    char *dir;
    struct sendmail_source source;
    const char *mc_path; /* of sendmail.mc, or what it is called here */
    char cf_path[PATH_MAX], m4_path[PATH_MAX];
    char *mc, *cf;  /* as they are now */
    char *stripped; /* sendmail.mc without our block */
    char *base;     /* the sendmail.cf made from that */
    char *made;     /* the sendmail.cf to be made; NULL: the kept one is restored */
    char milter[ENDPOINT_TEXT_SIZE]; /* our socket in the form of Sendmail */
    char filter[64];                 /* the name of our milter there */
    bool by_hand;                    /* the milter was put in by hand */
    bool changes_cf;                 /* sendmail.cf is among the changes */
    struct file_changes changes;
};

/* ---- reading what is there */

static int find_folder(struct sendmail_attachment *a, struct error *err)
{
    const char *dir = a->request->config_dir;
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

static int find_mc(struct sendmail_attachment *a, struct error *err)
{
    a->mc_path = a->source.path;
    if (a->request->mc == NULL)
        return sendmail_find_mc(&a->source, a->dir, err);
    return realpath(a->request->mc, a->source.path) != NULL
               ? 0
               : error_set(err, EX_NOINPUT, "--mc: no such file '%s'", a->request->mc);
}

static int read_files(struct sendmail_attachment *a, struct error *err)
{
    if (find_folder(a, err) != 0 || find_mc(a, err) != 0)
        return -1;
    a->mc = file_read(a->mc_path, err);
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

/* A change that was made in sendmail.cf by hand would be lost. */
static int check_cf_is_made_of_mc(struct sendmail_attachment *a, struct error *err)
{
    const char *differs;
    size_t length;
    char *made = sendmail_build(&a->source, a->mc, err);
    if (made == NULL)
        return -1;
    int rc = 0;
    if (!sendmail_same(a->cf, made, &differs, &length))
        rc = error_set(err, EX_CONFIG,
                       "%s is not what m4 makes of %s, and what was changed by hand would be lost: "
                       "bring it into %s, and rebuild: %.*s",
                       a->cf_path, a->mc_path, strrchr(a->mc_path, '/') + 1, (int)length, differs);
    free(made);
    return rc;
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
    file_changes_free(&a->changes);
}

/* ---- our sockets */

static int name_milter(struct sendmail_attachment *a, struct error *err)
{
    struct endpoint endpoint;
    if (endpoint_parse(&endpoint, a->request->settings->socket, err) != 0)
        return -1;
    endpoint_format_sendmail(a->milter, sizeof a->milter, &endpoint);
    const char *const paths[] = {a->milter, a->request->settings->lookup_socket};
    for (int i = 0; i < 2; i++)
        if (strpbrk(paths[i], "`'\"[]{}, \t$#") != NULL)
            return error_set(err, EX_CONFIG,
                             "'%s' cannot be written for Sendmail: it needs a path without quotes, "
                             "brackets, commas and blanks",
                             paths[i]);
    return 0;
}

/* A milter with our socket that was put in by hand keeps its name. */
static int find_by_hand(struct sendmail_attachment *a, struct error *err)
{
    struct endpoint endpoint;
    struct sendmail_filter filter;
    if (endpoint_parse(&endpoint, a->request->settings->socket, err) != 0)
        return -1;
    a->by_hand = sendmail_find_filter(a->base, &endpoint, &filter) && filter.is_exact;
    snprintf(a->filter, sizeof a->filter, "%s", a->by_hand ? filter.name : SENDMAIL_FILTER);
    if (!a->by_hand || strchr(filter.flags, 'T') != NULL)
        return 0;
    return error_set(err, EX_CONFIG,
                     "%s: has our milter without F=T, and lets mail pass while it is down: add F=T "
                     "to INPUT_MAIL_FILTER(`%s', ...)",
                     a->mc_path, filter.name);
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

/* The makefile has to make the sendmail.cf that was shown. */
static int rebuild(void *data, struct error *err)
{
    const struct sendmail_attachment *a = data;
    const char *differs;
    size_t length;
    bool by_makefile = false;
    if (!a->changes_cf)
        return 0;
    if (a->made != NULL && sendmail_make(&by_makefile, a->dir, a->mc_path, a->cf_path, err) != 0)
        return -1;
    char *text = by_makefile ? file_read(a->cf_path, err) : NULL;
    int rc = by_makefile && text == NULL ? -1 : 0;
    if (text != NULL && !sendmail_same(text, a->made, &differs, &length))
        rc = error_set(err, EX_CONFIG, "%s/Makefile makes another sendmail.cf than m4 does: %.*s",
                       a->dir, (int)length, differs);
    free(text);
    return rc == 0 ? sendmail_try(a->cf_path, err) : -1;
}

static int carry_out(struct sendmail_attachment *a, bool detaches, const char *nothing,
                     const char *done, struct error *err)
{
    const struct aftermath aftermath = {.first = rebuild, .data = a, .names_all_copies = detaches};
    bool restart = a->changes_cf && !a->request->dry_run;
    int rc = attachment_carry_out(a->request, &a->changes, &aftermath, nothing, done, err);
    struct error told;
    if (rc == 0 && restart && sendmail_restart(a->cf, &told) != 0)
        a->request->warn("%s", told.text);
    return rc;
}

/* If sendmail.cf has sendmail.mc as comments at its end, which Debian's makefile puts there, so shall the new
 * one. */
static char *with_footer(const struct sendmail_attachment *a, const char *made, const char *mc)
{
    char footer[PATH_MAX + 16], *text = NULL;
    size_t size;
    snprintf(footer, sizeof footer, "### %s ###\n", a->mc_path);
    if (strstr(a->cf, footer) == NULL)
        return strdup(made);
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    fprintf(out, "%s%s", made, footer);
    while (*mc != '\0') {
        size_t length = strcspn(mc, "\n");
        fprintf(out, "# %.*s\n", (int)length, mc);
        mc += length + (mc[length] == '\n');
    }
    return fclose(out) == 0 ? text : NULL;
}

/* Takes over text, which is on the heap. */
static int change_cf(struct sendmail_attachment *a, char *text, struct error *err)
{
    size_t before = a->changes.count;
    if (text == NULL)
        return error_no_memory(err);
    int rc = file_changes_add(&a->changes, a->cf_path, text, err);
    a->changes_cf = a->changes.count > before;
    return rc;
}

/* ---- attach */

static void say_unserved(const struct sendmail_attachment *a)
{
    const struct mta_request *request = a->request;
    size_t count = request->domain_count < DOMAINS_MAX ? request->domain_count : DOMAINS_MAX;
    size_t first = count, others = 0;
    bool denied[DOMAINS_MAX];
    struct error err;
    if (request->unserved)
        return;
    if (sendmail_ask(denied, SENDMAIL_DENIES, a->cf_path, "Basic_check_rcpt", "postmaster@",
                     request->domains, count, &err) != 0) {
        request->warn("%s", err.text);
        return;
    }
    for (size_t i = count; i-- > 0;)
        if (denied[i]) {
            others += first < count;
            first = i;
        }
    if (first < count)
        request->warn("%s%s not served by this Sendmail: mail to it is answered 'Relaying denied'; "
                      "attach --unserved has it answered with 551",
                      request->domains[first], others > 0 ? " and others are" : " is");
}

/* Mail to a mailing list meets it on the day after a migration. */
static void say_limit(const struct sendmail_attachment *a)
{
    static const char option[] = "O BadRcptThrottle=";
    size_t length;
    const char *line = sendmail_find(a->base, option, &length);
    if (line != NULL && atoi(line + strlen(option)) > 0)
        a->request->say("Sendmail counts each 551 as a bad recipient: after %d in a session each "
                        "costs a second (confBAD_RCPT_THROTTLE)\n",
                        atoi(line + strlen(option)));
}

static void say_all(const struct sendmail_attachment *a)
{
    const struct mta_request *request = a->request;
    for (const char *line = a->source.warnings; *line != '\0'; line += *line == '\n') {
        line += strspn(line, " \t");
        int length = (int)strcspn(line, "\n");
        if (length > 0)
            request->warn("m4: %.*s", length, line);
        line += length;
    }
    if (sendmail_find_text(request->settings, "\n") != NULL)
        request->say("replies of several lines: for mailboxes that Sendmail no longer has, senders "
                     "see only the first line\n");
    sendmail_say_ports(a->made, a->filter, request->say);
    say_limit(a);
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
    if (!sendmail_mc_has_mailer(a->stripped))
        return error_set(err, EX_CONFIG,
                         "%s: has no MAILER line, before which our rules have to be", a->mc_path);
    char *m4 = sendmail_m4(a->request->settings, a->filter, a->request->unserved, err);
    char *mc = m4 == NULL ? NULL : add_blocks(a, a->m4_path, err);
    if (mc == NULL || make_ahead(a, m4, err) != 0 ||
        sendmail_check_filters(a->made, a->mc_path, a->filter, err) != 0 ||
        sendmail_check_first_rule(a->made, a->mc_path, err) != 0) {
        free(m4);
        free(mc);
        return -1;
    }
    int rc = file_changes_add(&a->changes, a->m4_path, m4, err);
    if (rc == 0) {
        char *copy = strdup(mc);
        rc = copy == NULL ? error_no_memory(err)
                          : file_changes_add(&a->changes, a->mc_path, copy, err);
    }
    /* m4 writes the time into a comment: a sendmail.cf that is otherwise the same stays. */
    if (rc == 0 && a->changes.count > 0)
        rc = change_cf(a, with_footer(a, a->made, mc), err);
    free(mc);
    return rc;
}

static int attach_with(struct sendmail_attachment *a, struct error *err)
{
    const struct settings *settings = a->request->settings;
    if (*settings->lookup_socket == '\0')
        return error_set(err, EX_CONFIG,
                         "lookup_socket: is \"\": set it, or Sendmail itself refuses mailboxes "
                         "that were removed");
    if (read_files(a, err) != 0 || check_cf_is_made_of_mc(a, err) != 0 ||
        name_milter(a, err) != 0 || sendmail_check_map_name(a->base, a->cf_path, err) != 0 ||
        find_by_hand(a, err) != 0 || sendmail_check_reach(a->base, settings->socket, err) != 0 ||
        sendmail_check_reach(a->base, settings->lookup_socket, err) != 0 || plan(a, err) != 0)
        return -1;
    if (attachment_share(a->request, &a->changes, "sendmail", err) != 0)
        return -1;
    if (attachment_check_daemon(a->request, &a->changes, settings->socket, settings->lookup_socket,
                                err) != 0)
        return -1;
    if (a->changes.count > 0)
        say_all(a);
    return carry_out(a, false, "Attached already: nothing to change.",
                     "Attached. movedctl doctor shows what a sender now gets.", err);
}

int sendmail_attach(const struct mta_request *request, struct error *err)
{
    struct sendmail_attachment a = {.request = request};
    int rc = attach_with(&a, err);
    free_attachment(&a);
    return rc;
}

/* ---- detach */

/* The copy of sendmail.cf with the same date as a copy of sendmail.mc that is what detach leaves, if it still
 * is what m4 makes from that. On the heap; NULL if there is none. */
static char *find_kept(const struct sendmail_attachment *a)
{
    char pattern[PATH_MAX + 8], path[PATH_MAX + 64];
    struct error err;
    glob_t found;
    char *kept = NULL;
    snprintf(pattern, sizeof pattern, "%s.2*Z", a->mc_path);
    if (glob(pattern, 0, NULL, &found) != 0)
        return NULL;
    for (size_t i = 0; i < found.gl_pathc && kept == NULL; i++) {
        char *mc = file_read(found.gl_pathv[i], &err);
        snprintf(path, sizeof path, "%s%s", a->cf_path, found.gl_pathv[i] + strlen(a->mc_path));
        if (mc != NULL && strcmp(mc, a->stripped) == 0)
            kept = file_read(path, &err);
        if (kept != NULL && !sendmail_same(kept, a->base, NULL, NULL)) {
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
    char *mc = strdup(a->stripped);
    if (mc == NULL)
        return error_no_memory(err);
    if (file_changes_add(&a->changes, a->mc_path, mc, err) != 0 ||
        file_changes_add(&a->changes, a->m4_path, NULL, err) != 0)
        return -1;
    if (a->changes.count == 0)
        return 0;
    if (attachment_forget(a->request, &a->changes, "sendmail", err) != 0)
        return -1;
    char *kept = find_kept(a);
    if (kept != NULL)
        return change_cf(a, kept, err);
    a->made = strdup(a->base);
    return a->made == NULL ? error_no_memory(err)
                           : change_cf(a, with_footer(a, a->made, a->stripped), err);
}

static int detach_with(struct sendmail_attachment *a, struct error *err)
{
    if (read_files(a, err) != 0)
        return -1;
    if (access(a->m4_path, F_OK) == 0 && check_cf_is_made_of_mc(a, err) != 0)
        return -1;
    if (plan_without(a, err) != 0)
        return -1;
    return carry_out(a, true, "Not attached: nothing to change.",
                     "Detached. milter-moved itself can be stopped now.", err);
}

int sendmail_detach(const struct mta_request *request, struct error *err)
{
    struct sendmail_attachment a = {.request = request};
    int rc = detach_with(&a, err);
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
