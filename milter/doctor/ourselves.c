/* doctor/ourselves.c: the table, the daemon and its sockets */
#include "config.h"

#include "doctor/exam.h"

#include "mta/reach.h"
#include "net/probe.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table */

/* Walks over all domains, and keeps some. */
struct walk {
    struct exam *exam;
    size_t seen;
    char only[ADDRESS_DOMAIN_MAX + 1]; /* "": all */
};

static int count_domain(const struct entry *first, void *data, struct error *err)
{
    struct walk *walk = data;
    (void)err;
    if (first->scope != ENTRY_SUBDOMAINS) /* of which nobody can say what they are called */
        walk->seen++;
    return 0;
}

/* One in so many that DOMAINS_MAX come out in the end. */
static bool is_chosen(size_t number, size_t all)
{
    return all <= DOMAINS_MAX || number * DOMAINS_MAX / all != (number + 1) * DOMAINS_MAX / all;
}

static int choose_domain(const struct entry *first, void *data, struct error *err)
{
    struct walk *walk = data;
    struct exam *exam = walk->exam;
    (void)err;
    if (first->scope == ENTRY_SUBDOMAINS)
        return 0;
    bool chosen = *walk->only != '\0' ? strcmp(walk->only, first->domain) == 0
                                      : is_chosen(walk->seen, exam->all_domains);
    walk->seen++;
    if (!chosen || exam->domain_count == DOMAINS_MAX)
        return 0;
    struct domain *domain = &exam->domains[exam->domain_count++];
    snprintf(domain->name, sizeof domain->name, "%s", first->domain);
    domain->kind = POSTFIX_NONE;
    return 0;
}

int exam_choose_domains(struct exam *exam, struct error *err)
{
    struct walk walk = {.exam = exam};
    const char *asked = exam->ctl->options.domain;
    if (asked != NULL && address_domain_parse(walk.only, asked, strlen(asked), err) != 0)
        return error_at(err, "--domain", 0);
    struct table_view *view = table_view_open(exam->table, err);
    if (view == NULL)
        return -1;
    int rc = table_each_domain(view, choose_domain, &walk, err);
    table_view_close(view);
    if (rc == 0 && asked != NULL && exam->domain_count == 0)
        rc = error_set(err, EX_DATAERR, "--domain: the table has no entry of '%s'", asked);
    return rc;
}

static int count(struct exam *exam, struct error *err)
{
    struct walk walk = {.exam = exam};
    if (table_count(exam->table, &exam->entries, err) != 0)
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
    case EX_CONFIG: return "the other fold_case in ${conf}; or export, init and import anew";
    default:
        return "movedctl restore DIR, or movedctl init in a new folder and movedctl import FILE";
    }
}

void exam_table(struct exam *exam)
{
    struct error *err = &exam->table_error;
    exam_fact(exam, "table", "%s", exam->ctl->path);
    if (table_open(&exam->table, exam->ctl->path, TABLE_READ, exam->settings->fold_case, err) !=
        0) {
        exam->table = NULL;
    } else if (count(exam, err) == 0) {
        if (exam->entries == 0)
            exam_find(exam, "table-empty", NOTE, "The table is empty: nothing has moved.",
                      "movedctl add OLD NEW, or movedctl import FILE");
        return;
    }
    exam_fact(exam, "error", "%s", err->text);
    exam_find(exam, "table", FAULT, "The table cannot be read: ${error}.", mend_table(err->status));
}

/* ---- the daemon */

static int take_stat(const char *name, const char *value, void *data, struct error *err)
{
    struct exam *exam = data;
    (void)err;
    if (strcmp(name, "version") == 0)
        snprintf(exam->version, sizeof exam->version, "%s", value);
    else if (strcmp(name, "mode") == 0)
        exam->observes = strcmp(value, "observe") == 0;
    else if (strcmp(name, "table") == 0)
        exam_fact(exam, "daemon_table", "%s", value);
    else if (strcmp(name, "entries") == 0)
        exam_fact(exam, "daemon_entries", "%s", value);
    return 0;
}

/* What it says of itself, beside what the files say. */
static void compare(struct exam *exam)
{
    bool observes = exam->settings->mode == MODE_OBSERVE;
    const char *table = exam_fact_value(exam, "daemon_table");
    exam_fact(exam, "mode", "%s", exam->observes ? "observe" : "enforce");
    exam_fact(exam, "other_mode", "%s", observes ? "observe" : "enforce");
    exam_fact(exam, "version", "%s", PACKAGE_VERSION);
    exam_fact(exam, "daemon_version", "%s", exam->version);
    if (observes != exam->observes)
        exam_find(exam, "not-reloaded", FAULT,
                  "milter-moved runs with mode = \"${mode}\", and ${conf} says \"${other_mode}\".",
                  "systemctl reload milter-moved (or SIGHUP)");
    if (*table != '\0' && strcmp(table, "good") != 0)
        exam_find(exam, "daemon-table", FAULT, DAEMON_TABLE_WHY, DAEMON_TABLE_MEND);
    if (*exam->version != '\0' && strcmp(exam->version, PACKAGE_VERSION) != 0)
        exam_find(exam, "daemon-version", NOTE,
                  "milter-moved is version ${daemon_version}, and movedctl is ${version}.",
                  "systemctl restart milter-moved");
}

static void report_socket(struct exam *exam, const char *key, const char *socket,
                          const struct error *err)
{
    exam_fact(exam, "key", "%s", key);
    exam_fact(exam, "socket", "%s", socket);
    exam_fact(exam, "error", "%s", err->text);
    if (err->status == EX_NOPERM)
        exam_find(exam, "daemon-unknown", DOWN, "movedctl may not open the socket: ${error}.",
                  "run movedctl doctor as root");
    else if (err->status == EX_PROTOCOL)
        exam_find(exam, "daemon-other", DOWN, "${error}",
                  "set ${key} in ${conf} to a socket of its own");
    else
        exam_find(exam, "daemon-down", DOWN, DAEMON_DOWN_WHY, DAEMON_DOWN_MEND);
}

void exam_daemon(struct exam *exam)
{
    const struct settings *settings = exam->settings;
    struct error err;
    exam->observes = settings->mode == MODE_OBSERVE;
    int session = probe_milter_open(settings->socket, &err);
    exam->milter_answers = session >= 0;
    probe_milter_close(session);
    if (!exam->milter_answers)
        report_socket(exam, "socket", settings->socket, &err);
    if (*settings->lookup_socket == '\0') {
        exam_find(exam, "no-lookups", FAULT,
                  "lookup_socket is \"\" in ${conf}: the mail server cannot ask for mailboxes that "
                  "it no longer "
                  "has, and refuses them itself.",
                  "lookup_socket = \"unix:/run/milter-moved/lookup.sock\"; in ${conf}");
        return;
    }
    exam->lookups_answer = probe_stats(settings->lookup_socket, take_stat, exam, &err) == 0;
    if (exam->lookups_answer)
        compare(exam);
    else
        report_socket(exam, "lookup_socket", settings->lookup_socket, &err);
    if (exam->observes)
        exam_find(exam, "observing", NOTE,
                  "mode = \"observe\": milter-moved logs what it would answer, and refuses "
                  "nothing; each recipient "
                  "gets what it would get without it.",
                  "mode = \"enforce\"; in ${conf}, and systemctl reload milter-moved, when the log "
                  "is as it "
                  "should be");
}

enum listed exam_ask_listed(const struct exam *exam, const char *address)
{
    char request[ADDRESS_TEXT_SIZE + 16], answer[2048];
    struct error err;
    int session = exam->lookups_answer ? probe_milter_open(exam->settings->socket, &err) : -1;
    snprintf(request, sizeof request, "listed %s", address);
    int rc = session < 0 ? -1
                         : probe_lookup(exam->settings->lookup_socket, request, answer,
                                        sizeof answer, &err);
    probe_milter_close(session);
    if (rc != 0)
        return LISTED_UNKNOWN;
    return strncmp(answer, "OK ", 3) == 0        ? LISTED_YES
           : strncmp(answer, "NOTFOUND", 8) == 0 ? LISTED_NO
                                                 : LISTED_UNKNOWN;
}

bool exam_reaches(struct exam *exam, const char *path, const char *user)
{
    struct error err;
    const struct passwd *account = getpwnam(user);
    const struct group *group = account == NULL ? NULL : getgrgid(account->pw_gid);
    if (group == NULL || reach_check(path, user, &err) == 0 || err.status != EX_NOPERM)
        return true;
    char *mend = strrchr(err.text, ':');
    bool is_socket = strncmp(err.text, path, strlen(path)) == 0 && err.text[strlen(path)] == ':';
    if (mend != NULL)
        *mend = '\0';
    exam_fact(exam, "stops", "%s", err.text);
    exam_fact(exam, "let", "%s", is_socket || mend == NULL ? "" : mend + 2);
    if (is_socket)
        exam_fact(
            exam, "let",
            "socket_group = \"%s\"; socket_mode = \"0660\"; in %s, and start milter-moved anew",
            group->gr_name, exam_fact_value(exam, "conf"));
    return false;
}
