/* mta/sendmail/sendmail_attach.c: Sendmail: sendmail.mc, an m4 file of ours beside it, and the sendmail.cf that is
 * made of both */
#include "mta/attach.h"

#include "mta/reach.h"
#include "mta/sendmail/sendmail_cf.h"
#include "mta/sendmail/sendmail_m4.h"
#include "mta/sendmail/sendmail_run.h"
#include "net/probe.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMENT     "dnl # "
#define DEFAULT_DIR "/etc/mail"
#define FILTER      "milter-moved"
#define DOMAINS_MAX 1000 /* of the table about which Sendmail is asked */

/* All that one run works with. */
struct work {
    struct ctl *ctl;
    char *dir;
    char mc_path[PATH_MAX], cf_path[PATH_MAX], m4_path[PATH_MAX];
    char *mc, *cf;    /* as they are */
    char *stripped;   /* sendmail.mc without us */
    char *base;       /* the sendmail.cf of that */
    char *made;       /* the sendmail.cf to be made; NULL: it comes back as it was kept */
    char milter[108]; /* our socket, as Sendmail writes it */
    char filter[64];  /* what our milter is called there */
    bool by_hand;     /* it is there, put in by hand */
    bool changes_cf;  /* sendmail.cf is among the changes */
    struct changes changes;
};

static int out_of_memory(struct error *err)
{
    return error_set(err, EX_OSERR, "out of memory");
}

/* ---- reading what is there */

static int find_folder(struct work *work, struct error *err)
{
    const char *dir = work->ctl->options.config_dir;
    if (dir == NULL)
        dir = DEFAULT_DIR;
    work->dir = realpath(dir, NULL);
    if (work->dir == NULL)
        return error_set(err, EX_NOINPUT,
                         "no Sendmail here (--config-dir names its folder): no folder '%s'", dir);
    if (strpbrk(work->dir, "`'\"[]{}, \t") != NULL || strlen(work->dir) > PATH_MAX - 32)
        return error_set(err, EX_CONFIG,
                         "%s: cannot be written in sendmail.mc: a path without quotes, "
                         "brackets, commas and blanks is needed",
                         work->dir);
    snprintf(work->mc_path, sizeof work->mc_path, "%s/sendmail.mc", work->dir);
    snprintf(work->cf_path, sizeof work->cf_path, "%s/sendmail.cf", work->dir);
    snprintf(work->m4_path, sizeof work->m4_path, "%s/milter-moved.m4", work->dir);
    return 0;
}

static int read_files(struct work *work, struct error *err)
{
    if (find_folder(work, err) != 0)
        return -1;
    work->mc = file_read(work->mc_path, err);
    work->cf = work->mc == NULL ? NULL : file_read(work->cf_path, err);
    if (work->cf == NULL)
        return -1;
    work->stripped = attach_strip(work->mc, COMMENT);
    if (work->stripped == NULL)
        return out_of_memory(err);
    work->base = sendmail_build(work->dir, work->stripped, err);
    return work->base == NULL ? -1 : 0;
}

/* A sendmail.cf that was changed by hand would lose that. */
static int check_cf_is_made_of_mc(const struct work *work, struct error *err)
{
    const char *differs;
    size_t length;
    char *made = sendmail_build(work->dir, work->mc, err);
    if (made == NULL)
        return -1;
    int rc = 0;
    if (!sendmail_same(work->cf, made, &differs, &length))
        rc = error_set(err, EX_CONFIG,
                       "%s is not what m4 makes of %s, and what was changed by hand would be lost: "
                       "bring it into sendmail.mc, and rebuild: %.*s",
                       work->cf_path, work->mc_path, (int)length, differs);
    free(made);
    return rc;
}

static void free_work(struct work *work)
{
    free(work->dir);
    free(work->mc);
    free(work->cf);
    free(work->stripped);
    free(work->base);
    free(work->made);
    changes_free(&work->changes);
}

/* ---- our sockets */

/* Sendmail takes no brackets round an IPv6 address. */
static int name_milter(struct work *work, struct error *err)
{
    const char *socket = work->ctl->settings->socket;
    size_t used = 0;
    for (; *socket != '\0' && used + 1 < sizeof work->milter; socket++)
        if (*socket != '[' && *socket != ']')
            work->milter[used++] = *socket;
    work->milter[used] = '\0';
    const char *const paths[] = {work->milter, work->ctl->settings->lookup_socket};
    for (int i = 0; i < 2; i++)
        if (strpbrk(paths[i], "`'\"[]{}, \t$#") != NULL)
            return error_set(err, EX_CONFIG,
                             "'%s' cannot be written for Sendmail: a path without "
                             "quotes, brackets, commas and blanks is needed",
                             paths[i]);
    return 0;
}

/* Sendmail opens no socket below a folder that others may write to, and defers all mail then. */
static int check_folders(const struct work *work, const char *socket, struct error *err)
{
    char folder[PATH_MAX];
    unsigned mode = strncmp(socket, "unix:", 5) == 0
                        ? sendmail_distrusts(work->base, socket + 5, folder, sizeof folder)
                        : 0;
    if (mode != 0)
        return error_set(err, EX_CONFIG,
                         "%s lies below %s, which others may write to (mode %04o): Sendmail opens "
                         "no socket there: chmod go-w %s, or another folder",
                         socket, folder, mode, folder);
    return 0;
}

/* A Sendmail that gives up root needs to be let in. */
static int check_account(const struct work *work, const char *socket, struct error *err)
{
    static const char option[] = "O RunAsUser=";
    char user[64];
    size_t length;
    const char *line = sendmail_find(work->base, option, &length);
    if (line == NULL || strncmp(socket, "unix:", 5) != 0)
        return 0;
    line += strlen(option);
    snprintf(user, sizeof user, "%.*s", (int)strcspn(line, ": \n"), line);
    return reach_check(socket + 5, user, err) != 0 && err->status == EX_NOPERM ? -1 : 0;
}

static int check_reach(const struct work *work, const char *socket, struct error *err)
{
    return check_folders(work, socket, err) != 0 || check_account(work, socket, err) != 0 ? -1 : 0;
}

static void check_socket(const char *socket)
{
    struct error err;
    int fd = probe_connect(socket, &err);
    if (fd < 0)
        ctl_warn("milter-moved does not answer on %s: until it does all mail is deferred", socket);
    else
        close(fd);
}

/* ---- sendmail.mc */

/* Where the first line stands before which ours have to be: the mailers, and rulesets of the
 * administrator's own, which then go on with what is not moved. NULL for none. */
static const char *find_place(const char *mc)
{
    static const char *const words[] = {"MAILER(", "MAILER_DEFINITIONS", "LOCAL_RULESETS"};
    for (const char *at = mc; *at != '\0';) {
        const char *word = at + strspn(at, " \t");
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (strncmp(word, words[i], strlen(words[i])) == 0)
                return at;
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    return NULL;
}

/* With our block, which includes the m4 file at this path. The include stands behind an empty string lest
 * Debian's makefile takes the file for one of its own, and makes it anew when it is gone. */
static char *add_block(const struct work *work, const char *m4_path, struct error *err)
{
    char filter[512] = "", *text;
    const char *at = find_place(work->stripped);
    if (at == NULL) {
        error_set(err, EX_CONFIG, "%s: no MAILER line, before which the milter has to stand",
                  work->mc_path);
        return NULL;
    }
    if (!work->by_hand)
        snprintf(filter, sizeof filter,
                 "INPUT_MAIL_FILTER(`" FILTER "', `S=%s, F=T, T=C:10s;S:30s;R:30s;E:1m')dnl\n",
                 work->milter);
    if (asprintf(&text,
                 "%.*s" COMMENT ATTACH_BEGIN "\n%s`'include(`%s')dnl\n" COMMENT ATTACH_END "\n%s",
                 (int)(at - work->stripped), work->stripped, filter, m4_path, at) < 0) {
        out_of_memory(err);
        return NULL;
    }
    return text;
}

/* ---- what is there already */

/* The map's name is what the lookup server is asked, so nobody else may have it. */
static int check_map_name(const struct work *work, struct error *err)
{
    size_t length;
    if (sendmail_find(work->base, "Kreply ", &length) == NULL)
        return 0;
    return error_set(
        err, EX_CONFIG,
        "%s: has a map called reply already, which is the name of ours: give it another",
        work->cf_path);
}

/* Whether a milter line, "Xname, S=unix:/path, F=T", has this socket, also as "local:/path". */
static bool has_socket(const char *line, size_t length, const char *socket)
{
    const char *name = strncmp(socket, "unix:", 5) == 0 ? socket + 5 : socket;
    const char *at = memmem(line, length, name, strlen(name));
    return at != NULL && strchr(":=", at[-1]) != NULL && strchr(", \n", at[strlen(name)]) != NULL;
}

static int find_by_hand(struct work *work, struct error *err)
{
    const char *cf = work->base, *line;
    snprintf(work->filter, sizeof work->filter, FILTER);
    for (size_t length; (line = sendmail_line(&cf, &length)) != NULL;) {
        if (*line != 'X' || !has_socket(line, length, work->milter))
            continue;
        if (memmem(line, length, "F=T", 3) == NULL)
            return error_set(err, EX_CONFIG,
                             "%s: has our milter without F=T, and lets mail pass while it is down: "
                             "add F=T to: %.*s",
                             work->mc_path, (int)length, line);
        work->by_hand = true;
        snprintf(work->filter, sizeof work->filter, "%.*s", (int)strcspn(line + 1, ", \n"),
                 line + 1);
    }
    return 0;
}

/* ---- what was made */

/* What a line of this beginning says behind BY, up to the line's end; NULL where it does not. */
static const char *value_of(const char *line, size_t length, const char *begins, const char *by)
{
    if (strncmp(line, begins, strlen(begins)) != 0)
        return NULL;
    const char *at = memmem(line, length, by, strlen(by));
    return at == NULL ? NULL : at + strlen(by);
}

static bool names(const char *filters, const char *end, const char *name)
{
    return memmem(filters, (size_t)(end - filters), name, strlen(name)) != NULL;
}

/* A list of filters that is set behind ours would leave us out. */
static int check_filters(const struct work *work, struct error *err)
{
    const char *cf = work->made, *line, *filters;
    bool asked = false;
    for (size_t length; (line = sendmail_line(&cf, &length)) != NULL;) {
        if ((filters = value_of(line, length, "O InputMailFilters", "=")) != NULL)
            asked = names(filters, line + length, work->filter);
        filters = value_of(line, length, "O DaemonPortOptions", "InputMailFilters=");
        if (filters != NULL && !names(filters, line + length, work->filter))
            printf("a port has its milters switched off, and is left alone: %.*s\n", (int)length,
                   line);
    }
    if (asked)
        return 0;
    return error_set(err, EX_CONFIG,
                     "%s: confINPUT_MAIL_FILTERS is defined behind the MAILER lines, without %s: "
                     "define it before them",
                     work->mc_path, work->filter);
}

/* Rules that stand before ours in the same ruleset leave us what they please of the address. */
static int check_first_rule(const struct work *work, struct error *err)
{
    const char *cf = work->made, *line;
    bool inside = false;
    for (size_t length; (line = sendmail_line(&cf, &length)) != NULL;) {
        if (*line == 'S')
            inside = value_of(line, length, "SLocal_check_rcpt", "SLocal_check_rcpt") != NULL;
        if (!inside || *line != 'R')
            continue;
        if (length == strlen(SENDMAIL_M4_RULE) && memcmp(line, SENDMAIL_M4_RULE, length) == 0)
            return 0;
        return error_set(
            err, EX_CONFIG,
            "%s: has a Local_check_rcpt before the MAILER lines, and before ours: move "
            "it behind them: %.*s",
            work->mc_path, (int)length, line);
    }
    return error_set(err, EX_CONFIG,
                     "%s: our rules do not come into sendmail.cf: is the first MAILER "
                     "line inside of an ifdef or a quotation?",
                     work->mc_path);
}

/* ---- both ways */

/* Whatever way it was made, sendmail.cf has to say what was shown. */
static int rebuild(void *data, struct error *err)
{
    const struct work *work = data;
    const char *differs;
    size_t length;
    bool by_makefile = false;
    if (!work->changes_cf)
        return 0;
    if (work->made != NULL && sendmail_make(&by_makefile, work->dir, work->cf_path, err) != 0)
        return -1;
    char *text = by_makefile ? file_read(work->cf_path, err) : NULL;
    int rc = by_makefile && text == NULL ? -1 : 0;
    if (text != NULL && !sendmail_same(text, work->made, &differs, &length))
        rc = error_set(err, EX_CONFIG, "%s/Makefile makes another sendmail.cf than m4 does: %.*s",
                       work->dir, (int)length, differs);
    free(text);
    return rc == 0 ? sendmail_try(work->cf_path, err) : -1;
}

static int carry_out(struct work *work, const char *nothing, const char *done, struct error *err)
{
    const struct aftermath aftermath = {.first = rebuild, .data = work};
    bool restart = work->changes_cf && !work->ctl->options.dry_run;
    int rc = attach_carry_out(work->ctl, &work->changes, &aftermath, nothing, done, err);
    if (rc == 0 && restart && !sendmail_restart(work->cf))
        puts("Sendmail does not run, or cannot be told: start it anew.");
    return rc;
}

/* As Debian's makefile does: sendmail.mc as comments at the end, where sendmail.cf had it. */
static char *with_footer(const struct work *work, const char *made, const char *mc)
{
    char footer[PATH_MAX + 16], *text = NULL;
    size_t size;
    snprintf(footer, sizeof footer, "### %s ###\n", work->mc_path);
    if (strstr(work->cf, footer) == NULL)
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

/* text is on the heap, and handed over. */
static int change_cf(struct work *work, char *text, struct error *err)
{
    size_t before = work->changes.count;
    if (text == NULL)
        return out_of_memory(err);
    int rc = changes_add(&work->changes, work->cf_path, text, err);
    work->changes_cf = work->changes.count > before;
    return rc;
}

/* ---- attach */

struct domains {
    FILE *out; /* parted by newlines */
    size_t count;
};

static int add_domain(const struct entry *first, void *data, struct error *err)
{
    struct domains *domains = data;
    (void)err;
    if (first->scope != ENTRY_SUBDOMAINS && domains->count++ < DOMAINS_MAX)
        fprintf(domains->out, "%s\n", first->domain);
    return 0;
}

static char *read_domains(const struct work *work, struct error *err)
{
    char *text = NULL;
    size_t size;
    struct domains domains = {.out = open_memstream(&text, &size)};
    struct table_view *view = domains.out == NULL ? NULL : table_view_open(work->ctl->table, err);
    int rc = view == NULL ? -1 : table_each_domain(view, add_domain, &domains, err);
    table_view_close(view);
    if (domains.out != NULL && fclose(domains.out) == 0 && rc == 0)
        return text;
    free(text);
    return NULL;
}

static void say_unserved(const struct work *work)
{
    const char *first;
    size_t length;
    struct error err;
    char *domains = work->ctl->options.unserved ? NULL : read_domains(work, &err);
    int denied =
        domains == NULL ? 0 : sendmail_denied(work->cf_path, domains, &first, &length, &err);
    if (denied > 0)
        ctl_warn("%.*s%s not served by this Sendmail: mail to it is answered 'Relaying denied'; "
                 "attach --unserved has it answered with 551",
                 (int)length, first, denied > 1 ? " and others are" : " is");
    free(domains);
}

/* What a mailing list meets on the day after a migration. */
static void say_limit(const struct work *work)
{
    static const char option[] = "O BadRcptThrottle=";
    size_t length;
    const char *line = sendmail_find(work->base, option, &length);
    if (line != NULL && atoi(line + strlen(option)) > 0)
        printf("Sendmail counts each 551 as a bad recipient: after %d in a session each costs a "
               "second (confBAD_RCPT_THROTTLE)\n",
               atoi(line + strlen(option)));
}

/* What sendmail.cf will be: made with our m4 file in another place. */
static int make_ahead(struct work *work, const char *m4, struct error *err)
{
    char path[] = "/tmp/movedctl-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        return error_set(err, EX_CANTCREAT, "%s: cannot be made", path);
    close(fd);
    char *mc = file_write(path, m4, err) == 0 ? add_block(work, path, err) : NULL;
    work->made = mc == NULL ? NULL : sendmail_build(work->dir, mc, err);
    free(mc);
    unlink(path);
    return work->made == NULL ? -1 : 0;
}

/* A rule of Sendmail says one line. */
static void say_what_is_cut(const struct settings *settings)
{
    const struct domain_texts *items = settings->texts_by_domain.items;
    bool cut = false;
    for (int kind = 0; kind < TEXTS; kind++) {
        cut = cut || strchr(settings->texts.of[kind], '\n') != NULL;
        for (size_t i = 0; i < settings->texts_by_domain.count; i++)
            cut = cut || strchr(items[i].texts.of[kind], '\n') != NULL;
    }
    if (cut)
        puts("replies of several lines: of mailboxes that Sendmail no longer has, senders read the "
             "first line alone");
}

static int plan(struct work *work, struct error *err)
{
    say_what_is_cut(work->ctl->settings);
    char *m4 = sendmail_m4(work->ctl->settings, work->filter, work->ctl->options.unserved, err);
    char *mc = m4 == NULL ? NULL : add_block(work, work->m4_path, err);
    if (mc == NULL || make_ahead(work, m4, err) != 0 || check_filters(work, err) != 0 ||
        check_first_rule(work, err) != 0) {
        free(m4);
        free(mc);
        return -1;
    }
    int rc = changes_add(&work->changes, work->m4_path, m4, err);
    if (rc == 0) {
        char *copy = strdup(mc);
        rc = copy == NULL ? out_of_memory(err)
                          : changes_add(&work->changes, work->mc_path, copy, err);
    }
    /* m4 writes the moment into a comment: what says the same stays. */
    if (rc == 0 && work->changes.count > 0)
        rc = change_cf(work, with_footer(work, work->made, mc), err);
    free(mc);
    return rc;
}

static int attach_with(struct work *work, struct error *err)
{
    const struct settings *settings = work->ctl->settings;
    if (*settings->lookup_socket == '\0')
        return error_set(err, EX_CONFIG,
                         "lookup_socket: is \"\": without it Sendmail refuses "
                         "mailboxes that it no longer has: set it");
    if (read_files(work, err) != 0 || check_cf_is_made_of_mc(work, err) != 0 ||
        name_milter(work, err) != 0 || check_map_name(work, err) != 0 ||
        find_by_hand(work, err) != 0 || check_reach(work, settings->socket, err) != 0 ||
        check_reach(work, settings->lookup_socket, err) != 0 || plan(work, err) != 0)
        return -1;
    if (work->changes.count > 0) {
        say_limit(work);
        say_unserved(work);
        check_socket(settings->socket);
        check_socket(settings->lookup_socket);
    }
    if (attach_mode(work->ctl, &work->changes, err) != 0)
        return -1;
    return carry_out(work, "Attached already: nothing to change.",
                     "Attached. movedctl doctor shows what a sender now gets.", err);
}

static int attach(struct ctl *ctl, struct error *err)
{
    struct work work = {.ctl = ctl};
    int rc = attach_with(&work, err);
    free_work(&work);
    return rc;
}

/* ---- detach */

/* The sendmail.cf that attach kept, with the date of a sendmail.mc that was as it is to be again; where it
 * says what m4 makes of it today. On the heap, NULL for none. */
static char *find_kept(const struct work *work)
{
    char pattern[PATH_MAX + 8], path[PATH_MAX + 64];
    struct error err;
    glob_t found;
    char *kept = NULL;
    snprintf(pattern, sizeof pattern, "%s.2*Z", work->mc_path);
    if (glob(pattern, 0, NULL, &found) != 0)
        return NULL;
    for (size_t i = 0; i < found.gl_pathc && kept == NULL; i++) {
        char *mc = file_read(found.gl_pathv[i], &err);
        snprintf(path, sizeof path, "%s%s", work->cf_path,
                 found.gl_pathv[i] + strlen(work->mc_path));
        if (mc != NULL && strcmp(mc, work->stripped) == 0)
            kept = file_read(path, &err);
        if (kept != NULL && !sendmail_same(kept, work->base, NULL, NULL)) {
            free(kept);
            kept = NULL;
        }
        free(mc);
    }
    globfree(&found);
    return kept;
}

static int plan_without(struct work *work, struct error *err)
{
    char *mc = strdup(work->stripped);
    if (mc == NULL)
        return out_of_memory(err);
    if (changes_add(&work->changes, work->mc_path, mc, err) != 0 ||
        changes_add(&work->changes, work->m4_path, NULL, err) != 0)
        return -1;
    if (work->changes.count == 0)
        return 0;
    char *kept = find_kept(work);
    if (kept != NULL)
        return change_cf(work, kept, err);
    work->made = strdup(work->base);
    return work->made == NULL ? out_of_memory(err)
                              : change_cf(work, with_footer(work, work->made, work->stripped), err);
}

static int detach_with(struct work *work, struct error *err)
{
    if (read_files(work, err) != 0)
        return -1;
    if (access(work->m4_path, F_OK) == 0 && check_cf_is_made_of_mc(work, err) != 0)
        return -1;
    if (plan_without(work, err) != 0)
        return -1;
    return carry_out(work, "Not attached: nothing to change.",
                     "Detached. milter-moved itself can be stopped now.", err);
}

static int detach(struct ctl *ctl, struct error *err)
{
    struct work work = {.ctl = ctl};
    int rc = detach_with(&work, err);
    free_work(&work);
    return rc;
}

const struct mta mta_sendmail = {"sendmail", attach, detach};
