/* ctl/attach_sendmail.c: Sendmail: sendmail.mc, an m4 file of ours beside it, and the sendmail.cf that is made of
 * both */
#include "ctl/attach.h"

#include "ctl/probe.h"
#include "ctl/process.h"
#include "ctl/sendmail_m4.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMENT     "dnl # "
#define DEFAULT_DIR "/etc/mail"

/* All that one run works with. */
struct work {
    struct ctl *ctl;
    char mc_path[PATH_MAX], cf_path[PATH_MAX], m4_path[PATH_MAX];
    char *mc, *cf;  /* as they are */
    char *stripped; /* sendmail.mc without us */
    struct changes changes;
};

static int out_of_memory(struct error *err)
{
    return error_set(err, EX_OSERR, "out of memory");
}

/* ---- sendmail.cf from sendmail.mc */

/* Runs m4 in the folder, as the server's makefile does. Returns what it makes; or NULL with err. */
static char *run_m4(const char *mc_path, struct error *err)
{
    char folder[PATH_MAX];
    const char *const argv[] = {"sh", "-c", "cd \"$0\" && exec m4 \"$1\"", folder, mc_path, NULL};
    struct output output;
    char *made = NULL;

    snprintf(folder, sizeof folder, "%s", mc_path);
    *strrchr(folder, '/') = '\0';
    if (process_run(&output, argv, NULL, err) != 0)
        return NULL;
    if (output.status != 0 || *output.err != '\0' || strstr(output.out, "\nMlocal") == NULL) {
        output.err[strcspn(output.err, "\n")] = '\0';
        error_set(err, EX_CONFIG, "m4 makes no sendmail.cf of %s: %.300s", mc_path,
                  *output.err == '\0' ? "(is m4 installed?)" : output.err);
    } else {
        made = output.out;
        output.out = NULL;
    }
    process_free(&output);
    return made;
}

/* As run_m4, of a text that stands in no file yet. It stands beside sendmail.mc for that time, for what it includes
 * by a relative path. */
static char *build(const struct work *work, const char *mc, struct error *err)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s.XXXXXX", work->mc_path) >= sizeof path) {
        error_set(err, EX_CANTCREAT, "%s: the path is too long", work->mc_path);
        return NULL;
    }
    int fd = mkstemp(path);
    if (fd < 0) {
        error_set(err, EX_CANTCREAT, "%s: cannot be made", path);
        return NULL;
    }
    close(fd);
    char *made = file_write(path, mc, err) == 0 ? run_m4(path, err) : NULL;
    unlink(path);
    return made;
}

/* The next line of a sendmail.cf that says something, its length in *length; NULL behind the last. m4 writes where and
 * when it ran into comments. */
static const char *next_line(const char **at, size_t *length)
{
    while (**at != '\0') {
        const char *line = *at;
        *length = strcspn(line, "\n");
        *at = line + *length + (line[*length] == '\n');
        if (*length > 0 && *line != '#')
            return line;
    }
    return NULL;
}

/* A sendmail.cf that was changed by hand would lose that. */
static int check_cf_is_made_of_mc(const struct work *work, struct error *err)
{
    char *made = build(work, work->mc, err);
    const char *a = made, *b = work->cf, *line_a, *line_b;
    size_t length_a = 0, length_b = 0;
    if (made == NULL)
        return -1;
    do {
        line_a = next_line(&a, &length_a);
        line_b = next_line(&b, &length_b);
    } while (line_a != NULL && line_b != NULL && length_a == length_b &&
             memcmp(line_a, line_b, length_a) == 0);
    int rc = 0;
    if (line_a != NULL || line_b != NULL)
        rc = error_set(err, EX_CONFIG,
                       "%s is not what m4 makes of %s ('%.*s'): it would lose what was changed by "
                       "hand: bring that into sendmail.mc, and rebuild",
                       work->cf_path, work->mc_path, (int)(line_b == NULL ? length_a : length_b),
                       line_b == NULL ? line_a : line_b);
    free(made);
    return rc;
}

/* ---- sendmail.mc */

/* Where the first line stands that begins the mailers: before it ours have to be. NULL for none. */
static const char *find_mailers(const char *mc)
{
    static const char *const words[] = {"MAILER(", "MAILER_DEFINITIONS"};
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

/* Sendmail takes no brackets round an IPv6 address. */
static void name_milter(char *out, size_t size, const char *socket)
{
    size_t used = 0;
    for (; *socket != '\0' && used + 1 < size; socket++)
        if (*socket != '[' && *socket != ']')
            out[used++] = *socket;
    out[used] = '\0';
}

static char *add_block(const struct work *work, struct error *err)
{
    char milter[PATH_MAX], *text;
    const char *at = find_mailers(work->stripped);
    if (at == NULL) {
        error_set(err, EX_CONFIG, "%s: no MAILER line, before which the milter has to stand",
                  work->mc_path);
        return NULL;
    }
    name_milter(milter, sizeof milter, work->ctl->settings->socket);
    if (asprintf(&text,
                 "%.*s" COMMENT ATTACH_BEGIN "\n"
                 "INPUT_MAIL_FILTER(`milter-moved', `S=%s, F=T, T=C:10s;S:30s;R:30s;E:1m')dnl\n"
                 "include(`%s')dnl\n" COMMENT ATTACH_END "\n%s",
                 (int)(at - work->stripped), work->stripped, milter, work->m4_path, at) < 0) {
        out_of_memory(err);
        return NULL;
    }
    return text;
}

/* ---- what was made */

static bool has_line(const char *cf, const char *begins)
{
    size_t length = strlen(begins);
    const char *line;
    for (size_t line_length; (line = next_line(&cf, &line_length)) != NULL;)
        if (strncmp(line, begins, length) == 0)
            return true;
    return false;
}

/* The filters that are asked, "a, b", where a line of this beginning names them. */
static const char *filters_of(const char *line, size_t length, const char *begins, const char *by)
{
    if (strncmp(line, begins, strlen(begins)) != 0)
        return NULL;
    const char *at = memmem(line, length, by, strlen(by));
    return at == NULL ? NULL : at + strlen(by);
}

static bool names_us(const char *filters, const char *end)
{
    return memmem(filters, (size_t)(end - filters), "milter-moved", strlen("milter-moved")) != NULL;
}

/* A list of filters that is set behind ours would leave us out; a port with a list of its own does. */
static int check_filters(const struct work *work, const char *cf, struct error *err)
{
    const char *line, *filters;
    bool asked = false;
    for (size_t length; (line = next_line(&cf, &length)) != NULL;) {
        if ((filters = filters_of(line, length, "O InputMailFilters", "=")) != NULL)
            asked = names_us(filters, line + length);
        filters = filters_of(line, length, "O DaemonPortOptions", "InputMailFilters=");
        if (filters != NULL && !names_us(filters, line + length))
            ctl_warn("%s: add milter-moved to the InputMailFilters of: %.*s", work->mc_path,
                     (int)length, line);
    }
    if (asked)
        return 0;
    return error_set(err, EX_CONFIG,
                     "%s: confINPUT_MAIL_FILTERS is defined behind the MAILER lines, without "
                     "milter-moved: define it before them",
                     work->mc_path);
}

/* The map's name is what the lookup server is asked, so nobody else may have it. */
static int check_map_name(const struct work *work, struct error *err)
{
    if (!has_line(work->cf, "Kreply ") || has_line(work->cf, "Kreply socket -d10 -T<TMPF> local:"))
        return 0;
    return error_set(
        err, EX_CONFIG,
        "%s: has a map called reply already, which is the name of ours: give it another",
        work->cf_path);
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

/* ---- both ways */

static int read_files(struct work *work, struct error *err)
{
    const char *dir = work->ctl->options.config_dir;
    char *real = realpath(dir == NULL ? DEFAULT_DIR : dir, NULL);
    if (real == NULL)
        return error_set(err, EX_NOINPUT, "no Sendmail here: no folder '%s' (--config-dir)",
                         dir == NULL ? DEFAULT_DIR : dir);
    snprintf(work->mc_path, sizeof work->mc_path, "%s/sendmail.mc", real);
    snprintf(work->cf_path, sizeof work->cf_path, "%s/sendmail.cf", real);
    snprintf(work->m4_path, sizeof work->m4_path, "%s/milter-moved.m4", real);
    free(real);
    work->mc = file_read(work->mc_path, err);
    work->cf = work->mc == NULL ? NULL : file_read(work->cf_path, err);
    if (work->cf == NULL)
        return -1;
    work->stripped = attach_strip(work->mc, COMMENT);
    return work->stripped == NULL ? out_of_memory(err) : 0;
}

static void free_work(struct work *work)
{
    free(work->mc);
    free(work->cf);
    free(work->stripped);
    changes_free(&work->changes);
}

/* A running Sendmail starts itself anew on HUP. */
static void reload(const struct work *work)
{
    const char *cf = work->cf, *line;
    for (size_t length; (line = next_line(&cf, &length)) != NULL;) {
        const char *path = filters_of(line, length, "O PidFile", "=");
        char name[PATH_MAX];
        struct error err;
        if (path == NULL)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(line + length - path), path);
        char *text = file_read(name, &err);
        long pid = text == NULL ? 0 : strtol(text, NULL, 10);
        free(text);
        if (pid > 1 && kill((pid_t)pid, SIGHUP) == 0)
            return;
    }
    puts("Sendmail does not run, or cannot be told: start it anew.");
}

static int carry_out(struct work *work, const char *nothing, const char *done, struct error *err)
{
    const char *const check[] = {"sendmail", "-C", work->cf_path, "-bt", NULL};
    const char *const *const checks[] = {check, NULL};
    const struct aftermath aftermath = {.checks = checks};
    bool changes = work->changes.count > 0 && !work->ctl->options.dry_run;
    int rc = attach_carry_out(work->ctl, &work->changes, &aftermath, nothing, done, err);
    if (rc == 0 && changes)
        reload(work);
    return rc;
}

/* m4 includes our file by its path: it has to be there before all is changed together. */
static char *build_with(const struct work *work, const char *mc, const char *m4, struct error *err)
{
    struct changes ahead = {.count = 0};
    struct error second;
    char *copy = strdup(m4), *made = NULL;
    if (copy == NULL)
        out_of_memory(err);
    else if (changes_add(&ahead, work->m4_path, copy, err) == 0 && changes_apply(&ahead, err) == 0)
        made = build(work, mc, err);
    if (changes_take_back(&ahead, &second) != 0)
        ctl_warn("%s", second.text);
    changes_free(&ahead);
    return made;
}

static int plan(struct work *work, struct error *err)
{
    char *m4 = sendmail_m4(work->ctl->settings, work->ctl->options.unserved, err);
    char *mc = m4 == NULL ? NULL : add_block(work, err);
    char *cf = mc == NULL ? NULL : build_with(work, mc, m4, err);
    int rc = cf == NULL ? -1 : check_filters(work, cf, err);
    if (rc != 0) {
        free(m4);
        free(mc);
        free(cf);
        return -1;
    }
    rc = changes_add(&work->changes, work->m4_path, m4, err);
    if (changes_add(&work->changes, work->mc_path, mc, err) != 0)
        rc = -1;
    /* m4 writes the moment into a comment: what says the same stays. */
    if (work->changes.count == 0)
        free(cf);
    else if (changes_add(&work->changes, work->cf_path, cf, err) != 0)
        rc = -1;
    return rc;
}

static int attach_with(struct work *work, struct error *err)
{
    const struct settings *settings = work->ctl->settings;
    if (*settings->lookup_socket == '\0')
        return error_set(err, EX_CONFIG,
                         "lookup_socket: is \"\": without it Sendmail refuses "
                         "mailboxes that it no longer has: set it");
    if (read_files(work, err) != 0 || check_map_name(work, err) != 0 ||
        check_cf_is_made_of_mc(work, err) != 0 || plan(work, err) != 0 ||
        attach_mode(work->ctl, &work->changes, err) != 0)
        return -1;
    if (work->changes.count > 0) {
        check_socket(settings->socket);
        check_socket(settings->lookup_socket);
    }
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

static int detach_with(struct work *work, struct error *err)
{
    if (read_files(work, err) != 0)
        return -1;
    char *mc = strdup(work->stripped);
    if (mc == NULL)
        return out_of_memory(err);
    if (changes_add(&work->changes, work->mc_path, mc, err) != 0 ||
        changes_add(&work->changes, work->m4_path, NULL, err) != 0)
        return -1;
    if (work->changes.count > 0) {
        char *cf = build(work, work->stripped, err);
        if (cf == NULL || changes_add(&work->changes, work->cf_path, cf, err) != 0)
            return -1;
    }
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
