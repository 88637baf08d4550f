/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/postfix/postfix.h"

#include "mail/address.h"
#include "mta/files.h"
#include "mta/postfix/cf.h"
#include "mta/process.h"
#include "net/io.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char blanks[] = ", \t\r\n"; /* between the items of a list */

#define FILES_MAX 16 /* lists in files, each named in the one before */

/* ---- the installation */

/* The PATH of a root shell may lack the folder of postconf. */
static const char *postconf_program(void)
{
    static const char *const places[] = {"/usr/sbin/postconf", "/usr/local/sbin/postconf"};
    const char *path = getenv("PATH");
    if (path != NULL && strstr(path, "sbin") != NULL)
        return "postconf";
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return "postconf";
}

char *postfix_lines(const char *dir, const char *option, const char *second, struct error *err)
{
    const char *const argv[] = {postconf_program(), "-c", dir, option, second, NULL};
    return process_read(argv, err);
}

int postconf_split(struct postconf *out, char *text, struct error *err)
{
    *out = (struct postconf){.text = text};
    if (text == NULL)
        return -1;
    out->lines = calloc(strlen(text) / 4 + 1, sizeof *out->lines); /* "a =" is the shortest */
    if (out->lines == NULL)
        return error_no_memory(err);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *equals = strstr(line, " =");
        if (equals == NULL)
            continue;
        *equals = '\0';
        out->lines[out->count++] = (struct postconf_line){line, equals + 2 + (equals[2] == ' ')};
    }
    return 0;
}

void postconf_free(struct postconf *postconf)
{
    free(postconf->lines);
    free(postconf->text);
}

const char *postconf_find(const struct postconf *in, const char *name, const char *missing)
{
    for (size_t i = 0; i < in->count; i++)
        if (strcmp(in->lines[i].name, name) == 0)
            return in->lines[i].value;
    return missing;
}

char *postfix_values(const char *dir, char *const *options, size_t count, struct error *err)
{
    const char **argv = calloc(2 * count + 5, sizeof *argv), **end = argv;
    if (argv == NULL) {
        error_no_memory(err);
        return NULL;
    }
    *end++ = postconf_program();
    *end++ = "-x";
    if (dir != NULL) {
        *end++ = "-c";
        *end++ = dir;
    }
    for (size_t i = 0; i < count; i++) {
        *end++ = "-o";
        *end++ = options[i];
    }
    char *values = process_read(argv, err);
    free(argv);
    return values;
}

bool postfix_is_blank(const char *list)
{
    return list[strspn(list, blanks)] == '\0';
}

int postfix_find(struct postfix *out, const char *dir, struct error *err)
{
    *out = (struct postfix){.dir = dir == NULL ? NULL : realpath(dir, NULL)};
    if (dir != NULL && out->dir == NULL)
        return error_set(err, EX_NOINPUT, "--config-dir: no such folder '%s'", dir);
    int rc = postconf_split(&out->main, postfix_values(out->dir, NULL, 0, err), err);
    if (rc != 0 && dir == NULL)
        error_at(err, "no Postfix here (--config-dir names its folder)", 0);
    if (rc == 0 && dir == NULL)
        out->dir = strdup(postconf_find(&out->main, "config_directory", ""));
    bool usual = dir == NULL || strcmp(out->dir, POSTFIX_DIR) == 0;
    if (rc == 0 && (out->dir == NULL || asprintf(&out->instance, "postfix%s%s", usual ? "" : ":",
                                                 usual ? "" : out->dir) < 0))
        rc = error_no_memory(err);
    out->programs = postconf_find(&out->main, "command_directory", "");
    out->queue = postconf_find(&out->main, "queue_directory", "");
    if (rc != 0)
        postfix_free(out);
    return rc;
}

void postfix_free(struct postfix *postfix)
{
    free(postfix->dir);
    free(postfix->instance);
    postconf_free(&postfix->main);
    *postfix = (struct postfix){.dir = NULL};
}

/* ---- a reload */

#define RELOAD_MS    10000 /* until master(8) reads its files */
#define SESSION_MS   1000  /* then, for those that are not idle */
#define ASK_AGAIN_MS 10

char *postfix_processes(const struct postfix *postfix)
{
    char path[PATH_MAX];
    struct error err;
    snprintf(path, sizeof path, "%s/pid/master.pid", postfix->queue);
    char *text = file_read(path, &err);
    int master = text == NULL ? 0 : atoi(text);
    free(text);
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", master, master);
    return file_read(path, &err);
}

/* How many of the numbers in a list are in the other; *all: of how many. After each number there is a blank. */
static size_t count_common(const char *list, const char *other, size_t *all)
{
    char word[24], *end;
    size_t common = 0;
    *all = 0;
    for (long pid = strtol(list, &end, 10); end != list; pid = strtol(list, &end, 10)) {
        list = end;
        ++*all;
        snprintf(word, sizeof word, "%ld ", pid);
        const char *at = strstr(other, word);
        common += at != NULL && (at == other || at[-1] == ' ');
    }
    return common;
}

void postfix_await_reload(const struct postfix *postfix, const char *before)
{
    struct timespec end = io_deadline_ms(RELOAD_MS);
    size_t left = 1, all;
    for (bool begun = false; before != NULL && left > 0 && io_milliseconds_left(&end) > 0;) {
        char *now = postfix_processes(postfix);
        left = now == NULL ? 0 : count_common(before, now, &all);
        if (left > 0 && left < all && !begun) {
            begun = true;
            end = io_deadline_ms(SESSION_MS);
        }
        free(now);
        if (left > 0)
            poll(NULL, 0, ASK_AGAIN_MS);
    }
}

static double seconds(struct timespec time)
{
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* When the queue manager began, in seconds since the system was booted (proc(5)); 0 if there is none. */
static double qmgr_began(const struct postfix *postfix)
{
    double began = 0;
    char path[48], *end, *list = postfix_processes(postfix);
    for (char *at = list; at != NULL; at = end) {
        unsigned long long ticks;
        struct error err;
        snprintf(path, sizeof path, "/proc/%ld/stat", strtol(at, &end, 10));
        if (end == at)
            break;
        char *text = file_read(path, &err);
        if (text != NULL && sscanf(text,
                                   "%*d (qmgr) %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                                   "%*s %*s %*s %*s %*s %*s %llu",
                                   &ticks) == 1)
            began = (double)ticks / (double)sysconf(_SC_CLK_TCK);
        free(text);
    }
    free(list);
    return began;
}

/* master(8) starts a new queue manager at each reload. */
bool postfix_is_unread(const struct postfix *postfix)
{
    static const char *const names[] = {"main.cf", "master.cf"};
    struct timespec now, since_boot;
    struct stat status;
    char path[PATH_MAX];
    double began = qmgr_began(postfix);
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    for (size_t i = 0; i < sizeof names / sizeof *names && began > 0; i++) {
        snprintf(path, sizeof path, "%s/%s", postfix->dir, names[i]);
        if (stat(path, &status) == 0 &&
            seconds(now) - seconds(status.st_mtim) < seconds(since_boot) - began)
            return true;
    }
    return false;
}

/* ---- lists of domains: strings, patterns with '!', files, tables (postconf(5), mydestination) */

static const struct {
    const char *name, *domains, *maps;
    bool has_subdomains; /* a domain in it can include its subdomains */
} words[] = {
    [POSTFIX_LOCAL] = {"local", "mydestination", "local_recipient_maps", false},
    [POSTFIX_ALIAS] = {"virtual alias", "virtual_alias_domains", "virtual_alias_maps", false},
    [POSTFIX_VIRTUAL] = {"virtual mailbox", "virtual_mailbox_domains", "virtual_mailbox_maps",
                         false},
    [POSTFIX_RELAY] = {"relay", "relay_domains", "relay_recipient_maps", true},
};

const char *postfix_class_name(enum postfix_class kind)
{
    return kind == POSTFIX_NONE ? "none" : words[kind].name;
}

const char *postfix_class_maps(enum postfix_class kind)
{
    return words[kind].maps;
}

/* The match of all domains with one list. */
struct matching {
    const struct postfix *postfix;
    const char *const *domains;
    size_t count;
    /* Of each domain: 0 not decided yet, 1 in the list, -1 excluded with '!' */
    signed char *matches;
    enum subdomains { NONE, DOTTED, ALL } below; /* for which patterns subdomains match */
    /* For postmap: all the domains, one a line; and with those above them as well. */
    const char *input, *parents;
};

/* parent_domain_matches_subdomains, postconf(5): "example" or ".example" is for subdomains, never both. */
static bool is_domain(const char *pattern, const char *domain, enum subdomains below)
{
    size_t length = strlen(domain), tail = strlen(pattern);
    if (strcasecmp(pattern, domain) == 0)
        return true;
    if (below == NONE || tail == 0 || length <= tail ||
        strcasecmp(domain + length - tail, pattern) != 0)
        return false;
    return below == DOTTED ? *pattern == '.' : domain[length - tail - 1] == '.';
}

static void match_string(struct matching *m, const char *pattern, int says)
{
    char name[ADDRESS_DOMAIN_MAX + 2] = ".";
    size_t dots = *pattern == '.' ? 1 : 0;
    if (address_needs_utf8(pattern) &&
        address_domain_parse(name + dots, pattern + dots, strlen(pattern + dots), NULL) == 0)
        pattern = name; /* ours are A-labels */
    for (size_t i = 0; i < m->count; i++)
        if (m->matches[i] == 0 && is_domain(pattern, m->domains[i], m->below))
            m->matches[i] = (signed char)says;
}

/* Takes "proxy:" from the table, and from those in it ("unionmap:{proxy:hash:/a,proxy:hash:/b}"), in place:
 * proxymap(8) opens them for smtpd, but runs only while Postfix does, and postmap waits for it without end. */
static void open_directly(char *table)
{
    static const char proxy[] = "proxy:";
    size_t length = strlen(proxy);
    for (char *at = table; (at = strstr(at, proxy)) != NULL;)
        if (at == table || strchr("{, \t", at[-1]) != NULL)
            memmove(at, at + length, strlen(at + length) + 1);
        else
            at += length;
}

/* postmap prints "domain TAB value" for each domain that it finds. Writes over table. */
static int match_table(struct matching *m, char *table, int says, struct error *err)
{
    struct output output;
    struct matching exact = *m;
    char postmap[PATH_MAX];
    open_directly(table);
    if (strncmp(table, "pcre:", 5) == 0 || strncmp(table, "regexp:", 7) == 0)
        exact.below = NONE; /* a table of patterns is asked about the whole name only */
    const char *input = exact.below == NONE ? m->input : m->parents;
    const char *const argv[] = {postmap, "-c", m->postfix->dir, "-q", "-", table, NULL};
    snprintf(postmap, sizeof postmap, "%s/postmap", m->postfix->programs);
    int rc = process_run_within(&output, argv, input, 10 + (int)(m->count / 100), err);
    if (rc != 0)
        error_at(err, table, 0);
    else if (output.status > 1 || strstr(output.err, "fatal:") != NULL) /* 1: nothing found */
        rc = error_set(err, EX_UNAVAILABLE, "%s: cannot be asked: %.200s", table, output.err);
    for (char *line = strtok(output.out, "\n"); rc == 0 && line != NULL;
         line = strtok(NULL, "\n")) {
        line[strcspn(line, "\t")] = '\0';
        match_string(&exact, line, says);
    }
    process_free(&output);
    return rc;
}

/* The end of an item is a blank outside of braces. */
static char *item_end(char *item)
{
    int depth = 0;
    for (; *item != '\0' && (depth > 0 || strchr(blanks, *item) == NULL); item++)
        depth += *item == '{' ? 1 : *item == '}' ? -1 : 0;
    return item;
}

static int match_list(struct matching *m, char *list, int says, unsigned depth, struct error *err);

/* Asks a list in a file, which may name other files. */
static int match_file(struct matching *m, const char *path, int says, unsigned depth,
                      struct error *err)
{
    if (depth == FILES_MAX)
        return error_set(err, EX_CONFIG, "%s: is a list that names itself: take that out", path);
    char *text = file_read(path, err);
    if (text == NULL)
        return -1;
    cf_blank_comments(text);
    int rc = match_list(m, text, says, depth + 1, err);
    free(text);
    return rc;
}

/* says: 1, or -1 behind '!', which holds for a whole file too (match_list.c). Writes over list. */
static int match_list(struct matching *m, char *list, int says, unsigned depth, struct error *err)
{
    int rc = 0;
    for (char *item = list + strspn(list, blanks), *next; rc == 0 && *item != '\0'; item = next) {
        int item_says = says;
        next = item_end(item);
        if (*next != '\0')
            *next++ = '\0';
        next += strspn(next, blanks);
        for (; *item == '!'; item++)
            item_says = -item_says;
        if (*item == '/')
            rc = match_file(m, item, item_says, depth, err);
        else if (strchr(item, ':') != NULL && *item != '[')
            rc = match_table(m, item, item_says, err);
        else
            match_string(m, item, item_says);
    }
    return rc;
}

static int match_class(struct matching *m, enum postfix_class kind, struct error *err)
{
    const struct postconf *main = &m->postfix->main;
    bool all = strstr(postconf_find(main, "parent_domain_matches_subdomains", ""),
                      "relay_domains") != NULL;
    char *list = strdup(postconf_find(main, words[kind].domains, ""));
    if (list == NULL)
        return error_no_memory(err);
    m->below = !words[kind].has_subdomains ? NONE : all ? ALL : DOTTED;
    memset(m->matches, 0, m->count);
    int rc = match_list(m, list, 1, 0, err);
    free(list);
    return rc;
}

/* The domains, one a line, as A-labels, and also as U-labels if they differ; with parents also those above each of them, with
 * and without a dot before them. On the heap; NULL if memory is out. */
static char *write_domains(const char *const *domains, size_t count, bool parents)
{
    char *text = NULL, unicode[ADDRESS_TEXT_SIZE];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; out != NULL && i < count; i++) {
        const char *forms[] = {domains[i], unicode};
        bool differs = address_domain_to_unicode(unicode, sizeof unicode, domains[i]) == 0 &&
                       strcmp(unicode, domains[i]) != 0;
        for (int form = 0; form <= differs; form++) {
            fprintf(out, "%s\n", forms[form]);
            for (const char *at = forms[form]; parents && (at = strchr(at + 1, '.')) != NULL;)
                fprintf(out, "%s\n%s\n", at, at + 1);
        }
    }
    if (out != NULL && fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

enum postfix_class *postfix_classify(const struct postfix *postfix, const char *const *domains,
                                     size_t count, struct error *err)
{
    char *input = write_domains(domains, count, false);
    char *parents = write_domains(domains, count, true);
    enum postfix_class *classes = calloc(count + 1, sizeof *classes);
    struct matching m = {
        .postfix = postfix, .domains = domains, .count = count, .input = input, .parents = parents};
    m.matches = calloc(count + 1, sizeof *m.matches);
    int rc = input == NULL || parents == NULL || classes == NULL || m.matches == NULL
                 ? error_no_memory(err)
                 : 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        classes[i] = POSTFIX_NONE;
    /* In the order of trivial-rewrite(8): the first class with the domain counts. */
    for (int kind = 0; kind < POSTFIX_CLASSES && rc == 0; kind++) {
        rc = match_class(&m, (enum postfix_class)kind, err);
        for (size_t i = 0; rc == 0 && i < count; i++)
            if (classes[i] == POSTFIX_NONE && m.matches[i] == 1)
                classes[i] = (enum postfix_class)kind;
    }
    free(m.matches);
    free(input);
    free(parents);
    if (rc == 0)
        return classes;
    free(classes);
    return NULL;
}
