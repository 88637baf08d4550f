/* doctor/ourselves.c: the table, the daemon and its sockets */
#include "config.h"

#include "doctor/exam.h"

#include "net/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table */

/* Walks over all domains, and keeps some. */
struct domain_walk {
    struct exam *exam;
    size_t seen;
    char only[ADDRESS_DOMAIN_MAX + 1]; /* "": all */
};

static int count_domain(const struct entry *first, void *data, struct error *err)
{
    struct domain_walk *walk = data;
    (void)err;
    if (first->scope != ENTRY_SUBDOMAINS) /* nobody can tell their names */
        walk->seen++;
    return 0;
}

/* Picks DOMAINS_MAX of them, evenly spaced. */
static bool is_chosen(size_t number, size_t all)
{
    return all <= DOMAINS_MAX || number * DOMAINS_MAX / all != (number + 1) * DOMAINS_MAX / all;
}

static int choose_domain(const struct entry *first, void *data, struct error *err)
{
    struct domain_walk *walk = data;
    struct evidence *evidence = &walk->exam->evidence;
    (void)err;
    if (first->scope == ENTRY_SUBDOMAINS)
        return 0;
    bool chosen = *walk->only != '\0' ? strcmp(walk->only, first->domain) == 0
                                      : is_chosen(walk->seen, walk->exam->all_domains);
    walk->seen++;
    if (!chosen || evidence->domain_count == DOMAINS_MAX)
        return 0;
    struct asked_domain *domain = &evidence->domains[evidence->domain_count++];
    *domain = (struct asked_domain){.kind = 0};
    snprintf(domain->name, sizeof domain->name, "%s", first->domain);
    return 0;
}

int exam_choose_domains(struct exam *exam, struct error *err)
{
    struct domain_walk walk = {.exam = exam};
    const char *asked = exam->request->domain;
    if (asked != NULL && address_domain_parse(walk.only, asked, strlen(asked), err) != 0)
        return error_at(err, "--domain", 0);
    struct table_view *view = table_view_open(exam->table, err);
    if (view == NULL)
        return -1;
    int rc = table_each_domain(view, choose_domain, &walk, err);
    table_view_close(view);
    if (rc == 0 && asked != NULL && exam->evidence.domain_count == 0)
        rc = error_set(err, EX_DATAERR, "--domain: the table has no entry of '%s'", asked);
    return rc;
}

static int count(struct exam *exam, struct error *err)
{
    struct domain_walk walk = {.exam = exam};
    if (table_count(exam->table, &exam->evidence.entries, err) != 0)
        return -1;
    struct table_view *view = table_view_open(exam->table, err);
    if (view == NULL)
        return -1;
    int rc = table_each_domain(view, count_domain, &walk, err);
    exam->all_domains = walk.seen;
    table_view_close(view);
    return rc;
}

static const char *mend_table(int status)
{
    switch (status) {
    case EX_NOINPUT: return "movedctl init, and movedctl import FILE";
    case EX_NOPERM: return "run movedctl as root, or as a member of the table's group";
    case EX_CONFIG: return "the other fold_case in ${conf}; or export, init and import again";
    default:
        return "movedctl restore DIR, or movedctl init in a new folder and movedctl import FILE";
    }
}

void exam_table(struct exam *exam)
{
    struct error *err = &exam->table_error;
    const char *path = exam->request->table;
    fact_set(&exam->facts, "table", "%s", path);
    if (table_open(&exam->table, path, TABLE_READ, exam->evidence.settings->fold_case, err) != 0) {
        exam->table = NULL;
    } else if (count(exam, err) == 0) {
        if (exam->evidence.entries == 0)
            findings_note(&exam->findings, &exam->facts, "table-empty", NOTE,
                          "The table is empty: nothing has moved.",
                          "movedctl add OLD NEW, or movedctl import FILE");
        return;
    }
    fact_set(&exam->facts, "error", "%s", err->text);
    findings_note(&exam->findings, &exam->facts, "table", FAULT,
                  "The table cannot be read: ${error}.",
                  err->status == EX_NOINPUT && *exam->evidence.settings->source.connect != '\0'
                      ? "movedctl follow makes it: systemctl status milter-moved-follow"
                      : mend_table(err->status));
}

/* ---- the daemon */

static int take_stat(const char *name, const char *value, void *data, struct error *err)
{
    struct daemon_state *daemon = data;
    (void)err;
    if (strcmp(name, "version") == 0)
        snprintf(daemon->version, sizeof daemon->version, "%s", value);
    else if (strcmp(name, "mode") == 0)
        daemon->observes = strcmp(value, "observe") == 0;
    else if (strcmp(name, "table") == 0)
        snprintf(daemon->table, sizeof daemon->table, "%s", value);
    return 0;
}

/* What lets the daemon read its table, by its own word of what is wrong. */
static void tell_mend(struct exam *exam)
{
    const char *wrong = exam->evidence.daemon.table;
    if (strstr(wrong, strerror(EACCES)) != NULL)
        fact_set(&exam->facts, "mend_table", "chown -R %s: %s", exam->evidence.settings->user,
                 exam->request->table);
    else
        fact_set(&exam->facts, "mend_table", "%s",
                 mend_table(strstr(wrong, "no table there") != NULL ? EX_NOINPUT : EX_DATAERR));
}

/* Whether it runs with what the files have. */
static void compare(struct exam *exam)
{
    const struct daemon_state *daemon = &exam->evidence.daemon;
    bool observes = exam->evidence.settings->mode == MODE_OBSERVE;
    struct facts *facts = &exam->facts;
    fact_set(facts, "mode", "%s", daemon->observes ? "observe" : "enforce");
    fact_set(facts, "other_mode", "%s", observes ? "observe" : "enforce");
    fact_set(facts, "version", "%s", PACKAGE_VERSION);
    fact_set(facts, "daemon_version", "%s", daemon->version);
    fact_set(facts, "daemon_table", "%s", daemon->table);
    if (observes != daemon->observes)
        findings_note(
            &exam->findings, facts, "not-reloaded", FAULT,
            "milter-moved runs with mode = \"${mode}\", and ${conf} has \"${other_mode}\".",
            "${reload_daemon}");
    tell_mend(exam);
    if (*daemon->table != '\0' && strcmp(daemon->table, "good") != 0)
        findings_note(&exam->findings, facts, "daemon-table", FAULT, DAEMON_TABLE_WHY,
                      DAEMON_TABLE_MEND);
    if (*daemon->version != '\0' && strcmp(daemon->version, PACKAGE_VERSION) != 0)
        findings_note(&exam->findings, facts, "daemon-version", NOTE,
                      "milter-moved is version ${daemon_version}, and movedctl is ${version}.",
                      "${restart_daemon}");
}

static void report_socket(struct exam *exam, const char *key, const char *socket,
                          const struct error *err)
{
    fact_set(&exam->facts, "silent_key", "%s", key);
    fact_set(&exam->facts, "silent_socket", "%s", socket);
    fact_set(&exam->facts, "silent_error", "%s", err->text);
    if (err->status == EX_NOPERM)
        findings_note(&exam->findings, &exam->facts, "daemon-unknown", DOWN,
                      "movedctl may not open the socket: ${silent_error}.",
                      "run movedctl doctor as root");
    else if (err->status == EX_PROTOCOL)
        findings_note(&exam->findings, &exam->facts, "daemon-other", DOWN, "${silent_error}",
                      "set ${silent_key} in ${conf} to a socket of its own");
    else
        findings_note(&exam->findings, &exam->facts, "daemon-down", DOWN, DAEMON_DOWN_WHY,
                      DAEMON_DOWN_MEND);
}

/* Returns whether it can be asked there. */
static bool ask_lookups(struct exam *exam)
{
    const char *socket = exam->evidence.settings->lookup_socket;
    struct error err;
    if (*socket == '\0') {
        findings_note(&exam->findings, &exam->facts, "no-lookups", FAULT,
                      "lookup_socket is \"\" in ${conf}: the mail server cannot ask for mailboxes "
                      "that it no longer has, and refuses them itself.",
                      "lookup_socket = \"unix:/run/milter-moved/lookup.sock\"; in ${conf}");
        return false;
    }
    if (probe_stats(socket, take_stat, &exam->evidence.daemon, &err) == 0)
        return true;
    report_socket(exam, "lookup_socket", socket, &err);
    return false;
}

void exam_daemon(struct exam *exam)
{
    const struct settings *settings = exam->evidence.settings;
    struct daemon_state *daemon = &exam->evidence.daemon;
    struct error err;
    int session = probe_milter_open(settings->socket, &err);
    daemon->observes = settings->mode == MODE_OBSERVE;
    daemon->milter_answers = session >= 0;
    probe_milter_close(session);
    if (!daemon->milter_answers)
        report_socket(exam, "socket", settings->socket, &err);
    daemon->lookups_answer = ask_lookups(exam);
    if (daemon->lookups_answer)
        compare(exam);
    if (daemon->observes && *settings->lookup_socket != '\0')
        findings_note(&exam->findings, &exam->facts, "observing", NOTE,
                      "mode = \"observe\": milter-moved logs what it would answer, and refuses "
                      "nothing; each recipient gets what it would get without it.",
                      "mode = \"enforce\"; in ${conf}, and ${reload_daemon}, once the "
                      "log is as it should be");
}

enum listed exam_ask_listed(const struct evidence *evidence, const char *address)
{
    const struct settings *settings = evidence->settings;
    char request[ADDRESS_TEXT_SIZE + 16], answer[2048];
    struct error err;
    int session = evidence->daemon.lookups_answer ? probe_milter_open(settings->socket, &err) : -1;
    snprintf(request, sizeof request, "listed %s", address);
    int rc = session < 0
                 ? -1
                 : probe_lookup(settings->lookup_socket, request, answer, sizeof answer, &err);
    probe_milter_close(session);
    if (rc != 0)
        return LISTED_UNKNOWN;
    return strncmp(answer, "OK ", 3) == 0        ? LISTED_YES
           : strncmp(answer, "NOTFOUND", 8) == 0 ? LISTED_NO
                                                 : LISTED_UNKNOWN;
}
