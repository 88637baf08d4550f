/* mta/sendmail/sendmail_symptoms.c: what a sendmail.cf shows, and Sendmail's symptoms */
#include "doctor/exam.h"

#include "mta/files.h"
#include "mta/process.h"
#include "mta/sendmail/sendmail_cf.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_DIR  "/etc/mail"
#define FORWARDS_MAX 16 /* new addresses that are looked up */

struct sendmail_view {
    char path[PATH_MAX]; /* of sendmail.cf */
    char *text;
    char *copy, **lines; /* the same in lines, which point into copy */
    size_t line_count, turn;
};

/* ---- sendmail.cf */

/* The next line from *at on that begins so, what follows its beginning; NULL for none. */
static const char *next_line(const struct sendmail_view *view, size_t *at, const char *begins)
{
    size_t length = strlen(begins);
    while (*at < view->line_count) {
        const char *line = view->lines[(*at)++];
        if (strncmp(line, begins, length) == 0)
            return line + length;
    }
    return NULL;
}

/* The last line that begins so, which is the one that counts; "" for none. */
static const char *option(const struct exam *exam, const char *begins)
{
    const char *found = "", *line;
    for (size_t at = 0;
         exam->sendmail != NULL && (line = next_line(exam->sendmail, &at, begins)) != NULL;)
        found = line;
    return found;
}

static int split_lines(struct sendmail_view *view)
{
    for (char *line = strtok(view->copy, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char **more = realloc(view->lines, (view->line_count + 1) * sizeof *more);
        if (more == NULL)
            return -1;
        view->lines = more;
        more[view->line_count++] = line;
    }
    return 0;
}

int sendmail_look(struct exam *exam, struct error *err)
{
    const char *dir = exam->ctl->options.config_dir;
    struct sendmail_view *view = calloc(1, sizeof *view);
    error_set(err, EX_OSERR, "out of memory"); /* unless something else is said */
    if (view == NULL)
        return -1;
    snprintf(view->path, sizeof view->path, "%s/sendmail.cf", dir == NULL ? DEFAULT_DIR : dir);
    view->text = file_read(view->path, err);
    view->copy = view->text == NULL ? NULL : strdup(view->text);
    if (view->copy == NULL || split_lines(view) != 0) {
        sendmail_view_free(view);
        return -1;
    }
    exam->sendmail = view;
    exam_fact(exam, "dir", "%s", dir == NULL ? DEFAULT_DIR : dir);
    exam_fact(exam, "lookups", "%s", exam->settings->lookup_socket);
    exam_fact(exam, "socket_here", "%s", exam->settings->socket);
    return 0;
}

void sendmail_view_free(struct sendmail_view *view)
{
    if (view == NULL)
        return;
    free(view->text);
    free(view->copy);
    free(view->lines);
    free(view);
}

/* ---- milters and ports */

/* The value of an equate in a list, "S=unix:/run/x, F=T", cut at ','; "" where it is not there. */
static void read_equate(char *out, size_t size, const char *list, const char *key)
{
    size_t length = strlen(key);
    *out = '\0';
    for (const char *at = list; at != NULL && *at != '\0';
         at = strchr(at, ',') == NULL ? NULL : strchr(at, ',') + 1) {
        at += strspn(at, " \t");
        if (strncmp(at, key, length) == 0 && at[length] == '=')
            snprintf(out, size, "%.*s", (int)strcspn(at + length + 1, ", \t"), at + length + 1);
    }
}

/* As Sendmail writes it: an IPv6 address has no brackets. */
static void name_socket(const struct exam *exam, char *out, size_t size)
{
    size_t used = 0;
    for (const char *at = exam->settings->socket; *at != '\0' && used + 1 < size; at++)
        if (*at != '[' && *at != ']')
            out[used++] = *at;
    out[used] = '\0';
}

/* A milter: its line "Xname, S=socket, F=T". */
struct filter {
    char name[64], socket[PATH_MAX], flags[16];
};

/* Finds us: by the socket, or else by the name. */
static bool find_us(const struct exam *exam, struct filter *out)
{
    char ours[PATH_MAX];
    const char *line;
    bool found = false;
    name_socket(exam, ours, sizeof ours);
    for (size_t at = 0; (line = next_line(exam->sendmail, &at, "X")) != NULL;) {
        struct filter filter;
        snprintf(filter.name, sizeof filter.name, "%.*s", (int)strcspn(line, ", \t"), line);
        read_equate(filter.socket, sizeof filter.socket, line, "S");
        read_equate(filter.flags, sizeof filter.flags, line, "F");
        bool exact = strcmp(filter.socket, ours) == 0;
        if (exact || strcmp(filter.name, "milter-moved") == 0)
            *out = filter, found = true;
        if (exact)
            return true;
    }
    return found;
}

static bool list_has(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += length)
        if ((at == list || strchr(",; \t", at[-1]) != NULL) &&
            (at[length] == '\0' || strchr(",; \t", at[length]) != NULL))
            return true;
    return false;
}

bool sendmail_next_service(struct exam *exam)
{
    struct sendmail_view *view = exam->sendmail;
    const char *line = next_line(view, &view->turn, "O DaemonPortOptions=");
    exam_fact(exam, "service", "%s", line == NULL ? "" : line);
    if (line == NULL)
        view->turn = 0;
    return line != NULL;
}

/* ---- symptoms of the configuration */

static bool is_not_attached(struct exam *exam)
{
    struct filter us;
    const char *filters = option(exam, "O InputMailFilters=");
    exam_fact(exam, "milters", "%s", *filters == '\0' ? "none" : filters);
    return !find_us(exam, &us) || !list_has(filters, us.name);
}

/* A port may have a list of its own. */
static bool is_port_without_us(struct exam *exam)
{
    struct filter us;
    char list[1024];
    const char *line = exam_fact_value(exam, "service"), *own = strstr(line, "InputMailFilters=");
    if (own == NULL || !find_us(exam, &us))
        return false;
    snprintf(list, sizeof list, "%.*s", (int)strcspn(own, ", "), own + strlen("InputMailFilters="));
    return !list_has(list, us.name);
}

static bool is_elsewhere(struct exam *exam)
{
    struct filter us;
    char ours[PATH_MAX];
    name_socket(exam, ours, sizeof ours);
    if (!find_us(exam, &us) || strcmp(us.socket, ours) == 0)
        return false;
    exam_fact(exam, "address", "%s", us.socket);
    exam_fact(exam, "socket", "%s", ours);
    return true;
}

static bool lets_pass(struct exam *exam)
{
    struct filter us;
    if (!find_us(exam, &us))
        return false;
    exam_fact(exam, "flags", "%s", us.flags);
    return strchr(us.flags, 'T') == NULL;
}

/* Kreply socket -d10 -T<TMPF> local:/run/milter-moved/lookup.sock */
static const char *map_path(const struct exam *exam)
{
    const char *line = option(exam, "Kreply "), *at = strstr(line, "local:");
    return at != NULL                             ? at + strlen("local:")
           : (at = strstr(line, "unix:")) != NULL ? at + strlen("unix:")
                                                  : "";
}

static bool lacks_map(struct exam *exam)
{
    return !is_not_attached(exam) && *map_path(exam) == '\0';
}

static bool looks_up_elsewhere(struct exam *exam)
{
    const char *socket = exam->settings->lookup_socket, *path = map_path(exam);
    exam_fact(exam, "lookups", "%s", socket);
    exam_fact(exam, "address", "%s", path);
    return *path != '\0' && strncmp(socket, "unix:", 5) == 0 && strcmp(socket + 5, path) != 0;
}

static bool is_newer(const char *path, const struct timespec *than)
{
    struct stat status;
    return stat(path, &status) == 0 &&
           (status.st_mtim.tv_sec > than->tv_sec ||
            (status.st_mtim.tv_sec == than->tv_sec && status.st_mtim.tv_nsec > than->tv_nsec));
}

static bool is_newer_than_file(const char *path, const char *file)
{
    struct stat status;
    return stat(file, &status) == 0 && is_newer(path, &status.st_mtim);
}

/* sendmail.mc, or our part of it, was changed after sendmail.cf was made of it. */
static bool is_not_rebuilt(struct exam *exam)
{
    char path[PATH_MAX + 32];
    static const char *const names[] = {"sendmail.mc", "milter-moved.m4"};
    const char *cf = exam->sendmail->path;
    int folder = (int)(strrchr(cf, '/') - cf);
    exam_fact(exam, "cf", "%s", cf);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%.*s/%s", folder, cf, names[i]);
        exam_fact(exam, "file", "%s", path);
        if (is_newer_than_file(path, cf))
            return true;
    }
    return false;
}

/* Sendmail writes its pid when it has read sendmail.cf. */
static bool is_not_restarted(struct exam *exam)
{
    const char *pid = option(exam, "O PidFile=");
    exam_fact(exam, "cf", "%s", exam->sendmail->path);
    exam_fact(exam, "pid_file", "%s", pid);
    return *pid != '\0' && is_newer_than_file(exam->sendmail->path, pid);
}

static bool has_narrow_limits(struct exam *exam)
{
    long throttle = atol(option(exam, "O BadRcptThrottle="));
    exam_fact(exam, "soft", "%ld", throttle);
    exam_fact(exam, "entries", "%zu", exam->entries);
    return throttle > 0 && (size_t)throttle <= exam->entries;
}

/* ---- what a stranger gets, by the rules: sendmail -bt, as client 198.51.100.1, whom nobody knows (RFC 5737) */

static const char stranger[] = ".D{client_addr}198.51.100.1\n.D{client_name}stranger.invalid\n"
                               ".D{client_resolve}FAIL\n.D{mail_from}<>\n";

/* Has check_rcpt decide about these recipients, a line each. Returns what it prints, on the heap; or NULL. */
static char *try_rules(const struct exam *exam, const char *recipients)
{
    const char *const argv[] = {"sendmail", "-C", exam->sendmail->path, "-bt", NULL};
    struct output output = {.out = NULL};
    struct error err;
    char *lines = NULL;
    int rc = asprintf(&lines, "%s%s", stranger, recipients) < 0
                 ? -1
                 : process_run(&output, argv, lines, &err);
    free(lines);
    char *printed = rc == 0 ? output.out : NULL;
    if (rc == 0)
        output.out = NULL;
    process_free(&output);
    return printed;
}

/* What the ruleset came to for the first recipient that is not passed yet; *at goes behind it. */
static bool is_denied(const char **at)
{
    static const char returns[] = "\ncheck_rcpt       returns: ";
    const char *found = *at == NULL ? NULL : strstr(*at, returns);
    if (found == NULL)
        return false;
    found += strlen(returns);
    size_t length = strcspn(found, "\n");
    *at = found + length;
    return memmem(found, length, "elaying denied", strlen("elaying denied")) != NULL;
}

/* An entry of the domain that is refused with a reply; else any recipient. */
static const char *listed_in(const struct exam *exam, const struct domain *domain)
{
    const char *any = "";
    for (size_t i = 0; i < exam->asked_count; i++)
        if (exam->asked[i]->domain == domain) {
            any = exam->asked[i]->recipient;
            if (exam->asked[i]->expected.verdict == VERDICT_REPLY)
                break;
        }
    return any;
}

/* A domain that is served needs no second look: so none of the addresses there is told to the stranger, who would
 * come nearer to the limit. */
static void try_all(struct exam *exam, bool listed)
{
    char *recipients = NULL;
    size_t size;
    FILE *out = open_memstream(&recipients, &size);
    if (out == NULL)
        return;
    for (size_t i = 0; i < exam->domain_count; i++)
        if (!listed || exam->domains[i].is_denied)
            fprintf(out, "check_rcpt <%s%s>\n",
                    listed ? listed_in(exam, &exam->domains[i]) : "movedctl-doctor@",
                    listed ? "" : exam->domains[i].name);
    char *printed = fclose(out) == 0 && size > 0 ? try_rules(exam, recipients) : NULL;
    const char *at = printed;
    for (size_t i = 0; i < exam->domain_count; i++)
        if (!listed || exam->domains[i].is_denied)
            exam->domains[i].is_denied = is_denied(&at);
    free(recipients);
    free(printed);
}

void sendmail_try_domains(struct exam *exam)
{
    try_all(exam, false);
    try_all(exam, true);
}

static bool is_unserved(struct exam *exam)
{
    return exam->turn_of != NULL && exam->turn_of->is_denied;
}

/* Sendmail drops a recipient that a milter adds and that it does not know, and says so to nobody. Asked of
 * it as sendmail(8) -bv does, for some of those that are forwarded. */
static bool forwards_to_nobody(struct exam *exam)
{
    struct error err;
    size_t left = FORWARDS_MAX;
    bool found = false;
    for (size_t i = 0; i < exam->asked_count && left > 0 && !found; i++) {
        const struct answer *expected = &exam->asked[i]->expected;
        const char *const argv[] = {"sendmail",    "-C", exam->sendmail->path, "-bv", "--",
                                    expected->new, NULL};
        struct output output = {.out = NULL};
        if (expected->verdict != VERDICT_FORWARD)
            continue;
        left--;
        found = process_run(&output, argv, NULL, &err) == 0 && output.status == EX_NOUSER;
        process_free(&output);
        exam_fact(exam, "recipient", "%s", exam->asked[i]->recipient);
        exam_fact(exam, "new", "%s", expected->new);
    }
    return found;
}

/* ---- the replies that these lead to */

static bool is_ours(const struct exam *exam)
{
    return exam->now->expected.verdict == VERDICT_REPLY;
}

static bool shows_unknown(struct exam *exam)
{
    return is_ours(exam) && strncmp(exam->now->got.first, "550 5.1.1", 9) == 0;
}

static bool shows_accepted(struct exam *exam)
{
    return is_ours(exam) && reply_class_of(exam) == 2;
}

static bool shows_wrong(struct exam *exam)
{
    return is_ours(exam) && reply_class_of(exam) != 4;
}

static bool shows_denied(struct exam *exam)
{
    return reply_says(exam, "relaying denied");
}

/* What comes of a milter that is looked for where it is not. */
static bool shows_unreached(struct exam *exam)
{
    return exam->milter_answers && (is_ours(exam) || reply_class_of(exam) == 4);
}

static bool shows_lookup_failure(struct exam *exam)
{
    return exam->lookups_answer && reply_is(exam, TEXT_TABLE_ERROR);
}

static bool shows_deferred(struct exam *exam)
{
    return exam->milter_answers && exam->lookups_answer && reply_class_of(exam) == 4;
}

/* ---- symptoms of replies alone */

/* A Sendmail that gives up root has to be let in. */
static bool may_not_open(struct exam *exam)
{
    const char *sockets[] = {exam->settings->socket, exam->settings->lookup_socket};
    const char *run_as = option(exam, "O RunAsUser=");
    char user[64];
    snprintf(user, sizeof user, "%.*s", (int)strcspn(run_as, ": "), run_as);
    for (size_t i = 0; i < 2 && *user != '\0'; i++)
        if (strncmp(sockets[i], "unix:", 5) == 0 && !exam_reaches(exam, sockets[i] + 5, user))
            return true;
    return false;
}

/* Sendmail opens a socket only where nobody else could put another. */
static bool is_unsafe(struct exam *exam)
{
    const char *sockets[] = {exam->settings->socket, exam->settings->lookup_socket};
    char folder[PATH_MAX];
    for (size_t i = 0; i < 2 && shows_deferred(exam) && exam->sendmail != NULL; i++)
        if (strncmp(sockets[i], "unix:", 5) == 0 &&
            sendmail_distrusts(exam->sendmail->text, sockets[i] + 5, folder, sizeof folder) != 0) {
            exam_fact(exam, "stops", "%s", folder);
            return true;
        }
    return false;
}

static bool misses_milter(struct exam *exam)
{
    return shows_deferred(exam) && strncmp(exam->now->got.first, "451 4.3.2", 9) == 0;
}

/* The words for a table that cannot be read are said as well where the map itself cannot be asked. */
static bool misses_lookup(struct exam *exam)
{
    return shows_deferred(exam) && reply_is(exam, TEXT_TABLE_ERROR) &&
           strcmp(exam_fact_value(exam, "daemon_table"), "good") == 0;
}

static bool relays_for_us(struct exam *exam)
{
    return exam->now->invented && exam->now->domain->is_denied && reply_class_of(exam) == 2;
}

static bool lacks_mailbox(struct exam *exam)
{
    return exam->now->expected.verdict == VERDICT_FORWARD &&
           strncmp(exam->now->got.first, "550 5.1.1", 9) == 0;
}

/* clang-format off */
const struct symptom sendmail_symptoms[] = {
    {"not-attached", FAULT, OF_SERVER, is_not_attached, shows_wrong,
     "Sendmail has no milter-moved among its InputMailFilters (${milters}).",
     "${attach}"},
    {"port-without-milter", FAULT, OF_SERVICE, is_port_without_us, shows_accepted,
     "A port has a list of milters of its own, without milter-moved: ${service}.",
     "in sendmail.mc add milter-moved to InputMailFilters of that DAEMON_OPTIONS, rebuild sendmail.cf, and "
     "start Sendmail anew"},
    {"map-missing", FAULT, OF_SERVER, lacks_map, shows_unknown,
     "Sendmail does not ask the map reply of milter-moved: a mailbox that was removed is unknown, and no "
     "milter is heard.",
     "${attach}"},
    {"lookup-elsewhere", FAULT, OF_SERVER, looks_up_elsewhere, shows_lookup_failure,
     "Sendmail looks for the map reply at ${address}, and milter-moved listens on ${lookups}.",
     "${attach}"},
    {"socket-elsewhere", FAULT, OF_SERVER, is_elsewhere, shows_unreached,
     "Sendmail looks for milter-moved at ${address}, and it listens on ${socket}.",
     "${attach}"},
    {"socket-access", FAULT, OF_SERVER, may_not_open, shows_deferred,
     "Sendmail gives up root (RunAsUser): ${stops}.",
     "${let}"},
    {"unserved", FAULT, OF_DOMAIN, is_unserved, shows_denied,
     "Sendmail does not take mail for ${domain} any more: a stranger gets 'Relaying denied', and not the new "
     "address.",
     "${attach_unserved}"},
    {"flag-t", FAULT, OF_SERVER, lets_pass, shows_accepted,
     "Sendmail has milter-moved without F=T (F=${flags}): while milter-moved is down mail passes as if "
     "nothing had moved.",
     "in sendmail.mc, INPUT_MAIL_FILTER(`milter-moved', `S=${socket_here}, F=T'), rebuild sendmail.cf, and "
     "start Sendmail anew"},
    {"not-rebuilt", FAULT, OF_SERVER, is_not_rebuilt, shows_wrong,
     "${file} is newer than ${cf}.",
     "rebuild sendmail.cf (make -C ${dir}), and start Sendmail anew"},
    {"not-restarted", FAULT, OF_SERVER, is_not_restarted, shows_wrong,
     "${cf} is newer than ${pid_file}: Sendmail has not read it yet.",
     "systemctl restart sendmail (or HUP to its process)"},
    {"error-limits", NOTE, OF_SERVER, has_narrow_limits, NULL,
     "Sendmail waits a second before each reply after ${soft} refused recipients of a message "
     "(BadRcptThrottle); the table has ${entries} entries.",
     "define(`confBAD_RCPT_THROTTLE', `0') in sendmail.mc, if list servers are held up"},
    {"relays-for-us", NOTE, OF_REPLY, relays_for_us, NULL,
     "${domain} is not served here, but clients that may relay, as we do, may send mail through this server "
     "to any domain.",
     ""},
    {"forward-needs-mailbox", FAULT, OF_REPLY, lacks_mailbox, NULL,
     "${recipient} is to be forwarded, but Sendmail no longer has the mailbox and refuses it itself.",
     "give it an alias on Sendmail (any target: milter-moved replaces it), until forwarding ends"},
    {"forward-to-nobody", FAULT, OF_SERVER, forwards_to_nobody, NULL,
     "${recipient} is to be forwarded to ${new}, a mailbox of Sendmail's own that it does not have: such mail is "
     "lost, without a bounce.",
     "movedctl add --replace ${recipient} with the right new address"},
    {"folder-unsafe", FAULT, OF_REPLY, is_unsafe, NULL,
     "Sendmail opens no socket below a folder that others may write to, ${stops}: ${got}.",
     "chmod go-w ${stops}; or sockets in another folder, /run/milter-moved"},
    {"milter-unreached", FAULT, OF_REPLY, misses_milter, NULL,
     "Sendmail does not reach one of its milters: ${got}. milter-moved itself answers.",
     "its log names the milter ('to error state'): start that"},
    {"lookup-failed", FAULT, OF_REPLY, misses_lookup, NULL,
     "Sendmail cannot ask the map reply: ${got}. milter-moved itself answers on its lookup socket.",
     "the modes of ${lookups} and the folders above: Sendmail has to be able to open it"},
    {NULL, NOTE, OF_SERVER, NULL, NULL, NULL, NULL},
};
/* clang-format on */
